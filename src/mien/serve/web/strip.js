// All pictures that were given, side by side, each with its name and what became of it.

import { $, fill, html } from "./dom.js";
import { verdict } from "./words.js";

/** What became of an item, in words. */
export function stateWords({ state, kind, done, count, shots, problem, passing }) {
  if (state === "waiting") return "waiting";
  if (state === "working") return kind === "video" && count ? `${done} of ${count}` : "looking…";
  if (state === "failed") return passing ? "try again" : "not read";
  if (kind === "video") return `${shots.length} frames${problem ? ", broke off" : ""}`;
  const { faces } = shots[0].answer;
  if (!faces.length) return "no face";
  if (faces.length > 1) return `${faces.length} faces`;
  return verdict(faces[0].abstained ? null : faces[0].answer);
}

const stand = (sign) => html("span", { class: "film", "aria-hidden": true }, sign);

function thumb(item) {
  const url = item.shots[0]?.answer.preview ?? item.shots[0]?.url ?? item.url;
  return url ? html("img", { src: url, alt: "", onerror: (event) => event.target.replaceWith(stand("?")) }) : stand("▶");
}

export function showStrip(items, selected, { onSelect, onRemove }) {
  $("strip").hidden = items.length < 2;
  if (items.length < 2) return fill($("strip"));
  const focused = $("strip").contains(document.activeElement) ? document.activeElement.dataset.key : null;
  fill($("strip"), items.map((item) => html("div", { class: `tile s-${item.state}` },
    html("button", { type: "button", class: "pick", "data-key": `pick-${item.id}`, "aria-pressed": String(item === selected), onclick: () => onSelect(item) },
      thumb(item), html("span", { class: "tile-name" }, item.name), html("span", { class: "tile-state" }, stateWords(item)),
      item.state === "working" && html("span", { class: "meter", "aria-hidden": true }, html("span", { style: { width: `${item.count ? 100 * item.done / item.count : 40}%` } }))),
    html("button", { type: "button", class: "drop-it", "data-key": `drop-${item.id}`, "aria-label": `Remove ${item.name}`, onclick: () => onRemove(item) }, "×"))));
  if (focused) $("strip").querySelector(`[data-key="${focused}"]`)?.focus();
  return undefined;
}
