// Elements and times. Text goes in as text: nothing here, or anywhere on the page, parses markup.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * An element. `props` are properties (`className`, `hidden`, `onclick`), and under `attributes`
 * what is set as an attribute; children are elements or texts, empty ones are left out.
 */
export function element(name, props = {}, ...children) {
  const made = document.createElement(name);
  const { attributes = {}, ...properties } = props;
  Object.assign(made, properties);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

/** The element of the page with that id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Sets a text only where it differs, so that a screen reader is not told again. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** How long ago, in words: `12 s ago`, `3 min ago`. */
export function ago(time, now = Date.now()) {
  const seconds = Math.round((now - time) / 1_000);
  if (seconds < 0) return `in ${span(-seconds)}`;
  return seconds < 5 ? "just now" : `${span(seconds)} ago`;
}

/** A span of seconds in its largest unit. */
export function span(seconds) {
  if (seconds < MINUTE) return `${seconds} s`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min`;
  if (seconds < 2 * DAY) return `${Math.floor(seconds / HOUR)} h`;
  return `${Math.floor(seconds / DAY)} days`;
}

/** A `<time>` that tells how long ago, and exactly when on hover. */
export function when(stamp) {
  const made = element("time");
  setWhen(made, stamp);
  return made;
}

/** Gives a `<time>` another stamp. */
export function setWhen(target, stamp) {
  const time = Date.parse(stamp);
  if (Number.isNaN(time)) {
    target.removeAttribute("datetime");
    setText(target, String(stamp ?? "at an unknown time"));
    return;
  }
  target.dateTime = new Date(time).toISOString();
  target.title = `${new Date(time).toLocaleString()} (${stamp})`;
  setText(target, ago(time));
}

/** Brings every relative time below an element up to date. */
export function refreshTimes(root, now = Date.now()) {
  for (const target of root.querySelectorAll("time[datetime]:not([data-exact])")) {
    setText(target, ago(Date.parse(target.dateTime), now));
  }
}

/** A `<time>` that tells exactly when. */
export function exactly(stamp) {
  const time = Date.parse(stamp);
  if (Number.isNaN(time)) return element("span", {}, String(stamp ?? "unknown"));
  const made = element("time", { title: String(stamp) }, new Date(time).toLocaleString());
  made.dateTime = new Date(time).toISOString();
  made.dataset.exact = "";
  return made;
}

/** `hh:mm:ss` of a stamp in the reader's time zone. */
export function clock(stamp) {
  const time = Date.parse(stamp);
  return Number.isNaN(time) ? "--:--:--" : new Date(time).toLocaleTimeString([], { hour12: false });
}

/** A button that copies what `text` answers, and says whether it did. */
export function copyButton(label, text) {
  const button = element("button", { type: "button", className: "quiet" }, label);
  button.addEventListener("click", async () => {
    const copied = await navigator.clipboard?.writeText(text()).then(() => true, () => false);
    setText(button, copied ? "Copied" : "Select and copy it by hand");
    setTimeout(() => setText(button, label), 2_000);
  });
  return button;
}

/** The word of a severity with its meter: told by shape and word, not by colour alone. */
export function severityBadge(severity) {
  const bars = element("span", { className: "meter", attributes: { "aria-hidden": "true" } });
  for (let bar = 0; bar < 5; bar += 1) bars.append(element("i"));
  return element("span", { className: `severity ${cssWord(severity)}` }, bars, String(severity ?? "unknown"));
}

/** A word that is safe as a class name; anything else is `unknown`. */
export function cssWord(word) {
  return /^[a-z_]{1,32}$/.test(word) ? word : "unknown";
}
