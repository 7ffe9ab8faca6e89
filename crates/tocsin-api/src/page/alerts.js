// The list of alerts: one row each, changed in place, filtered by severity and text.

import { cssWord, element, setText, setWhen, severityBadge } from "./dom.js";
import { stands } from "./model.js";
import { MARKS, SEVERITIES, spoken } from "./words.js";

/** What an alert is searched by. */
function searchable(alert) {
  const entities = alert.entities.map((entity) => entity.value);
  const rule = [alert.rule.id, alert.rule.title, ...alert.rule.tags];
  const words = [alert.title, alert.message, alert.type, alert.severity, alert.status, alert.alert_id];
  return [...words, ...rule, ...entities, ...Object.values(alert.key)].join("\n").toLowerCase();
}

/** The marks an alert carries, as words. */
export function marksOf(alert) {
  const marks = [];
  if (alert.status === "withdrawn") marks.push("withdrawn");
  if (alert.superseded_by) marks.push("superseded");
  if (alert.provisional && stands(alert)) marks.push("provisional");
  if (alert.approximate) marks.push("approximate");
  return marks;
}

/** A mark as a small label that explains itself. */
export function markLabel(mark) {
  return element("span", { className: `mark ${mark}`, title: MARKS[mark] }, mark);
}

/** One row. Its nodes are kept and given new texts. */
class Row {
  constructor(open) {
    this.severity = element("span", { className: "row-severity" });
    this.title = element("span", { className: "row-title" });
    this.message = element("span", { className: "row-message" });
    this.marks = element("span", { className: "row-marks" });
    this.when = element("time");
    this.count = element("span", { className: "row-count" });
    this.rule = element("span", { className: "row-rule" });
    this.button = element(
      "button",
      { type: "button", className: "row" },
      this.severity,
      element("span", { className: "row-text" }, element("span", { className: "row-head" }, this.title, this.marks), this.message),
      element("span", { className: "row-side" }, this.when, this.count),
      this.rule,
    );
    this.item = element("li", {}, this.button);
    this.button.addEventListener("click", () => open(this.alert));
  }

  show(alert) {
    this.alert = alert;
    this.item.dataset.alert = alert.alert_id;
    this.text = searchable(alert);
    const status = alert.status && !["open", "withdrawn"].includes(alert.status) ? [alert.status] : [];
    const stateWords = status.map((word) => element("span", { className: `mark ${cssWord(word)}` }, word));
    this.button.className = `row ${cssWord(alert.severity)}${stands(alert) ? "" : " gone"}`;
    this.severity.replaceChildren(severityBadge(alert.severity));
    setText(this.title, String(alert.title ?? "An alert without a title"));
    setText(this.message, String(alert.message ?? ""));
    this.marks.replaceChildren(...marksOf(alert).map(markLabel), ...stateWords);
    setWhen(this.when, alert.timestamp);
    setText(this.count, `${alert.approximate ? "about " : ""}${Number(alert.count ?? 1).toLocaleString()} ×`);
    this.count.title = `${alert.count ?? 1} events`;
    setText(this.rule, spoken(alert.type));
    this.rule.title = `Rule: ${alert.rule.title ?? "unknown"} (${alert.rule.id ?? "without an id"})`;
  }
}

/** The list and its filters. */
export class AlertList {
  #list;
  #open;
  #rows = new Map();
  #hidden = new Set();
  #words = [];

  constructor(list, open) {
    this.#list = list;
    this.#open = open;
    list.addEventListener("keydown", (event) => this.#move(event));
  }

  /** Puts rows into the order of the alerts; changed ones are filled again. */
  render(alerts, changed) {
    const wanted = new Set();
    let before = this.#list.firstElementChild;
    for (const alert of alerts) {
      wanted.add(alert.alert_id);
      const row = this.#row(alert, changed);
      if (row.item === before) before = before.nextElementSibling;
      else this.#list.insertBefore(row.item, before);
    }
    for (const [id, row] of this.#rows) {
      if (wanted.has(id)) continue;
      row.item.remove();
      this.#rows.delete(id);
    }
    this.filter();
  }

  #row(alert, changed) {
    const { alert_id: id } = alert;
    let row = this.#rows.get(id);
    if (row === undefined) {
      row = new Row(this.#open);
      this.#rows.set(id, row);
      row.show(alert);
      if (changed.has(id)) row.item.className = "fresh";
    } else if (changed.has(id)) {
      row.show(alert);
    }
    return row;
  }

  /** Shows or hides a severity. */
  setSeverity(severity, shown) {
    if (shown) this.#hidden.delete(severity);
    else this.#hidden.add(severity);
    this.filter();
  }

  /** Shows only alerts that have all these words. */
  setWords(text) {
    this.#words = text.toLowerCase().split(/\s+/).filter(Boolean);
    this.filter();
  }

  /** Applies the filters. */
  filter() {
    this.shown = 0;
    for (const row of this.#rows.values()) {
      const fits = !this.#hidden.has(row.alert.severity) && this.#words.every((word) => row.text.includes(word));
      row.item.hidden = !fits;
      if (fits) this.shown += 1;
    }
  }

  /** Marks the row whose alert is open beside the list. */
  select(id) {
    for (const [other, row] of this.#rows) row.button.setAttribute("aria-current", String(other === id));
  }

  /** Gives the keyboard back to a row. */
  focus(id) {
    this.#rows.get(id)?.button.focus();
  }

  #move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const buttons = [...this.#list.querySelectorAll("li:not([hidden]) > button")];
    const next = buttons[buttons.indexOf(document.activeElement) + step];
    if (next === undefined) return;
    event.preventDefault();
    next.focus();
  }
}

/** The buttons that count and filter severities. */
export function severityButtons(holder, toggled) {
  const counts = new Map();
  for (const severity of SEVERITIES) {
    const count = element("span", { className: "number" }, "0");
    const button = element(
      "button",
      { type: "button", className: `filter ${severity}`, attributes: { "aria-pressed": "true" } },
      count,
      severityBadge(severity),
    );
    button.title = `Show or hide ${severity} alerts`;
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(shown));
      toggled(severity, shown);
    });
    counts.set(severity, count);
    holder.append(button);
  }
  return (numbers) => counts.forEach((count, severity) => setText(count, String(numbers[severity])));
}
