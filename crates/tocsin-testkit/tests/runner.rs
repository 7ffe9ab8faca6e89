//! What the runner says about traces that fail, and about those it cannot play.

use std::fs;

const RULE: &str = "title: Failed\nname: failed\nlogsource: {category: authentication}\ndetection:\n  \
                    selection: {event.outcome: failure}\n  condition: selection\nlevel: high\n";
const LOGIN: &str = r#"{"type":"login","status":"failed","source_ip":"203.0.113.7"}"#;

/// Runs a trace beside [`RULE`] and compares what the report prints.
fn check(trace: &str, expect: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.trace");
    fs::write(folder.path().join("a.yml"), RULE).expect("a rule file");
    fs::write(&file, trace).expect("a trace");
    let report = tocsin_testkit::run(&file);
    assert_eq!(report.passed(), expect.is_empty());
    assert_eq!(report.to_string().replace(&format!("{}/", folder.path().display()), ""), expect);
}

#[test]
fn a_story_that_comes_true() {
    check(&format!("story s\n+0s {LOGIN}\nexpect failed key=203.0.113.7 at=+0s severity=high\n"), "");
    check(&format!("story s\n+0s {LOGIN}\nexpect Failed\nexpect match failed count=1\n"), "");
}

#[test]
fn an_alert_too_many_and_one_too_few() {
    check(
        &format!("story s\n+1s {LOGIN}\nexpect nothing\nstory t\nexpect failed count=2\n"),
        "a.trace:1: story s\n  an alert was raised that the story does not expect\n    got: failed \
         key=203.0.113.7 at=+1s first=+1s last=+1s count=1 severity=high type=sigma confidence=0.7 \
         message=\"Failed (source.ip 203.0.113.7)\"\n\
         a.trace:4: story t\n  line 5: an expected alert was not raised\n    expected: failed count=2\n",
    );
}

#[test]
fn an_alert_that_differs() {
    check(
        &format!(
            "story s\n+0s every 1s x2 {LOGIN}\nexpect failed count=3 last=+1s\nexpect match failed count=1\n"
        ),
        "a.trace:1: story s\n  line 3: `failed` differs\n    expected: count=3\n         got: count=2\n  \
         line 4: `failed` matches 2 events instead of 1\n",
    );
}

#[test]
fn records_nobody_can_read() {
    check(
        "story s\n+0s what is this\n+0s {\"type\":\"login\",\"time\":\"noon\"}\nexpect nothing\n",
        "a.trace:1: story s\n  line 2: this record cannot be read: no known log format\n    \
         record: what is this\n  line 3: this record carries no time that can be read\n    \
         record: {\"type\":\"login\",\"time\":\"noon\"}\n",
    );
}

#[test]
fn traces_that_cannot_be_played() {
    check("story s\nexpect other\n", "a.trace:1: story s\n  line 2: no loaded rule is called `other`\n");
    check(
        "with b.yml\nstory s\nexpect nothing\n",
        "a.trace:1: `b.yml` is neither beside the trace nor in a folder above\n",
    );
    check(
        "stroy\n",
        "a.trace:1: `stroy` begins no line (known: with, ungated, rule, placeholders, logsources, story, about, start, restart, +offset, expect)\n\
          a.trace:1: there is no story in this file\n",
    );
}

#[test]
fn a_trace_needs_its_rules() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lonely.trace");
    let print =
        || tocsin_testkit::run(&file).to_string().replace(&format!("{}/", folder.path().display()), "");
    fs::write(&file, "story s\nexpect nothing\n").unwrap();
    assert_eq!(
        print(),
        "lonely.trace: there is no rule file of the same name beside it, and no rule in it\n"
    );
    fs::write(folder.path().join("lonely.yml"), RULE.replace("selection\nlevel", "selektion\nlevel"))
        .unwrap();
    assert!(print().starts_with("lonely.yml:6:"), "{}", print());
}
