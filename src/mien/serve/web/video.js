// A video's frames, read by the browser and sent one by one as pictures: the file itself stays where it is.

import { Problem } from "./api.js";

const STEP_SECONDS = 0.5;
const MOST_FRAMES = 600;
const LONGER_SIDE = 1280;
const PATIENCE_MS = 15_000;

function event(target, name, problem) {
  return new Promise((done, fail) => {
    const ended = new AbortController();
    const end = (how, value) => { ended.abort(); clearTimeout(timer); how(value); };
    const timer = setTimeout(() => end(fail, new Problem("VideoError", problem)), PATIENCE_MS);
    target.addEventListener(name, () => end(done), { signal: ended.signal });
    target.addEventListener("error", () => end(fail, new Problem("VideoError", problem)), { signal: ended.signal });
  });
}

/** Whether a file is to be read as a video. */
export const isVideo = (file) => file.type.startsWith("video/") || /\.(mp4|m4v|mov|webm|mkv|avi|ogv|mts|m2ts|flv|wmv|3gp)$/i.test(file.name);

async function opened(url, name) {
  const video = Object.assign(document.createElement("video"), { muted: true, preload: "auto", playsInline: true });
  const problem = `This browser cannot play ${name}. On the command line, mien analyze reads more kinds of video.`;
  const ready = event(video, "loadeddata", problem);
  video.src = url;
  await ready;
  if (!video.videoWidth) throw new Problem("VideoError", problem);
  if (!Number.isFinite(video.duration)) { // a recording without its length: its end is looked up
    const known = event(video, "seeked", problem);
    video.currentTime = 1e7;
    await known;
  }
  return video;
}

/** Frames of a video: {time in seconds, frame (a JPEG), number, count}. */
export async function* framesOf(file, signal) {
  const url = URL.createObjectURL(file);
  const canvas = document.createElement("canvas");
  try {
    const video = await opened(url, file.name);
    const duration = Number.isFinite(video.duration) ? video.duration : video.currentTime;
    const step = Math.max(STEP_SECONDS, duration / MOST_FRAMES);
    const count = Math.max(1, Math.ceil(duration / step));
    const scale = Math.min(1, LONGER_SIDE / Math.max(video.videoWidth, video.videoHeight));
    canvas.width = Math.max(1, Math.round(video.videoWidth * scale));
    canvas.height = Math.max(1, Math.round(video.videoHeight * scale));
    for (let number = 0; number < count && !signal.aborted; number += 1) {
      const time = number * step;
      if (video.currentTime !== time) {
        const there = event(video, "seeked", `The video breaks off after ${time.toFixed(1)} s; what was read before is kept.`);
        video.currentTime = time;
        await there;
      }
      canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
      yield { time, number, count, frame: await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92)) };
    }
  } finally {
    URL.revokeObjectURL(url);
  }
}
