// The server's HTTP API. Every problem becomes an Error whose message can be shown as it is.

import * as read from "./read.js";

export class Problem extends Error {
  constructor(type, message) {
    super(message);
    this.type = type;
  }
}

/** Problems that may be gone a moment later. */
export const PASSING = ["BusyError", "Offline", "AnalysisTimeoutError", "UploadTimeoutError"];

// What the page preloads was refused before the login; browsers keep the refusal, so afterwards another address is asked.
let afresh = "";

async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("Offline", "The mien server does not answer. Is it still running?");
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  throw new Problem(body?.error?.type ?? "Unknown", body?.error?.message ?? `The server answered ${response.status}.`);
}

const json = async (path, options) => (await call(path, options)).json();

export const about = async () => read.about(await json(`api/about${afresh}`));
export const trust = async () => read.trust(await json("api/trust"));
export const examplePath = (name) => `api/examples/${name}.jpg`;
export const exampleAnswer = async (name, signal) => read.picture(await json(`api/examples/${name}.json${afresh}`, { signal }));
export const examplePicture = async (name) => new File([await (await call(examplePath(name))).blob()], `${name}.jpg`, { type: "image/jpeg" });

/** Let the browser remember the token for this server, where scripts cannot read it. */
export async function login(token) {
  await call("api/session", { method: "POST", headers: { Authorization: `Bearer ${token}` } });
  afresh = "?afresh";
}

/** Analyse a picture (a Blob). settings: {prior, wholePicture}, sent only where the server knows them. */
export async function analyze(picture, { name = "", heatmap = true, preview = false, rows = true, settings = {}, signal } = {}) {
  const query = new URLSearchParams({ heatmap, preview, rows, what_if: true, input: name.slice(0, 400) });
  if (settings.prior) query.set("prior", settings.prior);
  if (settings.wholePicture) query.set("whole_picture", true);
  const answer = await json(`api/analyze?${query}`, {
    method: "POST", body: picture, signal, headers: { "Content-Type": picture.type || "application/octet-stream" },
  });
  return read.picture(answer);
}
