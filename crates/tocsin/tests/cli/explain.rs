//! `tocsin explain`.

use serde_json::{Value, json};

use crate::support::Folder;

const FAILED_LOGIN: &str = "\
title: A failed login
name: failed_login
logsource:
  category: authentication
detection:
  selection:
    event.outcome: failure
    user.name|contains:
      - adm
      - root
  service:
    user.name|startswith: svc-
  condition: selection and not service
level: low
";

const BRUTE_FORCE: &str = "\
title: Too many
name: too_many
correlation:
  type: event_count
  rules: [failed_login]
  group-by: [source.ip]
  timespan: 5m
  condition:
    gt: 10
level: high
";

fn folder() -> Folder {
    Folder::new().with("login.yml", FAILED_LOGIN)
}

const LINE: &str = "Jan 15 08:00:01 web-1 sshd[1]: Failed password for root from 203.0.113.7 port 22 ssh2\n";

#[test]
fn a_line_that_matches_is_explained_condition_by_condition() {
    let outcome = folder().with("auth.log", LINE).run(&["explain", "-r", "login.yml", "auth.log"]);
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""));
    assert_eq!(
        outcome.out,
        "\
✓ matches: A failed login (failed_login)  login.yml:1
  ✓ log source: category authentication
    ✓ event.category is \"authentication\": seen \"authentication\"
  ✓ condition, all of:
    ✓ selection, all of:
      ✓ event.outcome is \"failure\": seen \"failure\"  line 7
      ✓ user.name, any of 2: seen \"root\"  line 8
        ✗ contains \"adm\"
        ✓ contains \"root\"
    ✓ not
      ✗ service
        ✗ user.name starts with \"svc-\": seen \"root\"  line 12
"
    );
}

#[test]
fn an_event_that_does_not_match_shows_what_is_missing() {
    let event = r#"{"type":"coffee","user":"svc-\u001b[2Jadm"}"#;
    let outcome = folder().run_with_input(&["explain", "-r", "login.yml", "-"], event.as_bytes());
    assert_eq!((outcome.code, outcome.err.as_str()), (1, ""));
    assert_eq!(
        outcome.out,
        "\
✗ does not match: A failed login (failed_login)  login.yml:1
  ✗ log source: category authentication
    ✗ event.category is \"authentication\": absent
  ✗ condition, all of:
    ✗ selection, all of:
      ✗ event.outcome is \"failure\": absent  line 7
      ✓ user.name, any of 2: seen \"svc-\\u{1b}[2Jadm\"  line 8
        ✓ contains \"adm\"
        ✗ contains \"root\"
    ✗ not
      ✓ service
        ✓ user.name starts with \"svc-\": seen \"svc-\\u{1b}[2Jadm\"  line 12
"
    );
}

#[test]
fn a_correlation_says_who_feeds_it_and_that_the_rest_is_state() {
    let args = ["explain", "-r", "login.yml", "-r", "count.yml", "-"];
    let folder = folder().with("count.yml", BRUTE_FORCE);
    let outcome = folder.run_with_input(&args, LINE.as_bytes());
    assert_eq!(outcome.code, 0);
    let (_, told) = outcome.out.split_once("✓ takes part in: ").unwrap();
    assert_eq!(
        told,
        "\
Too many (too_many)  count.yml:1
  ✓ failed_login matches (counts)
    ✓ group key: source.ip is \"203.0.113.7\"
  · the rest is state: more than 10 events within 5 minutes per source.ip
"
    );
    let without_address = br#"{"type":"login_failed","user":"root"}"#;
    let outcome = folder.run_with_input(&args, without_address);
    assert_eq!(outcome.code, 0);
    let (_, told) = outcome.out.split_once("✗ takes no part in: ").unwrap();
    assert_eq!(
        told,
        "\
Too many (too_many)  count.yml:1
  ✓ failed_login matches (counts)
    ✗ group key: source.ip is absent, so the event is not counted
  · the rest is state: more than 10 events within 5 minutes per source.ip
"
    );
}

#[test]
fn json_says_the_same() {
    let args = ["explain", "--json", "-r", "login.yml", "-r", "count.yml", "-"];
    let folder = folder().with("count.yml", BRUTE_FORCE);
    let outcome = folder.run_with_input(&args, LINE.as_bytes());
    let got: Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!((outcome.code, &got["matches"], &got["not_shown"]), (0, &json!(true), &json!(0)));
    let rule = &got["rules"][0];
    assert_eq!((&rule["name"], &rule["matches"]), (&json!("failed_login"), &json!(true)));
    assert_eq!(rule["tree"][0]["text"], json!("category authentication"));
    let selection = &rule["tree"][1]["children"][0]["children"][0];
    assert_eq!((&selection["what"], &selection["name"]), (&json!("selection"), &json!("selection")));
    assert_eq!(
        selection["children"][0]["children"][1],
        json!({"what": "item", "holds": true, "field": "user.name", "all": false, "line": 8,
               "seen": ["root"], "children": [
                   {"what": "test", "holds": false, "text": "contains \"adm\""},
                   {"what": "test", "holds": true, "text": "contains \"root\""}]})
    );
    let count = &got["rules"][1];
    assert_eq!((&count["name"], &count["takes_part"]), (&json!("too_many"), &json!(true)));
    assert_eq!(
        count["fed_by"],
        json!([{"rule": "failed_login", "role": "counts", "matches": true, "key": {"source.ip": "203.0.113.7"}}])
    );
}

#[test]
fn of_many_rules_only_those_that_match_are_shown() {
    let mut folder = folder();
    for index in 0..8 {
        let rule = format!(
            "title: t{index}\nlogsource: {{category: application}}\ndetection: {{s: {{a: {index}}}, condition: s}}\nlevel: low\n"
        );
        folder = folder.with(&format!("more/{index}.yml"), rule);
    }
    let outcome = folder.run_with_input(&["explain", "-r", "more", "-"], br#"{"a":3}"#);
    assert_eq!((outcome.code, outcome.out.lines().next()), (0, Some("✓ matches: t3  more/3.yml:1")));
    assert_eq!(outcome.err, "7 more rules have nothing to do with this event\n");
    let outcome = folder.run_with_input(&["explain", "-r", "more", "-"], br#"{"a":9}"#);
    assert_eq!((outcome.code, outcome.out.as_str()), (1, ""));
}

#[test]
fn of_several_events_the_first_is_explained() {
    let events = "\n{\"type\":\"login_failed\",\"user\":\"root\"}\n{\"type\":\"coffee\"}\n";
    let outcome = folder().run_with_input(&["explain", "-r", "login.yml", "-"], events.as_bytes());
    assert_eq!(outcome.code, 0);
    assert_eq!(outcome.err, "-: there is more than one event; the first is explained\n");
}

#[test]
fn an_event_over_many_lines_is_one_event() {
    let event = "{\n  \"type\": \"login_failed\",\n  \"user\": \"root\"\n}\n";
    let outcome = folder().run_with_input(&["explain", "-r", "login.yml", "-"], event.as_bytes());
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""));
}

#[test]
fn an_event_that_cannot_be_read_is_told_with_its_place() {
    for (event, expect) in [
        (
            "{\"type\":\"login\",\"user\":tru}",
            "-:1:24: field `user`: this is not valid JSON [malformed_json]\n",
        ),
        (
            "{\n\"é\":\"login\", \"user\":tru}",
            "-:2:21: field `user`: this is not valid JSON [malformed_json]\n",
        ),
        ("what is this", "-:1:1: no known log format [unknown_format]\n"),
        ("", "tocsin: -: there is no event in it\n"),
        ("\n\n", "tocsin: -: there is no event in it\n"),
    ] {
        let outcome = folder().run_with_input(&["explain", "-r", "login.yml", "-"], event.as_bytes());
        assert_eq!((outcome.code, outcome.out.as_str(), outcome.err.as_str()), (3, "", expect), "{event}");
    }
    let outcome = folder().run(&["explain", "-r", "login.yml", "missing.json"]);
    assert_eq!(outcome.code, 3);
    assert!(outcome.err.starts_with("tocsin: missing.json: No such file"), "{}", outcome.err);
}

#[test]
fn rules_that_do_not_load_are_wrong_usage() {
    let outcome = folder().with("bad.yml", "title: t\n").run(&["explain", "-r", "bad.yml", "login.yml"]);
    assert_eq!((outcome.code, outcome.out.as_str()), (2, ""));
    assert!(outcome.err.contains("bad.yml:1:1: error: "), "{}", outcome.err);
    assert_eq!(folder().run(&["explain", "-r", "missing.yml", "-"]).code, 2);
    assert_eq!(folder().run(&["explain", "-"]).code, 2);
    // A broken rule beside one that does not match may be the one that was meant.
    let both = ["explain", "-r", "bad.yml", "-r", "login.yml", "-"];
    let folder = folder().with("bad.yml", "title: t\n");
    assert_eq!(folder.run_with_input(&both, b"{}").code, 2);
    assert_eq!(folder.run_with_input(&both, LINE.as_bytes()).code, 0);
}

const CHAIN: &str = "\
title: A failed login at night
name: at_night
logsource:
  category: authentication
detection:
  selection:
    event.outcome: failure
    at|hour|lt: 6
  condition: selection
level: low
---
title: Not the scanner
logsource:
  category: authentication
filter:
  rules: [at_night]
  scanner:
    source.ip|cidr: 10.0.0.0/8
  condition: not scanner
---
title: Several sums
name: sums
correlation:
  type: value_sum
  rules: [at_night]
  group-by: [source.ip]
  timespan: 5m
  condition: {field: size, gte: 10}
---
title: First one, then the other
name: chain
correlation:
  type: temporal_ordered
  rules: [at_night, sums]
  group-by: [source.ip]
  timespan: 1h
level: high
";

#[test]
fn filters_parts_of_a_time_and_chains_are_explained() {
    let folder = Folder::new().with("all.yml", CHAIN);
    let event = br#"{"type":"login_failed","source_ip":"203.0.113.7","at":"2026-01-15T03:10:00Z","size":4}"#;
    let outcome = folder.run_with_input(&["explain", "-r", "all.yml", "-"], event);
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""));
    for part in [
        "✓ at hour in UTC < 6: seen \"2026-01-15T03:10:00Z\"",
        "✓ filter Not the scanner",
        "✗ source.ip is in 10.0.0.0/8: seen \"203.0.113.7\"",
        "✓ takes part in: Several sums (sums)",
        "✓ group key: source.ip is \"203.0.113.7\"",
        "✓ value: size is 4",
        "· the rest is state: a sum of at least 10 within 5 minutes per source.ip",
        "✓ sums takes the event into account",
        "· the rest is state: all 2 rules seen, in this order, within 1 hour per source.ip",
    ] {
        assert!(outcome.out.contains(part), "{part} in {}", outcome.out);
    }
    let scanner = br#"{"type":"login_failed","source_ip":"10.1.2.3","at":"2026-01-15T13:10:00Z","size":4}"#;
    let outcome = folder.run_with_input(&["explain", "-r", "all.yml", "-"], scanner);
    assert_eq!(outcome.code, 1);
    for part in [
        "✗ at hour in UTC < 6",
        "✗ filter Not the scanner",
        "✗ takes no part in: First one",
        "✗ sums has nothing to do",
    ] {
        assert!(outcome.out.contains(part), "{part} in {}", outcome.out);
    }
}
