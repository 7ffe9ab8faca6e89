//! Where what a story expects and what came of it differ. The set of alerts must be exactly the
//! expected one; an expectation compares only what it states.

use std::cmp::Reverse;

use tocsin_core::time::Timestamp;

use crate::got::{Got, written};
use crate::report::Failure;
use crate::trace::ExpectedAlert;

/// All differences between expected and raised alerts. `rule_id` gives the id of the rule a story
/// means by a name.
#[must_use]
pub fn compare(
    expected: &[&ExpectedAlert],
    got: &[Got],
    start: Timestamp,
    rule_id: impl Fn(&str) -> Option<String>,
) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut open: Vec<&Got> = got.iter().collect();
    // Whoever states most chooses first, so that a vague expectation takes no alert away.
    let mut waiting: Vec<&ExpectedAlert> = expected.to_vec();
    waiting.sort_by_key(|expected| Reverse(stated(expected)));
    waiting.retain(|expected| {
        let id = rule_id(&expected.rule);
        let fits = |got: &&Got| Some(&got.rule) == id.as_ref() && got.differences(expected, start).is_empty();
        let found = open.iter().position(fits);
        found.map(|index| open.remove(index)).is_none()
    });
    waiting.sort_by_key(|expected| expected.line);
    for expected in waiting {
        let id = rule_id(&expected.rule);
        let same_rule = |got: &Got| Some(&got.rule) == id.as_ref();
        let same_key = |got: &Got| expected.key.as_ref().is_none_or(|key| *key == got.key);
        let nearest = open.iter().position(|got| same_rule(got) && same_key(got));
        let nearest = nearest.or_else(|| open.iter().position(|got| same_rule(got)));
        failures.push(match nearest.map(|index| open.remove(index)) {
            None => missing(expected, start),
            Some(got) => different(expected, got, start),
        });
    }
    failures.extend(open.into_iter().map(|got| unexpected(got, start)));
    failures
}

/// How many attributes an expectation states.
fn stated(expected: &ExpectedAlert) -> usize {
    [
        expected.key.is_some(),
        expected.at.is_some(),
        expected.first.is_some(),
        expected.last.is_some(),
        expected.count.is_some(),
        expected.severity.is_some(),
        expected.kind.is_some(),
        expected.confidence.is_some(),
        expected.message.is_some(),
        expected.details.is_some(),
    ]
    .into_iter()
    .filter(|is| *is)
    .count()
}

fn missing(expected: &ExpectedAlert, start: Timestamp) -> Failure {
    Failure {
        line: expected.line,
        reason: "an expected alert was not raised".to_string(),
        details: vec![format!("expected: {}", written(expected, start))],
    }
}

fn unexpected(got: &Got, start: Timestamp) -> Failure {
    Failure {
        line: 0,
        reason: "an alert was raised that the story does not expect".to_string(),
        details: vec![format!("got: {}", written(&got.as_expected(), start))],
    }
}

fn different(expected: &ExpectedAlert, got: &Got, start: Timestamp) -> Failure {
    let details = got
        .differences(expected, start)
        .into_iter()
        .flat_map(|(wanted, got)| [format!("expected: {wanted}"), format!("     got: {got}")])
        .collect();
    Failure { line: expected.line, reason: format!("`{}` differs", expected.rule), details }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::trace::{Expected, Trace};

    fn got(key: &str, seconds: i64, count: u64) -> Got {
        let at = Timestamp::parse(b"2026-01-15T08:00:00Z")
            .unwrap()
            .plus(tocsin_core::time::Span::seconds(seconds));
        Got {
            rule: "id-of-a".into(),
            name: "a".into(),
            key: vec![key.into()],
            at,
            first: at,
            last: at,
            count,
            severity: tocsin_core::rule::Level::High,
            kind: "t".into(),
            confidence: 0.5,
            message: "m".into(),
            details: String::new(),
        }
    }

    /// All differences as text, one line each.
    fn check(expects: &str, got: &[Got], expect: &str) {
        let trace = Trace::parse(Path::new("t"), &format!("story s\n{expects}")).unwrap();
        let story = &trace.stories[0];
        let expected: Vec<&ExpectedAlert> = story
            .expected
            .iter()
            .filter_map(|expected| match expected {
                Expected::Alert(alert) => Some(alert),
                _ => None,
            })
            .collect();
        let failures = compare(&expected, got, story.start, |name| Some(format!("id-of-{name}")));
        let lines: Vec<String> = failures
            .iter()
            .map(|failure| format!("{}: {} | {}", failure.line, failure.reason, failure.details.join(" | ")))
            .collect();
        assert_eq!(lines.join("\n"), expect);
    }

    #[test]
    fn what_is_not_stated_is_not_compared() {
        check("expect a", &[got("x", 5, 3)], "");
        check("expect a key=x at=+5s count=3 severity=high type=t confidence=0.5", &[got("x", 5, 3)], "");
        check("expect a\nexpect message \"m\"", &[got("x", 5, 3)], "");
    }

    #[test]
    fn a_vague_expectation_takes_no_alert_away() {
        check("expect a\nexpect a key=x", &[got("x", 1, 1), got("y", 2, 1)], "");
    }

    #[test]
    fn differences_are_told_one_by_one() {
        check(
            "expect a key=x at=+4s count=2",
            &[got("y", 4, 2), got("x", 5, 3)],
            "2: `a` differs | expected: at=+4s |      got: at=+5s | expected: count=2 |      got: count=3\n\
             0: an alert was raised that the story does not expect | \
             got: a key=y at=+4s first=+4s last=+4s count=2 severity=high type=t confidence=0.5 message=\"m\"",
        );
    }

    #[test]
    fn what_is_missing_is_told() {
        check(
            "expect a key=x\nexpect b key=\"y z\"",
            &[got("x", 1, 1)],
            "3: an expected alert was not raised | expected: b key=\"y z\"",
        );
    }
}
