// The page: what is given goes into the queue; what is chosen is shown on the stage, in the panel and in the table.

import * as api from "./api.js";
import { $, fill, html } from "./dom.js";
import { placeHelp } from "./help.js";
import { placeOptions, settings, takeWholePicture } from "./options.js";
import { answerOf, showFace, showState } from "./panel.js";
import { fromFile, item, Queue, shown } from "./queue.js";
import { PARTS } from "./read.js";
import { saveCsv, saveJson, savePng } from "./save.js";
import { showDrawing, showPicture, showVideo, wantsCloseUp } from "./stage.js";
import { showStrip } from "./strip.js";
import { fillFilters, pictureRecords, showTable, tableRows } from "./table.js";
import { showView, startTheme } from "./views.js";
import { Webcam } from "./webcam.js";
import { capital, clock, datasetTitle, level, range, seenWords, tag, verdict } from "./words.js";

/** item, shot: what is shown; face: number of the chosen one; toggled: parts that the user hid or showed against the finding. */
const state = { item: null, shot: null, face: 0, toggled: new Set(), about: null, following: false };
let webcam = null;
let region = null;
let ready = null; // a promise of what the server can do

const queue = new Queue({ onChange: itemChanged, onLocked: () => askForToken(), settings, about: () => ready.then(() => state.about) });

/* ---- words to the user ---- */

const say = (words) => { $("status").textContent = words; };

function alertUser(message) {
  $("alert").textContent = message;
  $("alert").hidden = !message;
}

/* ---- what is shown ---- */

const picture = () => state.shot?.answer ?? null;
const face = () => picture()?.faces[state.face] ?? null;

/** Parts that count as hidden: those found covered, and those that the user switched. */
const hiddenOf = (of) => new Set(PARTS.filter((part) => !of.visible.has(part) !== (state.toggled.has(part) && of.number === state.face)));

function select(of, shot = of.shots[0] ?? null, number = 0) {
  Object.assign(state, { item: of, shot, face: number, toggled: new Set(), following: of.kind === "video" && !shot });
  of.wanted = true;
  if (shot) $("show-closeup").checked = wantsCloseUp(shot.answer);
  showAll();
}

function itemChanged(of, shot) {
  if (!queue.items.includes(of)) {
    if (state.item === of) { if (queue.items.length) select(queue.items[0]); else showNothing(); }
  } else if (!state.item) return select(of);
  if (of === state.item) {
    if (shot && (!state.shot || state.following)) {
      Object.assign(state, { shot, face: 0, toggled: new Set() });
      if (of.shots.length === 1) $("show-closeup").checked = wantsCloseUp(shot.answer);
      if (of.kind !== "video" || of.shots.length === 1) say(spoken());
    }
    if (!of.shots.includes(state.shot)) state.shot = of.shots[0] ?? null;
    return showAll();
  }
  return showOverview();
}

function showNothing() {
  Object.assign(state, { item: null, shot: null, following: false });
  showPicture(null, "");
  $("picture").classList.add("is-empty");
  for (const id of ["picture-name", "picture-facts"]) $(id).textContent = "";
  for (const id of ["busy", "faces", "moments", "stop", "tools"]) $(id).hidden = true;
  showState("none");
  showOverview();
}

/** Everything, from the state. */
function showAll() {
  const { item: of, shot } = state;
  $("picture").classList.remove("is-empty");
  if (of.kind === "webcam" && webcam) showVideo(); else showPicture(shown(of, shot), of.name);
  const looking = ["waiting", "working"].includes(of.state) && of.kind !== "webcam";
  $("busy").hidden = !looking;
  $("busy-words").textContent = of.state === "waiting" ? "Waiting for its turn" : of.count ? `Frame ${Math.min(of.done + 1, of.count)} of ${of.count}` : "Looking for faces…";
  $("waiting-words").textContent = `${of.state === "waiting" ? "Waiting for its turn" : "Looking for faces"} in ${of.name}…`;
  $("stop").hidden = !(of.kind === "webcam" && webcam) && !(of.kind === "video" && of.state === "working");
  $("stop").textContent = of.kind === "webcam" ? "Stop the webcam" : "Stop here";
  $("picture-name").textContent = of.name;
  $("tools").hidden = !shot;
  showMoments();
  showFacePicker();
  if (!shot) {
    $("picture-facts").textContent = "";
    $("failed-words").textContent = of.problem ?? "";
    $("again").hidden = !of.passing;
    showState(of.state === "failed" ? "failed" : "waiting");
  } else {
    $("picture-facts").textContent = facts();
    showChosen();
  }
  alertUser(of.problem && of.shots.length ? of.problem : "");
  showOverview();
}

function showChosen() {
  const of = face();
  $("photo").alt = of ? `The picture ${state.item.name}, with ${picture().faces.length === 1 ? "one face" : `${picture().faces.length} faces`}` : `The picture ${state.item.name}; no face was found in it`;
  showState(of ? "result" : "nobody");
  const canTakeWhole = state.about?.options.wholePicture && !settings().wholePicture && state.item.kind !== "webcam";
  $("take-whole").hidden = !canTakeWhole;
  $("nobody-hint").hidden = !canTakeWhole;
  if (of) showFace(of, hiddenOf(of), { onToggle: toggle });
  showOnPicture();
}

function facts() {
  const { width, height, faces, models } = picture();
  const found = faces.length === 0 ? "no face found" : faces.length === 1 ? `1 face, ${Math.round(faces[0].size)} pixels` : `${faces.length} faces`;
  return [state.shot.time === null ? null : clock(state.shot.time), `${width} × ${height} pixels`, found, models].filter(Boolean).join(" · ");
}

const said = (of) => (of.number === state.face ? answerOf(of, hiddenOf(of)) : of.answer);

function showOnPicture() {
  if (!picture() || !state.about) return;
  const of = face();
  region = showDrawing(picture(), { chosen: state.face, hidden: of ? hiddenOf(of) : new Set(), answerOf: said, onChoose: chooseFace, partLandmarks: state.about.partLandmarks });
}

function showMoments() {
  const { shots } = state.item;
  $("moments").hidden = state.item.kind !== "video" || shots.length < 2;
  if ($("moments").hidden) return;
  $("moment").max = shots.length - 1;
  $("moment").value = Math.max(0, shots.indexOf(state.shot));
  $("moment-value").textContent = clock(state.shot?.time ?? 0);
}

function showFacePicker() {
  const faces = picture()?.faces ?? [];
  $("faces").hidden = faces.length < 2;
  const focused = $("faces").contains(document.activeElement);
  fill($("faces"), faces.map((of) => html("button", { type: "button", class: `l-${level(of.answer?.right)}`, "aria-pressed": String(of.number === state.face), onclick: () => chooseFace(of.number) },
    `Face ${of.number + 1}: ${tag(of.answer, of.abstained)}`)));
  if (focused) $("faces").children[state.face]?.focus();
}

function chooseFace(number) {
  if (number === state.face) return;
  const focused = $("overlay").contains(document.activeElement);
  Object.assign(state, { face: number, toggled: new Set(), following: false });
  showAll();
  if (focused) $("overlay").querySelector(`[data-face="${number}"]`)?.focus();
  say(spoken());
}

function toggle(part) {
  if (state.toggled.has(part)) state.toggled.delete(part); else state.toggled.add(part);
  showChosen();
}

function spoken() {
  const faces = picture()?.faces ?? [];
  if (!faces.length) return `No face was found in ${state.item.name}.`;
  const answer = answerOf(face(), hiddenOf(face()));
  return `${state.item.name}: ${faces.length === 1 ? "1 face" : `${faces.length} faces`} found. ${answer ? `${capital(verdict(answer))}: ${answer.words}.` : "No part of the face is visible."}`;
}

let overview = 0;

/** The strip and the table, at most once a frame of the screen. */
function showOverview() {
  cancelAnimationFrame(overview);
  overview = requestAnimationFrame(() => {
    showStrip(queue.items, state.item, { onSelect: (of) => select(of), onRemove: (of) => queue.remove(of) });
    showTable(queue.items, { shot: state.shot, face: state.face }, { onOpen: (of, shot, number) => { select(of, shot, number); state.following = false; $("stage").scrollIntoView({ block: "nearest" }); } });
  });
}

/* ---- giving pictures ---- */

function give(files) {
  const known = [...files];
  if (!known.length) return;
  stopWebcam();
  const items = known.map(fromFile);
  const opening = queue.items.find(({ opening: first }) => first);
  queue.add(items);
  if (opening) queue.remove(opening); // the example that the page opens with makes room
  select(items[0]);
  if (items.length > 1) say(`${items.length} pictures are in the queue.`);
}

async function tryExample(name, opening = false) {
  stopWebcam();
  const before = queue.items.find(({ example }) => example === name);
  if (before) return select(before);
  const first = queue.items.find((one) => one.opening);
  const one = item(null, `${name}.jpg`, "photo", { example: name, url: api.examplePath(name), opening });
  if (!opening && first) queue.remove(first);
  queue.add([one]);
  select(one);
  api.examplePicture(name).then((blob) => { one.blob = blob; }, () => {});
  return undefined;
}

/* ---- webcam ---- */

async function startWebcam() {
  alertUser("");
  stopWebcam();
  await ready;
  if (!state.about) return;
  const live = new Webcam($("video"), receiveLive, (error) => { stopWebcam(); alertUser(error.message); }, (frame, signal) => api.analyze(frame, { name: "webcam", heatmap: state.about.heatmap, settings: settings(), signal }));
  try {
    await live.start();
  } catch (error) {
    return alertUser(error.message);
  }
  webcam = live;
  const one = item(null, "webcam", "webcam", { state: "done", url: null });
  for (const other of queue.items.filter(({ kind, opening }) => kind === "webcam" || opening)) queue.remove(other);
  one.state = "working";
  Object.assign(state, { item: one, shot: null, face: 0, toggled: new Set() });
  queue.items.push(one);
  showAll();
  return say("The webcam is running.");
}

/** Each frame says anew which parts are hidden; what the user switched stays switched. */
function receiveLive(answer, blob) {
  const one = queue.items.find(({ kind }) => kind === "webcam");
  if (!one) return;
  const before = one.shots[0];
  if (before?.url) URL.revokeObjectURL(before.url);
  one.shots = [{ time: null, blob, url: null, answer }];
  if (state.item !== one) return showOverview();
  const changed = before?.answer.faces.length !== answer.faces.length;
  if (changed) state.toggled = new Set();
  state.shot = one.shots[0];
  state.face = Math.min(state.face, Math.max(answer.faces.length - 1, 0));
  showAll();
  if (changed) say(spoken());
  return undefined;
}

/** Stop; the last analysed frame stays on the page. */
function stopWebcam() {
  if (!webcam) return;
  webcam.stop();
  webcam = null;
  const one = queue.items.find(({ kind }) => kind === "webcam");
  if (!one) return;
  one.state = "done";
  const [last] = one.shots;
  if (!last) return queue.remove(one);
  Object.assign(one, { url: URL.createObjectURL(last.blob), blob: last.blob });
  if (state.item === one) showAll();
  return undefined;
}

/* ---- saving ---- */

const baseName = () => `${(state.item?.name ?? "faces").replace(/\.[^.]+$/, "")}-mien`;
const tableName = () => (queue.items.length === 1 ? baseName() : "faces-mien");

function savePicture() {
  const of = face();
  const answer = of && answerOf(of, hiddenOf(of));
  const words = answer ? capital(answer.words || "not calibrated") : "";
  const source = `mien ${state.about.version}, ${picture().models}, ${new Date().toISOString().slice(0, 10)}. What people would see in the face, not what its owner feels.`;
  return savePng(webcam && state.item.kind === "webcam" ? $("video") : $("photo"), $("overlay"), picture(), region, {
    name: [state.item.name, state.shot.time === null ? null : clock(state.shot.time), picture().faces.length > 1 ? `face ${state.face + 1} of ${picture().faces.length}` : null].filter(Boolean).join(" · "),
    verdict: of ? capital(verdict(answer)) : "No face found", level: level(answer?.right), words, right: answer?.right,
    range: answer?.right && range(answer.right) ? `95% interval ${range(answer.right)}` : "",
    seen: of ? `From: ${hiddenOf(of).size === 3 ? "nothing" : seenWords(hiddenOf(of))}` : "",
    heatmap: $("show-heatmap").checked && of?.heatmap ? `signs of ${of.heatmap.emotion}` : "", source,
  }, `${baseName()}.png`).catch((error) => alertUser(`The PNG could not be made (${error.message}).`));
}

/* ---- token ---- */

function askForToken(message = "") {
  $("login").hidden = false;
  showView();
  alertUser(message);
  $("token").focus();
}

async function login(token) {
  try {
    await api.login(token);
    $("login").hidden = true;
    alertUser("");
    await start();
    queue.unlock?.();
  } catch (error) {
    askForToken(error.type === "UnauthorizedError" ? "This is not the server's token." : error.message);
  }
}

/* ---- start ---- */

function listen() {
  $("choose").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => { give($("file").files); $("file").value = ""; });
  $("webcam").addEventListener("click", startWebcam);
  $("stop").addEventListener("click", () => { if (state.item?.kind === "webcam") stopWebcam(); else queue.stop(state.item); });
  $("again").addEventListener("click", () => queue.again([state.item]));
  $("take-whole").addEventListener("click", takeWholePicture);
  $("moment").addEventListener("input", () => { state.following = false; Object.assign(state, { shot: state.item.shots[$("moment").value], face: 0, toggled: new Set() }); showAll(); });
  for (const id of ["show-closeup", "show-landmarks", "show-areas", "show-heatmap"]) $(id).addEventListener("change", showOnPicture);
  $("opacity").addEventListener("input", () => {
    $("opacity-value").textContent = `${$("opacity").value}%`;
    $("show-heatmap").checked = true;
    showOnPicture();
  });
  $("save-png").addEventListener("click", savePicture);
  $("save-csv").addEventListener("click", () => saveCsv(state.about.columns, tableRows(queue.items), `${tableName()}.csv`));
  $("save-json").addEventListener("click", () => saveJson(pictureRecords(queue.items), `${tableName()}.json`));
  $("clear").addEventListener("click", () => { stopWebcam(); for (const one of [...queue.items]) queue.remove(one); $("choose").focus(); });
  $("login").addEventListener("submit", (event) => { event.preventDefault(); login($("token").value.trim()); });
  addEventListener("hashchange", () => { if (showView() === "analyse") showOnPicture(); scrollTo(0, 0); });
  new ResizeObserver(showOnPicture).observe($("picture"));
  fillFilters(showOverview);
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
    give(event.dataTransfer.files);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) give(files);
  });
}

async function start() {
  showView();
  try {
    state.about = await api.about();
  } catch (error) {
    if (error.type === "UnauthorizedError") askForToken(); else alertUser(error.message);
    return;
  }
  const { about } = state;
  $("report-link").hidden = !about.report;
  $("eyes-note").textContent = about.eyes === "one" ? "The eyes are one brow and eye, as published." : "";
  for (const control of document.querySelectorAll("[data-heatmap-control]")) control.hidden = !about.heatmap;
  $("limit").textContent = `, up to ${about.uploadBytes / 1e6} MB each`;
  $("about").textContent = `mien ${about.version} · networks ${about.models} · trained on ${datasetTitle(about.dataset)}`;
  placeOptions(about.options, () => queue.again(queue.items.filter(({ kind }) => kind !== "webcam")));
  fill($("examples"), about.examples.map(({ name, title }) => html("button", { type: "button", class: "example", onclick: () => tryExample(name) },
    html("span", { class: "face-window", "aria-hidden": true }, html("img", { src: api.examplePath(name), alt: "" })), title)));
  showOnPicture();
  if (!queue.items.length && about.examples.length) tryExample(about.examples[0].name, true);
}

// The token may come in the address that the terminal shows; it is not left there.
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) history.replaceState(null, "", location.pathname);
$("tools").open = innerWidth > 860;
startTheme();
placeHelp();
listen();
showNothing();
if (given) {
  ready = login(given);
} else {
  ready = start();
}
