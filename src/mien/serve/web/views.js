// The page's views, its colours, and the trust table.

import * as api from "./api.js";
import { FEW, trustTable } from "./charts.js";
import { $ } from "./dom.js";
import { datasetTitle } from "./words.js";

const VIEWS = ["analyse", "trust", "help"];
const TITLES = { analyse: "mien", trust: "Trust table · mien", help: "Help and limits · mien" };
const THEMES = { auto: ["automatic", "◐"], light: ["light", "☀"], dark: ["dark", "☾"] };

export function showView() {
  const wanted = VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "analyse";
  const open = $("login").hidden;
  for (const view of VIEWS) $(`view-${view}`).hidden = view !== wanted || !(open || view === "help");
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === wanted) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  document.title = TITLES[wanted];
  if (wanted === "trust" && open) showTrust();
  return wanted;
}

async function showTrust() {
  if ($("trust-areas").hasChildNodes()) return;
  try {
    const { dataset, n, areas, fused } = await api.trust();
    $("trust-lead").textContent = `If mien sees only this area and says this emotion, how often is it right? Fitted on ${n.toLocaleString("en")} validation faces of ${datasetTitle(dataset)}`
      + "; each cell gives the share, its 95% interval, and how many such answers it rests on."
      + ` Dashed cells rest on fewer than ${FEW} and lean on what their area and their emotion show elsewhere.`;
    trustTable($("trust-areas"), areas, "Area says");
    trustTable($("trust-fused"), fused, "Visible, together");
  } catch (error) {
    $("trust-lead").textContent = error.message;
  }
}

function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = theme;
  localStorage.setItem("mien-theme", theme);
  $("theme").setAttribute("aria-label", `Colour theme: ${THEMES[theme][0]}`);
  $("theme").firstElementChild.textContent = THEMES[theme][1];
}

export function startTheme() {
  const kept = localStorage.getItem("mien-theme");
  setTheme(kept in THEMES ? kept : "auto");
  $("theme").addEventListener("click", () => {
    const names = Object.keys(THEMES);
    setTheme(names[(names.indexOf(localStorage.getItem("mien-theme")) + 1) % names.length]);
  });
}
