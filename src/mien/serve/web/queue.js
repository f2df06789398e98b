// Photos and videos one after another. An item is what was given; its shots are the pictures that were analysed: one of
// a photo, one a moment of a video. What fails is said at its item, and the rest goes on.

import * as api from "./api.js";
import { framesOf, isVideo } from "./video.js";

const TRIES = 40;
const PAUSE_MS = 400;
let lastId = 0;

/** {id, name, kind, blob, url, state: waiting | working | done | failed, problem, shots: [{time, blob, answer}], done, count} */
export function item(blob, name, kind, more = {}) {
  return { id: ++lastId, name, kind, blob, url: blob && kind !== "video" ? URL.createObjectURL(blob) : null, state: "waiting", problem: null, shots: [], done: 0, count: 0, ...more };
}

export const fromFile = (file) => item(file, file.name || "pasted picture", isVideo(file) ? "video" : "photo");

/** A picture of the item that can be shown before there is an answer; null where the browser shows none. */
export const shown = (of, shot) => shot?.answer?.preview ?? (shot?.url || of.url);

/** Whether this browser shows the picture's format; most show no TIFF. */
async function isShown(blob) {
  try {
    (await createImageBitmap(blob)).close();
    return true;
  } catch {
    return false;
  }
}

export class Queue {
  /** onChange(item, shot or null): something about an item is new; settings(): what to send; limits(): the server's. */
  constructor({ onChange, onLocked, settings, about }) {
    Object.assign(this, { items: [], onChange, onLocked, settings, about, running: null });
  }

  add(items) {
    this.items.push(...items);
    this.items.forEach((one) => this.onChange(one, null));
    this.run();
  }

  /** Ahead of all that waits. */
  addFirst(one) {
    this.items.unshift(one);
    this.onChange(one, null);
    this.run();
  }

  again(items) {
    for (const one of items) {
      this.running?.item === one && this.running.abort.abort();
      this.forgetShots(one);
      Object.assign(one, { state: "waiting", problem: null, done: 0, count: 0 });
      this.onChange(one, null);
    }
    this.run();
  }

  stop(one) {
    if (this.running?.item === one) this.running.abort.abort();
  }

  remove(one) {
    this.stop(one);
    this.items = this.items.filter((other) => other !== one);
    this.forgetShots(one);
    if (one.url) URL.revokeObjectURL(one.url);
    this.onChange(one, null);
  }

  forgetShots(one) {
    for (const shot of one.shots) if (shot.url) URL.revokeObjectURL(shot.url);
    one.shots = [];
  }

  get waiting() {
    return this.items.filter(({ state }) => state === "waiting" || state === "working").length;
  }

  async run() {
    if (this.running) return;
    for (let next = this.next(); next; next = this.next()) {
      this.running = { item: next, abort: new AbortController() };
      await this.work(next, this.running.abort.signal);
      this.running = null;
    }
  }

  next() {
    return this.items.find(({ state, wanted }) => state === "waiting" && wanted) ?? this.items.find(({ state }) => state === "waiting");
  }

  async work(one, signal) {
    one.state = "working";
    this.onChange(one, null);
    try {
      await (one.kind === "video" ? this.video(one, signal) : this.photo(one, signal));
      if (one.state === "working") one.state = "done";
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) {
        if (one.state === "working") one.state = "done"; // stopped by its user, who keeps what was read
      } else {
        Object.assign(one, { state: one.shots.length ? "done" : "failed", problem: error.message, passing: api.PASSING.includes(error.type) });
        if (error.type === "UnauthorizedError") return this.lock(one);
      }
    }
    return this.onChange(one, null);
  }

  /** Ask for the token, and go on when it was given. */
  lock(one) {
    this.forgetShots(one);
    Object.assign(one, { state: "waiting", problem: null });
    const unlocked = new Promise((done) => { this.unlock = done; });
    this.onLocked();
    return unlocked;
  }

  async photo(one, signal) {
    const { blob, example } = one;
    const settings = this.settings();
    let answer;
    if (example && !settings.prior && !settings.wholePicture) answer = await this.whenFree(() => api.exampleAnswer(example, signal), signal);
    else {
      const about = await this.about();
      if (blob.size > about.uploadBytes) throw new api.Problem("Large", `This picture has ${(blob.size / 1e6).toFixed(1)} MB; the limit is ${about.uploadBytes / 1e6} MB.`);
      const preview = !(await isShown(blob));
      answer = await this.whenFree(() => api.analyze(blob, { name: one.name, heatmap: about.heatmap, preview, settings, signal }), signal);
    }
    this.keep(one, signal, { time: null, blob, url: null, answer });
  }

  async video(one, signal) {
    const about = await this.about();
    for await (const { time, number, count, frame } of framesOf(one.blob, signal)) {
      Object.assign(one, { done: number, count });
      const answer = await this.whenFree(() => api.analyze(frame, { name: one.name, heatmap: about.heatmap, settings: this.settings(), signal }), signal);
      one.done = number + 1;
      this.keep(one, signal, { time, number, blob: frame, url: URL.createObjectURL(frame), answer });
    }
  }

  keep(one, signal, shot) {
    if (signal.aborted) return;
    one.shots.push(shot);
    this.onChange(one, shot);
  }

  /** A busy server is asked again. */
  async whenFree(ask, signal) {
    for (let left = TRIES; ; left -= 1) {
      try {
        return await ask();
      } catch (error) {
        if (error.type !== "BusyError" || left <= 1 || signal.aborted) throw error;
        await new Promise((done) => setTimeout(done, PAUSE_MS));
      }
    }
  }
}
