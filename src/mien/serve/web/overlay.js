// Landmarks, areas, boxes, tags and heat map over the picture: one SVG in the picture's own pixels. Presentation
// attributes only, so that the same SVG can be saved as PNG. Colours come from the one palette in style.css.

import { fill, svg } from "./dom.js";
import { PARTS } from "./read.js";
import { level, tag } from "./words.js";

const LINES = [[0, 16], [17, 21], [22, 26], [27, 30], [31, 35], [36, 41, true], [42, 47, true], [48, 59, true], [60, 67, true]];
const FONT = "system-ui, sans-serif";

/** The palette of drawings: the same on light and dark pages, since photos are. */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(["eyes", "nose", "mouth", "ink", "shade"].map((name) => [name, style.getPropertyValue(`--draw-${name}`).trim()]));
}

function partBox(landmarks, indices) {
  const xs = indices.map((i) => landmarks[i][0]);
  const ys = indices.map((i) => landmarks[i][1]);
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
}

function landmarkPaths(landmarks, unit, { ink, shade }) {
  return LINES.map(([from, to, closed]) => {
    const points = landmarks.slice(from, to + 1).map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`);
    return svg("path", { d: `M${points.join("L")}${closed ? "Z" : ""}`, fill: "none", stroke: ink, "stroke-opacity": 0.55, "stroke-width": unit * 0.6, "stroke-linejoin": "round" });
  }).concat(landmarks.map(([x, y]) => svg("circle", { cx: x, cy: y, r: unit * 1.15, fill: ink, stroke: shade, "stroke-width": unit * 0.45 })));
}

function areaShapes(landmarks, partLandmarks, hidden, unit, colours) {
  return PARTS.flatMap((part) => {
    const box = partBox(landmarks, partLandmarks[part]);
    const grown = { x: box.x - unit, y: box.y - unit, width: box.width + 2 * unit, height: box.height + 2 * unit, rx: unit };
    const covered = hidden.has(part);
    return [
      svg("rect", { ...grown, fill: covered ? colours.shade : "none", "fill-opacity": covered ? 0.82 : 0, stroke: colours.shade, "stroke-opacity": 0.6, "stroke-width": unit * 2.6 }),
      svg("rect", { ...grown, fill: "none", stroke: colours[part], "stroke-width": unit * 1.5, "stroke-dasharray": covered ? `${4 * unit} ${3 * unit}` : null, "data-part": part }),
    ];
  });
}

/** The words at a face, in a plate that stays within the picture. */
function plate(words, [x0, y0, , y1], size, { width, height }, { ink, shade }, low) {
  const wide = size * (0.6 * words.length + 1);
  const x = Math.max(0, Math.min(x0, width - wide));
  const above = y0 - 1.6 * size >= 0;
  const y = above ? y0 - 1.5 * size : Math.min(y1 + 0.2 * size, height - 1.4 * size);
  return [
    svg("rect", { x, y, width: wide, height: 1.4 * size, rx: 0.25 * size, fill: shade, "fill-opacity": low ? 0.6 : 0.88 }),
    svg("text", { x: x + 0.5 * size, y: y + 1.02 * size, fill: ink, "font-size": size, "font-family": FONT, "font-weight": low ? 400 : 650, "font-style": low ? "italic" : null,
      textLength: wide - size, lengthAdjust: "spacingAndGlyphs" }, words),
  ];
}

function faceMark(face, answer, chosen, several, unit, size, picture, colours, onChoose) {
  const [x0, y0, x1, y1] = face.box;
  const faint = ["low", "unknown"].includes(level(answer?.right)) || face.abstained;
  const dash = faint ? `${5 * unit} ${3 * unit}` : null;
  const box = { x: x0, y: y0, width: x1 - x0, height: y1 - y0, rx: unit * 3 };
  const words = `${several ? `${face.number + 1}: ` : ""}${tag(answer, face.abstained)}`;
  return svg("g", { "data-face": face.number, "data-level": level(answer?.right), role: "button", tabindex: 0, "aria-pressed": String(chosen), "aria-label": `Face ${face.number + 1}: ${tag(answer, face.abstained)}`,
    onclick: () => onChoose(face.number),
    onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); onChoose(face.number); } } },
    svg("rect", { ...box, fill: "transparent", stroke: colours.shade, "stroke-opacity": 0.55, "stroke-width": unit * (chosen ? 3.4 : 2.4) }),
    svg("rect", { ...box, class: "outline", fill: "none", stroke: colours.ink, "stroke-opacity": chosen ? 1 : 0.7, "stroke-width": unit * (chosen ? 1.8 : 1.2), "stroke-dasharray": dash }),
    plate(words, face.box, size, picture, colours, faint));
}

/**
 * Draw all faces of an answer.
 * shown: {landmarks, areas, heatmap, opacity 0..1}; chosen: number of the chosen face; hidden: its hidden parts;
 * answerOf(face): what is said of it; scale: shown pixels for a pixel of the picture.
 */
export function draw(node, picture, partLandmarks, { chosen, hidden, shown, scale = 1, answerOf, onChoose }) {
  const { width, height, faces } = picture;
  const focused = node.contains(document.activeElement) ? document.activeElement.dataset.face : null;
  const colours = palette();
  node.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const unit = 1.15 / scale; // lines and words have the same size on every screen, however large the photo is
  const layers = faces.map((face) => {
    const current = face.number === chosen;
    const map = face.heatmap;
    const fine = Math.min(unit, face.size / 90);
    return svg("g", {},
      shown.heatmap && current && map && svg("image", { href: map.png, x: map.box[0], y: map.box[1], width: map.box[2] - map.box[0], height: map.box[3] - map.box[1], opacity: shown.opacity, preserveAspectRatio: "none", "data-heatmap": true }),
      shown.landmarks && face.landmarks.length === 68 && landmarkPaths(face.landmarks, fine, colours),
      shown.areas && current && face.landmarks.length === 68 && areaShapes(face.landmarks, partLandmarks, hidden, fine * 1.2, colours));
  });
  const marks = faces.map((face) => faceMark(face, answerOf(face), face.number === chosen, faces.length > 1, unit, 13 / scale, picture, colours, onChoose));
  fill(node, layers, marks);
  if (focused !== null) node.querySelector(`[data-face="${focused}"]`)?.focus();
}

/**
 * Where the picture must be moved, and how much enlarged, to show a face close up: [x, y, zoom] in shown pixels.
 * box: of the face, in the picture's pixels; width, height: of the picture as shown; scale: shown pixels a pixel.
 */
export function closeUp([x0, y0, x1, y1], width, height, scale) {
  const zoom = Math.min(12, Math.max(1, 0.56 * Math.min(width, height) / (scale * Math.max(x1 - x0, y1 - y0))));
  const within = (size, middle) => Math.min(0, Math.max(size - zoom * size, size / 2 - zoom * scale * middle));
  return [within(width, (x0 + x1) / 2), within(height, (y0 + y1) / 2), zoom];
}
