// An event in a line: what happened, where from, and whose doing. Events come with the names they
// were sent under or those of the taxonomy; the first name present counts.

import { spoken } from "./words.js";

const METHOD = ["http.request.method", "method"];
const PATH = ["url.original", "url.path", "endpoint", "path", "uri"];
const STATUS = ["http.response.status_code", "status_code", "status"];
const ACTION = ["event.action", "event_type", "type", "eventName", "action"];
const ADDRESS = ["source.ip", "source_ip", "client_ip", "src_ip", "remote_addr", "sourceIPAddress", "IpAddress"];
const USER = ["user.name", "username", "user", "TargetUserName", "user_id", "user_email"];
const TIME = ["timestamp", "@timestamp", "time", "eventTime", "UtcTime", "processed_at"];

/** The first of these fields that has a text or number; `a.b` is looked for inside `a` too. */
function first(event, names) {
  for (const name of names) {
    const inside = name.split(".").reduce((value, part) => value?.[part], event);
    const value = event[name] ?? inside;
    if (typeof value === "string" ? value !== "" : typeof value === "number") return String(value);
  }
  return null;
}

/** What happened. */
export function gist(event) {
  if (event === null || typeof event !== "object") return "kept by its id only";
  const path = first(event, PATH);
  if (path !== null) return [first(event, METHOD), path, first(event, STATUS)].filter(Boolean).join(" ");
  const said = first(event, ["message"]);
  return said ?? spoken(first(event, ACTION) ?? first(event, ["event.category", "event.original", "event_id"]) ?? "event");
}

/** Where it came from, and whose it is. */
export function origin(event) {
  return [first(event, ADDRESS), first(event, USER)].filter(Boolean).join(" · ");
}

/** When it happened, as sent; else when it came. */
export function stampOf(event) {
  return first(event, TIME);
}
