// The one place that knows the server's JSON. All other modules see what is made here; a changed field is changed here.

export const EMOTIONS = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"];
export const PARTS = ["eyes", "nose", "mouth"];
export const AREAS = ["mouth", "nose", "eyes", "nose_mouth", "nose_eyes", "mouth_eyes", "whole_face"];
const AREA_PARTS = {
  mouth: ["mouth"], nose: ["nose"], eyes: ["eyes"], nose_mouth: ["nose", "mouth"], nose_eyes: ["eyes", "nose"],
  mouth_eyes: ["eyes", "mouth"], whole_face: PARTS,
};

export const partsOf = (area) => AREA_PARTS[area] ?? [];

/** The area that shows exactly these parts; null where there are none. */
export function areaOf(parts) {
  const wanted = PARTS.filter((part) => parts.has(part)).join();
  return AREAS.find((area) => AREA_PARTS[area].join() === wanted) ?? null;
}

/** {value, low, high}, each 0..1; null where nothing was calibrated. */
function right(given) {
  const p = given?.p_correct ?? given?.authenticity ?? null;
  if (p === null) return null;
  if (typeof p === "number") return { value: p, low: given.p_correct_low ?? p, high: given.p_correct_high ?? p };
  return { value: p.value, low: p.low ?? p.value, high: p.high ?? p.value };
}

/** What one area says, or all that is visible: {area, emotion, second, right, probabilities, set}. */
function prediction(given) {
  if (!given) return null;
  const ranked = EMOTIONS.filter((name) => name in given.probabilities && name !== given.emotion)
    .sort((a, b) => given.probabilities[b] - given.probabilities[a]);
  return { area: given.area, emotion: given.emotion, second: ranked[0], right: right(given), probabilities: given.probabilities, set: given.prediction_set ?? [] };
}

function supposition(given) {
  return given ? { ...prediction(given.fused), area: given.area, words: given.words, contributions: given.contributions ?? {}, notes: given.notes ?? [] } : null;
}

/** Share of each piece that is hidden, where the network says it: {"right eye": 0.9, ...}. */
function hiddenShares({ hidden_share, hidden }) {
  const shares = hidden_share ?? (hidden && !Array.isArray(hidden) && typeof hidden === "object" ? hidden : {});
  return Object.fromEntries(Object.entries(shares).filter(([, share]) => typeof share === "number").map(([name, share]) => [name.replaceAll("_", " "), share]));
}

function face(given, number) {
  const { visibility } = given;
  const suppositions = Object.fromEntries(Object.entries(given.what_if ?? {}).map(([area, one]) => [area, supposition(one)]));
  const own = prediction(given.fused ?? given.answer);
  return {
    number,
    emotion: given.emotion ?? null,
    abstained: given.abstained ?? false,
    answer: own,
    visible: new Set(visibility.visible),
    visibility: visibility.probability ?? {},
    hiddenShares: hiddenShares(visibility),
    given: visibility.given ?? false,
    areas: Object.fromEntries(Object.entries(given.areas ?? {}).map(([area, one]) => [area, prediction(one)])),
    whatIf: suppositions,
    box: given.face.box,
    landmarks: given.face.landmarks ?? [],
    size: given.face.size,
    pose: given.face.pose ?? given.pose ?? null,
    heatmap: given.heatmap ?? null,
    notes: given.notes ?? [],
  };
}

/** One analysed picture. `raw` is what the server sent (without the preview), to be saved. */
export function picture(json) {
  const { preview = null, rows = [], ...raw } = json;
  return {
    name: json.input ?? "", width: json.width, height: json.height, models: json.models ?? json.meta?.models ?? "",
    faces: (json.faces ?? []).map(face), rows, preview, raw,
  };
}

/** What the server is and can do. */
export function about(json) {
  return {
    version: json.version, models: json.models, dataset: json.dataset, eyes: json.eyes ?? "both",
    partLandmarks: json.part_landmarks, uploadBytes: json.limits.upload_bytes, heatmap: json.heatmap, report: json.report,
    examples: json.examples ?? [], columns: json.columns ?? [],
    options: { prior: json.options?.prior ?? false, wholePicture: json.options?.whole_picture ?? false },
  };
}

/** {n, dataset, areas: [row], fused: [row]}; a row is {area, emotion, p, low, high, n, nRight}. */
export function trust(json) {
  const rows = (given) => (given ?? []).map((row) => ({ ...row, p: row.p_correct ?? row.p, nRight: row.n_right }));
  return { n: json.n, dataset: json.dataset, areas: rows(json.areas), fused: rows(json.fused) };
}
