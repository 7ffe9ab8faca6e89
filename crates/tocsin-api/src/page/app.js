// The page: who is signed in, what comes from the server, and which part of the page shows it.

import { alertById, claims, forgetToken, keepToken, keptToken, latestAlerts, Refused, takeTokenFromAddress } from "./api.js";
import { byId, element, setText } from "./dom.js";
import { Stream } from "./stream.js";
import { Watch } from "./watch.js";

/** Alerts asked for at the start. */
const LATEST = 50;

const STREAM = "/events/security";

/** Milliseconds between two readings of the latest alerts. */
const REFRESH_MS = 2_000;

let session = null;

/** One signed-in person: the token, the stream, and what it feeds. */
class Session {
  constructor(token) {
    this.token = token;
    this.watch = new Watch(claims(token), {
      fetchAlert: (id) => alertById(token, id),
      connectNow: () => this.connectNow(),
    });
    this.stream = new Stream(STREAM, token, {
      event: (event) => this.#frame(event),
      heartbeat: (seconds) => this.watch.heartbeat(seconds * 1_000),
      dropped: () => this.watch.gap({ reason: "too_long", missed: 1 }),
      state: (state) => this.#state(state),
    });
  }

  start(alerts) {
    this.watch.latest(alerts);
    this.stream.run();
  }

  end() {
    clearTimeout(this.refresh);
    this.stream.close();
    this.watch.end();
  }

  connectNow() {
    this.stream.hurry();
    this.stream.run();
  }

  #frame(event) {
    let said;
    try {
      said = JSON.parse(event.data);
    } catch {
      return;
    }
    const payload = said?.payload ?? said;
    if (payload === null || typeof payload !== "object") return;
    if (event.type === "alert" || event.type === "alert_updated") {
      this.watch.alert(payload, event.type === "alert");
      this.#refreshSoon();
    } else if (event.type === "security_event") this.watch.event(payload);
    else if (event.type === "gap") {
      this.watch.gap(payload);
      this.#catchUp();
    }
  }

  #state(state) {
    if (state.phase === "refused") {
      signOut(state.status === 401 ? refusalText(state.detail) : `This token may not watch the stream: ${state.detail}`);
      return;
    }
    this.watch.connection(state);
    // The list was read before the stream began: what was raised between is read now.
    if (state.phase === "live" && !this.isCaughtUp) this.#catchUp();
  }

  /** The stream masks more than the list does, and sends no counts: what changed is read again. */
  #refreshSoon() {
    this.refresh ??= setTimeout(() => {
      this.refresh = null;
      this.#catchUp();
    }, REFRESH_MS);
  }

  async #catchUp() {
    this.isCaughtUp = true;
    const since = this.watch.version;
    try {
      const alerts = await latestAlerts(this.token, LATEST);
      if (session === this) this.watch.latest(alerts, since);
    } catch (error) {
      this.isCaughtUp = false;
      if (session === this && error instanceof Refused && error.status === 401) signOut(refusalText(error.message));
    }
  }
}

function refusalText(detail) {
  return `The server refused this token: ${detail}. It may have expired or been revoked; make a new one.`;
}

/** Checks a token by asking for the latest alerts with it. */
async function signIn(token) {
  session?.end();
  session = null;
  showSignIn("Checking the token …", true);
  try {
    const alerts = await latestAlerts(token, LATEST);
    keepToken(token);
    showWatch(token);
    session = new Session(token);
    session.start(alerts);
  } catch (error) {
    await onRefusal(error, token);
  }
}

async function onRefusal(error, token) {
  if (!(error instanceof Refused)) {
    showSignIn("The server cannot be reached. Is it running at this address? The token is kept; press “Sign in” to try again.");
    byId("token").value = token;
    return;
  }
  if (error.status === 429 || error.status === 503) {
    const wait = error.wait ?? 5_000;
    showSignIn(`The server is busy: ${error.message} Trying again in ${Math.ceil(wait / 1_000)} s.`, true);
    await new Promise((resolve) => setTimeout(resolve, wait));
    await signIn(token);
    return;
  }
  const reasons = { 401: refusalText(error.message), 403: `This token may not read alerts: ${error.message}` };
  signOut(reasons[error.status] ?? `The server could not answer: ${error.message}`);
}

function signOut(reason = "") {
  session?.end();
  session = null;
  forgetToken();
  showSignIn(reason);
}

function showSignIn(reason = "", isBusy = false) {
  for (const id of ["watch", "who", "connection", "banner"]) byId(id).hidden = true;
  byId("sign-in").hidden = false;
  byId("sign-in-button").disabled = isBusy;
  setText(byId("refusal"), reason);
  byId("refusal").hidden = reason === "";
  byId("refusal").classList.toggle("calm", isBusy);
  document.title = "Tocsin: sign in";
  if (!isBusy) byId("token").focus();
}

function showWatch(token) {
  const { sub, tenant_id: tenant, roles } = claims(token);
  const role = Array.isArray(roles) && roles.length > 0 ? roles.join(", ") : "viewer";
  byId("who-text").replaceChildren(
    element("strong", {}, String(sub ?? "unknown user")),
    ` in ${String(tenant ?? "unknown tenant")} as ${role}`,
  );
  byId("sign-in").hidden = true;
  byId("token").value = "";
  for (const id of ["watch", "who", "connection"]) byId(id).hidden = false;
}

byId("sign-in-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = byId("token").value.replace(/\s+/g, "");
  if (token !== "") signIn(token);
});
byId("sign-out").addEventListener("click", () => signOut("You are signed out."));
window.addEventListener("online", () => session?.stream.hurry());
window.addEventListener("hashchange", () => {
  const token = takeTokenFromAddress();
  if (token !== null) signIn(token);
});

const token = takeTokenFromAddress() ?? keptToken();
if (token === null) showSignIn();
else signIn(token);
