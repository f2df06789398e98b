// Words and numbers as people read them. Sentences about trust come from the server, so that page and CLI say the same.

export const EMOTIONS = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"];
export const PARTS = ["eyes", "nose", "mouth"];
export const AREAS = ["mouth", "nose", "eyes", "nose_mouth", "nose_eyes", "mouth_eyes", "whole_face"];
export const AREA_TITLES = {
  mouth: "mouth", nose: "nose", eyes: "eyes", nose_mouth: "nose and mouth", nose_eyes: "nose and eyes",
  mouth_eyes: "mouth and eyes", whole_face: "whole face",
};
const AREA_PARTS = {
  mouth: ["mouth"], nose: ["nose"], eyes: ["eyes"], nose_mouth: ["nose", "mouth"], nose_eyes: ["eyes", "nose"],
  mouth_eyes: ["eyes", "mouth"], whole_face: PARTS,
};

export const partsOf = (area) => AREA_PARTS[area];

/** The area that shows exactly these parts; null where there are none. */
export function areaOf(parts) {
  const wanted = PARTS.filter((part) => parts.has(part)).join();
  return AREAS.find((area) => PARTS.filter((p) => AREA_PARTS[area].includes(p)).join() === wanted) ?? null;
}

/** "93%"; one decimal near the ends, so that nothing reads as certain that is not: 0.9996 -> "99.9%". */
export function percent(share) {
  const value = 100 * share;
  if ((value >= 0.5 && value < 99.5) || share === 0 || share === 1) return `${Math.round(value)}%`;
  return `${Math.min(Math.max(value, 0.1), 99.9).toFixed(1)}%`;
}

/** "93%", rounded: for shares that nobody takes for certainty. */
export const rounded = (share) => `${Math.round(100 * share)}%`;

/** ferplus -> FER+ */
export const datasetTitle = (name) => ({ ferplus: "FER+", rafdb: "RAF-DB", expw: "ExpW" })[name] ?? name;

/** "91 to 96" */
export const range = ({ low, high }) => `${percent(low).slice(0, -1)} to ${percent(high).slice(0, -1)}`;

export const capital = (words) => words.charAt(0).toUpperCase() + words.slice(1);

/** ["a", "b", "c"] -> "a, b and c" */
export const listed = (words, last = "and") =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} ${last} ${words.at(-1)}`;

export const plural = (parts) => parts.length > 1 || parts[0] === "eyes";
