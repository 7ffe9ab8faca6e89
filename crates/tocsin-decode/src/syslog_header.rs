//! The header of a syslog line, in the three forms it comes in.
//!
//! RFC 5424 is read strictly (priority 0 to 191 without leading zeros, upper-case `T` and `Z`, at
//! most six fraction digits, lengths, escapes in structured data). RFC 3164 describes what was
//! found in the wild, so its reader takes what is found there: a day padded with a space, a zero
//! or nothing, a fraction, a year after the day, a missing host, a missing tag.

use tocsin_core::time::{Civil, Span, Timestamp};

use crate::text::{civil, latest_year, leading_digits, month, number, split_once};

/// How far after the reference time a line without a year may lie.
pub const YEARLESS_AHEAD_MAX: Span = Span(24 * 3_600 * 1_000_000_000);

/// The highest priority: facility 23, severity 7.
pub(crate) const PRIORITY_MAX: u32 = 191;
/// RFC 5424, section 6: lengths of the header's fields in bytes.
const HOST_BYTES_MAX: usize = 255;
const APP_BYTES_MAX: usize = 48;
const PROCESS_BYTES_MAX: usize = 128;
const MESSAGE_ID_BYTES_MAX: usize = 32;
const ELEMENT_NAME_BYTES_MAX: usize = 32;

/// What stands before a message. Parts that are not there are empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header<'a> {
    /// The priority as written.
    pub priority: &'a [u8],
    /// Its value: facility × 8 + severity.
    pub priority_value: Option<u32>,
    /// The time of the event.
    pub time: Option<Timestamp>,
    /// Whether the line has no year and the time got it from the limit.
    pub year_derived: bool,
    /// Host name or address.
    pub host: &'a [u8],
    /// The program: tag or APP-NAME.
    pub program: &'a [u8],
    /// What stands in brackets behind the tag, or PROCID.
    pub process: &'a [u8],
    /// MSGID.
    pub message_id: &'a [u8],
    /// STRUCTURED-DATA as written.
    pub structured: &'a [u8],
    /// Everything after the header.
    pub message: &'a [u8],
}

/// Whether a line begins like syslog; looks at its first bytes only.
#[must_use]
pub fn looks_like_syslog(text: &[u8]) -> bool {
    let (has_priority, rest) = match read_priority(text) {
        Some((_, _, rest)) => (true, rest),
        None => (false, text),
    };
    let iso = rest.get(4) == Some(&b'-') && rest.get(10) == Some(&b'T');
    let version =
        has_priority && matches!(rest, [b'1'..=b'9', b' ', ..] | [b'1'..=b'9', b'0'..=b'9', b' ', ..]);
    iso || version || (month(rest).is_some() && rest.get(3) == Some(&b' '))
}

/// Reads a header. Dates without a year get the latest one that puts them at or before `limit`.
///
/// # Errors
/// The byte where the line stops being syslog.
pub fn read(text: &[u8], limit: Timestamp) -> Result<Header<'_>, usize> {
    let text = text.trim_ascii_end();
    let (priority, priority_value, rest) = match read_priority(text) {
        Some((digits, value, rest)) => (digits, Some(value), rest),
        None => (&b""[..], None, text),
    };
    let at = |rest: &[u8]| text.len() - rest.len();
    if let Some(rest) = priority_value.and_then(|_| after_version(rest)) {
        let header = read_rfc5424(rest).map_err(at)?;
        return Ok(Header { priority, priority_value, ..header });
    }
    let legacy = read_legacy_date(rest, limit).or_else(|| read_iso_date(rest));
    let (time, year_derived, after_date) = legacy.ok_or_else(|| at(rest))?;
    let header = read_host_and_tag(after_date);
    // Application logs also begin with an ISO time; a tag tells syslog from them.
    let iso = rest.first().is_some_and(u8::is_ascii_digit);
    if iso && priority_value.is_none() && header.program.is_empty() {
        return Err(at(after_date));
    }
    Ok(Header { priority, priority_value, time: Some(time), year_derived, ..header })
}

/// `<PRI>`: its digits, its value, and what follows.
fn read_priority(text: &[u8]) -> Option<(&[u8], u32, &[u8])> {
    let (digits, rest) = leading_digits(text.strip_prefix(b"<")?);
    let rest = rest.strip_prefix(b">")?;
    let value = number(digits).filter(|value| *value <= PRIORITY_MAX)?;
    let canonical = digits.len() <= 3 && (digits.len() == 1 || !digits.starts_with(b"0"));
    canonical.then_some((digits, value, rest))
}

/// What follows VERSION and its space.
fn after_version(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'1'..=b'9', b' ', rest @ ..] | [b'1'..=b'9', b'0'..=b'9', b' ', rest @ ..] => Some(rest),
        _ => None,
    }
}

/// Reads what follows VERSION; on failure gives the text at which it failed.
fn read_rfc5424(text: &[u8]) -> Result<Header<'_>, &[u8]> {
    let (stamp, rest) = read_token(text, usize::MAX).ok_or(text)?;
    let time = match stamp {
        b"" => None,
        _ => Some(strict_time(stamp).ok_or(text)?),
    };
    let (host, rest) = read_token(rest, HOST_BYTES_MAX).ok_or(rest)?;
    let (program, rest) = read_token(rest, APP_BYTES_MAX).ok_or(rest)?;
    let (process, rest) = read_token(rest, PROCESS_BYTES_MAX).ok_or(rest)?;
    let (message_id, rest) = read_token(rest, MESSAGE_ID_BYTES_MAX).ok_or(rest)?;
    let (structured, rest) = read_structured(rest)?;
    let message = match rest {
        b"" => rest,
        [b' ', message @ ..] => message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message),
        _ => return Err(rest),
    };
    let message = message.trim_ascii_start();
    Ok(Header { time, host, program, process, message_id, structured, message, ..Header::default() })
}

/// A field of printable ASCII and the space after it; `-` reads as empty.
fn read_token(text: &[u8], bytes_max: usize) -> Option<(&[u8], &[u8])> {
    let (token, rest) = split_once(text, b' ')?;
    let valid = !token.is_empty() && token.len() <= bytes_max && token.iter().all(u8::is_ascii_graphic);
    valid.then_some((if token == b"-" { b"" } else { token }, rest))
}

/// RFC 5424, section 6.2.3: RFC 3339 with upper-case letters, a zone, and at most six digits of
/// fraction.
fn strict_time(stamp: &[u8]) -> Option<Timestamp> {
    let (date, rest) = stamp.split_at_checked(19)?;
    let zone = match rest.strip_prefix(b".") {
        Some(fraction) => {
            let (digits, zone) = leading_digits(fraction);
            (1..=6).contains(&digits.len()).then_some(zone)?
        }
        None => rest,
    };
    let zone_valid = matches!(zone, b"Z" | [b'+' | b'-', _, _, b':', _, _]);
    (date.get(10) == Some(&b'T') && zone_valid).then(|| Timestamp::parse(stamp))?
}

/// `-` or `[id name="value" …][…]`, and what follows; on failure the text at which it failed.
fn read_structured(text: &[u8]) -> Result<(&[u8], &[u8]), &[u8]> {
    if let Some(rest) = text.strip_prefix(b"-") {
        return Ok((b"", rest));
    }
    let mut rest = text;
    while let Some(inside) = rest.strip_prefix(b"[") {
        rest = read_element(inside)?;
    }
    match text.len() - rest.len() {
        0 => Err(text),
        len => Ok((text.get(..len).unwrap_or_default(), rest)),
    }
}

/// What follows one element, whose `[` has been read.
fn read_element(text: &[u8]) -> Result<&[u8], &[u8]> {
    let mut rest = read_name(text).ok_or(text)?;
    loop {
        match rest {
            [b']', after @ ..] => return Ok(after),
            [b' ', parameter @ ..] => {
                let after_name = read_name(parameter).ok_or(parameter)?;
                let value = after_name.strip_prefix(b"=\"").ok_or(after_name)?;
                rest = read_value(value).ok_or(value)?;
            }
            _ => return Err(rest),
        }
    }
}

/// What follows the name of an element or parameter.
fn read_name(text: &[u8]) -> Option<&[u8]> {
    let is_name = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'=' | b']' | b'"');
    let len = text.iter().take_while(|byte| is_name(byte)).count();
    (1..=ELEMENT_NAME_BYTES_MAX).contains(&len).then(|| text.get(len..))?
}

/// What follows a parameter's value and its closing quote.
fn read_value(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        let tail = text.get(memchr::memchr2(b'"', b'\\', text)?..)?;
        match tail {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', b'"' | b'\\' | b']', rest @ ..] | [b'\\', rest @ ..] => text = rest,
            _ => return None,
        }
    }
}

/// `Mmm dd [yyyy] hh:mm:ss[.fraction] `: the time, whether its year was derived, and what follows.
fn read_legacy_date(text: &[u8], limit: Timestamp) -> Option<(Timestamp, bool, &[u8])> {
    let month = month(text)?;
    let rest = text.get(3..)?.strip_prefix(b" ")?;
    let (day, rest) = leading_digits(rest.strip_prefix(b" ").unwrap_or(rest));
    let day = number(day).filter(|_| day.len() <= 2)?;
    let rest = rest.strip_prefix(b" ")?;
    let (year, rest) = match rest {
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b' ', after @ ..] => {
            (number(rest.get(..4)?).map(i64::from), after)
        }
        _ => (None, rest),
    };
    let civil = civil(year.unwrap_or(0), month, day, rest)?;
    let (nano, rest) = read_fraction(rest.get(8..)?)?;
    let civil = Civil { nano, ..civil };
    let time = match year {
        Some(_) => Timestamp::from_civil(civil)?,
        None => latest_year(civil, limit)?,
    };
    let after = if rest.is_empty() { rest } else { rest.strip_prefix(b" ")? };
    Some((time, year.is_none(), after))
}

/// A fraction of a second as nanoseconds, and what follows it.
pub(crate) fn read_fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some(fraction) = text.strip_prefix(b".") else { return Some((0, text)) };
    let (digits, rest) = leading_digits(fraction);
    let kept = digits.get(..9).unwrap_or(digits);
    let scale = 10_u32.pow(9 - kept.len() as u32);
    Some((number(kept)? * scale, rest))
}

/// `yyyy-mm-ddThh:mm:ss[.fraction]zone `.
fn read_iso_date(text: &[u8]) -> Option<(Timestamp, bool, &[u8])> {
    let (stamp, rest) = split_once(text, b' ')?;
    let has_zone =
        matches!(stamp.last(), Some(b'Z')) || stamp.get(19..)?.iter().any(|b| matches!(b, b'+' | b'-'));
    (stamp.get(10) == Some(&b'T') && has_zone).then_some(())?;
    Some((Timestamp::parse(stamp)?, false, rest))
}

/// `host tag[pid]: message`. A first word that ends in a colon is the tag, and there is no host.
fn read_host_and_tag(text: &[u8]) -> Header<'_> {
    let text = text.trim_ascii_start();
    let (word, rest) = split_once(text, b' ').unwrap_or((text, b""));
    let (host, text) = if word.ends_with(b":") { (&b""[..], text) } else { (word, rest.trim_ascii_start()) };
    match read_tag(text) {
        Some((program, process, message)) => {
            Header { host, program, process, message: message.trim_ascii_start(), ..Header::default() }
        }
        None => Header { host, message: text, ..Header::default() },
    }
}

/// `tag:` or `tag[pid]:`, and what follows.
fn read_tag(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let end = text.iter().position(|byte| matches!(byte, b' ' | b':' | b'['))?;
    let (program, rest) = text.split_at_checked(end)?;
    if program.is_empty() {
        return None;
    }
    if let Some(message) = rest.strip_prefix(b":") {
        return Some((program, b"", message));
    }
    let (process, rest) = split_once(rest.strip_prefix(b"[")?, b']')?;
    match rest {
        [b':', message @ ..] => Some((program, process, message)),
        [] | [b' ', ..] => Some((program, process, rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: &str = "2026-06-01T00:00:00Z";

    /// Renders a header as `time|priority|host|program|process|id|structured|message`.
    fn render(line: &str) -> Result<String, usize> {
        let header = read(line.as_bytes(), Timestamp::parse(LIMIT.as_bytes()).unwrap())?;
        assert!(looks_like_syslog(line.as_bytes()), "{line}");
        let time = header.time.map_or("-".to_string(), |time| time.to_string());
        let derived = if header.year_derived { "?" } else { "" };
        let parts = [
            header.priority,
            header.host,
            header.program,
            header.process,
            header.message_id,
            header.structured,
            header.message,
        ]
        .map(String::from_utf8_lossy);
        Ok(format!("{time}{derived}|{}", parts.join("|")))
    }

    fn accepted(line: &str, expect: &str) {
        assert_eq!(render(line).as_deref(), Ok(expect), "{line}");
    }

    fn refused(line: &str, at: usize) {
        assert_eq!(render(line), Err(at), "{line}");
    }

    #[test]
    fn the_examples_of_rfc_5424() {
        accepted(
            "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed for lonvick on /dev/pts/8",
            "2003-10-11T22:14:15.003Z|34|mymachine.example.com|su||ID47||'su root' failed for lonvick on /dev/pts/8",
        );
        accepted(
            "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
            "2003-08-24T12:14:15.000003Z|165|192.0.2.1|myproc|8710|||%% It's time to make the do-nuts.",
        );
        let element = r#"[exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"]"#;
        accepted(
            &format!(
                "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 {element} An application event"
            ),
            &format!(
                "2003-10-11T22:14:15.003Z|165|mymachine.example.com|evntslog||ID47|{element}|An application event"
            ),
        );
        let two = format!(r#"{element}[examplePriority@32473 class="high"]"#);
        accepted(
            &format!("<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 {two}"),
            &format!("2003-10-11T22:14:15.003Z|165|mymachine.example.com|evntslog||ID47|{two}|"),
        );
        accepted("<0>1 - - - - - -", "-|0||||||");
        accepted("<0>1 - - - - - -\r", "-|0||||||");
        accepted(r#"<0>1 - - - - - [a b="\"\]\\\x"] m"#, r#"-|0|||||[a b="\"\]\\\x"]|m"#);
    }

    #[test]
    fn what_rfc_5424_forbids() {
        for (line, at) in [
            ("<192>1 - - - - - -", 0),
            ("<034>1 - - - - - -", 0),
            ("<1234>1 - - - - - -", 0),
            ("<>1 - - - - - -", 0),
            ("<34>0 - - - - - -", 4),
            ("<34>123 - - - - - -", 4),
            ("<34>1 2003-10-11T22:14:15.0000001Z h a p m -", 6),
            ("<34>1 2003-10-11t22:14:15Z h a p m -", 6),
            ("<34>1 2003-10-11T22:14:60Z h a p m -", 6),
            ("<34>1 2003-10-11T22:14:15 h a p m -", 6),
            ("<34>1 - h a p", 12),
            ("<34>1 -  a p m -", 8),
            ("<34>1 - h a p m", 14),
            ("<34>1 - h a p m x", 16),
            ("<34>1 - h a p m -x", 17),
            ("<34>1 - h a p m [a", 18),
            ("<34>1 - h a p m [a b]", 20),
            (r#"<34>1 - h a p m [a b="c]"#, 22),
            ("<34>1 - h a p m []", 17),
        ] {
            refused(line, at);
        }
    }

    #[test]
    fn rfc_3164_as_found() {
        for (line, expect) in [
            (
                "<34>Oct 11 22:14:15 mymachine su: 'su root' failed",
                "2025-10-11T22:14:15Z?|34|mymachine|su||||'su root' failed",
            ),
            (
                "<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
                "2026-02-05T17:32:18Z?|13|10.0.0.99|||||Use the BFG!",
            ),
            ("Nov 2 15:40:14 h sshd[7]: m", "2025-11-02T15:40:14Z?||h|sshd|7|||m"),
            ("Aug 03 21:39:20 h sudo:     root : x", "2025-08-03T21:39:20Z?||h|sudo||||root : x"),
            ("Aug 03 21:39:20.125 h cron[1] x", "2025-08-03T21:39:20.125Z?||h|cron|1|||x"),
            ("Aug 03 2019 21:39:20 h postfix/smtpd[1]: x", "2019-08-03T21:39:20Z||h|postfix/smtpd|1|||x"),
            ("Aug 03 21:39:20 sshd[1]: x", "2025-08-03T21:39:20Z?|||sshd|1|||x"),
            ("Aug 03 21:39:20 h kernel: [1.5] su[2]: x", "2025-08-03T21:39:20Z?||h|kernel||||[1.5] su[2]: x"),
            ("Aug 03 21:39:20 h [Warn] x: y", "2025-08-03T21:39:20Z?||h|||||[Warn] x: y"),
            ("Aug 03 21:39:20 h", "2025-08-03T21:39:20Z?||h|||||"),
            ("Aug 03 21:39:20 ", "2025-08-03T21:39:20Z?|||||||"),
            ("Aug 03 21:39:20", "2025-08-03T21:39:20Z?|||||||"),
            ("Aug 03 21:39:20 h a[1", "2025-08-03T21:39:20Z?||h|||||a[1"),
        ] {
            accepted(line, expect);
        }
    }

    #[test]
    fn iso_times() {
        accepted(
            "2023-11-14T00:20:42.738197+01:00 h sshd[11]: m",
            "2023-11-13T23:20:42.738197Z||h|sshd|11|||m",
        );
        accepted("<13>2023-11-14T00:20:42Z h m", "2023-11-14T00:20:42Z|13|h|||||m");
        refused("2023-11-14T00:20:42Z INFO starting up", 21);
        refused("2023-11-14T00:20:42 h sshd[11]: m", 0);
        refused("2023-11-14 00:20:42 h sshd[11]: m", 0);
    }

    #[test]
    fn what_is_no_syslog() {
        for (line, at) in [
            ("", 0),
            ("Oct", 0),
            ("Oct 11", 0),
            ("Oct 32 22:14:15 h a: m", 0),
            ("Oct 11 22:14:15: %ASA-6-302013: Built", 0),
            ("Oct 111 22:14:15 h a: m", 0),
            ("October 11 22:14:15 h a: m", 0),
            ("*Mar 1 00:00:00.123: %SYS-5-CONFIG_I: x", 0),
            ("<189>123: *Mar 1 00:00:00.123: %SYS-5-CONFIG_I: x", 5),
            ("<13>su: hello", 4),
            ("{\"a\":1}", 0),
            ("2021/12/01 13:53:33 [error] 31#31", 0),
        ] {
            refused(line, at);
        }
    }
}
