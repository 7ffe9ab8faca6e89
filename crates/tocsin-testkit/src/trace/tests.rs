//! What a trace file may say, and how it is told off.

use std::path::Path;

use tocsin_sigma::ast::Severity;

use super::{Block, BlockKind, Expected, Trace, compose};

fn parse(text: &str) -> Trace {
    Trace::parse(Path::new("a.trace"), text).unwrap()
}

/// The records of the first story, one a line.
fn records(text: &str) -> String {
    let trace = parse(&format!("story s\n{text}\nexpect nothing\n"));
    trace.stories[0].records.iter().map(|record| record.text.as_str()).collect::<Vec<_>>().join("\n")
}

/// All faults, one a line.
fn faults(text: &str) -> String {
    let errors = Trace::parse(Path::new("a.trace"), text).unwrap_err();
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_story_with_everything() {
    let trace = parse(
        "# who and why\nwith base/a.yml\nstart 2026-02-01T00:00:00Z\n\nstory one\n\
         +1m every 10s x2 {\"a\":%{n}}\n\
         expect brute key=web-1,198.51.100.4 at=+1m10s count=2 severity=high type=t confidence=0.9\n\
         expect message \"two \\\"failed\\\" logins\"\nexpect details \"d\"\nexpect match base count=3\n\
         story two\nstart 2026-03-01T00:00:00Z\n+0s line\nexpect nothing\n",
    );
    assert_eq!(trace.with, [("base/a.yml".to_string(), 2)]);
    let [one, two] = &trace.stories[..] else { panic!("two stories") };
    assert_eq!(one.records[1].text, "{\"timestamp\":\"2026-02-01T00:01:10Z\",\"a\":2}");
    let [Expected::Alert(alert), Expected::Matches(matches)] = &one.expected[..] else { panic!() };
    assert_eq!(alert.key.as_deref(), Some(&["web-1".to_string(), "198.51.100.4".to_string()][..]));
    assert_eq!(alert.at, Some(one.records[1].time));
    assert_eq!(alert.message.as_deref(), Some("two \"failed\" logins"));
    assert_eq!((matches.rule.as_str(), matches.count, matches.line), ("base", Some(3), 10));
    assert_eq!((two.start.to_string().as_str(), two.line), ("2026-03-01T00:00:00Z", 11));
}

#[test]
fn placeholders_write_the_time() {
    assert_eq!(records("+1s %{syslog} web-1 sshd[1]: x"), "Jan 15 08:00:01 web-1 sshd[1]: x");
    assert_eq!(records("+1s a [%{clf}] b"), "a [15/Jan/2026:08:00:01 +0000] b");
    assert_eq!(records("+1s1ns %{iso} a"), "2026-01-15T08:00:01.000000001Z a");
    assert_eq!(records("+0s every 1s x3 u%{n}"), "u1\nu2\nu3");
    assert_eq!(records("+0s GET /%{(#a)}"), "GET /%{(#a)}");
}

#[test]
fn json_gets_a_time_unless_it_has_one() {
    assert_eq!(records("+1ns {}"), "{\"timestamp\":\"2026-01-15T08:00:00.000000001Z\"}");
    assert_eq!(records("+0s {\"time\":1}"), "{\"time\":1}");
    assert_eq!(records("+0s {\"at\":\"%{iso}\"}"), "{\"at\":\"2026-01-15T08:00:00Z\"}");
}

#[test]
fn everything_wrong_is_told_with_its_line() {
    let text = "+0s early\nstory s\nstart noon\n5m x\n+5 x\n+0s every 5s x0 x\n+0s {\"a\":\n+0s %{hour}\n\
                +1ms %{clf}\n+0s\nexpect\nexpect message \"m\"\nexpect a b=c\nexpect a at=5m\nexpect match a\n\
                expect message \"m\nexpect message a b\n";
    assert_eq!(
        faults(text),
        "a.trace:1: this belongs into a story; begin one before it\n\
         a.trace:2: this story expects neither an alert nor nothing\n\
         a.trace:3: `noon` is no time: write it as 2026-01-15T08:00:00Z\n\
         a.trace:4: `5m` begins no line (known: with, ungated, rule, placeholders, logsources, story, about, start, restart, +offset, expect)\n\
         a.trace:5: `+5` is no offset: write `+` and a sum of parts, such as `+5m1ns`\n\
         a.trace:6: repeats are written `every <span> x<number> <record>`, such as `every 29s x10`\n\
         a.trace:7: this record is not valid JSON: EOF while parsing a value at line 1 column 5\n\
         a.trace:8: there is no placeholder `%{hour}` (known: %{clf}, %{iso}, %{n}, %{syslog})\n\
         a.trace:9: `%{clf}` writes whole seconds only, but the offset has a fraction\n\
         a.trace:10: a record must follow the offset\n\
         a.trace:11: say what is expected: a rule's name, `nothing`, `match`, `message`, `details`, `refused`, `warning`, `note` or `clean`\n\
         a.trace:12: this belongs to an alert; expect one before it\n\
         a.trace:13: an alert has no `b` (known: at, confidence, count, first, key, last, severity, type)\n\
         a.trace:14: `5m` is no offset: write `+` and a sum of parts, such as `+5m1ns`\n\
         a.trace:15: write `expect match <rule> count=<number>` or `at=<offset>,<offset>…`\n\
         a.trace:16: a quote is not closed\n\
         a.trace:17: `expect message` takes one text in double quotes"
    );
}

#[test]
fn a_story_must_make_up_its_mind() {
    assert_eq!(faults(""), "a.trace:1: there is no story in this file");
    assert_eq!(
        faults("story s\nexpect a\nexpect nothing\nstory\nexpect nothing\nwith x"),
        "a.trace:1: this story expects alerts and nothing at once\n\
         a.trace:4: a story needs a name\n\
         a.trace:6: `with` stands before the first story"
    );
    assert!(faults("story s\n+0s every 1s x100001 a\nexpect nothing").contains("at most 100000 events"));
}

#[test]
fn rules_stand_in_the_trace_or_in_a_story() {
    let trace = parse(
        "ungated\nrule\n  title: a\n\n  x: 1\n# between\nstory one\nabout a.b c\nrule\n    title: b\nplaceholders\n  p: q\n\
         +0s from x {\"a\":1}\nrestart\n+1s {}\n+2s from x every 1s x2 {}\n+3s from y {}\nexpect match b at=+2s,+0s\n\
         expect refused code \"some words\"\nexpect note other\nexpect clean\n",
    );
    assert!(trace.ungated);
    let rules = |blocks: &[Block]| compose(BlockKind::Rule, blocks.iter());
    assert_eq!(rules(&trace.blocks).unwrap(), "\n---\ntitle: a\n\nx: 1\n");
    let story = &trace.stories[0];
    assert_eq!(rules(&story.blocks).unwrap(), "\n\n\n\n\n\n\n\n---\ntitle: b\n");
    assert!(compose(BlockKind::Placeholders, story.blocks.iter()).unwrap().ends_with("\np: q\n"));
    assert_eq!((story.about.join(" ").as_str(), story.restarts.as_slice()), ("a.b c", &[1][..]));
    assert_eq!(story.records.iter().map(|record| record.input).collect::<Vec<_>>(), [1, 0, 1, 1, 2]);
    let [
        Expected::Matches(matches),
        Expected::Finding(finding),
        Expected::Finding(note),
        Expected::Clean(21),
    ] = &story.expected[..]
    else {
        panic!("{:?}", story.expected)
    };
    assert_eq!(matches.at.as_deref(), Some(&[story.records[0].time, story.records[2].time][..]));
    assert_eq!((finding.code.as_str(), finding.words.as_str()), ("code", "some words"));
    assert_eq!((finding.severity, note.severity), (Severity::Error, Severity::Info));
}

#[test]
fn what_is_wrong_about_blocks_is_told_with_its_line() {
    assert_eq!(
        faults(
            "rule lf\nrule\nstory s\nungated\nabout\nrestart now\nrule\n    a: b\n  c: d\nexpect refused\n\
             expect clean up\nexpect match a at=1s\nexpect match a by=x\n+0s from x\nexpect nothing\n"
        ),
        "a.trace:1: `lf` says nothing of a block (known: crlf)\n\
         a.trace:2: this block is empty: indent what belongs to it\n\
         a.trace:4: `ungated` stands alone, before the first story\n\
         a.trace:5: say what the story is about\n\
         a.trace:6: nothing may follow `restart`\n\
         a.trace:9: this line is indented less than the first of its block\n\
         a.trace:10: write `expect refused <code>`, and words of it in double quotes\n\
         a.trace:11: nothing may follow `expect clean`\n\
         a.trace:12: `1s` is no offset: write `+` and a sum of parts, such as `+5m1ns`\n\
         a.trace:13: write `expect match <rule> count=<number>` or `at=<offset>,<offset>…`\n\
         a.trace:14: a record must follow the offset"
    );
}
