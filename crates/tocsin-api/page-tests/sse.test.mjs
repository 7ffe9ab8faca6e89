// The parser of server-sent events against recorded vectors of three suites, in every chunking.
//
//   node --test crates/tocsin-api/page-tests/sse.test.mjs
//
// The vectors are read from $TOCSIN_SSE_VECTORS, else from ../shared beside the repository; where
// there are none, that part is skipped.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

// By its text: the folder has no package.json to call its files modules.
const source = readFileSync(new URL("../src/page/sse.js", import.meta.url), "utf8");
const { SseParser, EVENT_BYTES_MAX } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const beside = new URL("../../../../shared/data/sse/vectors.jsonl", import.meta.url);
const file = process.env.TOCSIN_SSE_VECTORS ?? beside;

/** What a parser says of these chunks. */
function parse(chunks) {
  const said = { events: [], comments: [], retry: null, dropped: 0 };
  const parser = new SseParser({
    event: (event) => said.events.push(event),
    comment: (text) => said.comments.push(text),
    retry: (milliseconds) => (said.retry = milliseconds),
    dropped: () => (said.dropped += 1),
  });
  for (const chunk of chunks) parser.push(chunk);
  return { ...said, lastEventId: parser.lastEventId };
}

const bytes = (text) => new TextEncoder().encode(text);
const cut = (whole, size) => Array.from({ length: Math.ceil(whole.length / size) }, (_, at) => whole.slice(at * size, (at + 1) * size));

/** The same in one piece, byte by byte, and in threes. */
function parseInAllChunkings(text, check) {
  const whole = typeof text === "string" ? bytes(text) : text;
  for (const size of [whole.length || 1, 1, 3]) check(parse(cut(whole, size)), `chunks of ${size}`);
}

const missing = !existsSync(file) && "no vectors: set TOCSIN_SSE_VECTORS to vectors.jsonl";

test("recorded vectors, as cut and in other chunkings", { skip: missing }, () => {
  const vectors = readFileSync(file, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  assert.ok(vectors.length > 0);
  for (const vector of vectors) {
    const chunks = vector.chunks_b64.map((chunk) => Uint8Array.from(Buffer.from(chunk, "base64")));
    const check = (said, how) => {
      const name = `${vector.name}, ${how}`;
      assert.deepEqual(said.events, vector.expected_events, name);
      assert.equal(said.retry, vector.expected_retry_ms, name);
    };
    check(parse(chunks), "as recorded");
    parseInAllChunkings(Uint8Array.from(chunks.flatMap((chunk) => [...chunk])), check);
  }
});

const event = (data, type = "message", lastEventId = "") => ({ data, type, lastEventId });

const CASES = [
  ["three line ends are one", "data:a\r\n\r\ndata:b\n\ndata:c\r\r", { events: [event("a"), event("b"), event("c")] }],
  ["CR LF between fields", "event:x\r\ndata:1\r\ndata:2\r\n\r\n", { events: [event("1\n2", "x")] }],
  ["one BOM is stripped, a second is data", "\uFEFF\uFEFFdata:1\n\ndata:2\n\n", { events: [event("2")] }],
  ["a name alone has an empty value", "data\n\ndata\ndata\n\n", { events: [event(""), event("\n")] }],
  ["one space only is removed", "data:  a\n\n", { events: [event(" a")] }],
  ["names differ by case", "Data:a\ndata:b\n\n", { events: [event("b")] }],
  ["an id without data is committed", "id:7\n\ndata:a\n\n", { events: [event("a", "message", "7")], lastEventId: "7" }],
  ["an unfinished block commits nothing", "id:7\n\nid:8\ndata:a", { events: [], lastEventId: "7" }],
  ["an empty id resets, one with NUL is ignored", "id:7\n\nid\n\nid:a\0b\ndata:x\n\n", { events: [event("x")], lastEventId: "" }],
  ["retry takes digits only", "retry:10\nretry:1e3\nretry:-5\nretry:\n\n", { events: [], retry: 10 }],
  ["comments are heard", ": heartbeat 12\n:x\n\n", { events: [], comments: [" heartbeat 12", "x"] }],
  ["what is no UTF-8 becomes U+FFFD", Uint8Array.from([...bytes("data:"), 0xff, ...bytes("\n\n")]), { events: [event("\uFFFD")] }],
];

for (const [name, stream, expect] of CASES) {
  test(name, () => {
    parseInAllChunkings(stream, (said, how) => {
      for (const [key, value] of Object.entries(expect)) assert.deepEqual(said[key], value, `${key}, ${how}`);
    });
  });
}

test("an event that is too long is dropped and counted, its id is kept, the next one comes", () => {
  const long = "x".repeat(EVENT_BYTES_MAX);
  for (const body of [`data:${long}\n\n`, `data:${long.slice(9)}\ndata:${long}\n\n`, `${long}${long}\n\n`]) {
    for (const size of [65_536, 1_000_000, 10_000_000]) {
      const said = parse(cut(bytes(`id:7\n${body}data:next\n\n`), size));
      assert.deepEqual(said.events, [event("next", "message", "7")]);
      assert.equal(said.dropped, 1);
    }
  }
});

test("heartbeats forever are not too long", () => {
  const said = parse(cut(bytes(`${`:${"x".repeat(1_000)}\n`.repeat(3_000)}data:a\n\n`), 65_536));
  assert.deepEqual([said.events.length, said.dropped, said.comments.length], [1, 0, 3_000]);
});
