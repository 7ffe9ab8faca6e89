// What the page asks the server for besides the stream, and where the token is kept: in this tab's
// session storage only, never in a URL.

import { problem, retryAfter } from "./stream.js";

const TOKEN_KEY = "tocsin.token";

/** An answer other than 2xx; `wait` in milliseconds where the server names one. */
export class Refused extends Error {
  constructor(status, detail, wait) {
    super(detail);
    this.status = status;
    this.wait = wait;
  }
}

/** The token of this tab, or null. */
export function keptToken() {
  return sessionStorage.getItem(TOKEN_KEY);
}

export function keepToken(token) {
  sessionStorage.setItem(TOKEN_KEY, token);
}

export function forgetToken() {
  sessionStorage.removeItem(TOKEN_KEY);
}

/** Takes `#token=…` out of the address bar and the history, at once. */
export function takeTokenFromAddress() {
  const { hash, pathname, search } = window.location;
  if (!hash.startsWith("#token=")) return null;
  window.history.replaceState(null, "", pathname + search);
  const written = hash.slice("#token=".length);
  try {
    return decodeURIComponent(written).trim() || null;
  } catch {
    return written.trim() || null;
  }
}

/** What a token says about its holder. Shown only, never trusted: the server decides. */
export function claims(token) {
  try {
    const payload = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(payload), (letter) => letter.charCodeAt(0));
    const said = JSON.parse(new TextDecoder().decode(bytes));
    return said !== null && typeof said === "object" ? said : {};
  } catch {
    return {};
  }
}

/** The newest alerts, newest first. */
export async function latestAlerts(token, limit) {
  const page = await get(`/api/v1/alerts?limit=${limit}`, token);
  return Array.isArray(page?.items) ? page.items : [];
}

/** One alert as it is now. */
export function alertById(token, id) {
  return get(`/api/v1/alerts/${encodeURIComponent(id)}`, token);
}

async function get(path, token) {
  const headers = { Accept: "application/json", Authorization: `Bearer ${token}` };
  const response = await fetch(path, { headers, cache: "no-store" });
  if (!response.ok) {
    const wait = retryAfter(response.headers.get("Retry-After"));
    throw new Refused(response.status, await problem(response), wait);
  }
  return response.json();
}
