// Server-sent events: bytes in, events out, as the WHATWG text has it. No network, no clock.

/** Bytes of one event beyond which it is dropped and reported, so that memory stays bounded. */
export const EVENT_BYTES_MAX = 1024 * 1024;

const BYTE_ORDER_MARK = 0xfeff;

/**
 * Splits a stream of byte chunks, cut anywhere, into events.
 *
 * Handlers, all optional: `event({type, data, lastEventId})`, `comment(text)`, `retry(ms)`,
 * `dropped()` for an event that was too long.
 */
export class SseParser {
  #handlers;
  #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #begun = false;
  #afterCarriageReturn = false;
  #line = "";
  #type = "";
  #data = [];
  #size = 0;
  #tooLong = false;
  #id;

  /** The last id committed by a finished block; survives a new parser on reconnection. */
  lastEventId;

  constructor(handlers = {}, lastEventId = "") {
    this.#handlers = handlers;
    this.#id = lastEventId;
    this.lastEventId = lastEventId;
  }

  /** Takes the next chunk of bytes. */
  push(chunk) {
    this.#read(this.#decoder.decode(chunk, { stream: true }));
  }

  #read(text) {
    let from = 0;
    if (!this.#begun && text.length > 0) {
      this.#begun = true;
      from = text.charCodeAt(0) === BYTE_ORDER_MARK ? 1 : 0;
    }
    // CR and LF are one end also where a chunk ends between them.
    if (this.#afterCarriageReturn && from < text.length) {
      this.#afterCarriageReturn = false;
      if (text[from] === "\n") from += 1;
    }
    const ends = /[\r\n]/g;
    ends.lastIndex = from;
    for (let end = ends.exec(text); end !== null; end = ends.exec(text)) {
      this.#extend(text.slice(from, end.index));
      this.#finishLine();
      from = end.index + 1;
      if (end[0] === "\r") {
        if (from === text.length) this.#afterCarriageReturn = true;
        else if (text[from] === "\n") from += 1;
        ends.lastIndex = from;
      }
    }
    this.#extend(text.slice(from));
  }

  /** Keeps a piece of a line, unless the event has grown too long already. */
  #extend(piece) {
    this.#size += piece.length;
    if (this.#size > EVENT_BYTES_MAX) {
      this.#tooLong = true;
      this.#data = [];
      // Enough is kept to tell an empty line, which ends the event, from any other.
      this.#line = this.#line.slice(0, 1) || piece.slice(0, 1);
    } else {
      this.#line += piece;
    }
  }

  #finishLine() {
    const line = this.#line;
    this.#line = "";
    if (line === "") {
      this.#dispatch();
    } else if (this.#tooLong) {
      return;
    } else if (line[0] === ":") {
      this.#size -= line.length;
      this.#handlers.comment?.(line.slice(1));
    } else {
      const colon = line.indexOf(":");
      const name = colon === -1 ? line : line.slice(0, colon);
      const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
      this.#field(name, value);
    }
  }

  #field(name, value) {
    if (name === "data") {
      this.#data.push(value);
    } else if (name === "event") {
      this.#type = value;
    } else if (name === "id") {
      if (!value.includes("\0")) this.#id = value;
    } else if (name === "retry" && /^[0-9]+$/.test(value)) {
      this.#handlers.retry?.(Number(value));
    }
  }

  /** An empty line: the id is committed even where there is nothing to say. */
  #dispatch() {
    this.lastEventId = this.#id;
    const event = { type: this.#type || "message", data: this.#data.join("\n"), lastEventId: this.#id };
    const isEvent = this.#data.length > 0;
    const tooLong = this.#tooLong;
    this.#type = "";
    this.#data = [];
    this.#size = 0;
    this.#tooLong = false;
    if (tooLong) this.#handlers.dropped?.();
    else if (isEvent) this.#handlers.event?.(event);
  }
}
