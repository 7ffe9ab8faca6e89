//! What the tests of `tocsin scan` share: inputs, rules, and what a scan came to as values.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::support::{Folder, Outcome};

/// The reference time of these tests.
pub const AS_OF: &str = "2026-11-20T00:00:00Z";

/// A rule for failed logins, which others count.
pub const FAILED: &str = "\
title: A failed login
name: failed
id: 10000000-0000-4000-8000-000000000001
logsource:
  category: authentication
detection:
  selection:
    event.outcome: failure
  condition: selection
level: informational
";

/// More than ten failed logins from an address within five minutes.
pub const BRUTE_FORCE: &str = "\
title: Many failed logins
id: 10000000-0000-4000-8000-000000000002
correlation:
  type: event_count
  rules: [failed]
  group-by: [source.ip]
  timespan: 5m
  condition:
    gt: 10
level: critical
tags: [attack.credential-access, attack.t1110]
tocsin:
  type: brute_force
  confidence: 0.9
  message: '{n} failed logins from {source.ip} within {window}'
  details: More than 10 failed logins from one address
  actions: [block_address, notify]
";

/// A scan's outcome.
pub struct Scanned {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs `tocsin scan` in a folder, with the reference time of these tests.
pub fn scan(folder: &Folder, args: &[&str]) -> Scanned {
    let all = [&["scan", "--as-of", AS_OF][..], args].concat();
    folder.run(&all).into()
}

impl From<Outcome> for Scanned {
    fn from(outcome: Outcome) -> Scanned {
        let Outcome { code, out, err } = outcome;
        Scanned { code, out, err }
    }
}

impl Scanned {
    /// Each line of standard output as JSON.
    pub fn objects(&self) -> Vec<Value> {
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.out.lines().map(read).collect()
    }

    /// The only alert.
    pub fn alert(&self) -> Value {
        let mut alerts = self.objects();
        assert_eq!(alerts.len(), 1, "{}\n{}", self.out, self.err);
        alerts.remove(0)
    }

    /// The matches as (line, rule).
    pub fn matches(&self) -> Vec<(u64, String)> {
        let read = |found: &Value| (found["line"].as_u64().unwrap(), found["rule"].as_str().unwrap().into());
        self.objects().iter().map(read).collect()
    }

    /// The summary: the last line of standard error.
    pub fn summary(&self) -> Value {
        let last = self.err.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {}", self.err))
    }

    /// Standard error without the summary.
    pub fn told(&self) -> Vec<&str> {
        let mut lines: Vec<&str> = self.err.lines().collect();
        lines.pop();
        lines
    }
}

/// A failed login, so many seconds after noon of the day before the reference time.
pub fn failed_at(second: u64, address: &str) -> String {
    let time = noon(second);
    format!(
        r#"{{"timestamp":"{time}","event_type":"login_failed","source_ip":"{address}","user":"ann","host":"web-1"}}"#
    )
}

/// A time so many seconds after noon.
pub fn noon(second: u64) -> String {
    let (hour, minute, second) = (12 + second / 3_600, second / 60 % 60, second % 60);
    format!("2026-11-19T{hour:02}:{minute:02}:{second:02}Z")
}

/// Failed logins of one address, one a second.
pub fn failures(count: u64, address: &str) -> String {
    (0..count).map(|second| failed_at(second, address) + "\n").collect()
}

/// A folder with the rules for failed logins.
pub fn with_rules() -> Folder {
    Folder::new().with("rules/failed.yml", FAILED).with("rules/brute_force.yml", BRUTE_FORCE)
}

/// The bytes as gzip.
pub fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}
