// The strip of the newest security events, and their rate as a line.

import { clock, cssWord, element, setText } from "./dom.js";
import { gist, origin, stampOf } from "./gist.js";
import { EVENT_SEVERITIES } from "./words.js";

/** Milliseconds between two drawings of the strip, however many events come. */
const DRAW_MS = 250;

const WIDTH = 240;
const HEIGHT = 40;

/** Draws events and their rate, at most four times a second. */
export class EventStrip {
  #events;
  #list;
  #line;
  #area;
  #rate;
  #total;
  #isDue = false;
  #paused = false;

  constructor(events, { list, line, area, rate, total, signal }) {
    this.#events = events;
    this.#list = list;
    this.#line = line;
    this.#area = area;
    this.#rate = rate;
    this.#total = total;
    const timer = setInterval(() => this.#tick(), 1_000);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  /** Takes an event. */
  add(event) {
    this.#events.add(event, Date.now());
    if (this.#isDue) return;
    this.#isDue = true;
    setTimeout(() => {
      this.#isDue = false;
      this.#draw();
    }, DRAW_MS);
  }

  /** Holds the strip still, or lets it go on. */
  pause(paused) {
    this.#paused = paused;
    this.#draw();
  }

  #draw() {
    if (this.#paused || document.hidden) return;
    const newest = this.#events.newest(Infinity);
    const known = new Map([...this.#list.children].map((item) => [item.event, item]));
    this.#list.replaceChildren(...newest.map((event) => known.get(event) ?? line(event)));
  }

  #tick() {
    const rates = this.#events.rates(Date.now());
    const highest = Math.max(1, ...rates);
    const x = (at) => (at * WIDTH) / (rates.length - 1);
    const y = (rate) => HEIGHT - 2 - (rate / highest) * (HEIGHT - 6);
    const points = rates.map((rate, at) => `${x(at).toFixed(1)},${y(rate).toFixed(1)}`);
    this.#line.setAttribute("d", `M${points.join("L")}`);
    this.#area.setAttribute("d", `M0,${HEIGHT}L${points.join("L")}L${WIDTH},${HEIGHT}Z`);
    const lastSeconds = rates.slice(-5);
    const mean = lastSeconds.reduce((sum, rate) => sum + rate, 0) / lastSeconds.length;
    setText(this.#rate, mean > 0 && mean < 10 ? mean.toFixed(1) : Math.round(mean).toLocaleString());
    setText(this.#total, `${this.#events.total.toLocaleString()} since the page opened`);
    if (!document.hidden && this.#list.childElementCount === 0) this.#draw();
  }
}

function line(event) {
  const severity = String(event.severity ?? "info");
  const known = Object.hasOwn(EVENT_SEVERITIES, severity) ? EVENT_SEVERITIES[severity] : "informational";
  const item = element(
    "li",
    { className: `event ${cssWord(known)}`, title: JSON.stringify(event, null, 1).slice(0, 2_000) },
    element("span", { className: "mono" }, clock(stampOf(event))),
    element("span", { className: "event-severity" }, severity),
    element("span", { className: "gist" }, gist(event)),
    element("span", { className: "who" }, origin(event)),
  );
  item.event = event;
  return item;
}
