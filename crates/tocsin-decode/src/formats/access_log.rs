//! Access logs of web servers: the common and combined formats of Apache and nginx.
//!
//! `[vhost ]client ident user [time] "request" status bytes["referrer" "agent"][ anything]`.
//! Quotes inside quoted fields are escaped by the servers (`\"`, `\x22`); the text is kept as
//! written. A request that is not HTTP is still an event: it is what scanners leave behind.

use tocsin_core::batch::{EventBatch, Reason};
use tocsin_core::time::{Span, Timestamp};

use crate::format::{Format, FormatContext, Record, Refusal};
use crate::registry::FormatEntry;
use crate::row::{Row, Stated};
use crate::taxonomy::Target;
use crate::text::{
    Fill, SourceTargets, before, civil, is_address_like, leading_digits, month, number, split_once, targets,
};

/// The registration of this format.
pub const ENTRY: FormatEntry = FormatEntry {
    name: "access_log",
    summary: "access logs of Apache and nginx (common, combined, with or without virtual host)",
    build: |context| Box::new(AccessLog::new(context)),
    recognise: |text| find_time(text).is_some(),
};

const STATED: Stated =
    Stated { category: Some("web"), action: None, outcome: None, product: None, service: None };

/// Reads access logs. Beside the taxonomy's names, values go by those of Sigma's web server rules.
struct AccessLog {
    source: SourceTargets,
    host: Vec<Target>,
    user: Vec<Target>,
    original: Vec<Target>,
    method: Vec<Target>,
    path: Vec<Target>,
    query: Vec<Target>,
    version: Vec<Target>,
    status: Vec<Target>,
    bytes: Vec<Target>,
    referrer: Vec<Target>,
    agent: Vec<Target>,
}

impl AccessLog {
    fn new(context: &FormatContext) -> AccessLog {
        let of = |names: &[&str]| targets(&context.taxonomy, names);
        AccessLog {
            source: SourceTargets::new(&context.taxonomy, &["source.ip", "c-ip"]),
            host: of(&["url.domain", "cs-host"]),
            user: of(&["user.name", "cs-username"]),
            original: of(&["url.original", "c-uri", "cs-uri", "cs-uri-query"]),
            method: of(&["http.request.method", "cs-method"]),
            path: of(&["url.path", "cs-uri-stem", "c-uri-stem"]),
            query: of(&["url.query", "c-uri-query"]),
            version: of(&["http.version", "cs-version"]),
            status: of(&["status_code", "sc-status"]),
            bytes: of(&["http.response.body.bytes", "sc-bytes"]),
            referrer: of(&["http.request.referrer", "cs-referer", "cs-referrer"]),
            agent: of(&["user_agent.original", "cs-user-agent", "c-useragent"]),
        }
    }

    fn put_request(&self, fill: &mut Fill<'_, '_>, request: &[u8]) {
        let Some(request) = read_request(request) else {
            fill.text_or_empty(&self.original, request);
            return;
        };
        fill.text(&self.original, request.target);
        fill.text(&self.method, request.method);
        fill.text(&self.version, request.version);
        let (path, query) = split_target(request.target);
        fill.text(&self.path, path);
        fill.text(&self.query, query);
    }
}

impl Format for AccessLog {
    fn read(&mut self, record: Record<'_>, row: &mut Row, batch: &mut EventBatch) -> Result<(), Refusal> {
        let line = read_line(record.text()).map_err(|at| Refusal::new(Reason::UnknownFormat, at))?;
        row.set_time(line.time);
        row.state(STATED);
        let mut fill = Fill { row, batch, record };
        self.source.put(&mut fill, line.client, b"");
        fill.text(&self.host, line.host);
        fill.text(&self.user, present(line.user));
        self.put_request(&mut fill, line.request);
        fill.number(&self.status, line.status);
        fill.number(&self.bytes, line.bytes);
        fill.text(&self.referrer, present(line.referrer));
        fill.text(&self.agent, present(line.agent));
        Ok(())
    }
}

/// One line. Parts that are not there are empty.
#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    host: &'a [u8],
    client: &'a [u8],
    user: &'a [u8],
    time: Timestamp,
    request: &'a [u8],
    status: &'a [u8],
    bytes: &'a [u8],
    referrer: &'a [u8],
    agent: &'a [u8],
}

/// A value, or nothing for the `-` that stands for nothing.
fn present(part: &[u8]) -> &[u8] {
    if part == b"-" { b"" } else { part }
}

/// Reads a line; on failure gives the byte where it stops being one.
fn read_line(text: &[u8]) -> Result<Line<'_>, usize> {
    let text = text.trim_ascii_end();
    let at = |rest: &[u8]| text.len() - rest.len();
    let (names, time, rest) = find_time(text).ok_or(0_usize)?;
    let (host, client, user) = read_names(names).ok_or(0_usize)?;
    let (request, rest) = read_quoted(rest).ok_or_else(|| at(rest))?;
    let numbers = rest.strip_prefix(b" ").ok_or_else(|| at(rest))?;
    let (status, rest) =
        read_number(numbers).filter(|(s, _)| matches!(s.len(), 0 | 3)).ok_or_else(|| at(numbers))?;
    let numbers = rest.strip_prefix(b" ").ok_or_else(|| at(rest))?;
    let (bytes, rest) = read_number(numbers).ok_or_else(|| at(numbers))?;
    let (referrer, rest) = read_optional(rest);
    let (agent, _) = read_optional(rest);
    Ok(Line { host, client, user, time, request, status, bytes, referrer, agent })
}

/// The time in brackets, with what stands before it and the quoted text after it. A user name may
/// hold brackets; only a time that is followed by an opening quote is taken.
fn find_time(text: &[u8]) -> Option<(&[u8], Timestamp, &[u8])> {
    memchr::memchr_iter(b'[', text).find_map(|at| {
        let (names, stamp) = text.split_at_checked(at)?;
        let (time, rest) = read_time(stamp)?;
        Some((names.strip_suffix(b" ")?, time, rest))
    })
}

/// `[dd/Mon/yyyy:hh:mm:ss +zzzz] "…`; gives the time and the rest from the quote on.
fn read_time(stamp: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (stamp, rest) = stamp.split_at_checked(29)?;
    let [
        b'[',
        d1,
        d2,
        b'/',
        m1,
        m2,
        m3,
        b'/',
        y1,
        y2,
        y3,
        y4,
        b':',
        clock @ ..,
        b' ',
        sign,
        h1,
        h2,
        z1,
        z2,
        b']',
        b' ',
    ] = stamp
    else {
        return None;
    };
    let year = i64::from(number(&[*y1, *y2, *y3, *y4])?);
    let civil = civil(year, month(&[*m1, *m2, *m3])?, number(&[*d1, *d2])?, clock)?;
    let east = Span::seconds(i64::from(number(&[*h1, *h2])? * 3_600 + number(&[*z1, *z2])? * 60));
    let local = Timestamp::from_civil(civil)?;
    let time = match sign {
        b'+' => local.minus(east),
        b'-' => local.plus(east),
        _ => return None,
    };
    rest.starts_with(b"\"").then_some((time, rest))
}

/// `[vhost ]client ident[ user]`. The user may hold spaces or be missing.
fn read_names(names: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (first, rest) = split_once(names, b' ')?;
    let mut words = rest.splitn(3, |byte| *byte == b' ');
    let (second, third, more) = (words.next()?, words.next().unwrap_or_default(), words.next());
    let has_port = !is_address_like(first) && first.contains(&b':');
    let is_host =
        second != b"-" && (is_address_like(second) || (more.is_some() && (third == b"-" || has_port)));
    if !is_host {
        let user = split_once(rest, b' ').map_or(&b""[..], |(_, user)| user);
        return (!first.is_empty()).then_some((b"", first, user));
    }
    let host = if is_address_like(first) { first } else { before(first, b':') };
    Some((host, second, more.unwrap_or_default()))
}

/// A number or `-`, which reads as empty.
fn read_number(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (digits, rest) = leading_digits(text);
    let rest = if digits.is_empty() { rest.strip_prefix(b"-")? } else { rest };
    matches!(rest, [] | [b' ', ..]).then_some((digits, rest))
}

/// The inside of a quoted text and what follows its closing quote.
fn read_quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = text.strip_prefix(b"\"")?;
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', inside.get(from..)?)?;
        if inside.get(at) == Some(&b'"') {
            return Some((inside.get(..at)?, inside.get(at + 1..)?));
        }
        from = at + 2;
    }
}

/// A space and a quoted text, where the line goes on so; the last one of a cut line is kept.
fn read_optional(text: &[u8]) -> (&[u8], &[u8]) {
    match text.strip_prefix(b" ") {
        Some(quoted @ [b'"', inside @ ..]) => read_quoted(quoted).unwrap_or((inside, b"")),
        _ => (b"", text),
    }
}

/// The parts of a request line.
struct Request<'a> {
    method: &'a [u8],
    target: &'a [u8],
    version: &'a [u8],
}

/// `METHOD target HTTP/1.1`, or `GET /path` as HTTP/0.9 has it. The target may hold spaces.
fn read_request(request: &[u8]) -> Option<Request<'_>> {
    let (method, rest) = split_once(request, b' ')?;
    let is_method = !method.is_empty()
        && method.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'));
    let last = rest.iter().rposition(|byte| *byte == b' ');
    let (target, version) = match last.and_then(|at| rest.split_at_checked(at)) {
        Some((target, end)) if end.starts_with(b" HTTP/") => (target, end.get(6..)?),
        _ if rest.starts_with(b"/") => (rest, &b""[..]),
        _ => return None,
    };
    (is_method && !target.is_empty()).then_some(Request { method, target, version })
}

/// Path and query of a target, of `/path?query` or `http://host/path?query`. Other forms have
/// neither.
fn split_target(target: &[u8]) -> (&[u8], &[u8]) {
    let path_and_query = match target {
        [b'/', ..] => target,
        _ => after_authority(target).unwrap_or_default(),
    };
    split_once(path_and_query, b'?').unwrap_or((path_and_query, b""))
}

/// What follows `scheme://host` in an absolute target.
fn after_authority(target: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = split_once(target, b':')?;
    let authority = rest.strip_prefix(b"//").filter(|_| scheme.iter().all(u8::is_ascii_alphanumeric))?;
    let end = authority.iter().position(|byte| matches!(byte, b'/' | b'?'))?;
    authority.get(end..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(part: &[u8]) -> &str {
        std::str::from_utf8(part).unwrap()
    }

    /// Renders a line as `time|host|client|user|request|status|bytes|referrer|agent`.
    fn check(line: &str, expect: &str) {
        let got = read_line(line.as_bytes()).unwrap_or_else(|at| panic!("{line}: refused at {at}"));
        let parts =
            [got.host, got.client, got.user, got.request, got.status, got.bytes, got.referrer, got.agent];
        assert_eq!(format!("{}|{}", got.time, parts.map(text).join("|")), expect, "{line}");
    }

    #[test]
    fn common_and_combined() {
        let time = "2015-05-17T10:05:03Z";
        for (line, expect) in [
            (
                r#"203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /a?b=c HTTP/1.1" 200 42"#,
                "|203.0.113.9|-|GET /a?b=c HTTP/1.1|200|42||",
            ),
            (
                r#"203.0.113.9 - ann [17/May/2015:12:05:03 +0200] "GET / HTTP/1.0" 304 - "-" "curl/8""#,
                "|203.0.113.9|ann|GET / HTTP/1.0|304||-|curl/8",
            ),
            (
                r#"2001:db8::9 - - [17/May/2015:05:35:03 -0430] "GET / HTTP/2.0" 200 1 "http://x/" "A \"b\" \\" 0.003 "x""#,
                r#"|2001:db8::9|-|GET / HTTP/2.0|200|1|http://x/|A \"b\" \\"#,
            ),
            (
                r#"example.com:443 203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "-" "-""#,
                "example.com|203.0.113.9|-|GET / HTTP/1.1|200|1|-|-",
            ),
            (
                r#"example.com client.example.net - - [17/May/2015:10:05:03 +0000] "-" 408 -"#,
                "example.com|client.example.net|-|-|408|||",
            ),
            (
                "203.0.113.9 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 42\r",
                "|203.0.113.9|-|GET / HTTP/1.1|200|42||",
            ),
            (
                r#"example.com 203.0.113.9 - ann b [17/May/2015:10:05:03 +0000] "" 400 0"#,
                "example.com|203.0.113.9|ann b||400|0||",
            ),
            (
                r#"client.example.net - ann of b [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "cut of"#,
                "|client.example.net|ann of b|GET / HTTP/1.1|200|1|-|cut of",
            ),
            (
                r#"203.0.113.9 - [17/May/2015:10:05:03 +0000] "\x16\x03\x01\"" 400 150"#,
                r#"|203.0.113.9||\x16\x03\x01\"|400|150||"#,
            ),
            (
                r#"203.0.113.9 - x [17/May/2000:10:05:03 +0000] \"GET [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 401 1"#,
                r#"|203.0.113.9|x [17/May/2000:10:05:03 +0000] \"GET|GET / HTTP/1.1|401|1||"#,
            ),
        ] {
            check(line, &format!("{time}|{expect}"));
        }
    }

    #[test]
    fn what_is_no_access_log() {
        for (line, at) in [
            ("", 0),
            (r#"2021/12/01 13:53:33 [error] 31#31: *46 "/x" is not found"#, 0),
            (r#"203.0.113.9 - - [32/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 42"#, 0),
            (r#"203.0.113.9 - - [17/May/2015:10:05:03 +0000] 200 42"#, 0),
            (r#"[17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 42"#, 0),
            (r#"203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1"#, 45),
            (r#"203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /\"#, 45),
            (r#"203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /" 2000 1"#, 53),
            (r#"203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /" 200 x"#, 57),
            (r#"203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /" 200"#, 56),
        ] {
            assert_eq!(read_line(line.as_bytes()).map(|line| line.time), Err(at), "{line}");
        }
    }

    #[test]
    fn requests_and_their_targets() {
        for (request, expect) in [
            ("GET / HTTP/1.1", Some("GET|/|1.1|/|")),
            ("GET /a?b?c HTTP/2.0", Some("GET|/a?b?c|2.0|/a|b?c")),
            ("GET /a b HTTP/1.0", Some("GET|/a b|1.0|/a b|")),
            ("GET /old", Some("GET|/old||/old|")),
            ("GET http://h:80/p?q HTTP/1.1", Some("GET|http://h:80/p?q|1.1|/p|q")),
            ("GET http://h?q HTTP/1.1", Some("GET|http://h?q|1.1||q")),
            ("GET http://h HTTP/1.1", Some("GET|http://h|1.1||")),
            ("CONNECT h:443 HTTP/1.1", Some("CONNECT|h:443|1.1||")),
            ("OPTIONS * HTTP/1.0", Some("OPTIONS|*|1.0||")),
            ("M-SEARCH * HTTP/1.1", Some("M-SEARCH|*|1.1||")),
            (r"\x16\x03\x01 x HTTP/1.1", None),
            ("GET  HTTP/1.1", None),
            ("SSH-2.0-Go", None),
            ("-", None),
            ("", None),
        ] {
            let got = read_request(request.as_bytes()).map(|request| {
                let (path, query) = split_target(request.target);
                [request.method, request.target, request.version, path, query].map(text).join("|")
            });
            assert_eq!(got.as_deref(), expect, "{request}");
        }
    }
}
