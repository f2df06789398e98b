// Downloads, made in the browser: the table as CSV, the answers as JSON, the picture as shown with its answer as PNG.

import { palette } from "./overlay.js";

const WIDTH = 960, HIGHEST = 1100, MARGIN = 24;
const PAPER = "#ffffff", INK = "#1c2326", SOFT = "#566067", TRACK = "#e2e0d9", ACCENT = "#1f5a70";
const JET = ["#00007f", "#0000ff", "#00ffff", "#7fff7f", "#ffff00", "#ff0000", "#7f0000"];
const FONT = "system-ui, sans-serif", SERIF = "Georgia, serif";

export function saveBlob(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function saveJson(records, name) {
  saveBlob(new Blob([JSON.stringify(records, null, 2)], { type: "application/json" }), name);
}

function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "boolean") return value ? "True" : "False"; // as the command line writes it
  const words = String(value);
  return /[",\n\r]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words;
}

/** Rows (objects) as CSV, with these columns in this order. */
export function saveCsv(columns, rows, name) {
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column]))].map((line) => line.map(cell).join(","));
  saveBlob(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }), name);
}

async function imageOf(overlay, region, width, height) {
  const copy = overlay.cloneNode(true);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("viewBox", `${region.x} ${region.y} ${region.width} ${region.height}`);
  for (const [name, value] of [["width", width], ["height", height]]) copy.setAttribute(name, value);
  for (const name of ["id", "style"]) copy.removeAttribute(name);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  return image;
}

/** Words on as many lines as they need; returns where the next line begins. */
function write(context, words, y, { size = 20, weight = 400, family = FONT, colour = INK, italic = false } = {}) {
  context.fillStyle = colour;
  context.font = `${italic ? "italic " : ""}${weight} ${size}px ${family}`;
  let line = "";
  const flush = () => { if (line) { y += size * 1.35; context.fillText(line, MARGIN, y); } };
  for (const word of words.split(" ")) {
    if (line && context.measureText(`${line} ${word}`).width > WIDTH - 2 * MARGIN) { flush(); line = word; } else line = line ? `${line} ${word}` : word;
  }
  flush();
  return y;
}

function drawInterval(context, { value, low, high }, y) {
  const [from, wide] = [MARGIN, WIDTH - 2 * MARGIN];
  const bar = (start, end, colour) => { context.fillStyle = colour; context.beginPath(); context.roundRect(from + wide * start, y + 20, Math.max(3, wide * (end - start)), 8, 4); context.fill(); };
  bar(0, 1, TRACK);
  bar(low, high, "#8fb3c0");
  context.fillStyle = ACCENT;
  context.beginPath();
  context.arc(from + wide * value, y + 24, 9, 0, 2 * Math.PI);
  context.fill();
  context.fillStyle = SOFT;
  context.font = `15px ${FONT}`;
  [["never right", "left", 0], ["half", "center", 0.5], ["always right", "right", 1]].forEach(([words, align, at]) => { context.textAlign = align; context.fillText(words, from + wide * at, y + 54); });
  context.textAlign = "left";
  return y + 58;
}

function drawKey(context, words, y) {
  const ramp = context.createLinearGradient(MARGIN + 60, 0, MARGIN + 360, 0);
  JET.forEach((colour, i) => ramp.addColorStop(i / (JET.length - 1), colour));
  context.fillStyle = ramp;
  context.fillRect(MARGIN + 60, y + 14, 300, 14);
  context.fillStyle = SOFT;
  context.font = `16px ${FONT}`;
  context.fillText("least", MARGIN, y + 27);
  context.fillText(`most · ${words}`, MARGIN + 370, y + 27);
  return y + 34;
}

function writeAll(context, y, { name, verdict, level, words, range, right, seen, heatmap, source }) {
  y = write(context, name, y + 8, { size: 18, colour: SOFT });
  y = write(context, verdict, y, { size: level === "low" ? 32 : 40, weight: level === "high" ? 700 : 400, italic: level === "low", family: SERIF });
  y = write(context, [words, range].filter(Boolean).join("; "), y + 2, { size: 21 });
  if (right) y = drawInterval(context, right, y);
  y = write(context, seen, y + 4, { size: 18, colour: SOFT });
  if (heatmap) y = drawKey(context, heatmap, y);
  return write(context, source, y + 4, { size: 16, colour: SOFT });
}

/**
 * The picture as shown, and its answer in words below it.
 * photo: <img> or <video>; region: what is shown of it, in the picture's pixels; facts: what is written below.
 */
export async function savePng(photo, overlay, picture, region, facts, name) {
  const scale = Math.min(WIDTH / region.width, HIGHEST / region.height);
  const [w, h] = [Math.round(region.width * scale), Math.round(region.height * scale)];
  const canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: 1 });
  const high = Math.ceil(writeAll(canvas.getContext("2d"), h, facts) + MARGIN);
  canvas.height = high;
  const context = canvas.getContext("2d");
  context.fillStyle = PAPER;
  context.fillRect(0, 0, WIDTH, high);
  context.fillStyle = palette().shade;
  context.fillRect(0, 0, WIDTH, h);
  const left = Math.round((WIDTH - w) / 2);
  const real = (photo.naturalWidth || photo.videoWidth) / picture.width; // a preview is smaller than the picture
  context.drawImage(photo, region.x * real, region.y * real, region.width * real, region.height * real, left, 0, w, h);
  context.drawImage(await imageOf(overlay, region, w, h), left, 0, w, h);
  writeAll(context, h, facts);
  saveBlob(await new Promise((done) => canvas.toBlob(done, "image/png")), name);
}
