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
