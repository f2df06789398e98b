// Downloads: the answer as JSON, the picture with its overlay and the answer in words as PNG. Made in the browser.

const MARGIN = 18;

export function saveBlob(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function saveJson(answer, name) {
  saveBlob(new Blob([JSON.stringify(answer, null, 2)], { type: "application/json" }), name);
}

async function imageOf(overlay, width, height) {
  const copy = overlay.cloneNode(true);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.removeAttribute("id");
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  return image;
}

/** photo: an <img>, <video> or <canvas>; lines: what is written below the picture. */
export async function savePng(photo, overlay, { width, height }, lines, name) {
  const scale = Math.max(1, 720 / Math.max(width, height));
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  const font = Math.max(16, Math.round(w / 38));
  const canvas = document.createElement("canvas");
  canvas.width = w;
  canvas.height = h + Math.round(lines.length * font * 1.4) + 2 * MARGIN;
  const context = canvas.getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(photo, 0, 0, w, h);
  context.drawImage(await imageOf(overlay, w, h), 0, 0, w, h);
  lines.forEach((line, i) => {
    context.fillStyle = i ? "#566067" : "#1c2326";
    context.font = `${i ? "" : "600 "}${font}px system-ui, sans-serif`;
    context.fillText(line, MARGIN, h + MARGIN + font * (1 + 1.4 * i), w - 2 * MARGIN);
  });
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  saveBlob(blob, name);
}
