//! Correlations as written: what each key becomes, and what each type refuses, and where.

use tocsin_core::correlation::{Comparison, SeenLogic, Windowing};
use tocsin_core::time::Span;

use crate::ast::{Alias, Place};
use crate::test_support::{correlation, findings};

const CORRELATION: &str =
    "title: t\ncorrelation:\n  type: event_count\n  rules: [a]\n  timespan: 5m\n  group-by: [u]\n";

/// Findings of a correlation with these lines at its end, the first being the seventh.
fn with_correlation(lines: &str) -> Vec<String> {
    findings(&format!("{CORRELATION}{lines}\n"))
}

/// A correlation of that type with rules `a`, `b` and `c` and these keys.
fn of(kind: &str, keys: &str) -> String {
    format!("title: t\ncorrelation: {{type: {kind}, rules: [a, b, c], group-by: u, {keys}}}\n")
}

#[test]
fn correlations_as_written() {
    let text = "title: t\nname: n\ncorrelation:\n  type: consecutive\n  rules: a\n  interrupted-by: [b]\n  \
                followed-by: c\n  group-by: user\n  timespan: 5m\n  condition: {gte: 10, lt: 20}\n  \
                aliases:\n    user: {a: User, c: TargetUser}\n  generate: true\n";
    let correlation = correlation(text);
    let place = |line, column| Place { line, column };
    assert_eq!(correlation.kind, "consecutive");
    assert_eq!(correlation.place, place(4, 9));
    assert_eq!(correlation.rules, [("a".to_owned(), place(5, 10))]);
    assert_eq!(correlation.interrupted_by, [("b".to_owned(), place(6, 20))]);
    assert_eq!(correlation.followed_by, [("c".to_owned(), place(7, 16))]);
    assert_eq!(correlation.group_by, ["user"]);
    assert_eq!(correlation.timespan, Span::seconds(300));
    assert_eq!(correlation.condition, [(Comparison::Gte, 10.0), (Comparison::Lt, 20.0)]);
    let pair = |rule: &str, field: &str| (rule.to_owned(), field.to_owned());
    let fields = vec![pair("a", "User"), pair("c", "TargetUser")];
    assert_eq!(correlation.aliases, [Alias { name: "user".to_owned(), place: place(12, 5), fields }]);
    assert!(correlation.generate);
    assert_eq!(findings(text), Vec::<String>::new());
}

#[test]
fn correlations_that_are_wrong() {
    for (lines, expect) in [
        ("  condition: {gte: many}", "7:20 error wrong_type"),
        ("  condition: {ge: 1}", "7:15 error unknown_key"),
        ("  condition: {}", "7:14 error no_value"),
        ("  condition: [1]", "7:14 error wrong_type"),
        ("  generate: yes", "7:13 error wrong_type"),
        ("  groupby: [x]", "7:3 error unknown_key"),
        ("  followed-by: []", "7:16 error no_value"),
        ("  interrupted-by: [[x]]", "7:20 error wrong_type"),
        ("  aliases: x", "7:12 error wrong_type"),
        ("  aliases: {x: y}", "7:16 error wrong_type"),
    ] {
        assert_eq!(with_correlation(lines), vec![expect.to_owned()], "{lines}");
    }
    for (text, expect) in [
        ("title: t\ncorrelation: {rules: [a], timespan: 1h, group-by: x}\n", vec!["2:1 error missing_key"]),
        ("title: t\ncorrelation: {type: a, timespan: 1h, group-by: x}\n", vec!["2:1 error missing_key"]),
        (
            "title: t\ncorrelation: {type: a, rules: [], timespan: 1h, group-by: x}\n",
            vec!["2:31 error no_value"],
        ),
        ("title: t\ncorrelation: {type: a, rules: [b], group-by: x}\n", vec!["2:1 error missing_key"]),
        ("title: t\ncorrelation: {type: a, rules: [b], timespan: 1h}\n", vec!["2:1 warning no_group_by"]),
        (
            "title: t\ncorrelation: {type: a, rules: [b], timespan: 1h, group-by: []}\n",
            vec!["2:1 warning no_group_by"],
        ),
        (
            "title: t\ncorrelation: {type: a, rules: [b], timespan: 5, group-by: x}\n",
            vec!["2:46 error timespan_value"],
        ),
        ("title: t\ncorrelation: [a]\n", vec!["2:14 error wrong_type"]),
    ] {
        assert_eq!(findings(text), expect, "{text}");
    }
}

#[test]
fn every_type_takes_what_it_needs() {
    for (kind, keys) in [
        ("event_count", "timespan: 5m, condition: {gte: 3}"),
        ("event_count", "timespan: 5m, condition: {gt: 100, lte: 200}"),
        ("value_count", "timespan: 5m, condition: {gte: 3, field: x}"),
        ("value_count", "timespan: 5m, condition: {gte: 3, field: [x, y]}"),
        ("value_sum", "timespan: 5m, condition: {gt: 1.5, field: x}"),
        ("value_avg", "timespan: 5m, condition: {lt: 0.5, field: x}"),
        ("value_median", "timespan: 5m, condition: {eq: 1, field: x}"),
        ("value_percentile", "timespan: 5m, condition: {gte: 3, field: x, percentile: 99.9}"),
        ("temporal", "timespan: 5m"),
        ("temporal", "timespan: 5m, condition: {gte: 2}"),
        ("temporal_ordered", "timespan: 5m, condition: a and b and not c"),
        ("leaky_bucket", "leak: 10s, condition: {gt: 5}"),
        ("leaky_bucket", "leak: 10s, timespan: 1h, condition: {gt: 5, field: [x, y]}"),
        ("consecutive", "timespan: 5m, condition: {gte: 3}, followed-by: d, interrupted-by: e"),
        ("of_tomorrow", "timespan: 5m"),
    ] {
        assert_eq!(findings(&of(kind, keys)), Vec::<String>::new(), "{kind} {keys}");
    }
}

#[test]
fn every_type_refuses_what_it_cannot_use() {
    for (kind, keys, expect) in [
        ("event_count", "timespan: 5m", "missing_key"),
        ("event_count", "timespan: 5m, condition: {gte: 1, field: x}", "unknown_key"),
        ("event_count", "timespan: 5m, condition: {gte: 1, percentile: 5}", "unknown_key"),
        ("event_count", "timespan: 5m, condition: a and b and c", "condition_shape"),
        ("event_count", "timespan: 5m, condition: {gte: 1.5}", "condition_value"),
        ("event_count", "timespan: 5m, condition: {gt: 5, lt: 5}", "condition_never"),
        ("event_count", "timespan: 5m, condition: {eq: 5, neq: 5}", "condition_never"),
        ("event_count", "timespan: 5m, condition: {lt: 0}", "condition_never"),
        ("event_count", "timespan: 5m, condition: {gt: 1, lt: 2}", "condition_never"),
        ("temporal", "timespan: 5m, condition: {gte: 30}", "condition_never"),
        ("event_count", "timespan: 5m, leak: 1s, condition: {gte: 1}", "unknown_key"),
        ("event_count", "timespan: 5m, followed-by: d, condition: {gte: 1}", "unknown_key"),
        ("value_count", "timespan: 5m, condition: {gte: 1}", "missing_key"),
        ("value_count", "timespan: 5m, condition: {field: x}", "missing_key"),
        ("value_count", "timespan: 5m, condition: {gte: 1, field: []}", "no_value"),
        ("value_sum", "timespan: 5m, condition: {gte: 1, field: [x, y]}", "value_shape"),
        ("value_percentile", "timespan: 5m, condition: {gte: 1, field: x}", "missing_key"),
        (
            "value_percentile",
            "timespan: 5m, condition: {gte: 1, field: x, percentile: 101}",
            "percentile_value",
        ),
        ("temporal", "timespan: 5m, condition: {gte: 1, field: x}", "unknown_key"),
        ("temporal", "timespan: 5m, condition: a and x", "unknown_identifier"),
        ("temporal", "timespan: 5m, condition: not (a or b or c)", "condition_without_event"),
        ("temporal", "timespan: 5m, condition: (a and b", "condition_syntax"),
        ("leaky_bucket", "condition: {gt: 5}, timespan: 5m", "missing_key"),
        ("leaky_bucket", "leak: 1s, window: tumbling, condition: {gt: 5}", "window_value"),
        ("leaky_bucket", "leak: 0s, timespan: 5m, condition: {gt: 5}", "timespan_value"),
    ] {
        let found = findings(&of(kind, keys));
        let [only] = found.as_slice() else { panic!("{kind} {keys}: {found:?}") };
        assert!(
            only.starts_with("2:") && only.ends_with(&format!("error {expect}")),
            "{kind} {keys}: {only}"
        );
    }
}

#[test]
fn names_of_rules_become_roles() {
    let seen = |text: &str| correlation(&of("temporal", &format!("timespan: 5m, condition: {text}"))).seen;
    let role = |role| SeenLogic::Seen(role);
    assert_eq!(seen("a and b"), Some(SeenLogic::And(vec![role(0), role(1)])));
    let not = SeenLogic::Not(Box::new(role(2)));
    let either = SeenLogic::Or(vec![role(0), role(1)]);
    assert_eq!(seen("(a or b) and not c"), Some(SeenLogic::And(vec![either, not])));
    assert_eq!(seen("c"), Some(role(2)));
    assert_eq!(seen("all of them"), Some(SeenLogic::And(vec![role(0), role(1), role(2)])));
}

#[test]
fn windows_lie_as_written() {
    let session = Windowing::Session { gap: Span::seconds(300) };
    for (keys, top, expect) in [
        ("", "", Windowing::Sliding),
        (", window: sliding", "", Windowing::Sliding),
        (", window: tumbling", "", Windowing::Tumbling),
        (", window: session, gap: 5m", "", session),
        ("", "rsigma.window: session\nrsigma.gap: 5m\n", session),
        (", window: sliding", "rsigma.window: tumbling\n", Windowing::Tumbling),
    ] {
        let text = of("event_count", &format!("timespan: 1h, condition: {{gte: 2}}{keys}")) + top;
        assert_eq!(correlation(&text).windowing, expect, "{keys} {top}");
    }
    for (keys, expect) in [
        (", window: rolling", "error window_value"),
        (", window: session", "error missing_key"),
        (", gap: 5m", "error unknown_key"),
        (", window: session, gap: 300", "error timespan_value"),
        (", window: [x]", "error wrong_type"),
    ] {
        let found = findings(&of("event_count", &format!("timespan: 1h, condition: {{gte: 2}}{keys}")));
        assert!(found.len() == 1 && found[0].ends_with(expect), "{keys}: {found:?}");
    }
}

#[test]
fn times_in_long_units_are_taken_as_days() {
    let day = 86_400;
    for (timespan, seconds, warned) in
        [("2w", 14 * day, false), ("1M", 30 * day, true), ("2y", 730 * day, true), ("90m", 5_400, false)]
    {
        let text = of("event_count", &format!("timespan: {timespan}, condition: {{gte: 2}}"));
        assert_eq!(correlation(&text).timespan, Span::seconds(seconds), "{timespan}");
        let found = findings(&text);
        assert_eq!(found.iter().any(|line| line.ends_with("warning timespan_unit")), warned, "{timespan}");
    }
    for timespan in ["M", "300y", "-1d", "1.5h", "5"] {
        let found = findings(&of("event_count", &format!("timespan: {timespan}, condition: {{gte: 2}}")));
        assert!(found[0].ends_with("error timespan_value"), "{timespan}: {found:?}");
    }
}

#[test]
fn a_leaky_bucket_lasts_until_it_is_empty() {
    let text = of("leaky_bucket", "leak: 10s, condition: {gt: 5}");
    let correlation = correlation(&text);
    assert_eq!((correlation.leak, correlation.timespan), (Some(Span::seconds(10)), Span::seconds(60)));
}

#[test]
fn generate_may_stand_beside_the_correlation() {
    let text = of("event_count", "timespan: 5m, condition: {gte: 2}");
    assert!(!correlation(&text).generate);
    assert!(correlation(&format!("{text}generate: true\n")).generate);
    assert!(correlation(&of("event_count", "timespan: 5m, condition: {gte: 2}, generate: true")).generate);
}

#[test]
fn rules_that_stand_twice_or_are_too_many() {
    let twice = |kind: &str| {
        findings(&format!(
            "title: t\ncorrelation: {{type: {kind}, rules: [a, b, a], group-by: u, timespan: 5m, condition: {{gte: 1}}}}\n"
        ))
    };
    assert_eq!(twice("event_count"), ["2:48 error duplicate_rule"]);
    assert_eq!(twice("temporal"), ["2:45 error duplicate_rule"]);
    assert_eq!(twice("temporal_ordered"), Vec::<String>::new());
    let many: Vec<String> = (0..65).map(|n| format!("r{n}")).collect();
    let text = format!(
        "title: t\ncorrelation: {{type: temporal, group-by: u, timespan: 5m, rules: [{}]}}\n",
        many.join(", ")
    );
    let found = findings(&text);
    assert!(found[0].ends_with("error too_many_rules"), "{found:?}");
}
