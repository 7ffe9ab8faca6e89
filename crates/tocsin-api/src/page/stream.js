// One live stream that keeps itself alive: fetch with the token in a header, resume by the last id,
// wait longer after each failure, stop where the server says stop.

import { SseParser } from "./sse.js";

/** Wait before the first reconnection, until the server sends its own `retry`. */
const RETRY_MS = 3_000;

/** Longest wait between two attempts. */
const WAIT_MS_MAX = 60_000;

/** Silence after which a connection counts as dead; the server sends a heartbeat every 30 s. */
const SILENCE_MS_MAX = 75_000;

/** Time a connection must live before the next failure is a first one again. */
const SETTLED_MS = 10_000;

const MILLISECONDS = 1_000;

/** Seconds or a date, as `Retry-After` may hold, in milliseconds. */
export function retryAfter(value, now = Date.now()) {
  if (value === null) return null;
  const seconds = Number(value);
  const wait = Number.isFinite(seconds) ? seconds * MILLISECONDS : Date.parse(value) - now;
  return Number.isFinite(wait) ? Math.max(0, wait) : null;
}

/** Wait before attempt `n` (from 1): at least `retry`, doubling, with jitter against herds. */
export function backoff(attempt, retry, random = Math.random()) {
  const longest = Math.max(retry, Math.min(WAIT_MS_MAX, retry * 2 ** attempt));
  return retry + random * (longest - retry);
}

/**
 * Handlers: `event(event)`, `heartbeat(unixSeconds)`, `dropped()`,
 * `state({phase, ...})` with the phases
 * `connecting`, `live {since}`, `waiting {until, why}`, `refused {status, detail}`, `stopped {why}`.
 */
export class Stream {
  #path;
  #token;
  #handlers;
  #lastEventId = "";
  #retry = RETRY_MS;
  #failures = 0;
  #running = false;
  #abort = null;
  #wake = null;

  constructor(path, token, handlers) {
    this.#path = path;
    this.#token = token;
    this.#handlers = handlers;
  }

  /** Connects and stays connected; a second call while running does nothing. */
  async run() {
    if (this.#running) return;
    this.#running = true;
    while (this.#running) {
      this.#handlers.state({ phase: "connecting" });
      const next = await this.#once();
      if (!this.#running) return;
      if (next.phase !== "waiting") {
        this.#running = false;
        this.#handlers.state(next);
        return;
      }
      this.#handlers.state(next);
      await this.#sleep(next.until - Date.now());
    }
  }

  /** Ends the stream for good. */
  close() {
    this.#running = false;
    this.#abort?.abort();
    this.#wake?.();
  }

  /** Tries at once instead of waiting. */
  hurry() {
    this.#wake?.();
  }

  /** Drops the connection as a broken network would; it comes back by itself. */
  reconnect() {
    this.#abort?.abort();
  }

  #sleep(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, milliseconds));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** One connection, from request to end. Answers what comes after it. */
  async #once() {
    const abort = new AbortController();
    this.#abort = abort;
    try {
      const response = await fetch(this.#path, { headers: this.#headers(), cache: "no-store", signal: abort.signal });
      if (response.status !== 200) return await this.#refusal(response);
      const type = response.headers.get("Content-Type") ?? "";
      if (!/^text\/event-stream\s*(;|$)/i.test(type)) {
        abort.abort();
        return { phase: "stopped", why: `The server answered with ${type || "no content type"}, not with a stream.` };
      }
      await this.#read(response.body, abort);
      return this.#again("The server closed the stream.");
    } catch {
      return this.#again("The connection was lost.");
    }
  }

  #headers() {
    const headers = { Accept: "text/event-stream", Authorization: `Bearer ${this.#token}` };
    if (this.#lastEventId !== "") {
      // Headers carry bytes: an id goes back in the UTF-8 it came in.
      const bytes = new TextEncoder().encode(this.#lastEventId);
      headers["Last-Event-ID"] = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
    }
    return headers;
  }

  async #read(body, abort) {
    const since = Date.now();
    this.#handlers.state({ phase: "live", since });
    const parser = new SseParser(this.#parserHandlers(), this.#lastEventId);
    const reader = body.getReader();
    let watchdog = null;
    try {
      for (;;) {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => abort.abort(), SILENCE_MS_MAX);
        const { done, value } = await reader.read();
        if (done) return;
        parser.push(value);
        this.#lastEventId = parser.lastEventId;
        if (Date.now() - since > SETTLED_MS) this.#failures = 0;
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  #parserHandlers() {
    return {
      event: (event) => this.#handlers.event(event),
      dropped: () => this.#handlers.dropped(),
      retry: (milliseconds) => {
        this.#retry = Math.min(milliseconds, WAIT_MS_MAX);
      },
      comment: (text) => {
        const heartbeat = /^ ?heartbeat (\d+)/.exec(text);
        if (heartbeat) this.#handlers.heartbeat(Number(heartbeat[1]));
      },
    };
  }

  /** What an answer other than 200 means. */
  async #refusal(response) {
    const { status } = response;
    if (status === 204) return { phase: "stopped", why: "The server ended this stream for good." };
    const detail = await problem(response);
    if (status === 401 || status === 403) return { phase: "refused", status, detail };
    if (status !== 429 && status < 500) return { phase: "stopped", why: detail };
    return this.#again(detail, retryAfter(response.headers.get("Retry-After")));
  }

  #again(why, wait = null) {
    this.#failures += 1;
    return { phase: "waiting", why, until: Date.now() + (wait ?? backoff(this.#failures, this.#retry)) };
  }
}

/** The sentence of a problem document, or of the status where there is none. */
export async function problem(response) {
  const document = await response.json().catch(() => null);
  const said = document?.detail ?? document?.message ?? document?.title;
  return typeof said === "string" && said !== "" ? said : `The server answered ${response.status}.`;
}
