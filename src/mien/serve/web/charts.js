// Bars, intervals and tables. Every figure drawn is also there as text. The table's roles are written out, because its
// phone form takes it out of the browser's table layout, which may take its meaning too.

import { fill, html } from "./dom.js";
import { AREA_TITLES, capital, EMOTIONS, PARTS, percent, range, rounded } from "./words.js";

/** A share on a line from 0 to 100%, with its 95% interval. */
export function interval(node, { value, low, high }) {
  const at = (share) => `${100 * share}%`;
  fill(node, html("div", { class: "interval", role: "img", "aria-label":
    `${percent(value)} of such answers are right; 95% interval ${percent(low)} to ${percent(high)}` },
    html("span", { class: "axis" }),
    html("span", { class: "range", style: { left: at(low), width: at(high - low) } }),
    html("span", { class: "dot", style: { left: at(value) } }),
    html("span", { class: "ticks" }, ["never right", "half", "always right"].map((words, i) =>
      html("span", { class: "tick", style: { left: at(i / 2) } }, words)))));
}

function barline(label, share, text, top = false, extra = {}) {
  return html("div", { class: `barline ${top ? "top" : ""}`, role: "listitem", ...extra },
    html("span", { class: "label" }, label),
    html("span", { class: "bar-track" }, html("span", { class: "bar-fill", style: { width: `${100 * share}%` } })),
    html("span", { class: "value" }, text));
}

/** The eight emotions of one prediction. */
export function emotions(node, prediction) {
  if (!prediction) return fill(node, html("p", { class: "note" }, "With every part hidden there is nothing to go by."));
  const p = prediction.probabilities;
  return fill(node, html("div", { class: "bars", role: "list" },
    EMOTIONS.map((name) => barline(name, p[name], rounded(p[name]), name === prediction.emotion))));
}

const bits = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(2)} bits`;

/** How much each visible part spoke for or against the answer (Shapley values, in bits). */
export function contribution(node, contributions, emotion) {
  const shown = PARTS.filter((part) => part in contributions);
  if (!emotion) return fill(node, html("p", { class: "note" }, "Nothing is visible that could contribute."));
  if (!shown.length) return fill(node, html("p", { class: "note" }, "Unknown: it needs calibrated networks of all seven areas."));
  const widest = Math.max(0.5, ...shown.map((part) => Math.abs(contributions[part])));
  const line = (part) => {
    const value = contributions[part];
    const share = 50 * Math.abs(value) / widest;
    const words = `${part}: ${Math.abs(value).toFixed(2)} bits ${value < 0 ? "against" : "for"} ${emotion}`;
    return html("div", { class: `barline p-${part}`, role: "listitem", "aria-label": words },
      html("span", { class: "label", "aria-hidden": true }, part),
      html("span", { class: "bar-track", "aria-hidden": true }, html("span", { class: "bar-fill",
        style: { width: `${share}%`, left: `${value < 0 ? 50 - share : 50}%` } })),
      html("span", { class: "value", "aria-hidden": true }, bits(value)));
  };
  const total = shown.reduce((sum, part) => sum + contributions[part], 0);
  return fill(node,
    html("div", { class: "bars diverging", role: "list" }, shown.map(line)),
    html("div", { class: "ends", "aria-hidden": true }, html("span", {}, `against ${emotion}`), html("span", {}, `for ${emotion}`)),
    html("p", { class: "note" }, `Shapley values of this face. They sum to ${bits(total)}: seeing these parts makes `
      + `${emotion} ${(2 ** Math.abs(total)).toFixed(1)} times ${total < 0 ? "less" : "more"} likely than before any was seen.`));
}

/** What each area says on its own. */
export function areaTable(node, face, visible, used) {
  const names = Object.keys(face.areas);
  const row = (area) => {
    const prediction = face.areas[area];
    const hidden = !visible(area);
    const right = prediction.p_correct;
    return html("tr", { role: "row", class: [hidden ? "dim" : "", area === used ? "used" : ""].join(" "), "data-area": area },
      html("th", { scope: "row", role: "rowheader" }, AREA_TITLES[area], hidden && html("span", { class: "visually-hidden" }, " (shows a hidden part)")),
      html("td", { class: "said", role: "cell" }, prediction.emotion),
      html("td", { class: "right-share", role: "cell" }, right
        ? [`right ${percent(right.value)} `, html("span", { class: "range-text" }, `(${range(right)})`)]
        : "not calibrated"),
      EMOTIONS.map((name) => html("td", { role: "cell", class: `cell ${name === prediction.emotion ? "top" : ""}`, "data-label": name },
        html("span", { class: "value" }, rounded(prediction.probabilities[name])),
        html("span", { class: "bar-track", style: { display: "block" } },
          html("span", { class: "bar-fill", style: { width: `${100 * prediction.probabilities[name]}%` } })))));
  };
  fill(node, html("div", { class: "scroll", role: "region", "aria-label": "Area by area", tabindex: 0 },
    html("table", { class: "grid-table areas", role: "table" },
      html("thead", { role: "rowgroup" }, html("tr", { role: "row" }, ["Area", "Says", "Right", ...EMOTIONS].map((words) => html("th", { scope: "col", role: "columnheader" }, words)))),
      html("tbody", { role: "rowgroup" }, names.map(row)))));
}

/** Below this many answers a cell of the trust table leans on its area and emotion. */
export const FEW = 20;

/** The <emotion, area> authenticity table. */
export function trustTable(node, rows, corner) {
  const areas = Object.keys(AREA_TITLES).filter((area) => rows.some((row) => row.area === area));
  const at = new Map(rows.map((row) => [`${row.area} ${row.emotion}`, row]));
  const cell = (area, emotion) => {
    const row = at.get(`${area} ${emotion}`);
    if (!row) return html("td", { class: "none" }, "–");
    const step = Math.max(0, Math.min(6, Math.floor((row.p - 0.3) * 10)));
    return html("td", { class: row.n < FEW ? "few" : `h${step}`, title: `${capital(AREA_TITLES[area])} says ${emotion}: right ${row.n_right} of ${row.n} times` },
      html("strong", {}, percent(row.p)),
      html("span", {}, range(row)), html("br"),
      html("span", {}, `n = ${row.n}`));
  };
  fill(node, html("table", { class: "heat" },
    html("thead", {}, html("tr", {}, html("th", { scope: "col" }, corner), EMOTIONS.map((name) => html("th", { scope: "col" }, name)))),
    html("tbody", {}, areas.map((area) => html("tr", {}, html("th", { scope: "row" }, AREA_TITLES[area]), EMOTIONS.map((name) => cell(area, name)))))));
}
