//! What the line formats share: small parsers over bytes, and the writing of what they found.
//!
//! Parsers hand out sub-slices of the record; [`Fill`] turns them back into offsets. Nothing here
//! allocates.

use tocsin_core::batch::EventBatch;
use tocsin_core::time::{Civil, Timestamp};
use tocsin_core::value::Kind;

use crate::format::Record;
use crate::row::{Found, Row};
use crate::taxonomy::{Target, Taxonomy};

/// Everything a value known under several names fills.
#[must_use]
pub fn targets(taxonomy: &Taxonomy, names: &[&str]) -> Vec<Target> {
    let mut all = Vec::new();
    for target in names.iter().flat_map(|name| taxonomy.targets(name)) {
        if !all.contains(&target) {
            all.push(target);
        }
    }
    all
}

/// Writes parts of one record into the row under construction.
pub struct Fill<'r, 'a> {
    /// The row.
    pub row: &'r mut Row,
    /// The batch that holds its slots.
    pub batch: &'r mut EventBatch,
    /// The record all parts are taken from.
    pub record: Record<'a>,
}

impl Fill<'_, '_> {
    /// Gives a text to its targets; an empty one is no value.
    #[inline]
    pub fn text(&mut self, targets: &[Target], part: &[u8]) {
        if !targets.is_empty() && !part.is_empty() {
            self.put(targets, Kind::Text, part);
        }
    }

    /// Gives a run of digits to its targets.
    #[inline]
    pub fn number(&mut self, targets: &[Target], part: &[u8]) {
        if !targets.is_empty() && !part.is_empty() {
            self.put(targets, Kind::Number, part);
        }
    }

    /// Gives a text to its targets, also an empty one.
    pub fn text_or_empty(&mut self, targets: &[Target], part: &[u8]) {
        if !targets.is_empty() {
            self.put(targets, Kind::Text, part);
        }
    }

    /// Gives a word to its targets: a number if it is one, else a text, also an empty one.
    pub fn word(&mut self, targets: &[Target], part: &[u8]) {
        if !targets.is_empty() {
            self.put(targets, if is_number(part) { Kind::Number } else { Kind::Text }, part);
        }
    }

    /// Gives a text with JSON's escapes to its targets; as written where an escape is none of JSON's.
    pub fn escaped(&mut self, targets: &[Target], part: &[u8]) {
        if !targets.is_empty() {
            let plain = memchr::memchr(b'\\', part).is_none() || bad_escape(part).is_some();
            self.put(targets, if plain { Kind::Text } else { Kind::Escaped }, part);
        }
    }

    /// Gives a text that was made from the record, and stands nowhere in it, to its targets.
    pub fn made(&mut self, targets: &[Target], text: &[u8]) {
        if let (false, Ok(start)) = (targets.is_empty(), u32::try_from(self.batch.arena.len())) {
            self.batch.arena.extend_from_slice(text);
            self.row.put(self.batch, targets, Found { kind: Kind::Derived, start, bytes: text });
        }
    }

    /// Gives a text that stands nowhere in the record to its targets.
    pub fn computed(&mut self, targets: &[Target], text: &'static str) {
        if !targets.is_empty() {
            self.row.put_computed(self.batch, targets, text);
        }
    }

    fn put(&mut self, targets: &[Target], kind: Kind, part: &[u8]) {
        let base = self.record.bytes.as_ptr().addr();
        let Some(start) = part.as_ptr().addr().checked_sub(base) else { return };
        let inside = start >= self.record.start && start + part.len() <= self.record.end;
        if let (true, Ok(start)) = (inside, u32::try_from(start)) {
            self.row.put(self.batch, targets, Found { kind, start, bytes: part });
        }
    }
}

/// Where an event comes from: an address or a host name.
#[derive(Debug)]
pub struct SourceTargets {
    ip: Vec<Target>,
    domain: Vec<Target>,
    port: Vec<Target>,
}

impl SourceTargets {
    /// Resolves `source.ip` (with further names for it), `source.domain` and `source.port`.
    #[must_use]
    pub fn new(taxonomy: &Taxonomy, ip_names: &[&str]) -> SourceTargets {
        SourceTargets {
            ip: targets(taxonomy, ip_names),
            domain: taxonomy.targets("source.domain"),
            port: taxonomy.targets("source.port"),
        }
    }

    /// Writes an address or a host name, and a port where there is one.
    pub fn put(&self, fill: &mut Fill<'_, '_>, host: &[u8], port: &[u8]) {
        if is_address_like(host) {
            fill.text(&self.ip, before(host, b'%'));
        } else if !matches!(host, b"" | b"-" | b"UNKNOWN" | b"unknown") {
            fill.text(&self.domain, host);
        }
        fill.number(&self.port, port);
    }
}

/// Whether bytes can only be meant as an IP address (an IPv6 address may carry a `%zone`).
#[must_use]
pub fn is_address_like(bytes: &[u8]) -> bool {
    let (mut colons, mut letters, mut dots) = (0_usize, false, 0_usize);
    for byte in before(bytes, b'%') {
        match byte {
            b'0'..=b'9' => {}
            b'a'..=b'f' | b'A'..=b'F' => letters = true,
            b'.' => dots += 1,
            b':' => colons += 1,
            _ => return false,
        }
    }
    colons >= 2 || (colons == 0 && dots == 3 && !letters)
}

/// Whether bytes are a dotted quad in its one canonical spelling.
#[must_use]
pub fn is_plain_ipv4(bytes: &[u8]) -> bool {
    let (mut parts, mut digits, mut value) = (1, 0_u8, 0_u32);
    for byte in bytes {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + u32::from(byte - b'0');
                let leading_zero = digits == 1 && value < 10;
                digits += 1;
                if leading_zero || value > 255 || digits > 3 {
                    return false;
                }
            }
            b'.' if digits > 0 => {
                parts += 1;
                digits = 0;
                value = 0;
            }
            _ => return false,
        }
    }
    parts == 4 && digits > 0
}

/// What stands before the first such byte; everything when there is none.
#[must_use]
pub fn before(text: &[u8], byte: u8) -> &[u8] {
    memchr::memchr(byte, text).and_then(|at| text.get(..at)).unwrap_or(text)
}

/// What stands before and after the first such byte.
#[must_use]
pub fn split_once(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let (head, tail) = text.split_at_checked(memchr::memchr(byte, text)?)?;
    Some((head, tail.get(1..)?))
}

/// What stands before and after the last such byte.
#[must_use]
pub fn rsplit_once(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let (head, tail) = text.split_at_checked(memchr::memrchr(byte, text)?)?;
    Some((head, tail.get(1..)?))
}

/// What stands before and after the first such word. Meant for words that come early.
#[must_use]
pub fn split_at_word<'a>(text: &'a [u8], word: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(word.len()).position(|window| window == word)?;
    Some((text.get(..at)?, text.get(at + word.len()..)?))
}

/// What stands before and after the last such word. Meant for words that come late.
#[must_use]
pub fn rsplit_at_word<'a>(text: &'a [u8], word: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(word.len()).rposition(|window| window == word)?;
    Some((text.get(..at)?, text.get(at + word.len()..)?))
}

/// Whether bytes are a number as JSON writes it, without exponent. What begins with a zero that
/// counts for nothing is a code and no number.
#[must_use]
pub fn is_number(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, fraction) = split_once(digits, b'.').unwrap_or((digits, b"0"));
    let all_digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    all_digits(whole) && all_digits(fraction) && (whole.len() == 1 || !whole.starts_with(b"0"))
}

/// The digits a text begins with, and what follows them.
#[must_use]
pub fn leading_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.split_at_checked(len).unwrap_or((text, b""))
}

/// The value of a run of digits; `None` for anything else or more than 32 bits.
#[must_use]
pub fn number(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u32, |value, byte| match byte {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u32::from(byte - b'0')),
        _ => None,
    })
}

/// The month (1 to 12) a text begins with, as `Jan` to `Dec`.
#[must_use]
pub fn month(text: &[u8]) -> Option<u32> {
    Some(match text.get(..3)? {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

/// A civil time that begins with `hh:mm:ss`, on a given date.
#[must_use]
pub fn civil(year: i64, month: u32, day: u32, clock: &[u8]) -> Option<Civil> {
    let [h1, h2, b':', m1, m2, b':', s1, s2, ..] = *clock else { return None };
    Some(Civil {
        year,
        month,
        day,
        hour: number(&[h1, h2])?,
        minute: number(&[m1, m2])?,
        second: number(&[s1, s2])?,
        nano: 0,
    })
}

/// The latest year that puts a civil time at or before the limit: logs without a year are read
/// after they were written.
#[must_use]
pub fn latest_year(civil: Civil, limit: Timestamp) -> Option<Timestamp> {
    // 29 February may be eight years back, around a century that is no leap year.
    const YEARS_BACK_MAX: i64 = 8;
    let year = limit.to_civil().year;
    (0..=YEARS_BACK_MAX)
        .filter_map(|back| Timestamp::from_civil(Civil { year: year - back, ..civil }))
        .find(|time| *time <= limit)
}

/// Offset of the first escape that JSON does not know.
fn bad_escape(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &text[at..]) {
        let backslash = at + found;
        match text.get(backslash + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at = backslash + 2,
            Some(b'u') => {
                let hex = text.get(backslash + 2..backslash + 6);
                if !hex.is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) {
                    return Some(backslash);
                }
                at = backslash + 6;
            }
            _ => return Some(backslash),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_host_names_are_told_apart() {
        for (text, expect) in [
            ("1.2.3.4", true),
            ("999.2.3.4", true),
            ("::1", true),
            ("::ffff:1.2.3.4", true),
            ("fe80::1%eth0", true),
            ("2001:db8::1", true),
            ("dead.beef.example.be", false),
            ("a.b.c.d", false),
            ("1.2.3", false),
            ("host:80", false),
            ("localhost", false),
            ("UNKNOWN", false),
            ("", false),
            ("-", false),
        ] {
            assert_eq!(is_address_like(text.as_bytes()), expect, "{text}");
        }
    }

    #[test]
    fn the_year_is_the_latest_that_is_not_in_the_future() {
        let check = |month: u32, day: u32, clock: &str, limit: &str, expect: Option<&str>| {
            let limit = Timestamp::parse(limit.as_bytes()).unwrap();
            let civil = civil(0, month, day, clock.as_bytes()).unwrap();
            let got = latest_year(civil, limit).map(|time| time.to_string());
            assert_eq!(got.as_deref(), expect, "{month}-{day} {clock} at {limit}");
        };
        check(3, 1, "00:00:00", "2026-03-01T00:00:00Z", Some("2026-03-01T00:00:00Z"));
        check(3, 1, "00:00:01", "2026-03-01T00:00:00Z", Some("2025-03-01T00:00:01Z"));
        check(12, 31, "23:59:59", "2026-01-01T12:00:00Z", Some("2025-12-31T23:59:59Z"));
        check(2, 29, "10:00:00", "2026-01-15T00:00:00Z", Some("2024-02-29T10:00:00Z"));
        check(2, 29, "10:00:00", "2104-01-15T00:00:00Z", Some("2096-02-29T10:00:00Z"));
        check(2, 30, "10:00:00", "2026-01-15T00:00:00Z", None);
        check(4, 5, "24:00:00", "2026-01-15T00:00:00Z", None);
    }

    #[test]
    fn words_that_are_numbers() {
        for (text, expect) in [
            ("0", true),
            ("-17", true),
            ("10.25", true),
            ("0.5", true),
            ("007", false),
            ("1.2.3", false),
            (".5", false),
            ("5.", false),
            ("1e3", false),
            ("-", false),
            ("", false),
        ] {
            assert_eq!(is_number(text.as_bytes()), expect, "{text}");
        }
    }

    #[test]
    fn numbers_are_digits_that_fit() {
        for (text, expect) in
            [("0", Some(0)), ("4294967295", Some(u32::MAX)), ("4294967296", None), ("", None), ("1a", None)]
        {
            assert_eq!(number(text.as_bytes()), expect, "{text}");
        }
    }

    #[test]
    fn dotted_quads_have_one_spelling() {
        for (text, expect) in [
            ("10.0.0.1", true),
            ("0.0.0.0", true),
            ("255.255.255.255", true),
            ("256.0.0.1", false),
            ("01.2.3.4", false),
            ("1.2.3", false),
            ("1.2.3.4.5", false),
            ("1..2.3", false),
            ("1.2.3.", false),
            ("", false),
            ("1.2.3.4 ", false),
            ("10.20.30.400", false),
        ] {
            assert_eq!(is_plain_ipv4(text.as_bytes()), expect, "{text}");
        }
    }
}
