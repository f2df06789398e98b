// Words and numbers as people read them. "right 9 times in 10" comes from the server, so that page and CLI say the same.

import { PARTS } from "./read.js";

export const AREA_TITLES = {
  mouth: "mouth", nose: "nose", eyes: "eyes", nose_mouth: "nose and mouth", nose_eyes: "nose and eyes",
  mouth_eyes: "mouth and eyes", whole_face: "whole face",
};

/** Below LOW an answer is said with "perhaps" and its rival; from HIGH on it is said plainly. */
export const LOW = 0.7, HIGH = 0.9;

/** high, middle, low or unknown: how an answer looks, everywhere. */
export function level(right) {
  if (!right) return "unknown";
  return right.value >= HIGH ? "high" : right.value >= LOW ? "middle" : "low";
}

/** "happiness", or "perhaps happiness, or anger" where it cannot be trusted far. */
export function verdict(answer) {
  if (!answer) return "no answer";
  return level(answer.right) === "low" && answer.second ? `perhaps ${answer.emotion}, or ${answer.second}` : answer.emotion;
}

/** What stands at a face: "happiness 93%", "happiness? 51%". */
export function tag(answer, abstained = false) {
  if (!answer || abstained) return "no answer";
  if (!answer.right) return answer.emotion;
  return `${answer.emotion}${level(answer.right) === "low" ? "?" : ""} ${percent(answer.right.value)}`;
}

/** "93%"; one decimal near the ends, so that nothing reads as certain that is not: 0.9996 -> "99.9%". */
export function percent(share) {
  const value = 100 * share;
  if ((value >= 0.5 && value < 99.5) || share === 0 || share === 1) return `${Math.round(value)}%`;
  return `${Math.min(Math.max(value, 0.1), 99.9).toFixed(1)}%`;
}

/** "93%", rounded: for shares that nobody takes for certainty. */
export const rounded = (share) => `${Math.round(100 * share)}%`;

/** "91 to 96%"; empty where both ends read the same. */
export function range({ low, high }) {
  const [from, to] = [percent(low), percent(high)];
  return from === to ? "" : `${from.slice(0, -1)} to ${to}`;
}

/** ferplus -> FER+ */
export const datasetTitle = (name) => ({ ferplus: "FER+", rafdb: "RAF-DB", expw: "ExpW" })[name] ?? name;

export const capital = (words) => words.charAt(0).toUpperCase() + words.slice(1);

/** ["a", "b", "c"] -> "a, b and c" */
export const listed = (words, last = "and") =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} ${last} ${words.at(-1)}`;

export const isPlural = (parts) => parts.length > 1 || parts[0] === "eyes";

/** What is seen, in words: "whole face", "eyes alone", "eyes and nose". */
export function seenWords(hidden) {
  const seen = PARTS.filter((part) => !hidden.has(part));
  return seen.length === 3 ? "whole face" : seen.length === 1 ? `${seen[0]} alone` : listed(seen);
}

/** 75.25 -> "1:15.3" */
export function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(1).padStart(4, "0")}`;
}
