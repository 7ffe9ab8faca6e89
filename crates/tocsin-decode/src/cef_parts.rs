//! The parts of a CEF line: what stands before it, its headers, the pairs of its extension.

use std::ops::Range;

use tocsin_core::time::{Civil, Span, Timestamp};

use crate::syslog_header::{self, Header, PRIORITY_MAX, read_fraction};
use crate::text::{before, civil, latest_year, leading_digits, month, number};
use crate::times::epoch;

/// Bars looked at to find the end of `CEF:0|`: structured data before it may hold some.
const BARS_MAX: usize = 8;

/// The headers of a CEF line, escapes as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    /// Vendor, product, version, id, name and severity.
    pub fields: [&'a [u8]; 6],
    /// The pairs.
    pub extension: &'a [u8],
}

/// A pair of the extension: where its key and its value stand in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The key.
    pub key: Range<usize>,
    /// The value, escapes as written, without spaces around it.
    pub value: Range<usize>,
}

impl Headers<'_> {
    /// What happened, in words.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.fields[4]
    }
}

/// What stands before the CEF of a line, as a syslog header (empty where there is none), and what
/// follows `CEF:0|`; `None` where the line is no CEF. That `CEF:0|` occurs somewhere in a line does
/// not make it one: it must be the whole of the message.
#[must_use]
pub fn syslog_before(text: &[u8], limit: Timestamp) -> Option<(Header<'_>, &[u8])> {
    let bars = memchr::memchr_iter(b'|', text).take(BARS_MAX);
    let (start, end) = bars.filter_map(|bar| Some((start_of_version(&text[..bar])?, bar + 1))).next()?;
    let cef = &text[end..];
    let ahead = text[..start].trim_ascii();
    if ahead.is_empty() || is_priority(ahead) {
        return Some((Header::default(), cef));
    }
    let header = syslog_header::read(text, limit).ok()?;
    let begins = |part: &[u8]| part.as_ptr() == text[start..].as_ptr();
    if begins(header.host) {
        // The header has no host, so that the first word of the message was taken for one.
        return Some((Header { host: b"", ..header }, cef));
    }
    (begins(header.program) || begins(header.message)).then_some((header, cef))
}

/// Where `CEF:0` begins that a text ends with.
fn start_of_version(text: &[u8]) -> Option<usize> {
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let head = text[..text.len() - digits].trim_ascii_end();
    (1..=2).contains(&digits).then(|| head.strip_suffix(b"CEF:"))?.map(<[u8]>::len)
}

fn is_priority(text: &[u8]) -> bool {
    let inner = text.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">"));
    inner.and_then(number).is_some_and(|value| value <= PRIORITY_MAX)
}

/// The headers of what follows `CEF:0|`; `None` where it ends before the last of them.
#[must_use]
pub fn read_headers(mut text: &[u8]) -> Option<Headers<'_>> {
    let mut fields = [&b""[..]; 6];
    for field in &mut fields[..5] {
        let end = unescaped(text, b'|', 0)?;
        *field = text[..end].trim_ascii();
        text = &text[end + 1..];
    }
    let end = unescaped(text, b'|', 0).unwrap_or(text.len());
    fields[5] = text[..end].trim_ascii();
    Some(Headers { fields, extension: text.get(end + 1..).unwrap_or_default() })
}

/// Offset of the first such byte at or after `from` that no backslash escapes.
fn unescaped(text: &[u8], byte: u8, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr2(byte, b'\\', text.get(at..)?)?;
        if text[at] == byte {
            return Some(at);
        }
        at += 2;
    }
}

impl Pair {
    /// The pairs of an extension, in order. Text before the first key belongs to none.
    pub fn all(extension: &[u8]) -> impl Iterator<Item = Pair> {
        let mut next = next_key(extension, 0);
        std::iter::from_fn(move || {
            let key = next.take()?;
            next = next_key(extension, key.end + 1);
            let to = next.as_ref().map_or(extension.len(), |key| key.start);
            let value = trimmed(extension, key.end + 1..to);
            Some(Pair { key, value })
        })
    }
}

/// A range without the spaces at its ends.
fn trimmed(text: &[u8], range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let end = range.start + part.trim_ascii_end().len();
    end - part.trim_ascii().len()..end
}

/// The first key whose `=` stands at or after an offset. A key is a word of its own; what stands
/// before an `=` within a word, as in an address, is none.
fn next_key(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    loop {
        let equals = unescaped(text, b'=', at)?;
        let key_len = text[from..equals].iter().rev().take_while(|byte| is_key_byte(**byte)).count();
        let start = equals - key_len;
        let is_word = start == 0 || text[start - 1] == b' ';
        if key_len > 0 && is_word {
            return Some(start..equals);
        }
        at = equals + 1;
    }
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']')
}

/// Undoes the escapes of a value: `\\`, `\|`, `\=`, `\n`, `\r`. A backslash before anything else
/// stands for itself, since senders forget to escape paths.
pub fn unescape(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let (byte, len) = match rest.get(at + 1) {
            Some(b'n') => (b'\n', 2),
            Some(b'r') => (b'\r', 2),
            Some(escaped @ (b'\\' | b'|' | b'=')) => (*escaped, 2),
            _ => (b'\\', 1),
        };
        out.push(byte);
        rest = &rest[at + len..];
    }
    out.extend_from_slice(rest);
}

/// A time as CEF has them: a number since 1970, RFC 3339, or `MMM dd [yyyy] HH:mm:ss[.SSS][ zone]`;
/// and whether the year was derived. A zone is an offset or stands for UTC.
#[must_use]
pub fn read_time(text: &[u8], limit: Timestamp) -> Option<(Timestamp, bool)> {
    if let Some(time) = epoch(text).or_else(|| Timestamp::parse(text)) {
        return Some((time, false));
    }
    let month = month(text)?;
    let (day, rest) = leading_digits(text.get(3..)?.trim_ascii_start());
    let mut rest = rest.strip_prefix(b" ")?;
    let year = rest.get(..4).and_then(number);
    if year.is_some() {
        rest = rest.get(4..)?.strip_prefix(b" ")?;
    }
    let civil = civil(year.map_or(0, i64::from), month, number(day)?, rest)?;
    let (nano, zone) = read_fraction(rest.get(8..)?)?;
    let civil = Civil { nano, ..civil };
    let local = if year.is_some() { Timestamp::from_civil(civil)? } else { latest_year(civil, limit)? };
    Some((local.minus(east_of_utc(zone.trim_ascii())?), year.is_none()))
}

/// How far a zone lies east of UTC.
fn east_of_utc(zone: &[u8]) -> Option<Span> {
    let zone = zone.strip_prefix(b"GMT").or(zone.strip_prefix(b"UTC")).unwrap_or(zone);
    let (sign, digits) = match zone {
        b"" | b"Z" => return Some(Span(0)),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let hours = before(digits, b':');
    let (hours, minutes) = match (hours.len(), digits.len()) {
        (2, 5) => (hours, digits.get(3..)?),
        (4, 4) => digits.split_at_checked(2)?,
        (2, 2) => (digits, &b"0"[..]),
        _ => return None,
    };
    Some(Span::seconds(sign * i64::from(number(hours)? * 3_600 + number(minutes)? * 60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(extension: &str) -> Vec<String> {
        let shown = |pair: Pair| format!("{}:{}", &extension[pair.key], &extension[pair.value]);
        Pair::all(extension.as_bytes()).map(shown).collect()
    }

    #[test]
    fn values_go_on_to_the_next_key() {
        for (extension, expect) in [
            ("src=10.0.0.1 msg=a b  c dst=2.1.2.2", &["src:10.0.0.1", "msg:a b  c", "dst:2.1.2.2"][..]),
            ("request=http://h/?a=b&c=d act=x", &["request:http://h/?a=b&c=d", "act:x"]),
            ("msg=a\\=b c\\=d e=f", &["msg:a\\=b c\\=d", "e:f"]),
            ("a= b=", &["a:", "b:"]),
            ("words a=1", &["a:1"]),
            ("a=1 =2 b=3", &["a:1 =2", "b:3"]),
            ("a==b", &["a:=b"]),
            ("a=b\\", &["a:b\\"]),
            ("", &[]),
            ("words", &[]),
        ] {
            assert_eq!(pairs(extension), expect, "{extension}");
        }
    }

    #[test]
    fn times() {
        let limit = Timestamp::parse(b"2026-06-01T00:00:00Z").unwrap();
        for (text, expect) in [
            ("1504187395000", Some("2017-08-31T13:49:55Z")),
            ("Aug 31 2017 13:49:55", Some("2017-08-31T13:49:55Z")),
            ("Aug 31 2017 13:49:55.125 UTC", Some("2017-08-31T13:49:55.125Z")),
            ("Aug  1 2017 13:49:55 GMT+02:00", Some("2017-08-01T11:49:55Z")),
            ("Aug 1 2017 13:49:55 -0330", Some("2017-08-01T17:19:55Z")),
            ("Aug 31 13:49:55", Some("2025-08-31T13:49:55Z")),
            ("2017-08-31T13:49:55Z", Some("2017-08-31T13:49:55Z")),
            ("Aug 31 2017 13:49:55 Europe/Vienna", None),
            ("Aug 32 2017 13:49:55", None),
            ("Aug 31 2017", None),
            ("yesterday", None),
            ("", None),
        ] {
            let time = read_time(text.as_bytes(), limit).map(|(time, _)| time.to_string());
            assert_eq!(time.as_deref(), expect, "{text}");
        }
    }
}
