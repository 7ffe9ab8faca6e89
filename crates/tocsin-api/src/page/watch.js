// What a signed-in person sees: the alerts, one of them in full, the events, and how the stream is.

import { AlertList, severityButtons } from "./alerts.js";
import { alertDetail } from "./detail.js";
import { ago, byId, clock, copyButton, refreshTimes, setText, span } from "./dom.js";
import { EventStrip } from "./events.js";
import { Alerts, ALERTS_MAX, Events, shaped, stands } from "./model.js";
import { SEVERITIES } from "./words.js";

/** Milliseconds between two announcements, so that a screen reader keeps up. */
const ANNOUNCE_MS = 4_000;

/** Seconds before a token's end from which the page says so. */
const EXPIRY_SECONDS = 5 * 60;

export class Watch {
  #claims;
  #handlers;
  #ended = new AbortController();
  #alerts = new Alerts();
  #changed = new Set();
  #versions = new Map();
  #isDue = false;
  #paused = false;
  #waiting = 0;
  #unannounced = [];
  #missed = 0;
  #state = { phase: "connecting" };
  #heartbeat = null;
  #opened = null;
  #isExpiryShown = false;
  /** Grows with every frame; a list asked for before a frame does not undo it. */
  version = 0;

  constructor(claims, handlers) {
    this.#claims = claims;
    this.#handlers = handlers;
    byId("alerts").replaceChildren();
    byId("severities").replaceChildren();
    this.list = new AlertList(byId("alerts"), (alert) => this.#open(alert.alert_id));
    this.showCounts = severityButtons(byId("severities"), (severity, shown) => this.#filter(() => this.list.setSeverity(severity, shown)));
    this.strip = new EventStrip(new Events(), {
      list: byId("events"),
      line: byId("spark-line"),
      area: byId("spark-area"),
      rate: byId("rate"),
      total: byId("events-total"),
      signal: this.#ended.signal,
    });
    this.#listen();
    this.#fillEmptyState();
    this.#every(1_000, () => this.#showConnection());
    this.#every(10_000, () => refreshTimes(byId("watch")));
    this.#every(ANNOUNCE_MS, () => this.#announce());
  }

  /** Lets go of the page. */
  end() {
    this.#ended.abort();
    this.#close();
    byId("events").replaceChildren();
  }

  /** Takes a list of alerts; those that changed since `version` are newer already. */
  latest(alerts, version = Infinity) {
    for (const alert of alerts) {
      const isNewer = (this.#versions.get(alert.alert_id) ?? -1) > version;
      if (!isNewer) this.#put(alert);
    }
    this.#draw();
  }

  /** Takes an alert from the stream. */
  alert(alert, isNew) {
    if (typeof alert.alert_id !== "string") return;
    this.version += 1;
    this.#versions.set(alert.alert_id, this.version);
    const isUnknown = !this.#alerts.has(alert.alert_id);
    this.#put(alert);
    if (isNew && isUnknown && stands(alert)) {
      this.#unannounced.push(alert);
      if (this.#paused) this.#waiting += 1;
    }
    this.#draw();
  }

  /** Takes a security event from the stream. */
  event(event) {
    this.strip.add(event);
  }

  /** Says that something was not shown. */
  gap({ reason, missed }) {
    const isCounted = Number.isInteger(missed) && missed > 0;
    this.#missed += isCounted ? missed : 0;
    const number = isCounted ? `${this.#missed.toLocaleString()} ${this.#missed === 1 ? "event was" : "events were"}` : "Some events were";
    const reasons = {
      overflow: "more came at once than a stream holds",
      too_old: "the page was away for too long",
      unknown_id: "the server does not know where the page left off",
      too_long: "it was too long for the page",
    };
    const why = Object.hasOwn(reasons, reason) ? `: ${reasons[reason]}` : "";
    this.#banner(`${number} not shown${why}. The latest alerts were read again.`);
  }

  /** Shows how the stream is. */
  connection(state) {
    this.#state = state;
    if (state.phase !== "live") this.#heartbeat = null;
    this.#showConnection();
  }

  heartbeat(time) {
    this.#heartbeat = { sent: time, came: Date.now() };
    this.#showConnection();
  }

  #put(alert) {
    if (typeof alert?.alert_id !== "string") return;
    this.#changed.add(alert.alert_id);
    for (const id of this.#alerts.put(shaped(alert))) this.#versions.delete(id);
  }

  /** Draws once for all that came since the last frame. */
  #draw() {
    this.#showPause();
    if (this.#isDue || this.#paused) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      if (this.#paused || this.#ended.signal.aborted) return;
      this.list.render(this.#alerts, this.#changed);
      if (this.#opened !== null && this.#changed.has(this.#opened)) this.#show(this.#alerts.get(this.#opened));
      this.#changed.clear();
      this.#showNumbers();
    });
  }

  #showNumbers() {
    const counts = this.#alerts.counts();
    this.showCounts(counts);
    const isEmpty = this.#alerts.size === 0;
    byId("empty").hidden = !isEmpty;
    byId("no-match").hidden = isEmpty || this.list.shown > 0;
    const evicted = this.#alerts.evicted > 0 ? `The newest ${ALERTS_MAX} alerts are shown; older ones are kept by the server.` : "";
    setText(byId("alerts-foot"), evicted);
    const standing = SEVERITIES.slice(0, 2).reduce((sum, severity) => sum + counts[severity], 0);
    document.title = standing > 0 ? `(${standing}) Tocsin` : "Tocsin";
  }

  #filter(change) {
    change();
    this.#showNumbers();
  }

  #open(id) {
    const alert = this.#alerts.get(id);
    this.#opened = id;
    this.list.select(id);
    if (alert !== undefined) this.#show(alert);
    byId("detail").hidden = false;
    byId("watch").classList.add("has-detail");
    byId("detail").scrollTop = 0;
    byId("detail-title")?.focus();
    this.#refresh(id);
  }

  /** Counts that rose alone are not streamed: an alert that is opened is read once more. */
  async #refresh(id) {
    const version = this.version;
    const alert = await this.#handlers.fetchAlert(id).catch(() => null);
    if (this.#opened !== id || this.#ended.signal.aborted) return;
    if (alert === null) {
      if (!this.#alerts.has(id)) setText(byId("detail-content"), "The server has no such alert, or it may not be shown to you.");
      return;
    }
    if (this.#alerts.has(id)) this.latest([alert], version);
    else this.#show(shaped(alert));
  }

  #show(alert) {
    const focused = document.activeElement?.id === "detail-title";
    const opened = [...byId("detail-content").querySelectorAll("details")].map((details) => details.open);
    byId("detail-content").replaceChildren(...alertDetail(alert, (id) => this.#open(id)).flat().filter(Boolean));
    const details = byId("detail-content").querySelectorAll("details");
    if (this.#opened === byId("detail").dataset.alert) opened.forEach((open, at) => details[at] && (details[at].open = open));
    byId("detail").dataset.alert = this.#opened ?? "";
    if (focused) byId("detail-title")?.focus();
  }

  #close() {
    if (this.#opened === null) return;
    const id = this.#opened;
    this.#opened = null;
    byId("detail").hidden = true;
    byId("watch").classList.remove("has-detail");
    this.list.select(null);
    this.list.focus(id);
  }

  #pause() {
    this.#paused = !this.#paused;
    if (!this.#paused) this.#waiting = 0;
    this.strip.pause(this.#paused);
    this.#draw();
  }

  #showPause() {
    const waiting = this.#waiting > 0 ? ` (${this.#waiting} new)` : "";
    setText(byId("pause"), this.#paused ? `Resume${waiting}` : "Pause");
    byId("pause").setAttribute("aria-pressed", String(this.#paused));
  }

  #showConnection() {
    const texts = {
      connecting: () => "Connecting …",
      live: ({ since }) => `Live since ${clock(new Date(since).toISOString())}`,
      waiting: ({ until }) => `Reconnecting in ${span(Math.max(0, Math.ceil((until - Date.now()) / 1_000)))}`,
      stopped: () => "Stopped",
    };
    const { phase, why } = this.#state;
    byId("connection").dataset.phase = phase;
    setText(byId("connection-text"), texts[phase]?.(this.#state) ?? phase);
    byId("connect-now").hidden = phase !== "waiting" && phase !== "stopped";
    const seen = this.#heartbeat ? `heartbeat ${ago(this.#heartbeat.came)}` : "";
    setText(byId("heartbeat"), phase === "live" ? seen : (why ?? ""));
    this.#showExpiry();
  }

  #showExpiry() {
    const left = Math.floor(Number(this.#claims.exp) - Date.now() / 1_000);
    if (this.#isExpiryShown || !(left > 0 && left < EXPIRY_SECONDS)) return;
    this.#isExpiryShown = true;
    const end = clock(new Date(this.#claims.exp * 1_000).toISOString());
    this.#banner(`Your token ends at ${end}. Make a new one in time and sign in with it.`);
  }

  #banner(text) {
    setText(byId("banner-text"), text);
    byId("banner").hidden = false;
  }

  /** Takes the notice away; what was missed so far has been read. */
  #dismiss() {
    this.#missed = 0;
    byId("banner").hidden = true;
  }

  /** Tells a screen reader of new alerts: the one, or how many and how bad. */
  #announce() {
    const alerts = this.#unannounced.splice(0);
    if (alerts.length === 0) return;
    const worst = SEVERITIES.find((severity) => alerts.some((alert) => alert.severity === severity));
    const one = `New ${alerts[0].severity} alert: ${alerts[0].title}`;
    setText(byId("announcer"), alerts.length === 1 ? one : `${alerts.length} new alerts, the highest ${worst}`);
  }

  #every(milliseconds, act) {
    const timer = setInterval(act, milliseconds);
    this.#ended.signal.addEventListener("abort", () => clearInterval(timer));
  }

  #on(target, type, act) {
    target.addEventListener(type, act, { signal: this.#ended.signal });
  }

  #listen() {
    const search = byId("search");
    search.value = "";
    this.#on(search, "input", () => this.#filter(() => this.list.setWords(search.value)));
    this.#on(byId("pause"), "click", () => this.#pause());
    this.#on(byId("close-detail"), "click", () => this.#close());
    this.#on(byId("connect-now"), "click", () => this.#handlers.connectNow());
    this.#on(byId("close-banner"), "click", () => this.#dismiss());
    this.#on(byId("clear-filters"), "click", () => {
      search.value = "";
      this.list.setWords("");
      for (const button of byId("severities").querySelectorAll('[aria-pressed="false"]')) button.click();
      this.#showNumbers();
    });
    this.#on(document, "keydown", (event) => {
      if (event.key === "Escape") this.#close();
      const isTyping = ["INPUT", "TEXTAREA"].includes(document.activeElement?.tagName);
      if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      search.focus();
    });
  }

  #fillEmptyState() {
    const tenant = /^[\w.-]+$/.test(this.#claims.tenant_id ?? "") ? this.#claims.tenant_id : "default";
    const key = `KEY=$(tocsin key create --tenant ${tenant} --scope ingest)`;
    const send = [
      "for n in 1 2 3 4 5; do",
      `  curl -s ${window.location.origin}/logs -H "X-Api-Key: $KEY" -H 'Content-Type: application/json' \\`,
      '    -d "{\\"timestamp\\":\\"$(date -u +%FT%TZ)\\",\\"client_ip\\":\\"203.0.113.7\\",\\"endpoint\\":\\"/login\\",\\"method\\":\\"POST\\",\\"status_code\\":401}"',
      "done",
    ].join("\n");
    setText(byId("key-command"), key);
    setText(byId("send-command"), send);
    byId("copy-commands").replaceChildren(copyButton("Copy both", () => `${key}\n${send}\n`));
  }
}
