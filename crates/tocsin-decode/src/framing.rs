//! Framing: where records begin and end in a stream of bytes, whatever the pieces it comes in.

use tocsin_core::batch::RecordSpan;

use crate::blocks::{self, BLOCK, Marks, Task};

/// How records are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One record per line.
    Lines,
    /// JSON values one after the other or in an array, over any number of lines.
    JsonStream,
}

/// Bytes looked at to tell pretty-printed JSON from JSON lines.
const SNIFF_BYTES_MAX: usize = 64 << 10;

/// Keys of an object that does nothing but hold a list of records, as clouds export them: the
/// object is opened, and each element of its list is a record.
const ENVELOPE_KEYS: [&[u8]; 2] = [b"\"Records\"", b"\"records\""];

/// Bytes within which such an object shows itself. One that begins with more space is a record.
const ENVELOPE_HEAD_BYTES_MAX: usize = 256;

/// What some editors begin a file with.
pub const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The bytes of an input without the mark it may begin with.
#[must_use]
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

impl Framing {
    /// The framing an input calls for by its first bytes: a JSON stream if they begin an array of
    /// JSON values, an object that only holds records, or an object that goes on over several lines;
    /// lines for all else. A first line
    /// that is a broken object does not make a stream of the lines after it.
    #[must_use]
    pub fn recognise(first: &[u8]) -> Framing {
        let first = &first[..first.len().min(SNIFF_BYTES_MAX)];
        let text = without_mark(first).trim_ascii_start();
        let stream = match text.first() {
            Some(b'[') => begins_array(&text[1..]),
            Some(b'{') => matches!(envelope(text), Envelope::Opens(_)) || goes_on_over_lines(text),
            _ => false,
        };
        if stream { Framing::JsonStream } else { Framing::Lines }
    }
}

/// Whether an object holds records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Envelope {
    /// It does: so many bytes come before the first.
    Opens(usize),
    No,
    /// There is not enough of it to tell.
    Unclear,
}

/// Whether the object a text begins with is `{"Records":[` with an object, `null` or nothing in the list.
fn envelope(text: &[u8]) -> Envelope {
    let head = &text[..text.len().min(ENVELOPE_HEAD_BYTES_MAX)];
    let opened = ENVELOPE_KEYS.iter().map(|key| envelope_of(head, key)).find(|with| *with != Envelope::No);
    match opened {
        Some(Envelope::Unclear) if text.len() > head.len() => Envelope::No,
        other => other.unwrap_or(Envelope::No),
    }
}

fn envelope_of(head: &[u8], key: &[u8]) -> Envelope {
    let mut rest = head;
    for token in [b"{", key, b":", b"["] {
        rest = rest.trim_ascii_start();
        match rest.strip_prefix(token) {
            Some(after) => rest = after,
            None if token.starts_with(rest) => return Envelope::Unclear,
            None => return Envelope::No,
        }
    }
    match rest.trim_ascii_start().first() {
        // Before an object, or a `null` that stands for one.
        Some(b'{' | b']' | b'n') => Envelope::Opens(head.len() - rest.len()),
        Some(_) => Envelope::No,
        None => Envelope::Unclear,
    }
}

/// Whether the text after a bracket is that of a JSON array, and not of a log line such as
/// `[2026-01-31 ...] text`.
fn begins_array(inside: &[u8]) -> bool {
    let inside = inside.trim_ascii_start();
    match inside.first() {
        None | Some(b'{' | b']' | b'"') => true,
        Some(b'[') => !breaks_off(inside),
        Some(b'0'..=b'9') => {
            let rest = inside.iter().position(|byte| !byte.is_ascii_digit()).map(|at| &inside[at..]);
            rest.is_none_or(|rest| matches!(rest.trim_ascii_start().first(), None | Some(b',')))
        }
        Some(_) => false,
    }
}

/// Whether an object is not closed on its first line, and the next line can be part of it.
fn goes_on_over_lines(text: &[u8]) -> bool {
    first_line(text).is_some_and(|(line, next)| !closes(line) && next.first() != Some(&b'{'))
}

/// Whether a value is not closed on its first line, and the next line begins anew.
fn breaks_off(text: &[u8]) -> bool {
    first_line(text).is_some_and(|(line, next)| !closes(line) && next.first() == Some(&b'{'))
}

/// The first line and what follows it.
fn first_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    memchr::memchr(b'\n', text).map(|end| (&text[..end], &text[end + 1..]))
}

/// Whether the value a line begins with ends on it.
fn closes(line: &[u8]) -> bool {
    let mut values = Vec::new();
    JsonCutter::at_value().cut(line, 0, &mut values);
    !values.is_empty()
}

/// Whether a record is a JSON value other than an object, or begins as an array of such.
#[must_use]
pub fn is_other_json(record: &[u8]) -> bool {
    let text = record.trim_ascii();
    match text.first() {
        Some(b'[') => begins_array(&text[1..]),
        Some(b'"') => {
            let mut values = Vec::new();
            let end = JsonCutter::default().cut(text, 0, &mut values);
            end == text.len() && values.len() == 1
        }
        Some(b'-' | b'0'..=b'9') => std::str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok()),
        _ => matches!(text, b"true" | b"false" | b"null"),
    }
}

/// Appends the lines that end in `bytes` at or after `from`; returns where the first unended line
/// begins. Line ends and carriage returns are not part of a record; a blank line has length zero.
pub fn cut_lines(bytes: &[u8], from: usize, records: &mut Vec<RecordSpan>) -> usize {
    blocks::run(Lines { bytes, from, records })
}

struct Lines<'a> {
    bytes: &'a [u8],
    from: usize,
    records: &'a mut Vec<RecordSpan>,
}

impl Task for Lines<'_> {
    type Answer = usize;

    #[inline(always)]
    fn run(self, _: impl Fn(&[u8; BLOCK]) -> Marks, equal: impl Fn(&[u8; BLOCK], u8) -> u64) -> usize {
        let (whole, rest) = self.bytes[self.from..].as_chunks::<BLOCK>();
        let mut start = self.from;
        let mut end_at = |end: usize| {
            self.records.push(line(self.bytes, start, end));
            start = end + 1;
        };
        for (index, block) in whole.iter().enumerate() {
            let mut marks = equal(block, b'\n');
            while marks != 0 {
                end_at(self.from + index * BLOCK + marks.trailing_zeros() as usize);
                marks &= marks - 1;
            }
        }
        let behind = self.bytes.len() - rest.len();
        memchr::memchr_iter(b'\n', rest).for_each(|found| end_at(behind + found));
        start
    }
}

/// The record of a line, without a carriage return at its end.
#[must_use]
pub fn line(bytes: &[u8], start: usize, end: usize) -> RecordSpan {
    let text = &bytes[start..end];
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let blank = text.iter().all(u8::is_ascii_whitespace);
    RecordSpan { start: start as u32, len: if blank { 0 } else { text.len() as u32 } }
}

/// Cuts JSON values out of a stream; keeps its place between pieces. At the top of the stream a
/// bracket opens an array of values; inside it, one begins a value like any other. An object there
/// that only holds records is opened too, and what comes after its list is passed over.
#[derive(Debug, Default)]
pub struct JsonCutter {
    /// Bytes of the unfinished value already looked at.
    seen: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// Inside the array at the top of the stream.
    in_array: bool,
    /// Inside an object at the top of the stream that only holds records.
    in_envelope: bool,
}

impl JsonCutter {
    /// A cutter that begins at a value of an array: nothing is opened there.
    #[must_use]
    pub fn at_value() -> JsonCutter {
        JsonCutter { in_array: true, ..JsonCutter::default() }
    }

    /// Appends the values that end in `bytes` at or after `from`; returns where the first unended
    /// one begins. The next call must begin there, with the same bytes and more.
    pub fn cut(&mut self, bytes: &[u8], from: usize, records: &mut Vec<RecordSpan>) -> usize {
        let mut start = from;
        let mut at = from + self.seen;
        self.seen = 0;
        while at < bytes.len() {
            if self.in_envelope && !self.in_array {
                self.pass_over(bytes[at]);
                at += 1;
                start = at;
                continue;
            }
            if self.depth == 0 && !self.in_string {
                if self.is_between(bytes[at]) {
                    at += 1;
                    start = at;
                    continue;
                }
                if !matches!(bytes[at], b'{' | b'[' | b'"') {
                    let Some(end) = scalar_end(bytes, at) else { break };
                    records.push(RecordSpan { start: at as u32, len: (end - at) as u32 });
                    (at, start) = (end, end);
                    continue;
                }
                start = at;
                match self.open(&bytes[at..]) {
                    Envelope::Opens(len) => {
                        at += len;
                        start = at;
                        continue;
                    }
                    Envelope::Unclear => break,
                    Envelope::No => {}
                }
            }
            if self.step(bytes[at]) {
                records.push(RecordSpan { start: start as u32, len: (at + 1 - start) as u32 });
                start = at + 1;
            }
            at += 1;
        }
        self.seen = bytes.len() - start;
        if self.depth == 0 && !self.in_string {
            self.seen = 0;
        }
        start
    }

    /// Opens the object a text begins with, if it only holds records.
    fn open(&mut self, text: &[u8]) -> Envelope {
        if self.in_array || text.first() != Some(&b'{') {
            return Envelope::No;
        }
        let found = envelope(text);
        if matches!(found, Envelope::Opens(_)) {
            self.in_array = true;
            self.in_envelope = true;
        }
        found
    }

    /// Takes in a byte that comes after the list of an object that only holds records.
    fn pass_over(&mut self, byte: u8) {
        if self.depth == 0 && !self.in_string && byte == b'}' {
            self.in_envelope = false;
        } else {
            self.step(byte);
        }
    }

    /// Takes in a byte between values; says whether it is one.
    fn is_between(&mut self, byte: u8) -> bool {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => true,
            b'[' => !std::mem::replace(&mut self.in_array, true),
            b']' => {
                self.in_array = false;
                true
            }
            _ => false,
        }
    }

    /// Whether the array at the top of the stream is not closed yet, or the object around it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.in_array || self.in_envelope
    }

    /// The bytes of the unfinished value were handed on: the next call begins with what follows.
    pub fn let_go(&mut self) {
        self.seen = 0;
    }

    /// Takes in one byte of a value; says whether the value ends with it.
    fn step(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    self.in_string = false;
                    return self.depth == 0;
                }
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}

/// Where a number, word or stray text at the top of the stream ends.
fn scalar_end(bytes: &[u8], from: usize) -> Option<usize> {
    let ends = |byte: &u8| matches!(byte, b',' | b']' | b'\n' | b'{');
    bytes[from..].iter().position(ends).map(|len| from + len.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, piece: usize) -> Vec<String> {
        let bytes = text.as_bytes();
        let mut cutter = JsonCutter::default();
        let mut from = 0;
        let mut spans = Vec::new();
        let mut end = 0;
        while end < bytes.len() {
            end = (end + piece).min(bytes.len());
            from = cutter.cut(&bytes[..end], from, &mut spans);
        }
        let record = |span: &RecordSpan| text[span.start as usize..][..span.len as usize].to_string();
        spans.iter().map(record).collect()
    }

    #[test]
    fn values_are_cut_whatever_the_pieces() {
        let text = "[ {\"a\":\"}\\\"{\"},\n{\n \"b\": [1, {\"c\":2}] }, 7, \"x\" ]\n{}";
        for piece in 1..text.len() {
            let expect = ["{\"a\":\"}\\\"{\"}", "{\n \"b\": [1, {\"c\":2}] }", "7", "\"x\"", "{}"];
            assert_eq!(cut(text, piece), expect, "in pieces of {piece}");
        }
    }

    #[test]
    fn only_the_first_bracket_opens_the_array() {
        for (text, expect, open) in [
            ("[[],5,{\"a\":[1]},{}]", &["[]", "5", "{\"a\":[1]}", "{}"][..], false),
            ("[[[{}]],{}]\n[[1],{}]", &["[[{}]]", "{}", "[1]", "{}"], false),
            ("[{\"a\":1} {\"b\":2},", &["{\"a\":1}", "{\"b\":2}"], true),
            ("[{},[{}", &["{}"], true),
            ("{}]{}", &["{}", "{}"], false),
        ] {
            for piece in 1..=text.len() {
                assert_eq!(cut(text, piece), expect, "{text} in pieces of {piece}");
            }
            let mut cutter = JsonCutter::default();
            cutter.cut(text.as_bytes(), 0, &mut Vec::new());
            assert_eq!(cutter.is_open(), open, "{text}");
        }
    }

    #[test]
    fn an_object_that_only_holds_records_is_opened() {
        let long = format!("{{{}\"Records\":[{{}}]}}", " ".repeat(300));
        for (text, expect, open) in [
            ("{\"Records\":[{\"a\":[{}]},{\"b\":\"]}\"}]}", &["{\"a\":[{}]}", "{\"b\":\"]}\"}"][..], false),
            ("{\"Records\":[]}\n{\"records\" : [\n {}\n]\n}\n{}", &["{}", "{}"], false),
            ("{\"Records\":[{}],\"next\":{\"a\":\"}\"},\"b\":[1]}{\"c\":1}", &["{}", "{\"c\":1}"], false),
            ("{\"Records\":[{\"Records\":[{}]}]}", &["{\"Records\":[{}]}"], false),
            ("[{\"Records\":[{}]}]", &["{\"Records\":[{}]}"], false),
            ("{\"Records\":[null,{}]}", &["null", "{}"], false),
            ("{\"Records\":[7]}", &["{\"Records\":[7]}"], false),
            ("{\"Records\":{}}", &["{\"Records\":{}}"], false),
            ("{\"a\":1,\"Records\":[{}]}", &["{\"a\":1,\"Records\":[{}]}"], false),
            (&long, &[&long], false),
            ("{\"Records\":[{},{\"a\":", &["{}"], true),
            ("{\"Records\":[{}]", &["{}"], true),
        ] {
            for piece in 1..=text.len() {
                assert_eq!(cut(text, piece), expect, "{text} in pieces of {piece}");
            }
            let mut cutter = JsonCutter::default();
            cutter.cut(text.as_bytes(), 0, &mut Vec::new());
            assert_eq!(cutter.is_open(), open, "{text}");
        }
    }

    #[test]
    fn other_json_is_told_from_text() {
        for (text, expect) in [
            ("[1,2]", true),
            ("[[[[", true),
            (" \"x\" ", true),
            ("-7.5e3", true),
            ("null", true),
            ("[2026-01-31 08:00:00] text", false),
            ("[main] text", false),
            ("\"a\",\"b\"", false),
            ("08:00:00 text", false),
            ("nonsense", false),
            ("", false),
        ] {
            assert_eq!(is_other_json(text.as_bytes()), expect, "{text}");
        }
    }

    #[test]
    fn framing_by_first_bytes() {
        for (text, expect) in [
            ("{\"a\":1}\n{\"a\":2}\n", Framing::Lines),
            ("{\"a\":1}", Framing::Lines),
            ("{\"Records\":[{\"a\":1},", Framing::JsonStream),
            ("\u{feff}{ \"records\": [ ] }\n", Framing::JsonStream),
            ("{\"Records\":1}\n{\"Records\":2}\n", Framing::Lines),
            ("{\n\"a\":1\n}\n", Framing::JsonStream),
            ("  [1,2]", Framing::JsonStream),
            ("[\n{\"a\":1}]", Framing::JsonStream),
            ("[[],5]", Framing::JsonStream),
            ("[[\n1]]", Framing::JsonStream),
            ("[[\n{\"a\":1}\n{\"a\":2}\n", Framing::Lines),
            ("{\"a\":[\n {\"b\":1}]}", Framing::JsonStream),
            ("{\"a\":\n{\"b\":1}\n{\"b\":2}\n", Framing::Lines),
            ("{\"a\":\"cut of\n{\"b\":1}\n", Framing::Lines),
            ("[2026-01-31 08:00:00] text\n", Framing::Lines),
            ("[Sat Jan 31 08:00:00 2026] [error] text\n", Framing::Lines),
            ("Jan  1 00:00:00 host x: y\n", Framing::Lines),
            ("", Framing::Lines),
        ] {
            assert_eq!(Framing::recognise(text.as_bytes()), expect, "{text}");
        }
    }

    #[test]
    fn lines_lose_their_ends() {
        let mut records = Vec::new();
        let rest = cut_lines(b"a\r\n\n  \nbc\nrest", 0, &mut records);
        let lens: Vec<u32> = records.iter().map(|record| record.len).collect();
        assert_eq!((lens, rest), (vec![1, 0, 0, 2], 10));
    }
}
