// All faces of all pictures: filtered by trust and emotion, sorted by any column, and saved as CSV or JSON.

import { rightWords } from "./charts.js";
import { $, fill, html } from "./dom.js";
import { EMOTIONS, PARTS } from "./read.js";
import { clock, level, listed, seenWords, verdict } from "./words.js";

const FIRST_ROWS = 100;
const COLUMNS = [
  ["Picture", ({ item }) => item.name], ["Moment", ({ shot }) => shot.time ?? -1], ["Face", ({ face }) => face.number],
  ["Emotion", ({ answer }) => answer?.emotion ?? ""], ["Right", ({ answer }) => answer?.right?.value ?? -1],
  ["Visible", ({ face }) => [...face.visible].join()], ["Size", ({ face }) => face.size],
];
const order = { column: null, down: false };
let shownRows = FIRST_ROWS;

/** One entry a face: {item, shot, face, answer}. */
export function entries(items) {
  return items.flatMap((item) => item.shots.flatMap((shot) => shot.answer.faces.map((face) => ({ item, shot, face, answer: face.abstained ? null : face.answer }))));
}

const filters = () => ({ least: $("least").value / 100, only: $("only").value });

/** Those that pass the filters, in the order chosen. */
export function passing(items) {
  const { least, only } = filters();
  const rows = entries(items).filter(({ answer }) => (!least || (answer?.right?.value ?? 0) >= least) && (!only || answer?.emotion === only));
  if (order.column === null) return rows;
  const key = COLUMNS[order.column][1];
  const sign = order.down ? -1 : 1;
  return rows.sort((a, b) => { const [x, y] = [key(a), key(b)]; return sign * (typeof x === "string" ? x.localeCompare(y) : x - y); });
}

function head(again) {
  return html("tr", {}, COLUMNS.map(([title], number) => html("th", { scope: "col", "aria-sort": order.column === number ? (order.down ? "descending" : "ascending") : "none" },
    html("button", { type: "button", class: "sort", onclick: () => { Object.assign(order, { column: number, down: order.column === number ? !order.down : title === "Right" }); again(); } },
      title, html("span", { "aria-hidden": true }, order.column === number ? (order.down ? " ↓" : " ↑") : "")))));
}

function row({ item, shot, face, answer }, selected, onOpen) {
  const covered = PARTS.filter((part) => !face.visible.has(part));
  const current = selected.shot === shot && selected.face === face.number;
  return html("tr", { class: `l-${level(answer?.right)}`, "aria-current": current ? "true" : null },
    html("th", { scope: "row" }, html("button", { type: "button", class: "link", "aria-label": `Show face ${face.number + 1} of ${item.name}${shot.time === null ? "" : ` at ${clock(shot.time)}`}`, onclick: () => onOpen(item, shot, face.number) }, item.name)),
    html("td", {}, shot.time === null ? "–" : clock(shot.time)), html("td", {}, face.number + 1),
    html("td", { class: "said" }, verdict(answer)), html("td", {}, answer ? rightWords(answer.right) : "–"),
    html("td", {}, covered.length ? `${covered.length === 3 ? "nothing" : seenWords(new Set(covered))} (${listed(covered)} hidden)` : "whole face"),
    html("td", {}, `${Math.round(face.size)} px`));
}

export function showTable(items, selected, { onOpen }) {
  const all = entries(items).length;
  const empty = items.flatMap((item) => item.shots).filter(({ answer }) => !answer.faces.length).length;
  $("all").hidden = items.every((item) => !item.shots.length);
  if ($("all").hidden) return;
  const again = () => showTable(items, selected, { onOpen });
  const rows = passing(items);
  $("all-count").textContent = [`${rows.length} of ${all} ${all === 1 ? "face" : "faces"}`, empty && `${empty} ${empty === 1 ? "picture" : "pictures"} without a face`].filter(Boolean).join(" · ");
  for (const id of ["save-csv", "save-json"]) $(id).disabled = !rows.length && !empty;
  fill($("all-faces"), rows.length
    ? html("div", { class: "scroll", role: "region", "aria-label": "All faces", tabindex: 0 }, html("table", { class: "grid-table faces" },
      html("thead", {}, head(again)), html("tbody", {}, rows.slice(0, shownRows).map((one) => row(one, selected, onOpen)))))
    : html("p", { class: "note" }, all ? "No face passes these filters." : "No face was found yet."),
  rows.length > shownRows && html("button", { type: "button", onclick: () => { shownRows += 500; again(); } }, `Show ${Math.min(500, rows.length - shownRows)} more`));
}

export function fillFilters(onChange) {
  fill($("only"), html("option", { value: "" }, "all"), EMOTIONS.map((name) => html("option", { value: name }, name)));
  $("least").addEventListener("input", () => { $("least-value").textContent = `${$("least").value}%`; onChange(); });
  $("only").addEventListener("change", onChange);
}

const shots = (items) => items.flatMap((item) => item.shots);

/** Whether a face (or, with null, a picture without one) is to be saved. */
function isKept(items) {
  const { least, only } = filters();
  const kept = new Map(shots(items).map((shot) => [shot, new Set()]));
  for (const { shot, face } of passing(items)) kept.get(shot).add(face.number);
  return (shot, number) => (number === null ? !least && !only : kept.get(shot).has(number));
}

const moment = (shot) => (shot.time === null ? {} : { frame: shot.number, approx_time: shot.time });

/** The rows of the faces shown, as the server wrote them; where nothing is filtered, also the pictures without a face. */
export function tableRows(items) {
  const kept = isKept(items);
  return shots(items).flatMap((shot) => shot.answer.rows.filter((one) => kept(shot, one.face_id ?? null)).map((one) => ({ ...one, ...moment(shot) })));
}

/** What the server said of the pictures whose faces are shown; faces that are filtered out are left out. */
export function pictureRecords(items) {
  const kept = isKept(items);
  return shots(items).filter((shot) => (shot.answer.faces.length ? shot.answer.faces.some(({ number }) => kept(shot, number)) : kept(shot, null)))
    .map((shot) => ({ ...shot.answer.raw, ...moment(shot), faces: shot.answer.raw.faces.filter((_, number) => kept(shot, number)) }));
}
