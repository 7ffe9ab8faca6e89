// What the page remembers, all of it bounded: the newest alerts by id, the newest events, and how
// many events came per second.

import { SEVERITIES } from "./words.js";

/** Alerts kept. Beyond it the oldest leave the page; the server has them all. */
export const ALERTS_MAX = 500;

/** Events kept. Beyond it the oldest leave the page; the server has them all. */
export const EVENTS_MAX = 200;

/** Seconds the rate is shown for. */
export const RATE_SECONDS = 60;

const list = (value) => (Array.isArray(value) ? value.filter((item) => item !== null && item !== undefined) : []);
const object = (value) => (value !== null && typeof value === "object" && !Array.isArray(value) ? value : {});

/** An alert whose lists are lists and whose objects are objects, so that no view need ask. */
export function shaped(alert) {
  const context = object(alert.context);
  return {
    ...alert,
    rule: { ...object(alert.rule), tags: list(alert.rule?.tags) },
    key: object(alert.key),
    detections: list(alert.detections),
    evidence: list(alert.evidence),
    entities: list(alert.entities),
    recommended_actions: list(alert.recommended_actions),
    context: { ...context, affected_assets: list(context.affected_assets), related_alerts: list(context.related_alerts) },
  };
}

/** Alerts in the order of their times, newest first. */
export class Alerts {
  #byId = new Map();
  #ordered = [];
  /** Alerts that left the page. */
  evicted = 0;

  get size() {
    return this.#ordered.length;
  }

  get(id) {
    return this.#byId.get(id);
  }

  has(id) {
    return this.#byId.has(id);
  }

  [Symbol.iterator]() {
    return this.#ordered[Symbol.iterator]();
  }

  /** Adds an alert or puts its newer form in its place. Answers the ids that left. */
  put(alert) {
    const known = this.#byId.get(alert.alert_id);
    this.#byId.set(alert.alert_id, alert);
    if (known !== undefined) {
      this.#ordered.splice(this.#ordered.indexOf(known), 1);
    }
    const time = timeOf(alert);
    const at = this.#ordered.findIndex((other) => timeOf(other) <= time);
    this.#ordered.splice(at === -1 ? this.#ordered.length : at, 0, alert);
    const left = this.#ordered.splice(ALERTS_MAX);
    for (const old of left) this.#byId.delete(old.alert_id);
    this.evicted += left.length;
    return left.map((old) => old.alert_id);
  }

  /** How many of each severity still stand. */
  counts() {
    const counts = Object.fromEntries(SEVERITIES.map((severity) => [severity, 0]));
    for (const alert of this.#ordered) {
      if (stands(alert) && Object.hasOwn(counts, alert.severity)) counts[alert.severity] += 1;
    }
    return counts;
  }
}

/** Whether an alert is still one: neither withdrawn nor replaced by another. */
export function stands(alert) {
  return alert.status !== "withdrawn" && !alert.superseded_by;
}

function timeOf(alert) {
  return Date.parse(alert.timestamp) || 0;
}

/** The newest events, newest first, and their rate. */
export class Events {
  #kept = [];
  #seconds = new Array(RATE_SECONDS).fill(0);
  #second = 0;
  total = 0;

  /** Takes an event that came at this time of the page's clock. */
  add(event, now) {
    this.#kept.unshift(event);
    this.#kept.length = Math.min(this.#kept.length, EVENTS_MAX);
    this.total += 1;
    this.#turn(now);
    this.#seconds[this.#second % RATE_SECONDS] += 1;
  }

  /** The newest events, at most `limit`. */
  newest(limit) {
    return this.#kept.slice(0, limit);
  }

  /** Events in each of the last full seconds, oldest first. */
  rates(now) {
    this.#turn(now);
    return this.#seconds.map((_, at) => this.#seconds[(this.#second + 1 + at) % RATE_SECONDS]).slice(0, -1);
  }

  #turn(now) {
    const second = Math.floor(now / 1_000);
    const passed = Math.min(second - this.#second, RATE_SECONDS);
    for (let step = 0; step < passed; step += 1) this.#seconds[(second - step) % RATE_SECONDS] = 0;
    this.#second = Math.max(second, this.#second);
  }
}
