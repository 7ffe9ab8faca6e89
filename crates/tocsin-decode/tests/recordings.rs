//! The line formats against recordings of real systems, and against what other tools read there.
//!
//! The recordings are not part of this repository. Where they are absent, each test says so and
//! passes.

#![allow(clippy::disallowed_methods, reason = "recordings are files")]
#![allow(clippy::print_stdout, reason = "a skipped test says why")]
#![allow(clippy::unwrap_used, reason = "a recording in an unexpected shape fails the test")]

mod support;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use serde_json::Value as Json;
use support::{FIELDS, decode, field};
use tocsin_core::batch::{Event, EventBatch, Notes};
use tocsin_core::time::Span;

const AUTH: &str = "auth/elastic_examples_auth";
const WEB: &str = "web/apache_access_combined";
/// After the recordings of both, whose lines of 2017 have no year.
const AS_OF: &str = "2018-01-01T00:00:00Z";

/// The bytes of a recording, unpacked; `None` (and one line saying so) when it is not there.
fn recording(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    let Ok(packed) = std::fs::read(&path) else {
        println!("skipped: the recording {name} is not here");
        return None;
    };
    let mut bytes = Vec::new();
    match name.ends_with(".gz") {
        true => flate2::read::GzDecoder::new(&*packed).read_to_end(&mut bytes).map(drop).unwrap(),
        false => bytes = packed,
    }
    Some(bytes)
}

fn facts(name: &str) -> Option<Json> {
    Some(serde_json::from_slice(&recording(&format!("{name}.facts.json"))?).unwrap())
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect()
}

fn is(batch: &EventBatch, event: &Event, expect: &[(&str, &str)]) -> bool {
    expect.iter().all(|(name, value)| field(batch, event, name) == *value)
}

#[test]
fn sshd_counts_agree_with_the_facts() {
    let (Some(log), Some(facts)) = (recording(&format!("{AUTH}.log.gz")), facts(AUTH)) else { return };
    let batch = decode("auto", AS_OF, FIELDS, &lines(&log));
    assert_eq!(batch.quarantined, []);
    assert_eq!(batch.events.len() as u64, facts["lines"]);
    let mut failed_lines = 0_u64;
    let (mut accepted, mut invalid, mut weight) = (0_u64, 0_u64, 0_u64);
    let mut by_address: BTreeMap<String, u64> = BTreeMap::new();
    for event in &batch.events {
        assert!(event.notes.contains(Notes::YEAR_DERIVED));
        let message = field(&batch, event, "message");
        if is(&batch, event, &[("event.action", "ssh_login"), ("event.outcome", "failure")]) {
            // The facts count neither keys nor the lines that stand for several.
            if message.starts_with("Failed password") {
                weight += u64::from(event.weight);
                if event.weight == 1 {
                    failed_lines += 1;
                    *by_address.entry(field(&batch, event, "source.ip")).or_default() += 1;
                }
            }
        }
        accepted +=
            u64::from(is(&batch, event, &[("event.action", "ssh_login"), ("event.outcome", "success")]));
        invalid += u64::from(is(&batch, event, &[("event.action", "ssh_invalid_user")]));
        // `Invalid user` and, for the same attempts, `input_userauth_request: invalid user`.
        invalid += u64::from(message.starts_with("input_userauth_request: invalid user"));
    }
    assert_eq!(failed_lines, facts["failed_password"]);
    assert_eq!(weight, 628 + 410, "85 folded lines stand for 410 more attempts");
    assert_eq!(accepted, facts["accepted"]);
    assert_eq!(invalid, facts["invalid_user"]);
    for pair in facts["failed_by_ip_top"].as_array().unwrap() {
        assert_eq!(by_address[pair[0].as_str().unwrap()], pair[1], "{pair}");
    }
    for line in facts["accepted_lines"].as_array().unwrap() {
        let words: Vec<&str> = line.as_str().unwrap().split(' ').collect();
        let expect = [("user.name", words[8]), ("source.ip", words[10]), ("source.port", words[12])];
        assert!(batch.events.iter().any(|event| is(&batch, event, &expect)), "{line}");
    }
}

/// The largest weight of failed passwords in any window, per address that reaches the threshold.
#[test]
fn sshd_windows_agree_with_the_facts() {
    let (Some(log), Some(facts)) = (recording(&format!("{AUTH}.log.gz")), facts(AUTH)) else { return };
    let batch = decode("syslog", AS_OF, &["source.ip", "message"], &lines(&log));
    let mut attempts: BTreeMap<String, Vec<(i64, u64)>> = BTreeMap::new();
    for event in &batch.events {
        if field(&batch, event, "message").starts_with("Failed password") {
            let of_address = attempts.entry(field(&batch, event, "source.ip")).or_default();
            of_address.push((event.time.0, u64::from(event.weight)));
        }
    }
    for (name, expect) in facts["sliding_window_truth"].as_object().unwrap() {
        let (threshold, seconds) =
            name.trim_start_matches(">=").trim_end_matches('s').split_once("_failed_in_").unwrap();
        let (threshold, span) = (threshold.parse::<u64>().unwrap(), Span::seconds(seconds.parse().unwrap()));
        let most = |times: &Vec<(i64, u64)>| {
            let within = |end: i64| times.iter().filter(move |(t, _)| (end - span.0..=end).contains(t));
            times.iter().map(|(end, _)| within(*end).map(|(_, weight)| weight).sum::<u64>()).max()
        };
        let got: BTreeMap<&str, u64> = attempts
            .iter()
            .filter_map(|(address, times)| Some((&**address, most(times)?)))
            .filter(|(_, most)| *most >= threshold)
            .collect();
        assert_eq!(serde_json::to_value(&got).unwrap(), *expect, "{name}");
    }
}

#[test]
fn access_log_counts_agree_with_the_facts() {
    let (Some(log), Some(facts)) = (recording(&format!("{WEB}.log.gz")), facts(WEB)) else { return };
    let batch = decode("auto", AS_OF, FIELDS, &lines(&log));
    assert_eq!(batch.quarantined, []);
    assert_eq!(batch.events.len() as u64, facts["lines"]);
    let count = |name: &str| {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for event in &batch.events {
            *counts.entry(field(&batch, event, name)).or_default() += 1;
        }
        counts
    };
    let statuses = count("http.response.status_code");
    assert_eq!(serde_json::to_value(statuses).unwrap(), facts["status"]);
    let addresses = count("source.ip");
    assert_eq!(addresses.len() as u64, facts["distinct_ips"]);
    for pair in facts["top_ips"].as_array().unwrap() {
        assert_eq!(addresses[pair[0].as_str().unwrap()], pair[1], "{pair}");
    }
    let outcomes = count("event.outcome");
    assert_eq!((outcomes["success"], outcomes["failure"], outcomes[""]), (9_171, 2, 827));
    assert_eq!(count("event.category").into_iter().collect::<Vec<_>>(), [("web".to_string(), 10_000)]);
}

/// Cases of the CrowdSec hub whose lines these formats are meant for.
fn hub_cases() -> Option<Vec<Json>> {
    let wanted = |case: &Json| {
        let test = case["test"].as_str().unwrap();
        let log_type = case["log_type"].as_str().unwrap();
        matches!(log_type, "nginx" | "apache2") || (log_type == "syslog" && test != "fastly-logs")
    };
    let cases = recording("crowdsec_hub/cases.jsonl.gz")?;
    let cases = lines(&cases).into_iter().map(|line| serde_json::from_slice::<Json>(line).unwrap());
    Some(cases.filter(wanted).collect())
}

fn case_lines(case: &Json) -> Vec<&str> {
    case["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect()
}

#[test]
fn every_line_of_the_hub_decodes() {
    let Some(cases) = hub_cases() else { return };
    for case in cases {
        let lines = case_lines(&case);
        let batch =
            decode("auto", AS_OF, FIELDS, &lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>());
        for refused in &batch.quarantined {
            // The error log of nginx is a format of its own.
            let line = lines[refused.record as usize];
            assert!(line.starts_with("2021/12/01 13:53:33 [error]"), "{}: {line}", case["test"]);
            assert_eq!((refused.reason.as_str(), refused.at), ("unknown_format", 0));
        }
    }
}

/// The names under which the hub's expectations give what a field holds.
const HUB_NAMES: &[(&str, &str)] = &[
    ("source_ip", "source.ip"),
    ("target_user", "user.name"),
    ("machine", "host.name"),
    ("http_status", "http.response.status_code"),
    ("http_verb", "http.request.method"),
    ("http_user_agent", "user_agent.original"),
    ("http_path", "url.original"),
    ("target_fqdn", "url.domain"),
];

/// Whether an event holds everything an expectation names.
fn agrees(batch: &EventBatch, event: &Event, expect: &Json) -> bool {
    HUB_NAMES.iter().all(|(theirs, ours)| match expect[*theirs].as_str() {
        None | Some("-") => true,
        Some(value) => field(batch, event, ours) == value,
    })
}

#[test]
fn events_of_the_hub_agree_with_its_expectations() {
    let Some(cases) = hub_cases() else { return };
    let mut compared = 0;
    for case in &cases {
        let lines = case_lines(case);
        // Programs whose messages Tocsin does not read have no address.
        let known = |line: &str| line.contains(" sshd") || line.contains("HTTP/");
        if !lines.iter().any(|line| known(line)) {
            continue;
        }
        let batch =
            decode("auto", AS_OF, FIELDS, &lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>());
        for overflow in case["expected_overflows"].as_array().unwrap() {
            for expect in overflow["events"].as_array().unwrap() {
                compared += 1;
                let found = batch.events.iter().any(|event| agrees(&batch, event, expect));
                assert!(found, "{}: {expect}", case["test"]);
            }
        }
        let Some(parsed) = case["expected_parsed"].as_object() else { continue };
        for (index, expect) in parsed {
            let index: u32 = index.parse().unwrap();
            let Some(event) = batch.events.iter().find(|event| event.record == index) else {
                assert!(lines[index as usize].contains("[error]"), "{}: {index}", case["test"]);
                continue;
            };
            compared += 1;
            let rendered = support::render(&batch, event);
            assert!(
                agrees(&batch, event, &expect["meta"]),
                "{}: {rendered:?} {}",
                lines[index as usize],
                expect["meta"]
            );
        }
    }
    println!("{compared} events compared");
    assert!(compared > 100, "{compared} events compared");
}
