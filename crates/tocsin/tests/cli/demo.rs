//! The recording that ships with Tocsin: what was done in it is found, and nothing else.

#![expect(clippy::unwrap_used, reason = "a recording that cannot be read fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::scan_support::Scanned;
use crate::support::Folder;

/// What NOTES.md says was done: address, alert type, and a word of the message.
const FINDINGS: &[(&str, &str, &str)] = &[
    ("203.0.113.66", "brute_force", "failed logins from 203.0.113.66"),
    ("203.0.113.66", "brute_force_success", "succeeded after a run of failures"),
    ("203.0.113.67", "brute_force", "failed logins from 203.0.113.67"),
    ("203.0.113.77", "path_enumeration", "404"),
    ("203.0.113.77", "path_traversal", ""),
    ("203.0.113.77", "scanning", ""),
    ("203.0.113.78", "sql_injection", ""),
    ("203.0.113.88", "bruteforce", "Brute force attack detected from IP: 203.0.113.88"),
    ("203.0.113.90", "abnormal_traffic", "High traffic detected from IP: 203.0.113.90"),
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
    entities.filter(|entity| entity["kind"] == "address").map(|entity| text(entity, "value")).next().unwrap_or("")
}

#[test]
fn every_line_is_read() {
    let got = recording();
    assert_eq!((got.code, got.told().len()), (0, 0), "{}", got.err);
    let summary = got.summary();
    assert_eq!((&summary["events"], &summary["rejected"]), (&Value::from(454 + 8_688), &serde_json::json!({})));
    assert_eq!(summary["late"], 0);
}

#[test]
fn what_was_done_is_found() {
    let alerts = recording().objects();
    let told: BTreeSet<String> =
        alerts.iter().map(|alert| format!("{} {} {}", address(alert), text(alert, "type"), text(alert, "message"))).collect();
    for (from, kind, words) in FINDINGS {
        let found = alerts
            .iter()
            .any(|alert| address(alert) == *from && text(alert, "type") == *kind && text(alert, "message").contains(words));
        assert!(found, "{from} {kind} {words}: {told:#?}");
    }
}

#[test]
fn ordinary_traffic_is_left_alone() {
    for alert in recording().objects() {
        assert!(!address(&alert).starts_with("198.51.100."), "{alert:#}");
    }
}

/// The guesses at the web login are counted by the records themselves.
#[test]
fn counts_are_those_of_the_notes() {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for alert in recording().objects() {
        counts.insert(format!("{} {}", address(&alert), text(&alert, "type")), alert["count"].as_u64().unwrap());
    }
    assert_eq!(counts["203.0.113.90 abnormal_traffic"], 600);
    assert!(counts["203.0.113.77 path_enumeration"] > 1_000, "{counts:#?}");
}
