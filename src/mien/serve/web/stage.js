// The picture with what is drawn on it: shown at once, enlarged where it is small, close up on request.

import { $ } from "./dom.js";
import { closeUp, draw } from "./overlay.js";

const HIGHEST = 600;
const SMALLEST = 0.25; // a lone face smaller than this share of the picture is shown close up

/** Size in CSS pixels at which a picture of this size is shown: it fills the place that there is. */
function fitted(width, height) {
  const room = $("picture").clientWidth || 320;
  const high = Math.min(HIGHEST, 0.62 * innerHeight);
  const scale = Math.min(room / width, Math.max(high, 200) / height);
  return [Math.max(1, Math.floor(width * scale)), Math.max(1, Math.floor(height * scale))];
}

export function wantsCloseUp({ faces, width, height }) {
  return faces.length === 1 && faces[0].size < SMALLEST * Math.min(width, height);
}

/** Show a picture before anything is known of it; the old one's drawings go. */
export function showPicture(url, name) {
  $("overlay").replaceChildren();
  $("zoomer").style.transform = "";
  $("video").hidden = true;
  const photo = $("photo");
  photo.hidden = !url;
  if (url && photo.getAttribute("src") !== url) photo.src = url;
  if (!url) photo.removeAttribute("src");
  photo.alt = url ? `The picture ${name}` : "";
  if (url) photo.decode().then(() => { if (photo.getAttribute("src") === url) fit(photo.naturalWidth, photo.naturalHeight); }, () => {
    if (photo.getAttribute("src") !== url) return;
    photo.hidden = true; // a format that this browser does not show
    $("window").removeAttribute("style");
  });
}

export function showVideo() {
  $("photo").hidden = true;
  $("video").hidden = false;
}

function fit(width, height) {
  if (!width || !height) return [1, 1];
  const [w, h] = fitted(width, height);
  for (const id of ["photo", "video", "overlay", "window"]) Object.assign($(id).style, { width: `${w}px`, height: `${h}px` });
  return [w, h];
}

export const shown = () => ({
  closeup: $("show-closeup").checked, landmarks: $("show-landmarks").checked, areas: $("show-areas").checked,
  heatmap: $("show-heatmap").checked, opacity: $("opacity").value / 100,
});

/** Draw an answer on its picture; `view` is {chosen, hidden, answerOf, onChoose, partLandmarks}. */
export function showDrawing(picture, view) {
  const [width, height] = fit(picture.width, picture.height);
  const choice = shown();
  const face = picture.faces[view.chosen];
  const scale = width / picture.width;
  const [x, y, zoom] = face && choice.closeup ? closeUp(face.box, width, height, scale) : [0, 0, 1];
  $("zoomer").style.transform = zoom > 1 ? `translate(${x}px, ${y}px) scale(${zoom})` : "";
  draw($("overlay"), picture, view.partLandmarks, { ...view, shown: choice, scale: scale * zoom });
  const map = face?.heatmap;
  $("heatmap-key").hidden = !(choice.heatmap && face);
  $("heatmap-note").textContent = map ? `Signs of ${map.emotion} in the whole face.` : "There is no heat map for this face.";
  return { x: -x / zoom / scale, y: -y / zoom / scale, width: picture.width / zoom, height: picture.height / zoom };
}
