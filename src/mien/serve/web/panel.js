// What is said of one face: the answer and how far it can be trusted, what if a part were hidden, what each part told.

import { areaTable, contribution, emotions, interval } from "./charts.js";
import { $, fill, html } from "./dom.js";
import { areaOf, PARTS, partsOf } from "./read.js";
import { capital, isPlural, level, listed, percent, range, rounded, seenWords, verdict } from "./words.js";

/** The answer if only the parts not hidden were visible; null where there is none. */
export function answerOf(face, hidden) {
  const area = areaOf(new Set(PARTS.filter((part) => !hidden.has(part))));
  if (!area) return null;
  const same = PARTS.every((part) => face.visible.has(part) !== hidden.has(part));
  const supposed = face.whatIf[area];
  if (same && face.answer) return { ...face.answer, words: supposed?.words ?? "", contributions: supposed?.contributions ?? {}, notes: face.notes };
  return supposed ?? null;
}

/** Which of the panel's cards are shown: result, waiting, failed or nobody. */
export function showState(name) {
  for (const card of document.querySelectorAll("[data-result]")) card.hidden = name !== "result";
  for (const id of ["waiting", "failed", "nobody"]) $(id).hidden = name !== id;
  $("panel").setAttribute("aria-busy", String(name === "waiting"));
}

export function showFace(face, hidden, { onToggle }) {
  const answer = answerOf(face, hidden);
  const trust = level(answer?.right);
  $("seen").textContent = hidden.size === PARTS.length ? "nothing" : seenWords(hidden);
  $("verdict").textContent = capital(verdict(answer));
  $("verdict").className = `verdict l-${trust}`;
  fill($("trust-words"), answer ? html("strong", {}, capital(answer.words || "not calibrated")) : "No part of the face is visible.");
  if (answer?.right) interval($("trust-bar"), answer.right); else fill($("trust-bar"));
  $("trust-range").textContent = rangeWords(answer?.right);
  const others = (answer?.set ?? []).filter((name) => name !== answer.emotion);
  $("prediction-set").textContent = others.length ? `Could also be ${listed(others, "or")}.` : "";
  fill($("notes"), noteWords(face, answer).map((note) => html("li", {}, note)));
  showParts(face, hidden, onToggle);
  $("change").textContent = changeWords(face, hidden, answer);
  emotions($("emotions"), answer);
  contribution($("contribution"), answer?.contributions ?? {}, answer?.emotion);
  areaTable($("areas"), face, answer, (area) => partsOf(area).every((part) => !hidden.has(part)));
}

function rangeWords(right) {
  if (!right) return "";
  return range(right) ? `95% interval ${range(right)}` : `95% interval less than ${percent(right.value).includes(".") ? "0.1" : "1"}% wide`;
}

function noteWords(face, answer) {
  const pieces = Object.entries(face.hiddenShares).filter(([, share]) => share >= 0.5).map(([name, share]) => `${name} ${rounded(share)}`);
  return [...(answer?.notes ?? face.notes), ...(pieces.length ? [`Hidden, as measured: ${listed(pieces)}.`] : []),
    ...(face.abstained ? ["Less sure than was asked for, so no answer is given in the table."] : [])];
}

function showParts(face, hidden, onToggle) {
  const focused = document.activeElement?.dataset?.toggles;
  fill($("parts"), PARTS.map((part) => html("button", { type: "button", class: `part p-${part}`, "aria-pressed": String(hidden.has(part)), "data-toggles": part, onclick: () => onToggle(part) },
    html("span", { class: "visually-hidden" }, "Hide the "), html("span", { class: "name" }, part),
    html("span", { class: "state" }, stateWords(face, part, hidden.has(part))))));
  if (focused) $("parts").querySelector(`[data-toggles="${focused}"]`)?.focus();
}

function stateWords(face, part, hidden) {
  const seen = face.visible.has(part);
  const sure = part in face.visibility && !face.given ? ` (${rounded(seen ? face.visibility[part] : 1 - face.visibility[part])} sure)` : "";
  if (hidden) return seen ? "hidden by you" : `covered${sure}`;
  return seen ? `visible${sure}` : "covered, shown by you";
}

function changeWords(face, hidden, after) {
  const covered = PARTS.filter((part) => !face.visible.has(part));
  if (PARTS.every((part) => face.visible.has(part) !== hidden.has(part))) {
    return covered.length ? `The ${listed(covered)} ${isPlural(covered) ? "are" : "is"} covered in the picture, so the answer leaves ${isPlural(covered) ? "them" : "it"} out.` : "Press one to see what the others would say without it.";
  }
  const before = answerOf(face, new Set(covered));
  if (!after) return "With every part hidden there is no answer.";
  if (!before) return `Now ${after.emotion}, ${after.words}.`;
  const head = after.emotion === before.emotion ? `Still ${after.emotion}` : `${capital(before.emotion)} becomes ${after.emotion}`;
  if (!after.right || !before.right) return `${head}.`;
  return `${head}: right ${percent(before.right.value)} before, ${percent(after.right.value)} now.`;
}
