//! Panther's correlation tests, translated: what alerts there alerts here.
//!
//! A group of rules within a window is `temporal`, in any order; one that must match several times
//! is counted first; one that must be absent is a `not`.

#![expect(clippy::unwrap_used, reason = "a recording in an unexpected shape fails the test")]

use serde_json::{Value, json};

use crate::recordings::{AFTER_ALL, id, objects_of, recording, scan};
use crate::support::Folder;

/// The matches in these tests are told by minutes after this time.
const BEGIN: &str = "2024-06-01T00:00:00Z";

/// The events that the rules of a case have matched, in order of time: each says the group it is
/// of, and the value it was matched by under the name of the field.
fn events_of(case: &Value) -> String {
    let mut events = Vec::new();
    for group in case["rule_outputs"].as_array().unwrap() {
        for (field, values) in group["Matches"].as_object().unwrap() {
            for (value, times) in values.as_object().unwrap() {
                let event = |at| json!({ "timestamp": time(at), "group": group["ID"], field: value });
                events.extend(times.as_array().unwrap().iter().map(event));
            }
        }
    }
    events.sort_by_key(|event| event["timestamp"].as_str().unwrap().to_string());
    events.iter().map(|event| format!("{event}\n")).collect()
}

/// A time as it stands, or so many minutes after the beginning.
fn time(at: &Value) -> String {
    let Some(minutes) = at.as_u64() else { return at.as_str().unwrap().to_string() };
    let (day, hour, minute) = (1 + minutes / 1_440, minutes / 60 % 24, minutes % 60);
    BEGIN.replace("01T00:00", &format!("{day:02}T{hour:02}:{minute:02}"))
}

/// The rules of a case: one for each group, what counts its matches, and what joins them.
fn rules_of(detection: &Value) -> String {
    let window = format!("{}m", detection["LookbackWindowMinutes"]);
    let criteria = detection["MatchCriteria"]["field_name"].as_array();
    let field_of = |group: &Value| {
        let of = criteria?.iter().find(|of| of["GroupID"] == group["ID"])?;
        Some(of["Match"].as_str().unwrap().to_string())
    };
    let (mut rules, mut joined) = (String::new(), Vec::new());
    for (index, group) in detection["Group"].as_array().unwrap().iter().enumerate() {
        let (mut name, field) = (format!("g{index}"), field_of(group));
        rules += &base(&name, &group["ID"]);
        if let (Some(least), Some(field)) = (group["MinMatchCount"].as_u64(), &field) {
            let of = std::mem::replace(&mut name, format!("n{index}"));
            let counted = format!("rules: [{of}]\n  group-by: ['{field}']\n  condition: {{gte: {least}}}");
            rules += &correlation(&name, "event_count", &window, &counted);
        }
        joined.push((name, field, group["Absence"] == true));
    }
    rules + &correlation("all", "temporal", &window, &joining(&joined))
}

/// The keys that join groups, each with its field, if any, and whether it must be absent.
fn joining(groups: &[(String, Option<String>, bool)]) -> String {
    let names: Vec<&str> = groups.iter().map(|(name, ..)| name.as_str()).collect();
    let parts: Vec<String> = groups
        .iter()
        .map(|(name, _, absent)| format!("{}{name}", if *absent { "not " } else { "" }))
        .collect();
    let fields: Vec<(&str, &str)> =
        groups.iter().filter_map(|(name, field, _)| Some((name.as_str(), field.as_deref()?))).collect();
    let key = match fields.as_slice() {
        [] => String::new(),
        [(_, first), rest @ ..] if rest.iter().all(|(_, field)| field == first) => {
            format!("\n  group-by: ['{first}']")
        }
        fields => {
            let aliases: String =
                fields.iter().map(|(name, field)| format!("\n      {name}: '{field}'")).collect();
            format!("\n  group-by: [who]\n  aliases:\n    who:{aliases}")
        }
    };
    format!("rules: [{}]{key}\n  condition: {}", names.join(", "), parts.join(" and "))
}

fn base(name: &str, group: &Value) -> String {
    format!(
        "---\ntitle: {name}\nname: {name}\nid: '{}'\nlogsource: {{category: application}}\ndetection:\n  s:\n    \
         group: {group}\n  condition: s\nlevel: informational\n",
        id(name)
    )
}

fn correlation(name: &str, kind: &str, window: &str, rest: &str) -> String {
    format!(
        "---\ntitle: {name}\nname: {name}\nid: '{}'\ncorrelation:\n  type: {kind}\n  timespan: {window}\n  {rest}\n\
         level: high\n",
        id(name)
    )
}

#[test]
fn correlations_alert_as_in_panther() {
    let Some(path) = recording("panther/correlation_tests.jsonl") else { return };
    let cases = objects_of(&path);
    for case in &cases {
        let [detection] = case["detection"].as_array().unwrap().as_slice() else { panic!("{case}") };
        let folder = Folder::new().with("events.jsonl", events_of(case));
        let events = folder.path().join("events.jsonl");
        let rules = rules_of(detection);
        let got = scan(&[events.to_str().unwrap()], &rules, AFTER_ALL, "--json");
        let alerts = got.objects();
        let of_all = alerts.iter().filter(|alert| alert["rule"]["id"] == id("all")).count();
        assert_eq!(of_all, usize::from(case["expected_match"] == true), "{case}\n{rules}\n{}", got.err);
    }
    assert_eq!(cases.len(), 22);
}
