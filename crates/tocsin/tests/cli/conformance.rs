//! `tocsin conformance`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::support::Folder;

const RULE: &str = "\
rule
  title: A failed login
  name: failed
  logsource: {category: authentication}
  detection:
    selection: {event.outcome: failure}
    condition: selection
  level: low

";

const GOOD: &str =
    "story one fails\nabout a.b\n+0s {\"type\":\"login_failed\",\"user\":\"ann\"}\nexpect failed key=ann\n";

const BAD: &str = "story two fail\n+0s {\"type\":\"login_failed\",\"user\":\"ann\"}\nexpect failed count=2\nexpect match failed at=+1s\n";

/// The list of what must have a story.
fn boxes() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/boxes.txt");
    let text = std::fs::read_to_string(path).expect("the list of boxes");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_string).collect()
}

#[test]
fn the_shipped_stories_pass_anywhere_and_leave_no_box_out() {
    let outcome = Folder::new().run(&["conformance", "--json"]);
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""), "{}", outcome.out);
    let stories: Vec<Value> =
        outcome.out.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    assert!(stories.iter().all(|story| story["passed"] == true));
    let mut told = BTreeSet::new();
    for story in &stories {
        let about = story["about"].as_array().expect("a list");
        assert!(!about.is_empty(), "{story}");
        told.extend(about.iter().filter_map(Value::as_str).map(str::to_string));
    }
    let boxes = boxes();
    let missing: Vec<_> = boxes.difference(&told).collect();
    let unknown: Vec<_> = told.difference(&boxes).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "without a story: {missing:?}; unknown: {unknown:?}");
}

#[test]
fn each_story_is_a_line_and_failures_say_what_differs() {
    let folder = Folder::new().with("s/a.trace", format!("{RULE}{GOOD}{BAD}"));
    let outcome = folder.run(&["conformance", "s", "--junit", "report.xml"]);
    assert_eq!((outcome.code, outcome.err.as_str()), (1, ""));
    assert_eq!(
        outcome.out,
        "\
ok s/a.trace:10 one fails
FAILED s/a.trace:14 two fail
  line 16: `failed` differs
    expected: count=2
         got: count=1
  line 17: `failed` matches other events
    expected: +1s
         got: +0s
1 passed, 1 failed
"
    );
    let xml = folder.text("report.xml");
    assert!(xml.contains("<testsuites name=\"tocsin conformance\" tests=\"2\" failures=\"1\" errors=\"0\">"));
}

#[test]
fn json_has_an_object_for_each_story_and_for_what_cannot_be_played() {
    let folder =
        Folder::new().with("a.trace", format!("{RULE}{GOOD}{BAD}")).with("b.trace", "with x.yml\nstory s\n");
    let outcome = folder.run(&["conformance", ".", "--json"]);
    assert_eq!(outcome.code, 1);
    let lines: Vec<Value> =
        outcome.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["about"][0], "a.b");
    assert_eq!((&lines[0]["passed"], &lines[0]["alerts"]), (&Value::from(true), &Value::from(1)));
    assert_eq!(lines[1]["failures"][0]["details"][1], "     got: count=1");
    assert!(lines[2]["faults"][0].as_str().is_some_and(|fault| fault.starts_with("./b.trace:2: ")));
}

#[test]
fn findings_are_compared_too() {
    let wrong = "story s\nrule\n  title: t\n  logsource: {category: authentication}\n  detection: {s: {f|x: a}, condition: s}\n";
    for (expect, told) in [
        ("expect refused unknown_modifier \"`x`\"\n", None),
        ("expect nothing\n", Some("a rule is refused that the story does not expect to be")),
        ("expect refused missing_key\n", Some("an expected finding was not told")),
        ("expect warning unknown_modifier\n", Some("an expected finding was not told")),
        ("expect clean\n", Some("a rule is refused that the story does not expect to be")),
    ] {
        let folder = Folder::new().with("a.trace", format!("{wrong}{expect}"));
        let outcome = folder.run(&["conformance", "a.trace"]);
        assert_eq!(outcome.code, i32::from(told.is_some()), "{expect}: {}", outcome.out);
        assert!(told.is_none_or(|told| outcome.out.contains(told)), "{expect}: {}", outcome.out);
    }
}

#[test]
fn nothing_to_play_is_wrong_usage() {
    let folder = Folder::new().with("empty/readme.txt", "");
    for path in ["missing", "empty"] {
        assert_eq!(folder.run(&["conformance", path]).code, 2, "{path}");
    }
}
