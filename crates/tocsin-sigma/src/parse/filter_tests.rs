//! Filters as written.

use crate::ast::{Body, Filter};
use crate::test_support::{findings, load, show};

fn text(rules: &str, condition: &str) -> String {
    format!(
        "title: t\nlogsource: {{product: windows}}\nfilter:\n  rules: {rules}\n  selection: {{a: b}}\n  \
         other: {{c: d}}\n  condition: {condition}\n"
    )
}

fn filter(text: &str) -> Filter {
    match load(text) {
        (mut documents, _) if documents.len() == 1 => match documents.remove(0).body {
            Body::Filter(filter) => filter,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_filter_has_rules_and_one_condition() {
    let text = text("[x, y]", "not (selection or other)");
    assert_eq!(findings(&text), Vec::<String>::new());
    let filter = filter(&text);
    let rules: Vec<&str> = filter.rules.iter().flatten().map(|(rule, _)| rule.as_str()).collect();
    assert_eq!(rules, ["x", "y"]);
    assert_eq!(show(&filter.condition), "(not (or selection:a=[<b>] other:c=[<d>]))");
    assert_eq!(filter.logsource.product.as_deref(), Some("windows"));
}

#[test]
fn any_rule_may_be_meant() {
    let text = text("any", "not 1 of them");
    assert_eq!(findings(&text), ["4:10 info filter_any"]);
    assert!(filter(&text).rules.is_none());
}

#[test]
fn a_condition_that_excludes_nothing_is_told() {
    let text = text("[x]", "selection and other");
    assert_eq!(findings(&text), ["7:14 warning filter_selects"]);
    let hint = load(&text).1[0].hint.clone();
    assert_eq!(hint.as_deref(), Some("to leave out what it selects write `not (selection and other)`"));
}

#[test]
fn filters_that_are_wrong() {
    for (text, expect) in [
        (text("[]", "not selection"), "4:10 error no_value"),
        (text("{a: b}", "not selection"), "4:10 error wrong_type"),
        (text("[x]", "not nothing"), "7:18 error unknown_identifier"),
        (text("[x]", "[a, b]"), "7:14 error condition_syntax"),
        (text("[x]", "selection | count() > 3"), "7:24 error aggregation"),
    ] {
        assert!(findings(&text).contains(&expect.to_owned()), "{text}: {:?}", findings(&text));
        assert_eq!(load(&text).0.len(), 0);
    }
    for (text, expect) in [
        (
            "title: t\nlogsource: {product: x}\nfilter: {s: {a: b}, condition: not s}\n",
            "3:1 error missing_key",
        ),
        ("title: t\nlogsource: {product: x}\nfilter: {rules: [x], s: {a: b}}\n", "3:1 error missing_key"),
        ("title: t\nfilter: {rules: [x], s: {a: b}, condition: not s}\n", "1:1 error missing_key"),
        ("title: t\nlogsource: {product: x}\nfilter: x\n", "3:9 error wrong_type"),
        (
            "title: t\nlevel: high\nlogsource: {product: x}\nfilter: {rules: [x], s: {a: b}, condition: not s}\n",
            "2:1 warning no_effect",
        ),
        (
            "title: t\nlogsource: {product: x}\nfilter: {rules: [x, x], s: {a: b}, condition: not s}\n",
            "3:21 warning duplicate_value",
        ),
    ] {
        assert_eq!(findings(text), [expect], "{text}");
    }
}
