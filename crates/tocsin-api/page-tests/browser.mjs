// The page in a real browser against a running server: an alert appears, the stream resumes after
// its connection is cut, nothing breaks the content security policy.
//
//   node crates/tocsin-api/page-tests/browser.mjs URL TOKEN [INGEST_KEY]
//
// With a key it sends five refused requests first; without one the server must have alerts already.
// Needs playwright-core, found from the working folder or $TOCSIN_NODE_MODULES, and Chromium
// ($CHROMIUM, else `chromium` on the path). Where one is missing it says so and skips.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";

const WAIT_MS = 20_000;

const [target, token, key] = process.argv.slice(2);
if (token === undefined) {
  console.error("usage: browser.mjs URL TOKEN [INGEST_KEY]");
  process.exit(2);
}

function tools() {
  try {
    const from = path.join(path.resolve(process.env.TOCSIN_NODE_MODULES ?? "."), "from-here.js");
    const { chromium } = createRequire(from)("playwright-core");
    const executablePath = process.env.CHROMIUM ?? execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();
    return { chromium, executablePath };
  } catch {
    return null;
  }
}

/** A proxy that notes the stream requests and can cut all connections, as a broken network does. */
async function startProxy() {
  const sockets = new Set();
  const streams = [];
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, target);
    if (url.pathname === "/events/security") streams.push(request.headers["last-event-id"] ?? "");
    const headers = { ...request.headers, host: url.host };
    const onward = http.request(url, { method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => sockets.forEach((socket) => socket.destroy());
  return { url: `http://127.0.0.1:${server.address().port}`, streams, cut, close: () => (cut(), server.close()) };
}

const rowIds = (page) => page.$$eval("#alerts > li", (items) => items.map((item) => item.dataset.alert));

/** Raises an alert and waits until the page has one it did not know. */
async function raise(page, known) {
  await sendRefusedRequests();
  const isNew = (known) => [...document.querySelectorAll("#alerts > li")].some((item) => !known.includes(item.dataset.alert));
  await page.waitForFunction(isNew, known, { timeout: WAIT_MS });
}

/** Five requests answered with 401: an alert of the shipped rules. */
async function sendRefusedRequests() {
  const client = `203.0.113.${1 + Math.floor(Math.random() * 250)}`;
  for (let n = 0; n < 5; n += 1) {
    const entry = { timestamp: new Date().toISOString(), client_ip: client, endpoint: "/login", method: "POST", status_code: 401 };
    const headers = { "X-Api-Key": key, "Content-Type": "application/json" };
    const response = await fetch(new URL("/logs", target), { method: "POST", headers, body: JSON.stringify(entry) });
    assert.equal(response.status, 200, await response.text());
  }
}

async function openPage(browser, address) {
  const page = await browser.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.text().includes("Content Security Policy") && problems.push(message.text()));
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
  });
  await page.goto(address);
  return { page, problems };
}

const live = () => document.querySelector("#connection").dataset.phase === "live";

async function check(browser, proxy) {
  const { page, problems } = await openPage(browser, `${proxy.url}/#token=${encodeURIComponent(token)}`);
  await page.waitForFunction(live, null, { timeout: WAIT_MS });
  assert.ok(!page.url().includes("token"), "the token is out of the address bar");

  await page.locator("#empty:not([hidden]), #alerts .row").first().waitFor({ timeout: WAIT_MS });
  const before = await rowIds(page);
  if (key !== undefined) await raise(page, before);
  const rows = page.locator("#alerts > li:not([hidden]) > .row");
  await rows.first().waitFor({ timeout: WAIT_MS });
  console.log("an alert is there:", (await rows.first().innerText()).replaceAll("\n", " · "));

  await rows.first().click();
  await page.locator("#detail-title").waitFor({ timeout: WAIT_MS });
  await page.keyboard.press("Escape");

  const [streams, known] = [proxy.streams.length, await rowIds(page)];
  proxy.cut();
  await page.waitForFunction(() => !document.querySelector('[data-phase="live"]'), null, { timeout: WAIT_MS });
  if (key !== undefined) await raise(page, known);
  await page.waitForFunction(live, null, { timeout: WAIT_MS });
  assert.notEqual(proxy.streams[streams] ?? "", "", "the reconnection names the last event");
  console.log("the stream resumes after", proxy.streams[streams]);
  const after = await rowIds(page);
  assert.deepEqual(known.filter((id) => !after.includes(id)), [], "no alert is lost");
  assert.equal(new Set(after).size, after.length, "no alert is there twice");

  assert.deepEqual(await page.evaluate(() => window.violations), []);
  assert.deepEqual(problems, []);
  console.log("no violation of the content security policy");
}

const found = tools();
if (found === null) {
  console.log("skipped: playwright-core or chromium is not here");
} else {
  const proxy = await startProxy();
  const browser = await found.chromium.launch({ executablePath: found.executablePath, args: ["--no-sandbox"] });
  try {
    await check(browser, proxy);
  } finally {
    await browser.close();
    proxy.close();
  }
}
