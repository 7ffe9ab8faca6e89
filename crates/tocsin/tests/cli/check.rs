//! `tocsin check`.

use serde_json::{Value, json};

use crate::support::Folder;

const GOOD: &str = "\
title: Good
logsource:
  category: authentication
detection:
  selection:
    event.outcome: failure
  condition: selection
level: low
";

#[test]
fn the_shipped_rules_have_nothing_to_say() {
    let outcome = Folder::new().run(&["check"]);
    assert_eq!((outcome.code, outcome.out.as_str()), (0, ""));
    assert!(outcome.err.starts_with("0 errors, 0 warnings, 0 notes in "), "{}", outcome.err);
}

#[test]
fn everything_wrong_is_told_with_line_mark_and_hint() {
    let bad = GOOD.replace("event.outcome: failure", "CommandLine|contain: x\n    user.name: '*adm*'");
    let folder = Folder::new().with("rules/bad.yml", bad).with("rules/good.yml", GOOD);
    let outcome = folder.run(&["check", "rules"]);
    assert_eq!((outcome.code, outcome.err.as_str()), (1, "1 error, 1 warning, 1 note in 2 files\n"));
    assert_eq!(
        outcome.out,
        "\
rules/bad.yml:6:5: error: unknown modifier `contain` [unknown_modifier]
     6 |     CommandLine|contain: x
       |     ^
  hint: did you mean `contains`?
rules/bad.yml:6:5: info: no format fills `CommandLine`: only JSON events that send it have it [unknown_field]
     6 |     CommandLine|contain: x
       |     ^
rules/bad.yml:7:5: warning: the wildcards in the values of `user.name` say `contains` [wildcard_for_modifier]
     7 |     user.name: '*adm*'
       |     ^
  hint: write `user.name|contains: adm`
"
    );
}

#[test]
fn warnings_alone_are_fine() {
    let outcome = Folder::new().with("a.yml", GOOD.replace("level: low\n", "")).run(&["check", "a.yml"]);
    assert_eq!((outcome.code, outcome.err.as_str()), (0, "0 errors, 1 warning, 0 notes in 1 file\n"));
}

#[test]
fn json_is_one_object_per_diagnostic() {
    let bad = GOOD.replace("failure", "failed").replace("level: low", "level: loww");
    let outcome = Folder::new().with("a.yml", bad).run(&["check", "--json", "a.yml"]);
    assert_eq!(outcome.code, 1);
    let found: Vec<Value> = outcome.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        found,
        [
            json!({"file": "a.yml", "line": 6, "column": 20, "severity": "warning", "code": "never_matches",
                   "reason": "`event.outcome` is never `failed`",
                   "hint": "it holds one of: success, failure"}),
            json!({"file": "a.yml", "line": 8, "column": 8, "severity": "error", "code": "unknown_level",
                   "reason": "unknown level `loww`", "hint": "did you mean `low`?"}),
        ]
    );
}

#[test]
fn broken_files_do_not_hide_the_others() {
    let folder = Folder::new()
        .with("rules/a.yml", "title: [\n")
        .with("rules/b.yml", b"title: caf\xe9\n")
        .with("rules/c.yml", "")
        .with("rules/d.yml", GOOD.replace("low", "loww"));
    let outcome = folder.run(&["check", "rules"]);
    assert_eq!(outcome.code, 1);
    let first = |line: &&str| line.starts_with("rules/");
    let told: Vec<&str> = outcome.out.lines().filter(first).collect();
    assert_eq!(told.len(), 4, "{}", outcome.out);
    for (line, begin) in told.iter().zip([
        "rules/a.yml:1:8: error: this is no YAML",
        "rules/b.yml:1:11: error: this is not UTF-8 [invalid_utf8]",
        "rules/c.yml:1:1: warning: the file holds no document [no_document]",
        "rules/d.yml:8:8: error: unknown level `loww` [unknown_level]",
    ]) {
        assert!(line.starts_with(begin), "{line}");
    }
}

#[test]
fn a_configuration_is_checked_beside_rules() {
    let folder = Folder::new()
        .with("site/tocsin.yaml", "detect:\n  latness: 5s\nlisten: 8080\n")
        .with("site/rules/good.yml", GOOD)
        .with("site/other.yml", "log: {level: loud}\n");
    let outcome = folder.run(&["check", "site"]);
    assert_eq!((outcome.code, outcome.err.as_str()), (1, "3 errors, 0 warnings, 0 notes in 3 files\n"));
    assert_eq!(
        outcome.out,
        "\
site/other.yml:1:14: error: `log.level`: unknown word `loud` [wrong_value]
     1 | log: {level: loud}
       |              ^
  hint: known: error, warn, info, debug, trace
site/tocsin.yaml:2:3: error: `detect.latness`: there is no such key [unknown_key]
     2 |   latness: 5s
       |   ^
  hint: did you mean `lateness`?
site/tocsin.yaml:3:9: error: `listen`: `8080` is not an address with a port [wrong_value]
     3 | listen: 8080
       |         ^
  hint: write it as 127.0.0.1:8080, or [::1]:8080; 0.0.0.0 is every IPv4 address
"
    );
}

#[test]
fn a_file_named_as_configuration_is_checked_as_one() {
    let folder = Folder::new().with("a.conf", "title: x\n").with("good.yml", GOOD);
    let outcome = folder.run(&["check", "-c", "a.conf"]);
    assert_eq!((outcome.code, outcome.err.as_str()), (1, "1 error, 0 warnings, 0 notes in 1 file\n"));
    assert!(outcome.out.starts_with("a.conf:1:1: error: `title`: there is no such key [unknown_key]\n"));
    let outcome = folder.run(&["check", "-c", "a.conf", "good.yml"]);
    assert_eq!((outcome.code, outcome.err.as_str()), (1, "1 error, 0 warnings, 0 notes in 2 files\n"));
    assert_eq!(folder.run(&["check", "-c", "missing"]).code, 2);
}

#[test]
fn the_example_has_nothing_to_say() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/tocsin.yaml");
    let outcome = Folder::new().run(&["check", example]);
    let expect = (0, "", "0 errors, 0 warnings, 0 notes in 1 file\n");
    assert_eq!((outcome.code, outcome.out.as_str(), outcome.err.as_str()), expect);
}

#[test]
fn nothing_to_check_is_wrong_usage() {
    let folder = Folder::new().with("empty/readme.txt", "");
    assert_eq!(folder.run(&["check", "missing"]).code, 2);
    assert_eq!(folder.run(&["check", "empty"]).code, 2);
}
