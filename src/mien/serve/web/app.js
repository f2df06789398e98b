// The page: takes a picture, asks the server, shows the answer. State lives in one object; show() draws all of it.

import * as api from "./api.js";
import { areaTable, contribution, emotions, FEW, interval, trustTable } from "./charts.js";
import { $, fill, html } from "./dom.js";
import { closeUp, draw } from "./overlay.js";
import { saveJson, savePng } from "./save.js";
import { Webcam } from "./webcam.js";
import { areaOf, capital, datasetTitle, listed, partsOf, PARTS, percent, plural, rounded } from "./words.js";

const state = { about: null, answer: null, picture: null, chosen: 0, hidden: new Set(), url: null, request: 0, live: false };
let webcam = null;
let ready = null; // a promise: the server has said what it can do, or why it does not answer

/* ---- words to the user ---- */

const say = (words) => { $("status").textContent = words; };

function alertUser(message) {
  $("alert").textContent = message;
  $("alert").hidden = !message;
}

/* ---- asking ---- */

async function analyzePicture(blob) {
  stopWebcam();
  const request = ++state.request;
  alertUser("");
  await ready;
  if (!state.about) return; // what keeps the server from answering was said
  if (blob.size > state.about.limits.upload_bytes) {
    return alertUser(`The picture is larger than ${state.about.limits.upload_bytes / 1e6} MB, the limit.`);
  }
  setBusy(true);
  try {
    const preview = !(await isShown(blob));
    const answer = await api.analyze(blob, { heatmap: state.about.heatmap, preview });
    if (request === state.request) await receive(answer, blob);
  } catch (error) {
    if (request === state.request) failed(error);
  } finally {
    if (request === state.request) setBusy(false);
  }
}

function failed(error) {
  if (error.type === "UnauthorizedError") return askForToken();
  alertUser(error.message);
}

function setBusy(busy) {
  $("busy").hidden = !busy;
  $("panel").setAttribute("aria-busy", busy);
  for (const id of ["choose", "sample", "webcam"]) $(id).disabled = busy;
  document.body.classList.toggle("is-busy", busy);
  if (busy) say("Looking for faces.");
}

/** Whether this browser shows the picture's format; most show no TIFF. */
async function isShown(blob) {
  try {
    (await createImageBitmap(blob)).close();
    return true;
  } catch {
    return false;
  }
}

async function receive(answer, picture) {
  if (state.url) URL.revokeObjectURL(state.url);
  const { preview, ...plain } = answer;
  Object.assign(state, { answer: plain, picture, chosen: 0, url: preview ? null : URL.createObjectURL(picture), live: false });
  $("photo").src = preview ?? state.url;
  await $("photo").decode().catch(() => {});
  chooseFace(0);
  // A lone small face is hardly seen in the whole picture.
  const { faces, width, height } = answer;
  $("show-closeup").checked = faces.length === 1 && faces[0].face.size < 0.25 * Math.min(width, height);
  showResult();
  say(spoken());
}

function receiveLive(answer, frame) {
  const changed = state.answer?.faces.length !== answer.faces.length;
  const kept = state.hidden;
  Object.assign(state, { answer, picture: frame, chosen: Math.min(state.chosen, Math.max(answer.faces.length - 1, 0)), live: true });
  if (changed) resetHidden(); else state.hidden = kept;
  showResult();
  if (changed) say(spoken());
}

function spoken() {
  const { faces } = state.answer;
  if (!faces.length) return "No face was found.";
  return `${faces.length === 1 ? "1 face" : `${faces.length} faces`} found. ${wordsOf(current())}`;
}

/* ---- what is shown ---- */

const face = () => state.answer?.faces[state.chosen];

/** The answer of the chosen face if only the parts not hidden were visible. */
function current() {
  const of = face();
  if (!of) return null;
  const area = areaOf(new Set(PARTS.filter((part) => !state.hidden.has(part))));
  return area ? of.what_if[area] ?? null : null;
}

function wordsOf(answer) {
  return answer ? `${capital(answer.emotion)}: ${answer.words}.` : "No part of the face is visible, so there is no answer.";
}

function resetHidden() {
  const visible = face()?.visibility.visible ?? PARTS;
  state.hidden = new Set(PARTS.filter((part) => !visible.includes(part)));
}

function chooseFace(number) {
  state.chosen = number;
  resetHidden();
}

function showResult() {
  document.body.classList.add("has-result");
  $("result").hidden = false;
  $("photo").hidden = state.live;
  $("video").hidden = !state.live;
  $("stop").hidden = !state.live;
  const none = state.answer.faces.length === 0;
  for (const card of document.querySelectorAll("#panel > .card, #result > .card")) card.hidden = none && !card.classList.contains("answer");
  $("stage-caption").textContent = caption();
  $("photo").alt = none ? "The picture you gave; no face was found in it" : `The picture you gave, with ${state.answer.faces.length === 1 ? "one face" : `${state.answer.faces.length} faces`}`;
  showFaces();
  showAnswer();
  showOverlay();
}

function caption() {
  const { width, height, faces, models } = state.answer;
  const found = faces.length === 0 ? "no face found" : faces.length === 1 ? `1 face, ${Math.round(face().face.size)} pixels` : `${faces.length} faces`;
  return `${width} × ${height} pixels · ${found} · ${models}`;
}

function showFaces() {
  const { faces } = state.answer;
  $("faces").hidden = faces.length < 2;
  fill($("faces"), faces.map((of, number) => html("button", {
    type: "button", "aria-pressed": String(number === state.chosen), onclick: () => { chooseFace(number); showResult(); say(spoken()); },
  }, `Face ${number + 1}: ${of.emotion ?? "no answer"}`)));
}

function showAnswer() {
  const of = face();
  const answer = current();
  const right = answer?.fused.p_correct;
  $("verdict").textContent = !of ? "No face found" : answer ? capital(answer.emotion) : "No answer";
  fill($("trust-words"), !of
    ? "mien looks for upright faces of at least about 80 pixels. Try a closer or better lit picture."
    : answer ? [`From the ${seenWords()}: `, html("strong", {}, answer.words), "."] : "No part of the face is visible.");
  if (right) interval($("trust-bar"), right); else fill($("trust-bar"));
  $("trust-range").textContent = right ? `95% interval ${percent(right.low)} to ${percent(right.high)}` : "";
  const set = answer?.fused.prediction_set ?? [];
  $("prediction-set").textContent = set.length > 1 ? `Could also be read as ${listed(set.filter((e) => e !== answer.emotion), "or")}.` : "";
  fill($("notes"), (answer?.notes ?? of?.notes ?? []).map((note) => html("li", {}, note)));
  if (!of) return;
  showParts(of);
  emotions($("emotions"), answer?.fused);
  contribution($("contribution"), answer?.contributions ?? {}, answer?.emotion);
  areaTable($("areas"), of, (area) => partsOf(area).every((part) => !state.hidden.has(part)), answer?.area);
}

function seenWords() {
  const seen = PARTS.filter((part) => !state.hidden.has(part));
  return seen.length === 3 ? "whole face" : seen.length === 1 ? `${seen[0]} alone` : listed(seen);
}

function showParts(of) {
  const measured = of.visibility;
  const focused = document.activeElement?.dataset?.toggles;
  fill($("parts"), PARTS.map((part) => {
    const hidden = state.hidden.has(part);
    const seen = measured.given ? "" : measured.visible.includes(part) ? `visible (${rounded(measured.probability[part])})` : `covered (${rounded(1 - measured.probability[part])})`;
    return html("button", { type: "button", class: `part p-${part}`, "aria-pressed": String(hidden), "data-toggles": part,
      onclick: () => toggle(part) },
      html("span", { class: "visually-hidden" }, "Hide the "), html("span", { class: "name" }, part),
      html("span", { class: "state" }, hidden ? "hidden" : seen || "visible"));
  }));
  if (focused) document.querySelector(`[data-toggles="${focused}"]`)?.focus();
  $("change").textContent = changeWords(of);
}

function changeWords(of) {
  const measured = new Set(of.visibility.visible);
  const now = new Set(PARTS.filter((part) => !state.hidden.has(part)));
  if (PARTS.every((part) => measured.has(part) === now.has(part))) {
    const covered = PARTS.filter((part) => !measured.has(part));
    return covered.length ? `The ${listed(covered)} ${plural(covered) ? "are" : "is"} covered in the picture, so the answer leaves ${plural(covered) ? "them" : "it"} out.` : "";
  }
  const before = of.what_if[areaOf(measured)];
  const after = current();
  if (!after) return "With every part hidden there is no answer.";
  if (!before) return `Now ${after.emotion}, ${after.words}.`;
  const head = after.emotion === before.emotion ? `Still ${after.emotion}` : `${capital(before.emotion)} becomes ${after.emotion}`;
  if (!after.fused.p_correct || !before.fused.p_correct) return `${head}.`;
  const points = Math.round(100 * (after.fused.p_correct.value - before.fused.p_correct.value));
  const moved = points === 0 ? "nearly as far to be trusted" : `${Math.abs(points)} ${Math.abs(points) === 1 ? "point" : "points"} ${points < 0 ? "less" : "more"} to be trusted`;
  return `${head}, ${moved}: right ${percent(before.fused.p_correct.value)} before, ${percent(after.fused.p_correct.value)} now.`;
}

function toggle(part) {
  if (state.hidden.has(part)) state.hidden.delete(part); else state.hidden.add(part);
  showAnswer();
  showOverlay();
}

function showOverlay() {
  if (!state.answer) return;
  const shown = { landmarks: $("show-landmarks").checked, areas: $("show-areas").checked, heatmap: $("show-heatmap").checked, opacity: $("opacity").value / 100 };
  const zoom = fitOverlay();
  draw($("overlay"), state.answer, state.about.part_landmarks, { chosen: state.chosen, hidden: state.hidden, shown, zoom });
  const map = face()?.heatmap;
  $("heatmap-note").hidden = !(shown.heatmap && face());
  $("heatmap-note").textContent = map ? `Where the visualisation network sees ${map.emotion} in the whole face (class activation map, red is most).` : "There is no heatmap for this face.";
}

/** The overlay covers exactly the picture as it is shown; returns how much it is enlarged. */
function fitOverlay() {
  const { clientWidth: width, clientHeight: height } = state.live ? $("video") : $("photo");
  $("overlay").style.width = `${width}px`;
  $("overlay").style.height = `${height}px`;
  const of = face();
  const close = of && width && $("show-closeup").checked;
  const [x, y, zoom] = close ? closeUp(of.face.box, width, height, width / state.answer.width) : [0, 0, 1];
  $("zoomer").style.transform = zoom > 1 ? `translate(${x}px, ${y}px) scale(${zoom})` : "";
  return zoom;
}

/* ---- webcam ---- */

async function startWebcam() {
  alertUser("");
  stopWebcam();
  state.request += 1;
  await ready;
  if (!state.about) return;
  webcam = new Webcam($("video"), receiveLive, failed, (frame, signal) => api.analyze(frame, { heatmap: state.about.heatmap, signal }));
  try {
    await webcam.start();
    say("The webcam is running.");
  } catch (error) {
    webcam = null;
    alertUser(error.message);
  }
}

/** Stop, and keep the last analysed frame on the page. */
function stopWebcam(keep = false) {
  if (!webcam) return;
  webcam.stop();
  webcam = null;
  if (keep && state.answer && state.live) {
    const hidden = state.hidden;
    const chosen = state.chosen;
    receive(state.answer, state.picture).then(() => { Object.assign(state, { hidden, chosen }); showResult(); });
  }
}

/* ---- saving ---- */

function baseName() {
  const name = state.picture?.name?.replace(/\.[^.]+$/, "") || "webcam";
  return `${name}-mien`;
}

function answerLines() {
  const of = face();
  if (!of) return ["No face found"];
  const seen = state.hidden.size ? `Seen: ${listed(PARTS.filter((part) => !state.hidden.has(part))) || "nothing"}` : "Seen: whole face";
  return [wordsOf(current()), `${seen}. mien, ${state.answer.models}`];
}

/* ---- views, theme, token ---- */

const VIEWS = ["analyse", "trust"];

async function showView() {
  const wanted = VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "analyse";
  for (const view of VIEWS) $(`view-${view}`).hidden = view !== wanted || !$("login").hidden;
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === wanted) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  document.title = wanted === "trust" ? "Trust table · mien" : "mien";
  if (wanted === "trust" && $("login").hidden) await showTrust();
  if (wanted === "analyse") fitOverlay();
}

async function showTrust() {
  if ($("trust-areas").hasChildNodes()) return;
  try {
    const { dataset, n, areas, fused } = await api.trust();
    $("trust-lead").textContent = `If mien sees only this area and says this emotion, how often is it right? Fitted on ${n.toLocaleString("en")} validation faces of ${datasetTitle(dataset)}`
      + "; each cell gives the share, its 95% interval, and how many such answers it rests on."
      + ` Dashed cells rest on fewer than ${FEW} and lean on what their area and their emotion show elsewhere.`;
    trustTable($("trust-areas"), areas, "Area says");
    trustTable($("trust-fused"), fused, "Visible, fused");
  } catch (error) {
    failed(error);
  }
}

const THEMES = { auto: ["automatic", "◐"], light: ["light", "☀"], dark: ["dark", "☾"] };

function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = theme;
  localStorage.setItem("mien-theme", theme);
  $("theme").setAttribute("aria-label", `Colour theme: ${THEMES[theme][0]}`);
  $("theme").firstElementChild.textContent = THEMES[theme][1];
}

function nextTheme() {
  const names = Object.keys(THEMES);
  setTheme(names[(names.indexOf(localStorage.getItem("mien-theme") ?? "auto") + 1) % names.length]);
}

function askForToken(message = "") {
  $("login").hidden = false;
  for (const view of VIEWS) $(`view-${view}`).hidden = true;
  alertUser(message);
  $("token").focus();
}

async function login(token) {
  try {
    await api.login(token);
    $("login").hidden = true;
    alertUser("");
    await start();
  } catch (error) {
    askForToken(error.type === "UnauthorizedError" ? "This is not the server's token." : error.message);
  }
}

/* ---- start ---- */

function listen() {
  $("choose").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => { if ($("file").files[0]) analyzePicture($("file").files[0]); $("file").value = ""; });
  $("sample").addEventListener("click", async () => {
    try {
      analyzePicture(new File([await api.sample()], "sample.jpg", { type: "image/jpeg" }));
    } catch (error) {
      failed(error);
    }
  });
  $("webcam").addEventListener("click", startWebcam);
  $("stop").addEventListener("click", () => stopWebcam(true));
  for (const id of ["show-closeup", "show-landmarks", "show-areas", "show-heatmap"]) $(id).addEventListener("change", showOverlay);
  $("opacity").addEventListener("input", () => {
    $("opacity-value").textContent = `${$("opacity").value}%`;
    $("show-heatmap").checked = true;
    showOverlay();
  });
  $("save-json").addEventListener("click", () => saveJson(state.answer, `${baseName()}.json`));
  $("save-png").addEventListener("click", () => savePng(state.live ? $("video") : $("photo"), $("overlay"), state.answer, answerLines(), `${baseName()}.png`).catch((error) => alertUser(`The PNG could not be made (${error.message}).`)));
  $("overlay").addEventListener("click", (event) => {
    const of = event.target.closest("[data-face]");
    if (of && Number(of.dataset.face) !== state.chosen) { chooseFace(Number(of.dataset.face)); showResult(); say(spoken()); }
  });
  $("theme").addEventListener("click", nextTheme);
  $("login").addEventListener("submit", (event) => { event.preventDefault(); login($("token").value.trim()); });
  addEventListener("hashchange", showView);
  new ResizeObserver(() => { if (state.answer) showOverlay(); }).observe($("picture"));
  listenToDrops();
}

function listenToDrops() {
  let depth = 0;
  const dragging = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => { if (dragging(event)) { depth += 1; document.body.classList.add("dragging"); } });
  addEventListener("dragleave", () => { depth = Math.max(0, depth - 1); if (!depth) document.body.classList.remove("dragging"); });
  addEventListener("dragover", (event) => { if (dragging(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!dragging(event)) return;
    event.preventDefault();
    depth = 0;
    document.body.classList.remove("dragging");
    if (event.dataTransfer.files[0]) analyzePicture(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((item) => item.type.startsWith("image/"));
    if (file) analyzePicture(file);
  });
}

async function start() {
  try {
    state.about = await api.about();
  } catch (error) {
    if (error.type === "UnauthorizedError") return askForToken();
    return alertUser(error.message);
  }
  const { about } = state;
  $("report-link").hidden = !about.report;
  $("eyes-note").textContent = about.eyes === "one" ? "The eyes are one brow and eye, as published." : "";
  for (const control of document.querySelectorAll("[data-heatmap-control]")) control.hidden = !about.heatmap;
  $("limit").textContent = `, up to ${about.limits.upload_bytes / 1e6} MB`;
  $("about").textContent = `mien ${about.version} · networks ${about.models} · trained on ${datasetTitle(about.dataset)}`;
  return showView();
}

$("tools").open = innerWidth > 860;
setTheme(localStorage.getItem("mien-theme") in THEMES ? localStorage.getItem("mien-theme") : "auto");
listen();
// The token may come in the address that the terminal shows; it is not left there.
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  history.replaceState(null, "", location.pathname);
  ready = login(given);
} else {
  ready = start();
}
