//! `tocsin scan --stats`: where the time went.

use serde_json::{Value, json};

use crate::scan_support::{failures, scan, with_rules};

/// Eleven failed logins of one address, in two files.
fn scan_with(args: &[&str]) -> crate::scan_support::Scanned {
    let folder = with_rules().with("a", failures(6, "203.0.113.9")).with("b", failures(5, "203.0.113.9"));
    scan(&folder, &[&["a", "b", "-r", "rules", "--stats"], args].concat())
}

#[test]
fn every_value_and_match_is_counted_on_any_number_of_threads() {
    for threads in ["1", "2"] {
        let got = scan_with(&["--json", "--threads", threads]);
        let stats = &got.summary()["stats"];
        let outcome = |field: &&Value| field["field"] == "event.outcome";
        let fields = stats["fields"].as_array().expect("a list of fields");
        let outcome = fields.iter().find(outcome).unwrap_or_else(|| panic!("{}", got.err));
        let count = |name: &str| outcome[name].as_u64().expect("a number");
        assert_eq!(count("hits") + count("misses"), 11, "{}", got.err);
        assert!((1..=2).contains(&count("misses")), "{}", got.err);
        let signatures = &stats["signatures"];
        let known = signatures["hits"].as_u64().zip(signatures["misses"].as_u64());
        assert!(
            known.is_some_and(|(hits, misses)| hits + misses == 11 && (1..=2).contains(&misses)),
            "{}",
            got.err
        );
        let rule = &stats["rules"][0];
        assert_eq!(rule["rule"], "10000000-0000-4000-8000-000000000001", "{}", got.err);
        assert_eq!(rule["matches"], json!(11), "{}", got.err);
        assert!(stats["per_event"]["decode_ns"].as_f64() > Some(0.0), "{}", got.err);
        assert!(stats["per_event"]["match_ns"].as_f64() > Some(0.0), "{}", got.err);
        assert!(stats["per_event"]["correlate_ns"].as_f64() > Some(0.0), "{}", got.err);
    }
}

/// What keeps failed logins of two addresses from counting, each filter by itself.
const FILTERS: &str = "\
title: Our scanner
id: 10000000-0000-4000-8000-00000000000a
logsource: {category: authentication}
filter:
  rules: [failed]
  selection: {source.ip: 203.0.113.9}
  condition: not selection
---
title: Documentation
id: 10000000-0000-4000-8000-00000000000b
logsource: {category: authentication}
filter:
  rules: [failed]
  selection: {source.ip|cidr: 203.0.113.0/24}
  condition: not selection
";

#[test]
fn matches_that_filters_keep_back_are_counted_for_each() {
    let folder = with_rules()
        .with("rules/filters.yml", FILTERS)
        .with("a", failures(6, "203.0.113.9"))
        .with("b", failures(5, "203.0.113.8"))
        .with("c", failures(3, "198.51.100.1"));
    let got = scan(&folder, &["a", "b", "c", "-r", "rules", "--stats", "--json"]);
    let stats = &got.summary()["stats"];
    assert_eq!(stats["rules"][0]["matches"], json!(3), "{}", got.err);
    let rule = "10000000-0000-4000-8000-000000000001";
    let kept = |filter: &str, count: u64| json!({"rule": rule, "filter": filter, "suppressed": count});
    let expect =
        [kept("10000000-0000-4000-8000-00000000000b", 11), kept("10000000-0000-4000-8000-00000000000a", 6)];
    assert_eq!(stats["filters"], json!(expect), "{}", got.err);
}

#[test]
fn a_person_gets_tables() {
    let got = scan_with(&["--table", "--threads", "1"]);
    for expect in
        ["an event, over all threads: decode ", "combinations of values: 90.9 % known", "event.outcome"]
    {
        assert!(got.err.contains(expect), "{expect}: {}", got.err);
    }
    assert_eq!(got.code, 0, "{}", got.err);
    let without = scan(&with_rules().with("a", failures(1, "203.0.113.9")), &["a", "-r", "rules", "--table"]);
    assert!(!without.err.contains("combinations"), "{}", without.err);
}
