//! `tocsin test`.

use crate::support::Folder;

const RULE: &str = "\
title: A failed login
name: failed
logsource:
  category: authentication
detection:
  selection:
    event.outcome: failure
  condition: selection
level: low
";

const GOOD: &str =
    "story one fails\n+0s {\"type\":\"login_failed\",\"user\":\"ann\"}\nexpect failed key=ann\n";

const BAD: &str =
    "story <two> & \"one\"\n+0s {\"type\":\"login_failed\",\"user\":\"ann\"}\nexpect failed count=2\n";

fn folder() -> Folder {
    Folder::new()
        .with("rules/good.yml", RULE)
        .with("rules/good.trace", GOOD)
        .with("rules/bad.yml", RULE)
        .with("rules/bad.trace", BAD)
}

#[test]
fn each_trace_is_a_line_and_failures_say_what_differs() {
    let outcome = folder().run(&["test"]);
    assert_eq!((outcome.code, outcome.err.as_str()), (1, ""));
    assert_eq!(
        outcome.out,
        "\
FAILED rules/bad.trace (1 of 1 story)
  rules/bad.trace:1: story <two> & \"one\"
    line 3: `failed` differs
      expected: count=2
           got: count=1
ok rules/good.trace (1 story)
1 passed, 1 failed
"
    );
}

#[test]
fn a_trace_its_rule_or_a_folder_may_be_named() {
    for path in ["rules/good.trace", "rules/good.yml"] {
        let outcome = folder().run(&["test", path]);
        assert_eq!(
            (outcome.code, outcome.out.as_str()),
            (0, "ok rules/good.trace (1 story)\n1 passed, 0 failed\n")
        );
    }
    assert_eq!(folder().run(&["test", "rules"]).code, 1);
}

#[test]
fn junit_holds_every_story() {
    let folder = folder();
    let outcome = folder.run(&["test", "--junit", "report.xml"]);
    assert_eq!(outcome.code, 1);
    let xml = folder.text("report.xml");
    for part in [
        "<testsuites name=\"tocsin test\" tests=\"2\" failures=\"1\" errors=\"0\">",
        "<testcase name=\"&lt;two&gt; &amp; &quot;one&quot;\" classname=\"rules/bad.trace\" line=\"1\">",
        "<failure message=\"`failed` differs\">",
        "<testcase name=\"one fails\" classname=\"rules/good.trace\" line=\"1\"/>",
    ] {
        assert!(xml.contains(part), "{part} in {xml}");
    }
}

#[test]
fn json_has_an_object_for_each_story_and_no_total() {
    let outcome = folder().run(&["test", "--json"]);
    assert_eq!(outcome.code, 1);
    let lines: Vec<serde_json::Value> =
        outcome.out.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let told: Vec<_> = lines.iter().map(|line| (line["file"].as_str(), line["passed"].as_bool())).collect();
    let bad = (Some("rules/bad.trace"), Some(false));
    assert_eq!(told, [bad, (Some("rules/good.trace"), Some(true))]);
    assert_eq!(lines[0]["failures"][0]["line"], 3);
}

#[test]
fn what_cannot_be_played_is_told_with_its_place() {
    let folder = Folder::new()
        .with("a.yml", RULE)
        .with("a.trace", "story s\n+5 x\n")
        .with("b.yml", "title: t\n")
        .with("b.trace", GOOD);
    let outcome = folder.run(&["test", "."]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.out.starts_with("FAILED ./a.trace (not played)\n  ./a.trace:"), "{}", outcome.out);
    assert!(outcome.out.contains("./b.yml:1:1: "), "{}", outcome.out);
    assert!(outcome.out.ends_with("0 passed, 2 failed\n"), "{}", outcome.out);
}

#[test]
fn nothing_to_test_is_wrong_usage() {
    let folder = Folder::new().with("alone.yml", RULE).with("empty/readme.txt", "");
    for path in ["missing", "empty", "alone.yml"] {
        assert_eq!(folder.run(&["test", path]).code, 2, "{path}");
    }
    assert_eq!(folder.run(&["test"]).code, 2, "without a folder `rules`");
}

const EXAMPLES: &str = r#"
rsigma.exemplars:
  - name: the field alone is enough
    expect: match
    event: {event.outcome: failure}
  - expect: no-match
    event: {event.outcome: success}
tests:
  - Name: a whole record
    ExpectedResult: true
    Log: {type: login_failed, user: ann, timestamp: "2024-05-01T10:00:00Z"}
  - Name: a line of a log
    ExpectedResult: true
    Log: "May  1 10:00:00 web sshd[1]: Failed password for ann from 203.0.113.7 port 22 ssh2"
  - Name: another log source
    ExpectedResult: false
    Log: {event_type: file, status: failure}
"#;

const CORRELATED: &str = "\
title: Two failures
correlation:
  type: event_count
  rules: [failed]
  group-by: [user.name]
  timespan: 5m
  condition: {gte: 2}
level: informational
custom_attributes:
  rsigma.exemplars:
    - name: two
      expect: match
      events:
        - {offset: 0s, event: {event.outcome: failure, user.name: ann, timestamp: '2020-01-01T00:00:00Z'}}
        - {offset: 5m, event: {event.outcome: failure, user.name: ann}}
    - name: a second too late
      expect: no-match
      events:
        - {offset: 0s, event: {event.outcome: failure, user.name: ann}}
        - {offset: 301s, event: {event.outcome: failure, user.name: ann}}
";

#[test]
fn examples_of_rules_are_played() {
    let folder = Folder::new()
        .with("rules/base.yml", format!("{RULE}{EXAMPLES}"))
        .with("rules/two.yml", CORRELATED)
        .with("rules/none.yml", "title: none\n");
    let outcome = folder.run(&["test", "--junit", "report.xml"]);
    let expect = "ok rules/base.yml (5 examples)\nok rules/two.yml (2 examples)\n2 passed, 0 failed\n";
    assert_eq!((outcome.code, outcome.out.as_str(), outcome.err.as_str()), (0, expect, ""));
    let xml = folder.text("report.xml");
    for part in
        ["tests=\"7\" failures=\"0\"", "<testcase name=\"two\" classname=\"rules/two.yml\" line=\"11\"/>"]
    {
        assert!(xml.contains(part), "{part} in {xml}");
    }
    assert_eq!(folder.run(&["test", "rules/base.yml"]).code, 0);
}

#[test]
fn an_example_that_fails_says_why() {
    let wrong = "tests:\n  - Name: a success\n    ExpectedResult: true\n    Log: {type: login_success, user: ann}\n  \
                 - Name: a failure\n    ExpectedResult: false\n    Log: {type: login_failed}\n";
    let few = CORRELATED.replace("offset: 5m", "offset: 6m");
    let folder = Folder::new().with("rules/a.yml", format!("{RULE}{wrong}")).with("rules/b.yml", few);
    let outcome = folder.run(&["test", "--junit", "report.xml"]);
    assert_eq!(outcome.code, 1);
    assert_eq!(
        outcome.out,
        "\
FAILED rules/a.yml (2 of 2 examples)
  rules/a.yml:11: example a success
    line 11: the rule does not match, and should
      line 7: `event.outcome is \"failure\"` does not hold; seen \"success\"
  rules/a.yml:14: example a failure
    line 14: the rule matches, and should not
      log source: `event.category is \"authentication\"` holds; seen \"authentication\"
      line 7: `event.outcome is \"failure\"` holds; seen \"failure\"
FAILED rules/b.yml (1 of 2 examples)
  rules/b.yml:11: example two
    line 11: the rule does not match, and should
      asks for: at least 2 events within 5 minutes per user.name
      `failed` matches 2 of 2 events
0 passed, 2 failed
"
    );
    assert!(folder.text("report.xml").contains("<failure message=\"the rule does not match, and should\">"));
}

#[test]
fn examples_that_do_not_read_fail() {
    for (more, told) in [
        ("tests: [{ExpectedResult: yes, Log: {}}]\n", "a.yml:10:26: the test does not say what to expect"),
        ("rsigma.exemplars: [{expect: match}]\n", "a.yml:10:20: the example needs `event`"),
        ("tests: [{ExpectedResult: true, Log: {}}]\nlevl: [\n", "a.yml:11:"),
        ("tests: [{ExpectedResult: true, Log: {}}]\ntocsin: {x: y}\n", "a.yml:11:10: "),
    ] {
        let outcome = Folder::new().with("a.yml", format!("{RULE}{more}")).run(&["test", "a.yml"]);
        assert_eq!(outcome.code, 1, "{more}");
        let begin = format!("FAILED a.yml (not played)\n  {told}");
        assert!(outcome.out.starts_with(&begin), "{more}: {}", outcome.out);
    }
}
