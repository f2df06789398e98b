// Settings of the analysis that the server says it knows: the mix of emotions, and whether a picture is one face.

import { $, fill, html } from "./dom.js";
import { EMOTIONS } from "./read.js";

const CHOICES = [["", "as in the training data (FER+)"], ["balanced", "all eight equally often"], ["own", "my own mix"]];

function shareInputs() {
  return EMOTIONS.map((name) => html("label", {}, name, html("input", { type: "number", min: 0, max: 100, step: 1, value: 12.5, "data-share": name, inputmode: "decimal" })));
}

const shares = () => [...document.querySelectorAll("[data-share]")].map((input) => [input.dataset.share, Math.max(0, Number(input.value) || 0)]);

/** The API's word for the mix chosen: "balanced", "neutral=0.5,anger=0.5"; empty for the usual one. */
function prior() {
  if ($("prior").value !== "own") return $("prior").value;
  const given = shares();
  const total = given.reduce((sum, [, share]) => sum + share, 0);
  return total ? given.filter(([, share]) => share).map(([name, share]) => `${name}=${(share / total).toFixed(4)}`).join(",") : "";
}

/** What to send with each picture. */
export const settings = () => ({
  wholePicture: !$("whole-picture-control").hidden && $("whole-picture").checked,
  prior: $("prior-control").hidden ? "" : prior(),
});

function say() {
  const own = $("prior").value === "own";
  $("prior-shares").hidden = !own;
  const total = shares().reduce((sum, [, share]) => sum + share, 0);
  $("prior-note").textContent = !own ? "" : total ? (Math.abs(total - 100) < 0.5 ? "" : `These add up to ${total.toFixed(0)}; they are taken as shares of it.`) : "Give at least one emotion a share.";
  const { wholePicture } = settings();
  const said = [wholePicture && "whole picture is one face", settings().prior && ($("prior").value === "own" ? "own mix of emotions" : "balanced mix of emotions")].filter(Boolean);
  $("options-said").textContent = said.length ? `: ${said.join(", ")}` : "";
}

/** Show what the server knows; onChange() is called when a setting is another. */
export function placeOptions({ wholePicture, prior: knowsPrior }, onChange) {
  $("whole-picture-control").hidden = !wholePicture;
  $("prior-control").hidden = !knowsPrior;
  $("options").hidden = !wholePicture && !knowsPrior;
  if ($("prior").options.length) return;
  fill($("prior"), CHOICES.map(([value, words]) => html("option", { value }, words)));
  fill($("prior-shares"), shareInputs());
  const changed = () => { say(); onChange(); };
  for (const id of ["whole-picture", "prior", "prior-shares"]) $(id).addEventListener("change", changed);
}

/** The whole picture is one face from now on. */
export function takeWholePicture() {
  $("whole-picture").checked = true;
  $("whole-picture").dispatchEvent(new Event("change"));
}
