//! Each lint where it speaks and where it is silent.

use super::*;

/// What a rule with this search identifier is told: `line:column severity code`, counted from the
/// identifier's first line.
fn told(logsource: &str, selection: &str) -> Vec<String> {
    let indented: String = selection.lines().map(|line| format!("    {line}\n")).collect();
    let rule = format!(
        "title: t\nlevel: low\nlogsource: {{{logsource}}}\ndetection:\n  condition: selection\n  selection:\n{indented}"
    );
    let names = FieldNames::new(["a", "b", "event.outcome", "source.ip", "source.port"]);
    let (documents, _) = crate::parse(Arc::default(), &rule);
    assert_eq!(documents.len(), 1, "the rule loads: {rule}");
    let line = |found: Diagnostic| {
        let place = format!("{}:{}", found.place.line - 6, found.place.column - 4);
        format!("{place} {} {}", found.severity.as_str(), found.code)
    };
    lint(&Arc::default(), &rule, &names).into_iter().map(line).collect()
}

fn check(selection: &str, expect: &[&str]) {
    assert_eq!(told("category: authentication", selection), expect, "{selection}");
}

#[test]
fn wildcards_that_say_a_modifier() {
    check("a: '*x*'", &["1:1 warning wildcard_for_modifier"]);
    check("a:\n  - '*x'\n  - '*y'", &["1:1 warning wildcard_for_modifier"]);
    check("a|cased: 'x*'", &["1:1 warning wildcard_for_modifier"]);
    check("a:\n  - '*x'\n  - 'y*'", &[]);
    check("a: 'x*y'", &[]);
    check("a: '*x*y'", &[]);
    check(r"a: '\*x'", &[]);
}

#[test]
fn wildcards_at_the_ends_of_a_modifier() {
    check("a|contains: '*x*'", &["1:13 warning redundant_wildcard"]);
    check("a|startswith: 'x*'", &["1:15 warning redundant_wildcard"]);
    check("a|startswith: '*x'", &["1:15 warning wildcard_undoes_modifier"]);
    check("a|endswith:\n  - y\n  - 'x*'", &["3:5 warning wildcard_undoes_modifier"]);
    check("- '*keyword*'\n- other", &["1:3 warning redundant_wildcard"]);
    check("a|contains: 'x*y'", &[]);
    check("a|re: '.*x.*'", &[]);
}

#[test]
fn values_that_match_everything() {
    check("a: '*'", &["1:4 info matches_everything"]);
    check("a|contains: ''", &["1:13 info matches_everything"]);
    check("a|re: '.*'", &["1:7 info matches_everything"]);
    check("a|re: '^.*$'", &["1:7 info matches_everything"]);
    check("a|re: '(x|)'", &["1:7 info matches_everything"]);
    for silent in ["a: ''", "a: '?'", "a: null", "a|re: '^$'", "a|re: '.+'", r"a|re: '\b'"] {
        check(silent, &[]);
    }
}

#[test]
fn values_that_can_never_match() {
    check("event.outcome: failed", &["1:16 warning never_matches"]);
    check("event.outcome|startswith: SUCC", &[]);
    check("event.outcome: null", &[]);
    check("source.port: ssh", &["1:14 warning never_matches"]);
    check("source.port:\n  - 22\n  - '2*'", &[]);
    check("source.ip: gateway", &["1:12 warning never_matches"]);
    check("source.ip|startswith: '10.'", &[]);
    check("source.ip|re: 'x'", &[]);
    check("a|all:\n  - x\n  - y", &["1:1 warning all_of_whole_values"]);
    check("a|contains|all:\n  - x\n  - y", &[]);
}

#[test]
fn ranges_without_cidr() {
    check("a: 10.0.0.0/8", &["1:4 warning range_without_cidr"]);
    check("a|cidr: 10.0.0.0/8", &[]);
    check("a: 10.0.0.0/x", &[]);
    check("a|contains: '/8'", &[]);
}

#[test]
fn values_that_stand_twice() {
    check("a:\n  - x\n  - y\n  - X", &["4:5 warning duplicate_value"]);
    check("a|cased:\n  - x\n  - X", &[]);
    check("a|re:\n  - x\n  - X", &[]);
    check("a|base64offset|contains:\n  - xxxx\n  - XXXX", &[]);
    check("- x\n- x", &["2:3 warning duplicate_value"]);
}

#[test]
fn windash_on_values_without_options() {
    check("a|windash|contains: foo", &["1:1 warning windash_without_dash"]);
    check("a|windash|contains:\n  - foo\n  - ' -x'", &[]);
}

#[test]
fn fields_no_format_fills() {
    check("- a: x\n- zz|contains: y", &["2:3 info unknown_field"]);
    assert_eq!(told("product: linux, service: sshd", "zz: y"), ["1:1 info unknown_field"]);
    for (field, expect) in [
        ("zz", &["1:1 info unknown_field"][..]),
        ("Image", &[]),
        ("SomethingNew", &["1:1 info unknown_field"]),
        ("Imagee|contains", &["1:1 warning unknown_field"]),
        ("commandLine", &["1:1 warning unknown_field"]),
    ] {
        let found = told("product: windows, service: security", &format!("{field}: y"));
        assert_eq!(found, expect, "{field}");
    }
    assert_eq!(told("category: authentication", "source.ipp: y"), ["1:1 warning unknown_field"]);
    assert_eq!(told("product: aws", "sourceipaddress: y"), [""; 0]);
}

#[test]
fn a_field_that_several_rules_use_is_known() {
    let rule = |name: &str| {
        format!(
            "title: t\nname: {name}\nlevel: low\nlogsource: {{category: web}}\ndetection: {{s: {{my.own: x}}, condition: s}}\n"
        )
    };
    let told = |rules: &[&str]| {
        let text = rules.iter().map(|name| rule(name)).collect::<Vec<_>>().join("---\n");
        let (documents, _) = crate::parse(Arc::default(), &text);
        let (set, _) = crate::compile::compile(documents, crate::compile::Options { gate: true });
        lint(&Arc::default(), &text, &FieldNames::new([]).used_in(&set)).len()
    };
    assert_eq!((told(&["a"]), told(&["a", "b"])), (1, 0));
}

#[test]
fn expressions_and_encodings_that_look_for_something_else() {
    check("a|re: ' x'", &["1:7 info regex_space"]);
    check("a|re: 'x '", &["1:7 info regex_space"]);
    check("a|re: 'x y'", &[]);
    check("a|re: '[^\\s\\S]'", &["1:7 warning never_matches"]);
    check("a|base64|contains: 'foo'", &["1:1 info base64_without_offset"]);
    check("a|base64offset|contains: 'foo'", &[]);
    check("a|base64: 'foo'", &[]);
    check("event.outcome|gt: 3", &["1:1 warning never_matches"]);
    check("source.port|cidr: 10.0.0.0/8", &["1:1 warning never_matches"]);
    check("source.port|gt: 3", &[]);
    check("source.ip|cidr: 10.0.0.0/8", &[]);
}

/// What a whole file is told.
fn file(text: &str) -> Vec<String> {
    let line = |found: Diagnostic| format!("{}:{} {}", found.place.line, found.place.column, found.code);
    lint(&Arc::default(), text, &FieldNames::new(["source.ip"])).into_iter().map(line).collect()
}

#[test]
fn quantifiers_over_a_single_identifier() {
    let rule = |condition: &str, more: &str| {
        format!(
            "title: t\nlevel: low\nlogsource: {{category: web}}\ndetection:\n  condition: {condition}\n  one: x\n{more}"
        )
    };
    for condition in ["1 of them", "not (ALL of them)"] {
        assert_eq!(file(&rule(condition, "")), ["5:14 lone_selection"], "{condition}");
    }
    assert_eq!(file(&rule("1 of them", "  _hidden: y\n")), ["5:14 lone_selection"]);
    assert_eq!(file(&rule("1 of them", "  two: y\n")), [""; 0]);
    assert_eq!(file(&rule("1 of o*", "")), [""; 0]);
}

#[test]
fn documents_without_level_and_strange_keys() {
    assert_eq!(file("title: t\ndetection:\n  a: x\n"), ["1:1 missing_level"]);
    let correlation = "title: t\nlevel: low\ncorrelation:\n  group-by:\n    - source.ip\n    - zz\n    - mine\n  aliases:\n    mine: {r: x}\n";
    assert_eq!(file(correlation), ["6:7 unknown_field"]);
    let values = "title: t\nlevel: low\ncorrelation:\n  group-by: source.ip\n  condition:\n    field: [source.ip, zz, mine]\n    gte: 3\n  aliases:\n    mine: {r: x}\n";
    assert_eq!(file(values), ["6:24 unknown_field"]);
    assert_eq!(file(&values.replace("[source.ip, zz, mine]", "sourc.ip")), ["6:12 unknown_field"]);
    assert_eq!(file("a: [\n---\ntitle: t\ncorrelation: {}\n"), ["3:1 missing_level"]);
    assert_eq!(file("just text\n---\n- list\n"), [""; 0]);
}
