// Landmarks, areas, boxes and heatmap over the picture: one SVG in the picture's own pixels. Presentation attributes
// only, so that the same SVG can be saved as PNG.

import { fill, svg } from "./dom.js";
import { PARTS } from "./words.js";

export const PART_COLORS = { eyes: "#56b4e9", nose: "#009e73", mouth: "#e69f00" };
const INK = "#ffffff", SHADE = "#14181b";
const LINES = [[0, 16], [17, 21], [22, 26], [27, 30], [31, 35], [36, 41, true], [42, 47, true], [48, 59, true], [60, 67, true]];

function partBox(landmarks, indices) {
  const xs = indices.map((i) => landmarks[i][0]);
  const ys = indices.map((i) => landmarks[i][1]);
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
}

function landmarkPaths(landmarks, unit) {
  return LINES.map(([from, to, closed]) => {
    const points = landmarks.slice(from, to + 1).map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`);
    return svg("path", { d: `M${points.join("L")}${closed ? "Z" : ""}`, fill: "none", stroke: INK, "stroke-opacity": 0.55, "stroke-width": unit * 0.6, "stroke-linejoin": "round" });
  }).concat(landmarks.map(([x, y]) => svg("circle", { cx: x, cy: y, r: unit * 1.15, fill: INK, stroke: SHADE, "stroke-width": unit * 0.45 })));
}

function areaShapes(landmarks, partLandmarks, hidden, unit) {
  return PARTS.flatMap((part) => {
    const box = partBox(landmarks, partLandmarks[part]);
    const grown = { x: box.x - unit, y: box.y - unit, width: box.width + 2 * unit, height: box.height + 2 * unit, rx: unit };
    const covered = hidden.has(part);
    return [
      svg("rect", { ...grown, fill: covered ? SHADE : "none", "fill-opacity": covered ? 0.82 : 0, stroke: SHADE, "stroke-opacity": 0.6, "stroke-width": unit * 2.6 }),
      svg("rect", { ...grown, fill: "none", stroke: PART_COLORS[part], "stroke-width": unit * 1.5, "stroke-dasharray": covered ? `${4 * unit} ${3 * unit}` : null, "data-part": part }),
    ];
  });
}

function faceBox(face, number, chosen, several, unit) {
  const [x0, y0, x1, y1] = face.face.box;
  const label = `${several ? `${number + 1}: ` : ""}${face.emotion ?? "no answer"}`;
  const size = Math.max(9, unit * 9);
  return svg("g", { "data-face": number },
    svg("rect", { x: x0, y: y0, width: x1 - x0, height: y1 - y0, rx: unit * 3, fill: "transparent", stroke: SHADE, "stroke-opacity": 0.55, "stroke-width": unit * (chosen ? 3.4 : 2.4) }),
    svg("rect", { x: x0, y: y0, width: x1 - x0, height: y1 - y0, rx: unit * 3, fill: "none", stroke: INK, "stroke-opacity": chosen ? 1 : 0.6, "stroke-width": unit * (chosen ? 1.8 : 1.2) }),
    several && svg("text", { x: x0 + unit * 3, y: y0 - unit * 4, fill: INK, stroke: SHADE, "stroke-width": unit * 2, "paint-order": "stroke", "font-size": size, "font-family": "system-ui, sans-serif", "font-weight": 600 }, label));
}

/**
 * Draw all faces of an answer.
 * shown: {landmarks, areas, heatmap, opacity 0..1}; chosen: number of the chosen face; hidden: its hidden parts;
 * zoom: how much larger the picture is shown.
 */
export function draw(node, answer, partLandmarks, { chosen, hidden, shown, zoom = 1 }) {
  const { width, height, faces } = answer;
  node.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const layers = faces.map((face, number) => {
    // Line widths follow the face, within what the picture's size on screen lets one see.
    const unit = Math.max(face.face.size / 190, Math.max(width, height) / 820 / zoom);
    const current = number === chosen;
    const map = face.heatmap;
    return svg("g", {},
      shown.heatmap && current && map && svg("image", { href: map.png, x: map.box[0], y: map.box[1], width: map.box[2] - map.box[0], height: map.box[3] - map.box[1], opacity: shown.opacity, preserveAspectRatio: "none", "data-heatmap": true }),
      shown.landmarks && landmarkPaths(face.face.landmarks, unit * 0.8),
      shown.areas && current && areaShapes(face.face.landmarks, partLandmarks, hidden, unit),
      faceBox(face, number, current, faces.length > 1, unit));
  });
  fill(node, ...layers);
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
