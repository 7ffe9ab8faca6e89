//! `sse-lint`: fails on whatever a server of ours must not send, although clients would bear it.
//!
//! A stream is blocks, each ended by one blank line: comments alone; or, in this order and each at
//! most once, `retry`, `event`, `data`, `id`. The first block is `retry` and `id`. An event has all
//! of `event`, `data`, `id`; an `id` alone moves the place. Ids are `position.ordinal.tag`, the tag
//! is one for the whole stream, and the places of events go up (a `gap` stands at the place it was
//! found).

use std::fmt;

use super::parser::{Message, Parser};

/// The types of events there are on a stream.
pub const KINDS: [&str; 4] = ["alert", "alert_updated", "gap", "security_event"];

/// Bytes of an id beyond which a browser asks the server's leave before it sends it elsewhere.
const ID_BYTES_MAX: usize = 128;

/// What is wrong with a stream, and in which line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// The line, from 1; 0: the head.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Deviation {
    /// `line n: …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for Deviation {}

/// Checks a stream as it comes, and gives its events.
#[derive(Clone, Debug, Default)]
pub struct Lint {
    parser: Parser,
    line: Vec<u8>,
    number: usize,
    blocks: usize,
    block: Block,
    heartbeats: Vec<u64>,
    tag: Option<String>,
    place: Option<(u64, u32)>,
}

/// The lines of a block so far.
#[derive(Clone, Debug, Default)]
struct Block {
    comments: usize,
    retry: Option<String>,
    event: Option<String>,
    data: Option<String>,
    id: Option<String>,
}

impl Lint {
    /// The events that these bytes complete.
    ///
    /// # Errors
    /// [`Deviation`] at the first line that must not be.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<Vec<Message>, Deviation> {
        for &byte in chunk {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            self.number += 1;
            let line = std::mem::take(&mut self.line);
            self.end_line(&line).map_err(|what| Deviation { line: self.number, what })?;
        }
        Ok(self.parser.feed(chunk))
    }

    /// The stream was closed by the server: it must not end inside a block.
    ///
    /// # Errors
    /// [`Deviation`] when it does.
    pub fn finish(&self) -> Result<(), Deviation> {
        if self.line.is_empty() && self.block.is_empty() && self.blocks > 0 {
            return Ok(());
        }
        Err(Deviation { line: self.number + 1, what: "the stream ends inside of a block".to_string() })
    }

    /// The id a client sends when it comes back.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.parser.last_event_id()
    }

    /// How long a client waits before it comes back, in ms.
    #[must_use]
    pub fn retry_ms(&self) -> Option<u64> {
        self.parser.retry_ms()
    }

    /// The times in the heartbeats so far, in seconds since 1970.
    #[must_use]
    pub fn heartbeats(&self) -> &[u64] {
        &self.heartbeats
    }

    fn end_line(&mut self, line: &[u8]) -> Result<(), String> {
        let line = std::str::from_utf8(line).map_err(|_| "not UTF-8")?;
        if let Some(found) = line.chars().find(|character| matches!(character, '\r' | '\0' | '\u{feff}')) {
            let in_data = found == '\u{feff}' && line.starts_with("data: ");
            if !in_data {
                return Err(format!("contains {found:?}"));
            }
        }
        if line.is_empty() {
            return self.end_block();
        }
        if let Some(comment) = line.strip_prefix(": ") {
            return self.comment(comment);
        }
        let (name, value) = line.split_once(": ").ok_or("a field is `name: value`")?;
        let block = &mut self.block;
        if block.comments > 0 {
            return Err("a field in a block of comments".to_string());
        }
        let (slot, is_in_order) = match name {
            "retry" => {
                (&mut block.retry, block.event.is_none() && block.data.is_none() && block.id.is_none())
            }
            "event" => (&mut block.event, block.data.is_none() && block.id.is_none()),
            "data" => (&mut block.data, block.event.is_some() && block.id.is_none()),
            "id" => (&mut block.id, true),
            _ => return Err(format!("unknown field `{name}`")),
        };
        if !is_in_order || slot.is_some() {
            return Err(format!("`{name}` where it must not stand, or twice"));
        }
        *slot = Some(value.to_string());
        Ok(())
    }

    fn comment(&mut self, comment: &str) -> Result<(), String> {
        if self.block.has_fields() {
            return Err("a comment in a block of fields".to_string());
        }
        let seconds = comment.strip_prefix("heartbeat ").and_then(number);
        self.heartbeats.push(seconds.ok_or("a comment is `: heartbeat <unix seconds>`")?);
        self.block.comments += 1;
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), String> {
        let block = std::mem::take(&mut self.block);
        self.blocks += 1;
        if self.blocks == 1 && (block.retry.is_none() || block.id.is_none() || block.event.is_some()) {
            return Err("the first block must be `retry` and `id`".to_string());
        }
        if self.blocks > 1 && block.retry.is_some() {
            return Err("`retry` is for the first block".to_string());
        }
        if block.is_empty() {
            return Err("a blank line without a block".to_string());
        }
        if block.retry.as_deref().is_some_and(|retry| number(retry).is_none()) {
            return Err("`retry` must be digits".to_string());
        }
        if block.comments > 0 {
            return Ok(());
        }
        self.check_event(&block)?;
        let id = block.id.as_deref().ok_or("a block of fields must end with `id`")?;
        self.check_id(id, block.event.as_deref().is_some_and(|event| event != "gap"))
    }

    fn check_event(&self, block: &Block) -> Result<(), String> {
        let Some(event) = block.event.as_deref() else { return Ok(()) };
        if !KINDS.contains(&event) {
            return Err(format!("unknown event `{event}`"));
        }
        let data = block.data.as_deref().ok_or("`event` without `data`")?;
        let value: serde_json::Value =
            serde_json::from_str(data).map_err(|error| format!("data is no JSON: {error}"))?;
        if event == "gap" {
            let reason = value["reason"].as_str().unwrap_or_default();
            let is_count = value["missed"].is_u64() || value["missed"].is_null();
            if !["overflow", "too_old", "unknown_id"].contains(&reason) || !is_count {
                return Err(format!("no gap: {data}"));
            }
        }
        if value.is_object() { Ok(()) } else { Err("data must be an object".to_string()) }
    }

    fn check_id(&mut self, id: &str, moves_on: bool) -> Result<(), String> {
        if id.len() > ID_BYTES_MAX || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.') {
            return Err(format!("id `{id}` is too long or has unsafe bytes"));
        }
        let mut parts = id.splitn(3, '.');
        let position = parts.next().and_then(number);
        let ordinal = parts.next().and_then(number).and_then(|ordinal| u32::try_from(ordinal).ok());
        let (Some(position), Some(ordinal), Some(tag)) = (position, ordinal, parts.next()) else {
            return Err(format!("id `{id}` is not position.ordinal.tag"));
        };
        if self.tag.get_or_insert_with(|| tag.to_string()) != tag {
            return Err(format!("id `{id}` has another tag than those before"));
        }
        let place = Some((position, ordinal));
        if place < self.place || (moves_on && place == self.place) {
            return Err(format!("id `{id}` does not stand behind {:?}", self.place));
        }
        self.place = place;
        Ok(())
    }
}

impl Block {
    fn has_fields(&self) -> bool {
        [&self.retry, &self.event, &self.data, &self.id].iter().any(|field| field.is_some())
    }

    fn is_empty(&self) -> bool {
        self.comments == 0 && !self.has_fields()
    }
}

/// A number in digits alone, as one writes it.
fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    is_plain.then(|| text.parse().ok())?
}

/// Checks the status and headers (names in lower case) of a stream over HTTP/1.1.
///
/// # Errors
/// [`Deviation`] for the first that must not be, or is missing.
pub fn lint_head(status: u16, headers: &[(String, String)]) -> Result<(), Deviation> {
    let wrong = |what: String| Deviation { line: 0, what };
    if status != 200 {
        return Err(wrong(format!("status {status}")));
    }
    let value = |name: &str| {
        let mut values = headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let first = values.next();
        if values.next().is_some() { Some("sent twice") } else { first }
    };
    for (name, allowed) in [
        ("content-type", &["text/event-stream", "text/event-stream; charset=utf-8"][..]),
        ("cache-control", &["no-cache"]),
        ("x-accel-buffering", &["no"]),
        ("connection", &["keep-alive"]),
    ] {
        match value(name) {
            Some(found) if allowed.contains(&found) => {}
            found => return Err(wrong(format!("{name}: {found:?}, not one of {allowed:?}"))),
        }
    }
    for name in ["content-length", "content-encoding"] {
        if let Some(found) = value(name) {
            return Err(wrong(format!("{name}: {found}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "retry: 2000\nid: 0.0.ab\n\n";

    fn lint(stream: &str) -> Result<Vec<Message>, String> {
        let mut lint = Lint::default();
        let messages = lint.feed(stream.as_bytes()).map_err(|deviation| deviation.what)?;
        lint.finish().map_err(|deviation| deviation.what)?;
        Ok(messages)
    }

    #[test]
    fn a_stream_of_ours_passes() {
        let stream = format!(
            "{FIRST}event: security_event\ndata: {{\"a\":\"\u{2028}\u{feff}\"}}\nid: 1.0.ab\n\n: heartbeat 17\n\n\
             id: 5.0.ab\n\nevent: gap\ndata: {{\"reason\":\"overflow\",\"missed\":3}}\nid: 5.0.ab\n\n"
        );
        let messages = lint(&stream).unwrap();
        assert_eq!(
            messages.iter().map(|message| message.kind.as_str()).collect::<Vec<_>>(),
            ["security_event", "gap"]
        );
    }

    #[test]
    fn each_deviation_is_found() {
        let alert = |id: &str| format!("event: alert\ndata: {{}}\nid: {id}\n\n");
        for (stream, what) in [
            ("id: 0.0.ab\n\n".to_string(), "first block"),
            ("retry: 2000\n\n".to_string(), "first block"),
            (FIRST.replace("2000", "2s"), "digits"),
            (format!("{FIRST}{FIRST}"), "for the first block"),
            (format!("\u{feff}{FIRST}"), "'\\u{feff}'"),
            (FIRST.replace('\n', "\r\n"), "'\\r'"),
            (format!("{FIRST}\n"), "without a block"),
            (format!("{FIRST}id: 1.0.ab\n"), "inside of a block"),
            (format!("{FIRST}: heartbeat\n\n"), "heartbeat"),
            (format!("{FIRST}: heartbeat 1\nid: 1.0.ab\n\n"), "block of comments"),
            (format!("{FIRST}event: other\ndata: {{}}\nid: 1.0.ab\n\n"), "unknown event"),
            (format!("{FIRST}event: alert\nid: 1.0.ab\n\n"), "without `data`"),
            (format!("{FIRST}event: alert\ndata: {{}}\n\n"), "end with `id`"),
            (format!("{FIRST}event: alert\nid: 1.0.ab\ndata: {{}}\n\n"), "must not stand"),
            (format!("{FIRST}event: alert\ndata: {{}}\ndata: {{}}\nid: 1.0.ab\n\n"), "twice"),
            (format!("{FIRST}event: alert\ndata: {{\nid: 1.0.ab\n\n"), "no JSON"),
            (format!("{FIRST}event: alert\ndata: 1\nid: 1.0.ab\n\n"), "an object"),
            (format!("{FIRST}event: gap\ndata: {{}}\nid: 1.0.ab\n\n"), "no gap"),
            (format!("{FIRST}event:alert\n\n"), "name: value"),
            (format!("{FIRST}id: \n\n"), "not position"),
            (format!("{FIRST}{}", alert("1.0.cd")), "another tag"),
            (format!("{FIRST}{}", alert("0.0.ab")), "stand behind"),
            (format!("{FIRST}{}{}", alert("2.0.ab"), alert("1.9.ab")), "stand behind"),
            (format!("{FIRST}{}", alert("01.0.ab")), "not position"),
            (format!("{FIRST}{}", alert("1.0.a\"b")), "unsafe bytes"),
        ] {
            let found = lint(&stream).unwrap_err();
            assert!(found.contains(what), "{stream:?}: {found:?} has no {what:?}");
        }
    }

    #[test]
    fn the_head_must_be_as_it_is() {
        let good = [
            ("content-type", "text/event-stream"),
            ("cache-control", "no-cache"),
            ("x-accel-buffering", "no"),
            ("connection", "keep-alive"),
        ];
        let owned = |headers: &[(&str, &str)]| -> Vec<(String, String)> {
            headers.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect()
        };
        assert_eq!(lint_head(200, &owned(&good)), Ok(()));
        assert!(lint_head(204, &owned(&good)).is_err());
        for left_out in 0..good.len() {
            let mut headers = good.to_vec();
            headers.remove(left_out);
            assert!(lint_head(200, &owned(&headers)).is_err(), "{:?}", good[left_out]);
        }
        for (name, value) in [("content-length", "3"), ("content-encoding", "gzip"), good[0]] {
            let headers = [&good[..], &[(name, value)]].concat();
            assert!(lint_head(200, &owned(&headers)).is_err(), "{name}");
        }
    }
}
