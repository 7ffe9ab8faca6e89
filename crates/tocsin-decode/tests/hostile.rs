//! Whatever comes in, decoding ends with an event or a reason, and every slot lies inside its
//! record.

mod support;

use proptest::prelude::*;
use support::{FIELDS, decode, render};
use tocsin_core::batch::EventBatch;
use tocsin_core::value::Kind;

const AS_OF: &str = "2026-06-01T00:00:00Z";

/// Lines of every kind the line formats know, to be damaged.
const LINES: &[&str] = &[
    "<38>Mar 27 13:06:56 host sshd[1291]: Failed password for invalid user ann from 203.0.113.9 port 22 ssh2",
    "Mar 27 13:06:56 host sshd[1]: message repeated 5 times: [ Failed password for root from 2001:db8::9 port 22 ssh2]",
    "Mar 27 2024 13:06:56.123 host sshd-session[1]: Connection closed by authenticating user root 203.0.113.9 port 22 [preauth]",
    "Mar  7 13:06:56 host sshd[1]: Received disconnect from 203.0.113.9 port 22:11: bye [preauth]",
    "Mar  7 13:06:56 host sshd[1]: Bad protocol version identification 'GET /' from ::ffff:203.0.113.9 port 22",
    "Mar  7 13:06:56 host sshd[1]: drop connection #5 from [fe80::1%eth0]:5 on [198.51.100.1]:22 past MaxStartups",
    "Mar  7 13:06:56 host sudo:   ann : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh -c 'a ; b'",
    "Mar  7 13:06:56 host sudo:   ann : 3 incorrect password attempts ; TTY=pts/0 ; USER=root ; COMMAND=/bin/sh",
    "Mar  7 13:06:56 host su[1]: FAILED SU (to root) ann on pts/0",
    "Mar  7 13:06:56 host useradd[1]: new user: name=ann, UID=1001, GID=1001, home=/home/ann",
    "2023-11-14T00:20:42.738197+01:00 host sshd[7]: pam_unix(sshd:auth): authentication failure; rhost=203.0.113.9  user=ann",
    r#"<165>1 2003-10-11T22:14:15.003Z host app 77 ID47 [a@1 b="c\]" d=""][e] 'su root' failed for ann on /dev/pts/8"#,
    r#"203.0.113.9 - ann [17/May/2015:10:05:03 +0000] "GET /a?b=c HTTP/1.1" 200 42 "http://h/\"x\"" "agent""#,
    r#"example.com:443 host.example.net - - [17/May/2015:10:05:03 -0430] "\x16\x03" 400 - "-" "-" "more""#,
    r"CEF:0|v \| w|p|1|2|name|7|rt=1768464000000 src=203.0.113.9 cs1Label=By cs1=a \= b msg=c d",
    r"<134>Jan 15 09:00:00 fw-1 CEF:0|v|p|1|2|name|High|end=Jan 15 2026 08:00:00.5 GMT+01:00 suser=ann",
    r#"ts=2026-01-15T08:00:00Z level=warn msg="a \"b\"\n" client_ip=203.0.113.9 user=ann count=7 note="#,
    r##"{"Event":{"EventData":{"Data":[{"@Name":"TargetUserName","#text":"ann"},{"#text":"x","@Name":"y z"}]}}}"##,
    r#"{"detail":{"eventName":"ConsoleLogin","eventSource":"signin.amazonaws.com","sourceIPAddress":"203.0.113.9"}}"#,
];

/// The format each of these lines is of.
fn format_of(line: &str) -> &'static str {
    match line {
        _ if line.contains("CEF:") => "cef",
        _ if line.starts_with('{') => "json",
        _ if line.starts_with("ts=") => "logfmt",
        _ if line.contains("HTTP/1.1") || line.contains("\\x16") => "access_log",
        _ => "syslog",
    }
}

/// Bytes that mean something to the readers.
const TOKENS: &[&str] = &[
    " ", ":", "[", "]", "\"", "\\", "<", ">", "-", "%", "'", " from ", " port ", " ; ", "=", "9", "é", "😀",
    "\u{feff}", "\t", "|", "=", "CEF:0|", "{", "}", "#text", "Label=",
];

fn check(batch: &EventBatch, lines: usize) {
    assert_eq!(batch.events.len() + batch.quarantined.len(), lines);
    for event in &batch.events {
        let record = batch.raw.records[event.record as usize];
        for slot in batch.slots(event) {
            let end = slot.start + slot.len;
            match slot.kind {
                Kind::Derived => assert!(end as usize <= batch.arena.len()),
                _ => assert!(record.start <= slot.start && end <= record.start + record.len, "{slot:?}"),
            }
            assert!(std::str::from_utf8(batch.bytes(slot)).is_ok(), "{slot:?} cuts a character");
        }
        assert!(event.weight >= 1);
    }
    for refused in &batch.quarantined {
        assert!(refused.at <= batch.raw.records[refused.record as usize].len);
    }
}

fn check_all_formats(line: &[u8]) {
    for format in ["syslog", "access_log", "cef", "logfmt", "json", "auto"] {
        let lines = [LINES[0].as_bytes(), line, LINES[0].as_bytes()];
        check(&decode(format, AS_OF, FIELDS, &lines), if line.is_empty() { 2 } else { 3 });
    }
}

/// A known line with pieces cut out, doubled, or replaced.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let edit = (0..400_usize, 0..20_usize, prop::sample::select(TOKENS), any::<bool>());
    (prop::sample::select(LINES), prop::collection::vec(edit, 0..6)).prop_map(|(line, edits)| {
        let mut chars: Vec<char> = line.chars().collect();
        for (at, len, token, keep) in edits {
            let at = at % (chars.len() + 1);
            let end = (at + len).min(chars.len());
            let mut new: Vec<char> = token.chars().collect();
            if keep {
                new.extend(chars[at..end].to_vec());
            }
            chars.splice(at..end, new);
        }
        chars.into_iter().collect::<String>().into_bytes()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_lines(line in damaged()) {
        check_all_formats(&line);
    }

    #[test]
    fn random_text(line in "\\PC{0,80}") {
        check_all_formats(line.as_bytes());
    }

    #[test]
    fn random_bytes(line in prop::collection::vec(any::<u8>().prop_filter("one line", |b| *b != b'\n'), 0..120)) {
        check_all_formats(&line);
    }
}

/// Whatever came before it, a line is read as by its own format alone.
#[test]
fn no_format_takes_the_lines_of_another() {
    for before in LINES {
        for line in LINES {
            let auto = decode("auto", AS_OF, FIELDS, &[before.as_bytes(), line.as_bytes()]);
            let alone = decode(format_of(line), AS_OF, FIELDS, &[line.as_bytes()]);
            let (got, expect) = (&auto.events[1], &alone.events[0]);
            assert_eq!(render(&auto, got), render(&alone, expect), "{line} after {before}");
            assert_eq!((got.time, got.notes), (expect.time, expect.notes), "{line} after {before}");
        }
    }
}

#[test]
fn every_beginning_of_every_line() {
    for line in LINES {
        for end in 0..=line.len() {
            check_all_formats(line.get(..end).unwrap_or_default().as_bytes());
        }
    }
}

#[test]
fn the_undamaged_lines_decode() {
    for line in LINES {
        let batch = decode("auto", AS_OF, FIELDS, &[line.as_bytes()]);
        assert_eq!(batch.quarantined, [], "{line}");
    }
}
