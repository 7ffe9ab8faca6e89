//! The recording that ships with Tocsin: what was done in it is found, and nothing else.

#![expect(clippy::unwrap_used, reason = "a recording that cannot be read fails the test")]

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::scan_support::Scanned;
use crate::support::Folder;

/// What NOTES.md says was done: address, alert type, words of the message, and how many events
/// its numbers give.
const FINDINGS: &[(&str, &str, &str, u64)] = &[
    ("203.0.113.66", "brute_force", "11 failed logins from 203.0.113.66 within 5 minutes", 95),
    ("203.0.113.66", "brute_force_success", "from 203.0.113.66 succeeded after a run of failures", 97),
    ("203.0.113.67", "brute_force", "11 failed logins from 203.0.113.67 within 5 minutes", 14),
    ("203.0.113.77", "path_enumeration", "answers of 404 to 203.0.113.77", 2_188 + 4_598),
    ("203.0.113.77", "abnormal_traffic", "High traffic detected from IP: 203.0.113.77", 6_843),
    ("203.0.113.77", "path_traversal", "Path traversal attempt from 203.0.113.77", 16),
    ("203.0.113.77", "scanning", "A scanner at work from 203.0.113.77", 6_831),
    ("203.0.113.78", "sql_injection", "SQL injection attempt from 203.0.113.78", 98),
    ("203.0.113.78", "server_errors", "server errors in answers to 203.0.113.78", 42),
    ("203.0.113.78", "abnormal_traffic", "High traffic detected from IP: 203.0.113.78", 140),
    ("203.0.113.88", "bruteforce", "Brute force attack detected from IP: 203.0.113.88", 8 + 60),
    ("203.0.113.88", "brute_force_success", "from 203.0.113.88 was granted after a run of refusals", 69),
    ("203.0.113.90", "abnormal_traffic", "High traffic detected from IP: 203.0.113.90", 600),
];

fn recording() -> Scanned {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/recording").canonicalize().unwrap();
    let file = |name: &str| folder.join(name).to_str().unwrap().to_string();
    let as_of = std::fs::read_to_string(folder.join("as_of")).unwrap();
    let args = ["scan", &file("auth.log.gz"), &file("access.log.gz"), "--as-of", as_of.trim(), "--json"];
    Folder::new().run(&args).into()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn address(alert: &Value) -> &str {
    let entities = alert["entities"].as_array().into_iter().flatten();
    entities
        .filter(|entity| entity["kind"] == "address")
        .map(|entity| text(entity, "value"))
        .next()
        .unwrap_or("")
}

#[test]
fn every_line_is_read() {
    let got = recording();
    assert_eq!((got.code, got.told().len()), (0, 0), "{}", got.err);
    let summary = got.summary();
    assert_eq!(
        (&summary["events"], &summary["rejected"]),
        (&Value::from(454 + 8_688), &serde_json::json!({}))
    );
    assert_eq!(summary["late"], 0);
}

#[test]
fn what_was_done_is_found() {
    let alerts = recording().objects();
    let told = |alert: &Value| {
        let count = alert["count"].as_u64().unwrap_or_default();
        (
            address(alert).to_string(),
            text(alert, "type").to_string(),
            text(alert, "message").to_string(),
            count,
        )
    };
    let told: BTreeSet<_> = alerts.iter().map(told).collect();
    for (from, kind, words, events) in FINDINGS {
        let is = |(address, of, message, count): &(String, String, String, u64)| {
            address == from && of == kind && message.contains(words) && count == events
        };
        assert!(told.iter().any(is), "{from} {kind} {words} {events}: {told:#?}");
    }
}

#[test]
fn ordinary_traffic_is_left_alone() {
    for alert in recording().objects() {
        assert!(!address(&alert).starts_with("198.51.100."), "{alert:#}");
    }
}
