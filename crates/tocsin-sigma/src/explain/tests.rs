//! Trees of small rules over small events.

use super::*;
use crate::test_support::detection;

/// A tree in one line: `+` or `-` in front of each part, parts below it in parentheses.
fn show(node: &Node<'_>) -> String {
    let label = match &node.what {
        What::LogSource(text) | What::Unmapped(text) | What::Test(text) => text.clone(),
        What::Selection(name) => name.to_string(),
        What::Item(seen) => format!("{}{:?}", seen.field.as_deref().unwrap_or("any"), texts(&seen.values)),
        other => format!("{other:?}").to_lowercase(),
    };
    let below: Vec<String> = node.children.iter().map(show).collect();
    let below = if below.is_empty() { String::new() } else { format!("({})", below.join(" ")) };
    format!("{}{label}{below}", if node.holds { '+' } else { '-' })
}

fn texts<'a>(values: &'a [Value<'_>]) -> Vec<&'a str> {
    values.iter().map(|value| value.as_text().unwrap_or("?")).collect()
}

/// The tree of a rule's condition for an event of `name=value` words.
fn condition(selections: &str, condition: &str, event: &str) -> String {
    let rule = format!(
        "title: t\nlogsource: {{category: application}}\ndetection:\n  {selections}\n  condition: {condition}\n"
    );
    let values = |field: &str| {
        let pairs = event.split(' ').filter_map(|word| word.split_once('='));
        pairs.filter(|(name, _)| *name == field).map(|(_, value)| Value::Text(Cow::Borrowed(value))).collect()
    };
    let root = explain(&detection(&rule), &EventValues { values: &values, record: event });
    show(&root.children[1].children[0])
}

#[test]
fn every_branch_is_followed_to_its_end() {
    assert_eq!(
        condition("s: {a: 1, b: x}\n  f: {c: y}", "s and not f", "a=2 b=x c=y"),
        r#"-all(-s(-all(-a["2"](-is 1) +b["x"](+is "x"))) -not(+f(+c["y"](+is "y"))))"#
    );
}

#[test]
fn each_value_has_its_own_truth() {
    let any = "s: {a|contains: [x, y]}";
    assert_eq!(condition(any, "s", "a=axb"), r#"+s(+a["axb"](+contains "x" -contains "y"))"#);
    let all = "s: {a|contains|all: [x, y]}";
    assert_eq!(condition(all, "s", "a=x a=y"), r#"+s(+a["x", "y"](+contains "x" +contains "y"))"#);
    assert_eq!(condition(all, "s", "b=x"), "-s(-a[](-contains \"x\" -contains \"y\"))");
}

#[test]
fn keywords_are_looked_for_in_the_record() {
    assert_eq!(condition("s: [ERR]", "s", "an err=1"), r#"+s(+any[](+contains "ERR"))"#);
}

#[test]
fn log_sources_stand_beside_the_condition() {
    for (logsource, expect) in [
        (
            "category: authentication",
            r#"-category authentication(-all(-event.category[](-is "authentication")))"#,
        ),
        ("category: application", "+category application(+all(+all))"),
        ("product: toaster", "-product toaster(-no format yields events of product `toaster`)"),
    ] {
        let rule =
            format!("title: t\nlogsource: {{{logsource}}}\ndetection: {{s: {{a: b}}, condition: s}}\n");
        let values = |_: &str| Vec::new();
        let root = explain(&detection(&rule), &EventValues { values: &values, record: "" });
        assert_eq!(show(&root.children[0]), expect);
    }
}

#[test]
fn feeds_show_the_group_key_and_what_is_missing() {
    let feed = Feed {
        rule: RuleIdx(3),
        role: 0,
        key: vec!["a".into(), "b".into(), "c".into()],
        value: vec!["a".into()],
    };
    let values = |field: &str| match field {
        "a" => vec![Value::Number("7"), Value::Number("8")],
        "b" => vec![Value::Text(Cow::Borrowed(""))],
        _ => Vec::new(),
    };
    let event = EventValues { values: &values, record: "" };
    let fed = feeds(std::slice::from_ref(&feed), &|_| false, &event);
    let key = vec![("a".into(), Some(Value::Number("7"))), ("b".into(), None), ("c".into(), None)];
    let value = vec![("a".into(), Some(Value::Number("7")))];
    assert_eq!(fed, [Fed { rule: RuleIdx(3), role: 0, key, value }]);
    let chained = feeds(&[feed], &|_| true, &event);
    assert_eq!(chained, [Fed { rule: RuleIdx(3), role: 0, key: Vec::new(), value: Vec::new() }]);
}
