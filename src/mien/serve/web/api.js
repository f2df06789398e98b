// The server's HTTP API. Every problem becomes an Error whose message can be shown as it is.

export class Problem extends Error {
  constructor(type, message) {
    super(message);
    this.type = type;
  }
}

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

export const about = () => json("api/about");
export const trust = () => json("api/trust");
export const sample = async () => (await call("api/sample")).blob();

/** Let the browser remember the token for this server, where scripts cannot read it. */
export const login = (token) => call("api/session", { method: "POST", headers: { Authorization: `Bearer ${token}` } });

/** Analyse a picture (a Blob). */
export function analyze(picture, { heatmap = true, preview = false, signal } = {}) {
  const query = new URLSearchParams({ heatmap, preview, what_if: true, input: picture.name ?? "" });
  return json(`api/analyze?${query}`, {
    method: "POST", body: picture, signal, headers: { "Content-Type": picture.type || "application/octet-stream" },
  });
}
