//! The language of rules from outside: placeholders and log sources of the house, filters, chains,
//! and rules that mean harm.

use serde_json::Value;

use crate::support::{Folder, Outcome};

const RULE: &str = "\
title: An administrator logs in
name: admin
logsource: {product: acme, service: vpn}
detection:
  who: {user.name|expand: '%admins%'}
  condition: who
level: low
";

const EVENTS: &str = "\
{\"timestamp\":\"2026-01-15T08:00:00Z\",\"dataset\":\"acme.vpn\",\"user\":\"root\"}
{\"timestamp\":\"2026-01-15T08:00:01Z\",\"dataset\":\"acme.vpn\",\"user\":\"guest\"}
{\"timestamp\":\"2026-01-15T08:00:02Z\",\"dataset\":\"other\",\"user\":\"root\"}
";

const PLACEHOLDERS: &str = "admins: [root, 'adm-*']\n";
const LOGSOURCES: &str = "- product: acme\n  service: vpn\n  where: {dataset: acme.vpn}\n";

fn folder() -> Folder {
    Folder::new()
        .with("admin.yml", RULE)
        .with("events.ndjson", EVENTS)
        .with("names.yml", PLACEHOLDERS)
        .with("sources.yml", LOGSOURCES)
}

const GIVEN: [&str; 4] = ["--placeholders", "names.yml", "--logsources", "sources.yml"];

fn given(folder: &Folder, command: &[&str]) -> Outcome {
    folder.run(&[command, &GIVEN].concat())
}

fn matched(outcome: &Outcome) -> Vec<u64> {
    let line = |line: &str| serde_json::from_str::<Value>(line).ok()?["line"].as_u64();
    outcome.out.lines().filter_map(line).collect()
}

#[test]
fn values_and_log_sources_come_from_files() {
    let folder = folder();
    let scan = ["scan", "-r", "admin.yml", "--as-of", "2026-02-01T00:00:00Z", "--matches", "events.ndjson"];
    let outcome = given(&folder, &scan);
    assert_eq!((outcome.code, matched(&outcome)), (0, vec![1]), "{}", outcome.err);
    let outcome = given(&folder, &["check", "admin.yml"]);
    assert_eq!(outcome.code, 0, "{}{}", outcome.out, outcome.err);
    let event = EVENTS.lines().next().unwrap_or_default();
    let folder = folder.with("event.json", event);
    let outcome = given(&folder, &["explain", "-r", "admin.yml", "event.json"]);
    assert_eq!(outcome.code, 0, "{}{}", outcome.out, outcome.err);
    assert!(
        outcome.out.contains("is \"root\"") && outcome.out.contains("starts with \"adm-\""),
        "{}",
        outcome.out
    );
}

#[test]
fn a_placeholder_nobody_gives_refuses_the_rule_with_its_place() {
    let outcome = folder().run(&["check", "admin.yml"]);
    assert_eq!(outcome.code, 1);
    let expect =
        "admin.yml:5:27: error: nothing is known to put in place of `%admins%` [unknown_placeholder]";
    assert!(outcome.out.contains(expect), "{}", outcome.out);
    assert!(
        outcome
            .out
            .contains("hint: give it values, `admins: [value, value]`, in the file of `--placeholders`")
    );
    assert!(
        outcome.out.contains("unmapped_logsource") || !outcome.out.contains("warning"),
        "{}",
        outcome.out
    );
}

#[test]
fn files_of_the_house_that_are_wrong_are_told_with_their_place() {
    let folder = folder().with("names.yml", "admins: {a: b}\n").with("sources.yml", "- product: acme\n");
    let outcome = given(&folder, &["check", "admin.yml"]);
    assert_eq!(outcome.code, 1);
    assert!(
        outcome.out.contains("names.yml:1:9: error: `admins` must be a list of texts"),
        "{}",
        outcome.out
    );
    assert!(outcome.out.contains("sources.yml:1:3: error: `where` is missing"), "{}", outcome.out);
    let outcome = folder.run(&["check", "admin.yml", "--placeholders", "nowhere.yml"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.err.contains("nowhere.yml: "), "{}", outcome.err);
}

#[test]
fn tests_beside_rules_take_them_too() {
    let trace = "\
story an administrator and a guest
+0s {\"timestamp\":\"%{iso}\",\"dataset\":\"acme.vpn\",\"user\":\"adm-7\"}
+1s {\"timestamp\":\"%{iso}\",\"dataset\":\"acme.vpn\",\"user\":\"guest\"}
expect admin count=1
";
    let folder = folder().with("admin.trace", trace);
    let outcome = given(&folder, &["test", "admin.yml"]);
    assert_eq!(outcome.code, 0, "{}{}", outcome.out, outcome.err);
    let outcome = folder.run(&["test", "admin.yml"]);
    assert!(outcome.out.contains("nothing is known to put in place of `%admins%`"), "{}", outcome.out);
}

#[test]
fn a_filter_takes_matches_away() {
    let filter = "title: Not root\nlogsource: {product: acme}\nfilter:\n  rules: [admin]\n  root: {user.name: root}\n  \
                  condition: not root\n";
    let folder = folder().with("rules/admin.yml", RULE).with("rules/filter.yml", filter);
    let scan = ["scan", "-r", "rules", "--as-of", "2026-02-01T00:00:00Z", "--matches", "events.ndjson"];
    let outcome = given(&folder, &scan);
    assert_eq!((outcome.code, matched(&outcome)), (0, vec![]), "{}", outcome.err);
    let event = EVENTS.lines().next().unwrap_or_default();
    let folder = folder.with("event.json", event);
    let outcome = given(&folder, &["explain", "-r", "rules", "event.json"]);
    assert!(outcome.out.contains("filter Not root"), "{}", outcome.out);
}

#[test]
fn a_chain_is_explained_down_to_its_events() {
    let chain = format!(
        "{}---\ntitle: Often\nname: often\ncorrelation: {{type: event_count, rules: [base], group-by: [user.name], \
         timespan: 5m, condition: {{gte: 2}}}}\nlevel: low\n---\ntitle: Again and again\nname: again\n\
         correlation: {{type: event_count, rules: [often], group-by: [user.name], timespan: 1h, \
         condition: {{gte: 3}}}}\nlevel: low\n",
        "title: Base\nname: base\nlogsource: {category: application}\ndetection: {s: {user.name: root}, condition: s}\nlevel: low\n"
    );
    let event = EVENTS.lines().next().unwrap_or_default();
    let folder = Folder::new().with("chain.yml", chain).with("event.json", event);
    let outcome = folder.run(&["explain", "-r", "chain.yml", "event.json"]);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert!(outcome.out.contains("often takes the event into account (counts)"), "{}", outcome.out);
    assert!(outcome.out.contains("at least 3 events within 1 hour per user.name"), "{}", outcome.out);
}

#[test]
fn a_file_of_ten_megabytes_stops_no_other() {
    let long = format!("title: long\ndescription: '{}'\n", "x".repeat(10_000_000));
    let folder = Folder::new().with("rules/long.yml", long).with(
        "rules/good.yml",
        "title: Good\nlogsource: {category: application}\ndetection: {s: {user.name: root}, condition: s}\nlevel: low\n",
    );
    let outcome = folder.run(&["check", "rules"]);
    assert_eq!((outcome.code, outcome.err.as_str()), (1, "1 error, 0 warnings, 0 notes in 2 files\n"));
    assert!(
        outcome.out.contains("rules/long.yml:1:1: error: the file is larger than 1048576 bytes"),
        "{}",
        outcome.out
    );
    assert!(outcome.out.len() < 1_000, "{} bytes", outcome.out.len());
}
