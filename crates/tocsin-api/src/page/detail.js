// One alert in full: what it claims, what it rests on, what to do, and where it belongs.

import { marksOf, markLabel } from "./alerts.js";
import { clock, copyButton, element, exactly, severityBadge, when } from "./dom.js";
import { gist } from "./gist.js";
import { ACTIONS, MARKS, spoken, TACTIC_MEANINGS, TACTICS } from "./words.js";

/** Rows of one table, and levels of nesting that are laid out; what is beyond is shown as JSON. */
const ROWS_MAX = 200;
const LEVELS_MAX = 4;

/** Evidence events laid out; the rest are in the copied JSON. */
const EVIDENCE_MAX = 50;

/** Everything about an alert. `openOther(id)` opens another alert. */
export function alertDetail(alert, openOther) {
  return [
    heading(alert),
    notices(alert, openOther),
    facts(alert),
    section("What to do", recommended(alert)),
    section("What was detected", alert.detections.map(detection)),
    section("Who and what is concerned", entities(alert)),
    section("Attack chain", tactic(alert)),
    section("Evidence", evidence(alert)),
    section("Related", related(alert, openOther)),
    section("Rule", rule(alert)),
    element("p", { className: "copy" }, copyButton("Copy as JSON", () => JSON.stringify(alert, null, 2))),
  ];
}

function section(title, content) {
  const shown = [content].flat().filter(Boolean);
  return shown.length === 0 ? null : element("section", {}, element("h3", {}, title), ...shown);
}

function heading(alert) {
  return element(
    "header",
    {},
    element("p", { className: "detail-labels" }, severityBadge(alert.severity), ...marksOf(alert).map(markLabel)),
    element("h2", { id: "detail-title", tabIndex: -1 }, String(alert.title ?? "An alert without a title")),
    element("p", { className: "detail-message" }, String(alert.message ?? "")),
  );
}

function notices(alert, openOther) {
  return marksOf(alert).map((mark) => {
    const notice = element("p", { className: "notice" }, MARKS[mark]);
    if (mark === "superseded") notice.append(" ", link(alert.superseded_by, openOther));
    return notice;
  });
}

function link(id, openOther) {
  const button = element("button", { type: "button", className: "link" }, String(id));
  button.addEventListener("click", () => openOther(id));
  return button;
}

function facts(alert) {
  const confidence = Number(alert.confidence);
  const shown = [
    ["First seen", exactly(alert.first_seen ?? alert.timestamp)],
    ["Last seen", element("span", {}, exactly(alert.last_seen ?? alert.timestamp), " · ", when(alert.last_seen ?? alert.timestamp))],
    ["Events", `${alert.approximate ? "about " : ""}${Number(alert.count ?? 1).toLocaleString()}`],
    ["Confidence", Number.isFinite(confidence) ? `${Math.round(confidence * 100)} %` : "unknown"],
    ["Status", String(alert.status ?? "open")],
    ["Type", spoken(alert.type)],
  ];
  return element("dl", { className: "facts" }, ...shown.map(([name, value]) => pair(name, value)));
}

function pair(name, value) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, value));
}

function recommended(alert) {
  const actions = alert.recommended_actions.map((action) => {
    const [title, advice] = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : [spoken(action), ""];
    return element("li", {}, element("strong", {}, title), advice && element("span", {}, advice));
  });
  return actions.length > 0 && element("ol", { className: "actions" }, ...actions);
}

function detection(claim) {
  const confidence = Math.min(Math.max(Number(claim.confidence) || 0, 0), 1);
  const meter = element("meter", { min: 0, max: 1, value: confidence, title: `confidence ${confidence}` });
  const head = element("p", { className: "claim-head" }, element("strong", {}, spoken(claim.type)), meter, `${Math.round(confidence * 100)} %`);
  return element("div", { className: "claim" }, head, element("p", {}, String(claim.description ?? "")), table(claim.details));
}

function entities(alert) {
  const shown = alert.entities.map((entity) =>
    element("li", {}, element("span", { className: "kind" }, String(entity.kind)), element("code", {}, String(entity.value))),
  );
  return shown.length > 0 && element("ul", { className: "entities" }, ...shown);
}

function tactic(alert) {
  const position = alert.context.attack_chain_position;
  const at = TACTICS.indexOf(position);
  if (at === -1) return position ? element("p", {}, spoken(position)) : null;
  const steps = TACTICS.map((name, index) =>
    element("li", { className: index === at ? "here" : "", title: spoken(name) }, element("span", { className: "unseen" }, spoken(name))),
  );
  return [
    element("ol", { className: "chain", attributes: { "aria-hidden": "true" } }, ...steps),
    element("p", {}, element("strong", {}, spoken(position)), `, step ${at + 1} of ${TACTICS.length}: ${TACTIC_MEANINGS[position]}.`),
  ];
}

function evidence(alert) {
  const all = alert.evidence;
  const shown = all.slice(0, EVIDENCE_MAX).map((piece, index) => {
    const stamp = piece.event_time ?? piece.event?.timestamp;
    const head = [element("span", { className: "mono" }, clock(stamp)), element("span", { className: "gist" }, gist(piece.event))];
    const body = piece.event ? table(piece.event) : element("p", { className: "muted" }, "The event is kept by its id only.");
    const id = element("p", { className: "muted" }, `Event ${piece.event_id ?? "without an id"}, `, exactly(stamp));
    return element("details", { className: "evidence", open: index === 0 && all.length === 1 }, element("summary", {}, ...head), id, body);
  });
  if (shown.length === 0 && alert.event) return table(alert.event);
  if (all.length > shown.length) shown.push(element("p", { className: "muted" }, `${all.length - shown.length} more events are not laid out here.`));
  return shown;
}

function related(alert, openOther) {
  const { context } = alert;
  const rows = [];
  const assets = context.affected_assets;
  if (assets.length > 0) rows.push(pair("Affected assets", assets.map(String).join(", ")));
  const others = context.related_alerts;
  if (others.length > 0) rows.push(pair("Other alerts", element("span", {}, ...others.flatMap((id) => [link(id, openOther), " "]))));
  if (context.incident_id) rows.push(pair("Incident", element("code", {}, String(context.incident_id))));
  return rows.length > 0 && element("dl", { className: "facts wide" }, ...rows);
}

function rule(alert) {
  const { rule: said } = alert;
  const rows = [pair("Name", String(said.title ?? "unknown")), pair("Id", element("code", {}, String(said.id ?? "unknown")))];
  if (said.level) rows.push(pair("Level", String(said.level)));
  if (said.tags.length > 0) rows.push(pair("Tags", said.tags.map(String).join(", ")));
  if (said.hash) rows.push(pair("Text", element("code", {}, String(said.hash))));
  rows.push(pair("Alert", element("code", {}, String(alert.alert_id))));
  return element("dl", { className: "facts wide" }, ...rows);
}

/** An object as a table of dotted names and values. */
export function table(value) {
  const rows = flattened(value);
  if (rows.length === 0) return null;
  const shown = rows.slice(0, ROWS_MAX).map(([name, text]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, text)));
  if (rows.length > ROWS_MAX) shown.push(element("tr", {}, element("td", { colSpan: 2 }, `${rows.length - ROWS_MAX} more fields`)));
  return element("table", { className: "fields" }, element("tbody", {}, ...shown));
}

function flattened(value, name = "", level = 0) {
  const isNested = value !== null && typeof value === "object" && level < LEVELS_MAX;
  if (!isNested) return value === undefined ? [] : [[name || "value", typeof value === "string" ? value : JSON.stringify(value)]];
  if (Array.isArray(value) && value.every((item) => item === null || typeof item !== "object")) {
    return [[name || "value", value.map(String).join(", ")]];
  }
  return Object.entries(value).flatMap(([key, inner]) => flattened(inner, name === "" ? key : `${name}.${key}`, level + 1));
}
