// Bars, intervals and tables. Every figure drawn is also there as text. The table's roles are written out, because its
// phone form takes it out of the browser's table layout, which may take its meaning too.

import { fill, html } from "./dom.js";
import { EMOTIONS, PARTS } from "./read.js";
import { AREA_TITLES, capital, level, percent, range, rounded, verdict } from "./words.js";

/** A share on a line from 0 to 100%, with its 95% interval. */
export function interval(node, right) {
  const { value, low, high } = right;
  const at = (share) => `${100 * share}%`;
  fill(node, html("div", { class: `interval l-${level(right)}`, role: "img", "aria-label":
    `${percent(value)} of such answers are right; 95% interval ${percent(low)} to ${percent(high)}` },
    html("span", { class: "axis" }),
    html("span", { class: "range", style: { left: at(low), width: at(high - low) } }),
    html("span", { class: "dot", style: { left: at(value) } }),
    html("span", { class: "ticks" }, ["never right", "half", "always right"].map((words, i) =>
      html("span", { class: "tick", style: { left: at(i / 2) } }, words)))));
}

function barline(label, share, text, top = false) {
  return html("div", { class: `barline ${top ? "top" : ""}`, role: "listitem" },
    html("span", { class: "label" }, label),
    html("span", { class: "bar-track" }, html("span", { class: "bar-fill", style: { width: `${100 * share}%` } })),
    html("span", { class: "value" }, text));
}

/** The eight emotions of one prediction. */
export function emotions(node, prediction) {
  if (!prediction) return fill(node, html("p", { class: "note" }, "With every part hidden there is nothing to go by."));
  const p = prediction.probabilities;
  return fill(node, html("div", { class: "bars", role: "list" },
    EMOTIONS.map((name) => barline(name, p[name] ?? 0, rounded(p[name] ?? 0), name === prediction.emotion))));
}

const bits = (value) => `${value > 0.005 ? "+" : value < -0.005 ? "−" : ""}${Math.abs(value).toFixed(2)}`;

/** How much each visible part spoke for or against the answer (Shapley values, in bits). */
export function contribution(node, contributions, emotion) {
  const seen = PARTS.filter((part) => part in contributions);
  if (!emotion) return fill(node, html("p", { class: "note" }, "Nothing is visible that could contribute."));
  if (!seen.length) return fill(node, html("p", { class: "note" }, "Unknown: these networks were not calibrated."));
  const widest = Math.max(0.5, ...seen.map((part) => Math.abs(contributions[part])));
  const line = (part) => {
    const value = contributions[part];
    const share = 50 * Math.abs(value) / widest;
    const words = `${part}: ${Math.abs(value).toFixed(2)} bits ${value < 0 ? "against" : "for"} ${emotion}`;
    return html("div", { class: `barline p-${part}`, role: "listitem", "aria-label": words },
      html("span", { class: "label", "aria-hidden": true }, part),
      html("span", { class: "bar-track", "aria-hidden": true }, html("span", { class: "bar-fill",
        style: { width: `${share}%`, left: `${value < 0 ? 50 - share : 50}%` } })),
      html("span", { class: "value", "aria-hidden": true }, `${bits(value)} bits`));
  };
  const total = seen.reduce((sum, part) => sum + contributions[part], 0);
  const times = 2 ** Math.abs(total);
  const effect = times < 1.05 ? `about as likely as` : `${times.toFixed(1)} times ${total < 0 ? "less" : "more"} likely than`;
  return fill(node,
    html("div", { class: "bars diverging", role: "list" }, seen.map(line)),
    html("div", { class: "ends", "aria-hidden": true }, html("span", {}, `against ${emotion}`), html("span", {}, `for ${emotion}`)),
    html("p", { class: "note" }, `Together ${bits(total)} bits: with these parts seen, ${emotion} is ${effect} before any was.`));
}

const header = (words) => html("th", { scope: "col", role: "columnheader" }, words);

/** "93% (91 to 96%)" */
export function rightWords(right) {
  if (!right) return "not calibrated";
  return [percent(right.value), range(right) && html("span", { class: "range-text" }, ` (${range(right)})`)];
}

function emotionCells(prediction) {
  return EMOTIONS.map((name) => html("td", { role: "cell", class: `cell ${name === prediction.emotion ? "top" : ""}`, "data-label": name },
    html("span", { class: "value" }, rounded(prediction.probabilities[name] ?? 0)),
    html("span", { class: "bar-track" }, html("span", { class: "bar-fill", style: { width: `${100 * (prediction.probabilities[name] ?? 0)}%` } }))));
}

/** What all that is visible says, and then each area on its own; an area that shows a covered part has no trust. */
export function areaTable(node, face, answer, isVisible) {
  const first = html("tr", { role: "row", class: "used", "data-area": "visible" },
    html("th", { scope: "row", role: "rowheader" }, "All that is visible"),
    html("td", { class: `said l-${level(answer?.right)}`, role: "cell" }, verdict(answer)),
    html("td", { class: "right-share", role: "cell" }, answer ? rightWords(answer.right) : "–"),
    answer ? emotionCells(answer) : html("td", { role: "cell", colspan: EMOTIONS.length }));
  const row = ([area, prediction]) => {
    const covered = !isVisible(area);
    return html("tr", { role: "row", class: covered ? "dim" : "", "data-area": area },
      html("th", { scope: "row", role: "rowheader" }, AREA_TITLES[area] ?? area),
      html("td", { class: `said ${covered ? "" : `l-${level(prediction.right)}`}`, role: "cell" }, covered ? prediction.emotion : verdict(prediction)),
      html("td", { class: "right-share", role: "cell" }, covered ? "hidden, not used" : rightWords(prediction.right)),
      emotionCells(prediction));
  };
  fill(node, html("div", { class: "scroll", role: "region", "aria-label": "Area by area", tabindex: 0 },
    html("table", { class: "grid-table areas", role: "table" },
      html("thead", { role: "rowgroup" }, html("tr", { role: "row" }, ["Area", "Says", "Right", ...EMOTIONS].map(header))),
      html("tbody", { role: "rowgroup" }, first, Object.entries(face.areas).map(row)))));
}

/** Below this many answers a cell of the trust table leans on its area and emotion. */
export const FEW = 20;

/** The table by emotion and area of how often each answer is right. */
export function trustTable(node, rows, corner) {
  const areas = Object.keys(AREA_TITLES).filter((area) => rows.some((row) => row.area === area));
  const at = new Map(rows.map((row) => [`${row.area} ${row.emotion}`, row]));
  const cell = (area, emotion) => {
    const row = at.get(`${area} ${emotion}`);
    if (!row) return html("td", { class: "none" }, "–");
    const step = Math.max(0, Math.min(6, Math.floor((row.p - 0.3) * 10)));
    return html("td", { class: row.n < FEW ? "few" : `h${step}`, title: `${capital(AREA_TITLES[area])} says ${emotion}: right ${row.nRight} of ${row.n} times` },
      html("strong", {}, percent(row.p)),
      html("span", {}, range(row) || " "), html("br"),
      html("span", {}, `n = ${row.n}`));
  };
  fill(node, html("table", { class: "heat" },
    html("thead", {}, html("tr", {}, html("th", { scope: "col" }, corner), EMOTIONS.map((name) => html("th", { scope: "col" }, name)))),
    html("tbody", {}, areas.map((area) => html("tr", {}, html("th", { scope: "row" }, AREA_TITLES[area]), EMOTIONS.map((name) => cell(area, name)))))));
}
