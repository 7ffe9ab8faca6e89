//! Tests of the condition grammar: precedence, quantifiers, limits, and where findings stand.

use crate::test_support::{detection, findings, load, show};

/// A rule with search identifiers `a`, `b`, `c`, `f_1`, `f_2`, `_h`, each a test of the field of
/// its name, and this condition, which begins at 10:14.
fn rule(condition: &str) -> String {
    let names: String =
        ["a", "b", "c", "f_1", "f_2", "_h"].iter().map(|name| format!("  {name}: {{x: 1}}\n")).collect();
    format!("title: t\nlogsource: {{product: x}}\ndetection:\n{names}  condition: {condition}\n")
}

/// The condition's tree with only names in it.
fn check(condition: &str, expect: &str) {
    let shown = show(&detection(&rule(condition)).condition).replace(":x=1(1)", "");
    assert_eq!(shown, expect, "{condition}");
}

/// The errors of a condition; unused identifiers are of no interest here.
fn refused(condition: &str, expect: &str) {
    let errors: Vec<_> =
        findings(&rule(condition)).into_iter().filter(|line| !line.contains("unused_selection")).collect();
    assert_eq!(errors, vec![expect.to_owned()], "{condition}");
}

#[test]
fn operators_bind_as_specified() {
    check("a", "a");
    check("a and b", "(and a b)");
    check("a and b and c", "(and a b c)");
    check("a or b and c", "(or a (and b c))");
    check("a and b or c", "(or (and a b) c)");
    check("not a and b", "(and (not a) b)");
    check("not a or b", "(or (not a) b)");
    check("not (a or b)", "(not (or a b))");
    check("not not a", "(not (not a))");
    check("(a or b) and c", "(and (or a b) c)");
    check("((a))", "a");
    check("a and (b and c)", "(and a (and b c))");
    check("a AND NOT b", "(and a (not b))");
    check("a and(b or c)", "(and a (or b c))");
}

#[test]
fn quantifiers_choose_by_name() {
    check("1 of them", "(or a b c f_1 f_2)");
    check("any of them", "(or a b c f_1 f_2)");
    check("all of them", "(and a b c f_1 f_2)");
    check("1 of f_*", "(or f_1 f_2)");
    check("all of f_*", "(and f_1 f_2)");
    check("1 of *_1", "f_1");
    check("1 of f*2", "f_2");
    check("1 of *_*", "(or f_1 f_2)");
    check("1 of _*", "_h");
    check("1 of *", "(or a b c f_1 f_2)");
    check("1 of a", "a");
    check("_h", "_h");
    check("not 1 of f_*", "(not (or f_1 f_2))");
    check("a and not 1 of f_* or b", "(or (and a (not (or f_1 f_2))) b)");
    check("1 OF Them", "(or a b c f_1 f_2)");
}

#[test]
fn several_conditions_are_any_of_them() {
    check("[a, b and c]", "(or a (and b c))");
    check("[a]", "a");
    check("\n    - a\n    - not b", "(or a (not b))");
}

#[test]
fn conditions_may_run_over_lines() {
    check("\n    a and\n    (\n      b\n      or c)", "(and a (or b c))");
    check(">-\n    a\n      and b", "(and a b)");
    check("|\n    a and\n    b", "(and a b)");
    check("'a and b'", "(and a b)");
}

#[test]
fn findings_stand_at_their_token() {
    refused("a and d", "10:20 error unknown_identifier");
    refused("'a and d'", "10:21 error unknown_identifier");
    refused("1 of x*", "10:19 error unknown_identifier");
    refused("1 of _x*", "10:19 error unknown_identifier");
    refused("a and f_*", "10:20 error condition_syntax");
    refused("2 of them", "10:14 error quantifier");
    refused("none of them", "10:14 error quantifier");
    refused("1 of", "10:16 error condition_syntax");
    refused("a b", "10:16 error condition_syntax");
    refused("a and", "10:16 error condition_syntax");
    refused("(a or b", "10:20 error condition_syntax");
    refused("a)", "10:15 error condition_syntax");
    refused("()", "10:15 error condition_syntax");
    refused("and a", "10:14 error unknown_identifier");
    refused("a & b", "10:16 error condition_syntax");
    refused("a | count() by x > 5", "10:16 error aggregation");
    refused("a | near b", "10:16 error aggregation");
    refused("\n    a and\n    d", "12:5 error unknown_identifier");
    refused(">\n    a and\n    not d", "12:9 error unknown_identifier");
    refused("[a, d]", "10:18 error unknown_identifier");
    refused("''", "10:14 error condition_syntax");
    refused("12", "10:14 error unknown_identifier");
    refused("[]", "10:3 error condition_syntax");
    refused("{a: b}", "10:14 error condition_syntax");
}

#[test]
fn hints_name_what_exists() {
    for (condition, expect) in [
        ("selection", "known: a, b, c, f_1, f_2, _h"),
        ("f_3", "did you mean `f_1`?"),
        ("a and f_*", "write `1 of f_*` or `all of f_*`"),
        (
            "a | count() > 1",
            "write a correlation rule (`correlation:` with `type: event_count` and `timespan`)",
        ),
    ] {
        let (_, diagnostics) = load(&rule(condition));
        let error = diagnostics.iter().find(|finding| finding.hint.is_some()).unwrap();
        assert_eq!(error.hint.as_deref(), Some(expect), "{condition}");
    }
}

#[test]
fn what_no_condition_names_is_worth_knowing() {
    assert_eq!(
        findings(&rule("a and 1 of f_*")),
        vec!["5:3 info unused_selection", "6:3 info unused_selection"]
    );
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    check(&nested(63), "a");
    refused(&nested(64), "10:78 error condition_too_deep");
    refused(&format!("{}a", "not ".repeat(100)), "10:270 error condition_too_deep");
    let wide = |count: usize| vec!["a"; count].join(" or ");
    assert_eq!(load(&rule(&wide(3_000))).0.len(), 1);
    refused(&wide(3_400), "10:16679 error condition_too_large");
    let values = vec!["1"; 16_000].join(",");
    let rule = format!(
        "title: t\nlogsource: {{product: x}}\ndetection:\n  a: {{x: [{values}]}}\n  condition: {}\n",
        wide(13)
    );
    assert_eq!(findings(&rule), vec!["5:74 error condition_too_large"]);
}
