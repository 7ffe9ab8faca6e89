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

#[test]
fn warnings_and_notes_are_denied_on_request() {
    let folder = Folder::new()
        .with("warning.yml", GOOD.replace("level: low\n", ""))
        .with("note.yml", GOOD.replace("event.outcome", "my.own"))
        .with("good.yml", GOOD);
    for (file, deny, code) in [
        ("warning.yml", "warnings", 1),
        ("warning.yml", "notes", 1),
        ("note.yml", "warnings", 0),
        ("note.yml", "notes", 1),
        ("good.yml", "notes", 0),
        ("good.yml", "everything", 2),
    ] {
        assert_eq!(folder.run(&["check", file, "--deny", deny]).code, code, "{file} {deny}");
    }
}

#[test]
fn techniques_become_a_layer_of_the_navigator() {
    let tagged = |title: &str, tags: &str| format!("{}tags: [{tags}]\n", GOOD.replace("Good", title));
    let folder = Folder::new()
        .with("rules/a.yml", tagged("A", "attack.credential-access, attack.t1110.001"))
        .with("rules/b.yml", tagged("B", "attack.t1110.001, attack.t1078, cve.2024-1"))
        .with("rules/broken.yml", tagged("C", "attack.t1566").replace("low", "loww"));
    let outcome = folder.run(&["check", "rules", "--navigator", "layer.json"]);
    assert_eq!(outcome.code, 1, "a rule is broken; the layer holds the others");
    let layer: Value = serde_json::from_str(&folder.text("layer.json")).unwrap();
    assert_eq!(layer["versions"]["layer"], "4.5");
    assert_eq!(layer["domain"], "enterprise-attack");
    assert!(["name", "description"].iter().all(|key| layer[key].is_string()));
    assert_eq!(layer["gradient"]["colors"].as_array().map(Vec::len), Some(2));
    assert_eq!((&layer["gradient"]["minValue"], &layer["gradient"]["maxValue"]), (&json!(0), &json!(2)));
    assert_eq!(
        layer["techniques"],
        json!([
            {"techniqueID": "T1078", "score": 1, "comment": "B", "enabled": true},
            {"techniqueID": "T1110.001", "score": 2, "comment": "A\nB", "enabled": true},
        ])
    );
    assert_eq!(folder.run(&["check", "rules", "--navigator", "no/such/folder.json"]).code, 3);
}

const IMPOSSIBLE: &str = "\
title: Impossible
logsource:
  product: windows
  category: process_creation
detection:
  selection:
    EventID: 11
    Imagee|endswith: '\\cmd.exe'
  filter_other:
    EventID: 12
  condition: selection and not filter_other
level: low
";

#[test]
fn rules_that_can_never_match_are_told() {
    let outcome = Folder::new().with("a.yml", IMPOSSIBLE).run(&["check", "a.yml", "--json"]);
    assert_eq!(outcome.code, 0, "a rule that loads is no error: {}", outcome.err);
    let found: Vec<Value> = outcome.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<String> = found
        .iter()
        .map(|found| format!("{}:{} {}", found["line"], found["column"], found["code"].as_str().unwrap()))
        .collect();
    assert_eq!(told, ["1:1 rule_never_matches", "7:5 contradiction", "8:5 unknown_field"]);
    assert_eq!(found[2]["hint"], "did you mean `Image`?");
    let reason = found[1]["reason"].as_str().unwrap();
    assert!(reason.contains("(is 11): the log source asks that it is \"1\""), "{reason}");
    let possible = IMPOSSIBLE.replace("EventID: 11", "EventID: 1").replace("Imagee", "Image");
    let outcome = Folder::new().with("a.yml", possible).run(&["check", "a.yml", "--deny", "warnings"]);
    assert_eq!(outcome.code, 1, "{}", outcome.out);
    let first = "a.yml:10:5: warning: `filter_other` never applies: ";
    assert!(outcome.out.starts_with(first), "{}", outcome.out);
    assert_eq!(outcome.err, "0 errors, 1 warning, 0 notes in 1 file\n");
}

#[test]
fn a_field_that_another_rule_uses_is_known() {
    let own = |name: &str| {
        GOOD.replace("title: Good", &format!("title: {name}")).replace("event.outcome", "my.own")
    };
    let folder = Folder::new().with("r/a.yml", own("a")).with("r/b.yml", own("b"));
    assert!(folder.run(&["check", "r/a.yml"]).out.contains("[unknown_field]"));
    assert_eq!(folder.run(&["check", "r"]).out, "");
}
