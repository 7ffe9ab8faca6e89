//! Rule sets compiled: who feeds whom, what filters add, what leads back, and what is told.

use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::test_support::show;

/// A detection of product `product` that looks for `a: NAME`.
fn detection(name: &str, product: &str) -> String {
    format!(
        "title: {name}\nname: {name}\nlogsource: {{product: {product}}}\n\
         detection: {{selection: {{a: {name}}}, condition: selection}}\n---\n"
    )
}

/// A correlation of that name over rules, by fields.
fn counted(name: &str, rules: &str, by: &str) -> String {
    format!(
        "title: {name}\nname: {name}\ncorrelation: {{type: event_count, rules: [{rules}], group-by: [{by}], \
         timespan: 5m, condition: {{gte: 2}}}}\n---\n"
    )
}

fn compiled(text: &str) -> (RuleSet, Vec<String>) {
    let (documents, mut found) = crate::parse(Arc::new(PathBuf::from("r.yml")), text);
    let (set, more) = compile(documents, Options { gate: true });
    found.extend(more);
    let line = |found: &Diagnostic| {
        let severity = found.severity.as_str();
        format!("{}:{} {severity} {}", found.place.line, found.place.column, found.code)
    };
    (set, found.iter().map(line).collect())
}

fn names(set: &RuleSet) -> Vec<&str> {
    set.rules.iter().map(|rule| rule.meta.title.as_str()).collect()
}

fn condition(set: &RuleSet, name: &str) -> String {
    match &set.find(name).expect("the rule loads").document.body {
        Body::Detection(detection) => show(&detection.condition),
        other => panic!("{other:?}"),
    }
}

#[test]
fn chains_are_put_in_order_whatever_the_files_say() {
    let text = [counted("top", "middle", "u"), counted("middle", "low", "u, h"), counted("low", "a", "u, h")]
        .concat()
        + &detection("a", "aws");
    let (set, found) = compiled(&text);
    assert_eq!(found, Vec::<String>::new());
    assert_eq!(names(&set), ["a", "low", "middle", "top"]);
    let (_, feeds) = set.rules[3].stateful.as_ref().unwrap();
    assert_eq!((feeds[0].rule, feeds[0].key.as_slice()), (RuleIdx(2), &["u".to_owned()][..]));
    let alerts: Vec<bool> = set.rules.iter().map(|rule| rule.meta.alerts).collect();
    assert_eq!(alerts, [false, false, false, true], "only the outermost alerts");
}

#[test]
fn generate_lets_inner_rules_alert_too() {
    let outer = counted("top", "low", "u").replace("condition:", "generate: true, condition:");
    let (set, _) = compiled(&(detection("a", "aws") + &counted("low", "a", "u") + &outer));
    let alerts: Vec<bool> = set.rules.iter().map(|rule| rule.meta.alerts).collect();
    assert_eq!(alerts, [false, true, true]);
}

#[test]
fn a_chain_groups_by_what_the_inner_one_groups_by() {
    let low = detection("a", "aws") + &counted("low", "a", "user");
    for (outer, expect) in [
        (counted("top", "low", "user"), None),
        (counted("top", "low", "host"), Some("7:91 error chain_group_by")),
        (counted("top", "low", "u").replace("condition:", "aliases: {u: {low: user}}, condition:"), None),
        (
            counted("top", "low", "user")
                .replace("event_count", "value_count")
                .replace("{gte: 2}", "{gte: 2, field: host}"),
            Some("7:91 error chain_group_by"),
        ),
    ] {
        let (set, found) = compiled(&(low.clone() + &outer));
        let told = found.first().map(|line| line.split_once(' ').unwrap().1);
        assert_eq!(told, expect.map(|line| line.split_once(' ').unwrap().1), "{outer}");
        assert_eq!(set.find("top").is_some(), expect.is_none(), "{outer}");
    }
}

#[test]
fn value_fields_and_aliases_name_what_each_rule_has() {
    let text = detection("a", "aws")
        + &detection("b", "aws")
        + "title: t\nname: t\ncorrelation:\n  type: value_count\n  rules: [a, b]\n  group-by: ip\n  timespan: 5m\n  \
           condition: {gte: 2, field: [who, port]}\n  aliases:\n    ip: {a: src, b: client}\n    \
           who: {a: user, b: account}\n";
    let (set, found) = compiled(&text);
    assert_eq!(found, Vec::<String>::new());
    let (spec, feeds) = set.find("t").unwrap().stateful.as_ref().unwrap();
    assert_eq!((spec.kind.as_str(), spec.references), ("value_count", 2));
    assert_eq!(
        (feeds[0].key.as_slice(), feeds[1].key.as_slice()),
        (&["src".to_owned()][..], &["client".to_owned()][..])
    );
    assert_eq!(feeds[0].value, ["user", "port"]);
    assert_eq!(feeds[1].value, ["account", "port"]);
    for field in ["src", "client", "user", "account", "port"] {
        assert!(set.table.get(field).is_some(), "{field} is asked for");
    }
}

#[test]
fn roles_of_a_sequence_are_the_places_of_its_rules() {
    let text = detection("a", "aws")
        + &detection("b", "aws")
        + "title: t\nname: t\ncorrelation: {type: temporal, rules: [b, a], group-by: u, timespan: 5m, \
           condition: b and not a}\n";
    let (set, found) = compiled(&text);
    assert_eq!(found, Vec::<String>::new());
    let (spec, feeds) = set.find("t").unwrap().stateful.as_ref().unwrap();
    let roles: Vec<(u32, u8)> = feeds.iter().map(|feed| (feed.rule.0, feed.role)).collect();
    assert_eq!(roles, [(1, 0), (0, 1)]);
    assert!(spec.seen.is_some());
}

#[test]
fn what_leads_back_or_nowhere_is_refused() {
    let base = detection("a", "aws");
    for (text, expect) in [
        (counted("x", "x", "u"), vec!["3:42 error correlation_cycle"]),
        (
            counted("x", "y", "u") + &counted("y", "x", "u"),
            vec!["3:42 error correlation_cycle", "7:42 error correlation_cycle"],
        ),
        (counted("x", "nobody", "u"), vec!["3:42 error unknown_rule"]),
        (
            counted("x", "y", "u") + &counted("y", "nobody", "u"),
            vec!["7:42 error unknown_rule", "3:42 error unknown_rule"],
        ),
    ] {
        let (set, found) = compiled(&(text.clone() + &base));
        assert_eq!(found, expect, "{text}");
        assert_eq!(names(&set), ["a"], "the others load: {text}");
    }
}

#[test]
fn a_chain_may_not_be_too_deep() {
    let mut text = detection("a", "aws");
    for depth in 0..crate::limits::CHAIN_DEPTH_MAX + 1 {
        let below = if depth == 0 { "a".to_owned() } else { format!("c{}", depth - 1) };
        text += &counted(&format!("c{depth}"), &below, "u");
    }
    let (set, found) = compiled(&text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("error chain_too_deep"), "{found:?}");
    assert!(set.find("c15").is_some() && set.find("c16").is_none());
    // Thousands of links are told of as well, without going down them one inside the other.
    let long: String = (0..5_000).map(|n| counted(&format!("c{n}"), &format!("c{}", n + 1), "u")).collect();
    assert_eq!(compiled(&long).0.rules.len(), 0);
}

#[test]
fn one_rule_under_two_names_is_told() {
    let rule = "title: a\nid: 11111111-1111-4111-8111-111111111111\nname: a\nlogsource: {product: aws}\n\
                detection: {s: {a: b}, condition: s}\n---\n";
    let text = rule.to_owned() + &counted("x", "a, 11111111-1111-4111-8111-111111111111", "u");
    assert_eq!(compiled(&text).1, ["9:45 error duplicate_rule"]);
}

const FILTER: &str = "title: no robots\nname: f\nlogsource: {product: aws}\nfilter:\n  rules: [a]\n  \
                      selection: {user: robot}\n  condition: not selection\n---\n";

#[test]
fn filters_stand_behind_the_rules_they_name() {
    for order in [detection("a", "aws") + FILTER, FILTER.to_owned() + &detection("a", "aws")] {
        let (set, found) = compiled(&order);
        assert_eq!(found, Vec::<String>::new());
        let expect = "(and selection:a=[<a>] filter no robots:(not selection:user=[<robot>]))";
        assert_eq!(condition(&set, "a"), expect);
        assert_eq!(
            set.find("a").unwrap().filters,
            [AppliedFilter { id: "f".into(), title: "no robots".into() }]
        );
    }
}

#[test]
fn filters_are_part_of_the_logic() {
    let hash = |text: &str| compiled(text).0.find("a").unwrap().meta.logic_hash.clone();
    let plain = hash(&detection("a", "aws"));
    let filtered = hash(&(detection("a", "aws") + FILTER));
    let renamed = hash(&(detection("a", "aws") + &FILTER.replace("no robots", "other title")));
    let other = hash(&(detection("a", "aws") + &FILTER.replace("robot}", "cron}")));
    assert_ne!(plain, filtered);
    assert_ne!(filtered, other);
    assert_eq!(filtered, renamed);
}

#[test]
fn names_of_filters_and_rules_do_not_mix() {
    let rule = "title: a\nname: a\nlogsource: {product: aws}\ndetection: {selection: {a: 1}, \
                selection_b: {b: 1}, condition: 1 of selection*}\n---\n";
    let filter = FILTER.replace("condition: not selection", "condition: not 1 of them");
    let (set, found) = compiled(&(rule.to_owned() + &filter));
    assert_eq!(found, Vec::<String>::new());
    assert_eq!(
        condition(&set, "a"),
        "(and (or selection:a=1(1) selection_b:b=1(1)) filter no robots:(not selection:user=[<robot>]))"
    );
}

#[test]
fn filters_apply_where_log_sources_fit() {
    let any = FILTER.replace("[a]", "any");
    let (set, found) = compiled(&(detection("a", "aws") + &detection("b", "gcp") + &any));
    assert_eq!(found, ["15:10 info filter_any"]);
    assert!(condition(&set, "a").contains("robots") && !condition(&set, "b").contains("robots"));
    let narrow = FILTER.replace("product: aws", "product: aws, service: cloudtrail");
    let (set, found) = compiled(&(detection("a", "aws") + &narrow));
    assert_eq!(found, ["10:11 warning filter_without_rule"]);
    assert_eq!(condition(&set, "a"), "selection:a=[<a>]");
    let wide = FILTER.replace("{product: aws}", "{service: cloudtrail}");
    let rule = detection("a", "aws").replace("product: aws", "product: aws, service: cloudtrail");
    assert!(condition(&compiled(&(rule + &wide)).0, "a").contains("robots"));
}

#[test]
fn filters_that_name_nobody_or_a_correlation_are_told() {
    let base = detection("a", "aws") + &counted("c", "a", "u");
    for (rules, expect) in [
        ("[nobody]", "14:11 warning filter_without_rule"),
        ("[c]", "14:11 warning filter_without_rule"),
        ("[a, c]", "14:14 warning filter_without_rule"),
    ] {
        let (set, found) = compiled(&(base.clone() + &FILTER.replace("[a]", rules)));
        assert_eq!(found, [expect], "{rules}");
        assert_eq!(set.rules.len(), 2);
    }
    let (_, found) = compiled(&FILTER.replace("[a]", "any"));
    assert_eq!(found, ["5:10 info filter_any", "3:1 warning filter_without_rule"]);
    let (_, found) = compiled(&(detection("f", "aws") + FILTER));
    assert!(found.contains(&"6:1 error duplicate_id".to_owned()), "{found:?}");
}

#[test]
fn every_condition_of_a_list_is_filtered() {
    let rule = "title: a\nname: a\nlogsource: {product: aws}\ndetection: {x: {a: 1}, y: {b: 1}, condition: [x, y]}\n---\n";
    let (set, _) = compiled(&(rule.to_owned() + FILTER));
    assert_eq!(
        condition(&set, "a"),
        "(and (or x:a=1(1) y:b=1(1)) filter no robots:(not selection:user=[<robot>]))"
    );
}

#[test]
fn a_correlation_s_hash_is_of_what_it_asks_for() {
    let base = detection("a", "aws");
    let hash = |text: &str| compiled(&(base.clone() + text)).0.find("x").unwrap().meta.logic_hash.clone();
    let plain = counted("x", "a", "u");
    let own = hash(&plain);
    assert_eq!(own, hash(&plain.replace("title: x", "title: other")));
    assert_eq!(own, hash(&plain.replace("condition:", "window: sliding, condition:")));
    for (from, to) in [
        ("gte: 2", "gte: 3"),
        ("gte: 2", "gt: 2"),
        ("gte: 2", "gte: 2, lt: 9"),
        ("5m", "6m"),
        ("[u]", "[v]"),
        ("condition:", "window: tumbling, condition:"),
    ] {
        assert_ne!(own, hash(&plain.replace(from, to)), "{to}");
    }
}

#[test]
fn aliases_that_say_too_little_or_too_much_are_told() {
    let base = detection("a", "aws") + &detection("b", "aws");
    for (aliases, expect) in [
        ("{u: {a: x, b: y}}", Vec::new()),
        ("{u: {a: x}}", vec!["warning alias_rules"]),
        ("{u: {a: x, b: y, c: z}}", vec!["warning alias_rules"]),
        ("{u: {}}", vec!["warning alias_rules"]),
        ("{v: {a: x, b: y}}", vec!["warning alias_rules"]),
    ] {
        let text =
            counted("t", "a, b", "u").replace("condition:", &format!("aliases: {aliases}, condition:"));
        let found = compiled(&(base.clone() + &text)).1;
        let codes: Vec<&str> = found.iter().map(|line| line.split_once(' ').unwrap().1).collect();
        assert_eq!(codes, expect, "{aliases}");
    }
}
