//! Recordings of clouds and the public Sigma rules through `tocsin scan --matches`, against an
//! independent evaluator (INDEX.md of the recordings says how it works).

#![expect(clippy::unwrap_used, reason = "a recording in an unexpected shape fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::recordings::{objects_of, recording};
use crate::recordings_windows::{Found, all_rules, found, scan_all};
use crate::support::Folder;

const INVICTUS: &str = "cloudtrail/invictus_stratus_run";
const STRATUS: &str = "cloudtrail/stratus_detonations.jsonl.gz";
const PANTHER: &str = "panther/sigma_cloud_matrix.jsonl.gz";
const PANTHER_TESTS: &str = "panther/rule_tests.jsonl.gz";

/// Scans these events, one a line, with all public rules.
fn matches_of<'a>(rules: &Folder, events: impl Iterator<Item = &'a Value>) -> Found {
    let lines: Vec<String> = events.map(Value::to_string).collect();
    let folder = Folder::new().with("events.jsonl", lines.join("\n"));
    let got = scan_all(rules, &[folder.path().join("events.jsonl").to_str().unwrap()]);
    assert_eq!(got.summary()["events"], lines.len());
    found(&got.objects(), None)
}

/// The matches that stand beside events.
fn expected_of(events: &[Value]) -> Found {
    let of_line = |(line, event): (usize, &Value)| {
        let rules: Vec<_> = event["sigma_match"].as_array().unwrap().clone();
        rules.into_iter().map(move |rule| (line as u64, rule.as_str().unwrap().to_string()))
    };
    events.iter().enumerate().flat_map(of_line).collect()
}

/// The expected matches of the run: by the id of the event, which is said once.
fn expected_of_run(events: &[Value]) -> Found {
    let path = recording(&format!("{INVICTUS}.sigma_expected.jsonl")).unwrap();
    let line_of: BTreeMap<&str, u64> =
        (0..).zip(events).map(|(line, event)| (event["eventID"].as_str().unwrap(), line)).collect();
    assert_eq!(line_of.len(), events.len());
    let mut expect = Found::new();
    for event in objects_of(&path) {
        let line = line_of[event["eventID"].as_str().unwrap()];
        let rules = event["rules"].as_array().unwrap();
        expect.extend(rules.iter().map(|rule| (line, rule.as_str().unwrap().to_string())));
    }
    expect
}

#[test]
fn public_rules_match_as_expected_in_a_run_of_attacks_on_aws() {
    let (Some(rules), Some(path)) = (all_rules(), recording(&format!("{INVICTUS}.jsonl.gz"))) else { return };
    let events = objects_of(&path);
    let got = scan_all(&rules, &[&path]);
    assert_eq!(got.summary()["events"], 2_900);
    let expect = expected_of_run(&events);
    assert_eq!(found(&got.objects(), None), expect);
    assert_eq!(expect.len(), 109);
}

/// The files that AWS writes hold all records in one object.
#[test]
fn records_in_one_object_match_as_they_do_on_lines() {
    let (Some(rules), Some(path)) = (all_rules(), recording(&format!("{INVICTUS}.jsonl.gz"))) else { return };
    let events = objects_of(&path);
    let expect = expected_of_run(&events);
    let half = events.len() / 2;
    let one = json!({ "Records": events });
    let (first, second) = (json!({ "Records": events[..half] }), json!({ "Records": events[half..] }));
    for text in [one.to_string(), format!("{one:#}"), format!("{first}\n{second}\n")] {
        let folder = Folder::new().with("trail.json", &text);
        let got = scan_all(&rules, &[folder.path().join("trail.json").to_str().unwrap()]);
        assert_eq!(got.summary()["events"], events.len());
        assert_eq!(found(&got.objects(), None), expect, "{} bytes", text.len());
    }
}

#[test]
fn public_rules_match_as_expected_in_detonations_on_aws() {
    let (Some(rules), Some(path)) = (all_rules(), recording(STRATUS)) else { return };
    let events = objects_of(&path);
    let expect = expected_of(&events);
    assert_eq!(matches_of(&rules, events.iter().map(|event| &event["event"])), expect);
    assert_eq!((events.len(), expect.len()), (90, 3));
}

#[test]
fn public_rules_match_as_expected_in_events_of_clouds() {
    let (Some(rules), Some(path), Some(tests)) = (all_rules(), recording(PANTHER), recording(PANTHER_TESTS))
    else {
        return;
    };
    let events = objects_of(&path);
    let tests = objects_of(&tests);
    let of_tests: BTreeSet<u64> = events.iter().map(|event| event["i"].as_u64().unwrap()).collect();
    assert_eq!(of_tests.len(), events.len());
    assert!(
        events.iter().all(|event| tests[event["i"].as_u64().unwrap() as usize]["event"] == event["event"])
    );
    let expect = expected_of(&events);
    assert_eq!(matches_of(&rules, events.iter().map(|event| &event["event"])), expect);
    assert_eq!((events.len(), expect.len()), (218, 121));
}
