//! Times as RFC 3339 writes them. One per event: the digits before the seconds are read eight bytes
//! at a time.

use super::{Civil, NANOS, Timestamp};

impl Timestamp {
    /// Parses RFC 3339, also with a space for the `T`, without seconds' fraction limit, and with a
    /// missing zone read as UTC (Windows and many loggers write it so).
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Timestamp> {
        within(parse_minute(text.first_chunk()?)?, &text[16..])
    }
}

/// Parses times one after the other, as [`Timestamp::parse`] does; most are of the same minute as the
/// one before.
#[derive(Clone, Debug)]
pub struct TimeReader {
    /// What was last read, up to the minute.
    minute: [u8; 16],
    seconds: i64,
}

impl Default for TimeReader {
    fn default() -> TimeReader {
        TimeReader { minute: *b"1970-01-01T00:00", seconds: 0 }
    }
}

impl TimeReader {
    /// Parses the next one.
    #[must_use]
    pub fn parse(&mut self, text: &[u8]) -> Option<Timestamp> {
        let minute = text.first_chunk()?;
        if *minute != self.minute {
            self.seconds = parse_minute(minute)?;
            self.minute = *minute;
        }
        within(self.seconds, &text[16..])
    }
}

/// The time in a minute, given in seconds, that a text from the colon on tells.
fn within(minute: i64, text: &[u8]) -> Option<Timestamp> {
    if let Ok(millis) = text.try_into()
        && let Some(millis) = parse_millis(u64::from_le_bytes(millis))
    {
        return minute.checked_mul(NANOS)?.checked_add(millis * 1_000_000).map(Timestamp);
    }
    let [b':', tens @ b'0'..=b'5', ones @ b'0'..=b'9', rest @ ..] = text else { return None };
    let second = i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
    let (nano, rest) = if let [b'Z'] = rest { (0, &b""[..]) } else { parse_fraction(rest)? };
    let offset_seconds = parse_zone(rest)?;
    let nanos = (minute + second).checked_mul(NANOS)?.checked_add(i64::from(nano))?;
    nanos.checked_sub(offset_seconds * NANOS).map(Timestamp)
}

/// Milliseconds of `:59.999Z`.
fn parse_millis(text: u64) -> Option<i64> {
    let pairs = digit_pairs::<{ u64::from_le_bytes(*b":00.000Z") }>(text)?.to_le_bytes();
    let last = i64::from((text >> 48) as u8 & 0xf);
    (pairs[1] < 60).then(|| i64::from(pairs[1]) * 1_000 + i64::from(pairs[4]) * 10 + last)
}

/// Seconds since the epoch of `2026-01-15T08:00`.
fn parse_minute(text: &[u8; 16]) -> Option<i64> {
    let (halves, _) = text.as_chunks();
    // A space, or a small letter, is as good as the `T`.
    if !matches!(text[10], b'T' | b't' | b' ') {
        return None;
    }
    const DATE: u64 = u64::from_le_bytes(*b"0000-00-");
    const TIME: u64 = u64::from_le_bytes(*b"00\x0000:00");
    let date = digit_pairs::<DATE>(u64::from_le_bytes(halves[0]))?;
    let time = digit_pairs::<TIME>(u64::from_le_bytes(halves[1]) & !(0xff << 16))?;
    let pair = |pairs: u64, at: u32| (pairs >> (8 * at)) as u8;
    let civil = Civil {
        year: i64::from(pair(date, 0)) * 100 + i64::from(pair(date, 2)),
        month: pair(date, 5).into(),
        day: pair(time, 0).into(),
        hour: pair(time, 3).into(),
        minute: pair(time, 6).into(),
        second: 0,
        nano: 0,
    };
    civil.whole_seconds()
}

/// The numbers that each two digits of eight bytes make, each in the byte of its first digit. `None`
/// unless there is a digit wherever the pattern has a zero, and the pattern's byte elsewhere.
fn digit_pairs<const PATTERN: u64>(bytes: u64) -> Option<u64> {
    const TOP: u64 = 0x8080_8080_8080_8080;
    let most = const { nines(PATTERN) };
    let values = bytes ^ PATTERN;
    // The top bit of a byte is set where its value is above the most it may be; what is carried goes
    // to the bytes after the first such one.
    let bad = (values.wrapping_add(TOP - (TOP >> 7) - most) | values) & TOP;
    (bad == 0).then(|| values.wrapping_mul(10).wrapping_add(values >> 8))
}

/// 9 in each byte where a pattern has a zero.
const fn nines(pattern: u64) -> u64 {
    let mut bytes = pattern.to_le_bytes();
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = if bytes[at] == b'0' { 9 } else { 0 };
        at += 1;
    }
    u64::from_le_bytes(bytes)
}

/// The value of a run of ASCII digits, `None` if any byte is not a digit.
fn digits(text: &[u8]) -> Option<u32> {
    text.iter()
        .try_fold(0u32, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
}

/// A fraction of a second, cut after nine digits, and what follows it.
fn parse_fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    if !matches!(text.first(), Some(b'.' | b',')) {
        return Some((0, text));
    }
    let len = text[1..].iter().take_while(|b| b.is_ascii_digit()).count();
    if len == 0 {
        return None;
    }
    let mut nano = digits(&text[1..=len.min(9)])?;
    for _ in len.min(9)..9 {
        nano *= 10;
    }
    Some((nano, &text[1 + len..]))
}

/// A zone as seconds east of UTC: `Z`, `+02:00`, `+0200`, `+02`, or nothing (UTC).
fn parse_zone(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text {
        [] | [b'Z' | b'z'] => return Some(0),
        [b' ', b'U', b'T', b'C'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.len() {
        5 if rest[2] == b':' => (digits(&rest[..2])?, digits(&rest[3..])?),
        4 => (digits(&rest[..2])?, digits(&rest[2..])?),
        2 => (digits(rest)?, 0),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then(|| sign * i64::from(hours * 3_600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<&str>) {
        let got = Timestamp::parse(text.as_bytes()).map(|t| t.to_string());
        assert_eq!(got.as_deref(), expect, "{text}");
    }

    #[test]
    fn rfc_3339_in_its_usual_spellings() {
        check("2026-01-15T08:00:00Z", Some("2026-01-15T08:00:00Z"));
        check("2026-01-15 08:00:00", Some("2026-01-15T08:00:00Z"));
        check("2026-01-15T08:00:00.5+02:00", Some("2026-01-15T06:00:00.500Z"));
        check("2026-01-15T08:00:00.1234567Z", Some("2026-01-15T08:00:00.123456700Z"));
        check("2024-02-29T23:59:59-0130", Some("2024-03-01T01:29:59Z"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-15T24:00:00Z",
            "9999-01-01T00:00:00Z",
            "2026-01-15T08:00:00.Z",
            "2026-01-15T08:00:00+2",
            "x026-01-15T08:00:00Z",
        ] {
            check(text, None);
        }
    }

    /// The plain way: field by field.
    fn plainly(text: &[u8]) -> Option<Timestamp> {
        let date_time = text.get(..19)?;
        let separators = [(4, "-"), (7, "-"), (10, "Tt "), (13, ":"), (16, ":")];
        let well_formed = |(at, any): &(usize, &str)| any.as_bytes().contains(&date_time[*at]);
        if !separators.iter().all(well_formed) {
            return None;
        }
        let (nano, rest) = parse_fraction(&text[19..])?;
        let civil = Civil {
            year: digits(&date_time[..4])?.into(),
            month: digits(&date_time[5..7])?,
            day: digits(&date_time[8..10])?,
            hour: digits(&date_time[11..13])?,
            minute: digits(&date_time[14..16])?,
            second: digits(&date_time[17..19])?,
            nano,
        };
        let offset_seconds = parse_zone(rest)?;
        Timestamp::from_civil(civil)?.0.checked_sub(offset_seconds * NANOS).map(Timestamp)
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_reading_field_by_field(
            text in "[12][0-9]{3}-[01][0-9]-[0-3][0-9][T t][0-2][0-9]:[0-6][0-9]:[0-6][0-9]([.,][0-9]{1,10})?(Z|z| UTC|[+-][0-2][0-9]:?[0-9]{2}|)",
            at in 0..40_usize,
            byte: u8,
        ) {
            let mut text = text.into_bytes();
            let mut reader = TimeReader::default();
            proptest::prop_assert_eq!(Timestamp::parse(&text), plainly(&text));
            proptest::prop_assert_eq!(reader.parse(&text), plainly(&text));
            let at = at % text.len();
            text[at] = byte;
            proptest::prop_assert_eq!(Timestamp::parse(&text), plainly(&text));
            proptest::prop_assert_eq!(reader.parse(&text), plainly(&text));
            proptest::prop_assert_eq!(Timestamp::parse(&text[..at]), plainly(&text[..at]));
        }
    }
}
