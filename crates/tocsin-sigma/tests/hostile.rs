//! Rules that mean harm: each is refused where the harm stands, says what to do, and stops no other.
//!
//! What each costs is bounded by limits, which is what is asserted here: how much is told, and how
//! long what is told is. Times are measured elsewhere.

#![expect(clippy::expect_used, reason = "what is refused says why, or the test fails")]

use std::path::PathBuf;
use std::sync::Arc;

use tocsin_sigma::ast::{Diagnostic, Severity};
use tocsin_sigma::compile::{Options, compile};
use tocsin_sigma::limits::{
    CHAIN_DEPTH_MAX, CONDITION_DEPTH_MAX, FILE_BYTES_MAX, FILE_DOCUMENTS_MAX, FINDINGS_MAX, MESSAGE_CHARS_MAX,
};

const GOOD: &str = "title: good\nname: good\nlogsource: {category: application}\n\
                    detection: {s: {a: b}, condition: s}\n";

/// A rule with this search identifier, which begins at 6:6, and this condition, at 7:14.
fn rule(selection: &str, condition: &str) -> String {
    format!(
        "title: bad\nname: bad\nlogsource:\n  category: application\ndetection:\n  s: {selection}\n  condition: {condition}\n"
    )
}

/// The first error of a file that is loaded beside a good one, as `line:column code`.
fn refused(text: &str) -> String {
    let (mut documents, mut found) = tocsin_sigma::parse(Arc::new(PathBuf::from("bad.yml")), text);
    documents.extend(tocsin_sigma::parse(Arc::new(PathBuf::from("good.yml")), GOOD).0);
    let (set, more) = compile(documents, Options { gate: true });
    found.extend(more);
    assert!(set.find("good").is_some(), "one bad rule never stops the others");
    assert!(set.find("bad").is_none(), "it does not load");
    assert!(found.len() <= FINDINGS_MAX + FILE_DOCUMENTS_MAX, "{} findings", found.len());
    for finding in &found {
        let hint = finding.hint.as_deref().unwrap_or_default();
        assert!(finding.reason.chars().count() <= MESSAGE_CHARS_MAX + 1, "{}", finding.code);
        assert!(hint.chars().count() <= MESSAGE_CHARS_MAX + 1, "{}", finding.code);
    }
    let is_error = |found: &&Diagnostic| found.severity == Severity::Error;
    let first = found.iter().find(is_error).expect("an error");
    format!("{}:{} {}", first.place.line, first.place.column, first.code)
}

#[test]
fn files_of_yaml() {
    let bomb: String =
        (1..9).map(|n| format!("k{n}: &k{n} [{}]\n", vec![format!("*k{}", n - 1); 9].join(","))).collect();
    for (what, text, expect) in [
        ("aliases", format!("k0: &k0 [x]\n{bomb}{}", rule("{a: b}", "s")), "2:10 yaml_alias"),
        ("one alias often", format!("a: &a x\nb: [{}*a]\n", "*a, ".repeat(200_000)), "2:5 yaml_alias"),
        (
            "lists in lists",
            rule(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), "s"),
            "6:70 yaml_syntax",
        ),
        ("mappings in mappings", rule(&"{a: ".repeat(50_000), "s"), "6:262 yaml_syntax"),
        ("a long scalar", rule(&format!("{{a: '{}'}}", "x".repeat(10_000_000)), "s"), "1:1 file_too_large"),
        ("many documents", "---\nx\n".repeat(150_000), "8193:1 file_too_large"),
        ("a long list", rule(&format!("{{a: [{}]}}", "a,".repeat(500_000)), "s"), "6:32749 too_many_nodes"),
        ("many maps", rule(&format!("[{}]", "{a: b},".repeat(140_000)), "s"), "6:38206 too_many_nodes"),
        ("a key twice", format!("{}a: b\n", "a: b\n".repeat(150_000)), "2:1 duplicate_key"),
        ("tags", format!("a: {}x\n", "!b ".repeat(3)), "1:6 yaml_tag"),
    ] {
        assert_eq!(refused(&text), expect, "{what}");
    }
    assert!(rule("x", "s").len() < FILE_BYTES_MAX);
}

#[test]
fn expressions() {
    for (what, expression, expect) in [
        ("repetition of repetition", "(a{1000}){1000}".to_owned(), "6:7 bad_regex"),
        ("five of them", "(((((a{100}){100}){100}){100}){100}){100}".to_owned(), "6:7 bad_regex"),
        ("of letters", r"\w{1000}".to_owned(), "6:7 bad_regex"),
        ("a long one", "x".repeat(1_000_000), "6:13 regex_value"),
        ("groups in groups", format!("{}{}", "(".repeat(15_000), ")".repeat(15_000)), "6:13 regex_value"),
        ("looking around", "(?=(a+)+$)b".to_owned(), "6:13 regex_value"),
        ("looking back", r"(a+)\1".to_owned(), "6:13 regex_value"),
    ] {
        assert_eq!(refused(&rule(&format!("{{a|re: '{expression}'}}"), "s")), expect, "{what}");
    }
    let many: Vec<String> = (0..3_000).map(|n| format!(r"'\w{{1,60}}x{n}'")).collect();
    assert_eq!(refused(&rule(&format!("{{a|re: [{}]}}", many.join(", ")), "s")), "6:7 bad_regex");
}

#[test]
fn conditions() {
    let deep = CONDITION_DEPTH_MAX + 1;
    for (what, selection, condition, expect) in [
        (
            "parentheses",
            "{a: b}".to_owned(),
            format!("{}s{}", "(".repeat(2_000), ")".repeat(2_000)),
            "7:78 condition_too_deep",
        ),
        ("negations", "{a: b}".to_owned(), format!("{}s", "not ".repeat(deep)), "7:270 condition_too_deep"),
        (
            "many parts",
            "{a: b}".to_owned(),
            format!("s{}", " or s".repeat(9_000)),
            "7:16679 condition_too_large",
        ),
        (
            "a long text",
            "{a: b}".to_owned(),
            format!("s{}", " and s".repeat(150_000)),
            "7:14 condition_too_large",
        ),
        (
            "a long value often",
            format!("{{a: '{}'}}", "x".repeat(400_000)),
            format!("s{}", " or s".repeat(900)),
            "7:114 condition_too_large",
        ),
    ] {
        assert_eq!(refused(&rule(&selection, &condition)), expect, "{what}");
    }
    let names: String = (0..1_000).map(|n| format!("  {}{n}: {{a: b}}\n", "a".repeat(200))).collect();
    let patterns = vec![format!("1 of {}", "a*".repeat(100)); 300].join(" or ");
    let text = rule("{a: b}", &patterns).replace("  condition", &format!("{names}  condition"));
    assert!(refused(&text).ends_with("condition_too_large"));
    let long = rule("{a: b}", "s").replace("  s: ", &format!("  {}: ", "s".repeat(900)));
    assert_eq!(refused(&long), "6:3 too_long");
}

#[test]
fn keys_and_values() {
    assert_eq!(refused(&rule(&format!("{{a{}: b}}", "|x".repeat(400)), "s")), "6:7 modifier_order");
    assert_eq!(refused(&rule("{a|expand: '%nobody%'}", "s")), "6:17 unknown_placeholder");
    let unknown = refused(&rule(&format!("{{a|{}: b}}", "x".repeat(900)), "s"));
    assert_eq!(unknown, "6:7 unknown_modifier");
}

fn correlation(name: &str, rules: &str) -> String {
    format!(
        "title: {name}\nname: {name}\ncorrelation:\n  type: event_count\n  rules: [{rules}]\n  group-by: u\n  \
         timespan: 5m\n  condition: {{gte: 2}}\n---\n"
    )
}

#[test]
fn correlations() {
    assert_eq!(refused(&correlation("bad", "bad")), "5:11 correlation_cycle");
    let ring: String =
        (0..3_000).map(|n| correlation(&format!("c{n}"), &format!("c{}", (n + 1) % 3_000))).collect();
    assert_eq!(refused(&ring), "5:11 correlation_cycle");
    assert_eq!(refused(&correlation("bad", "nobody")), "5:11 unknown_rule");
    let many: Vec<String> = (0..5_000).map(|n| format!("r{n}")).collect();
    assert!(refused(&correlation("bad", &many.join(", "))).ends_with("too_many_rules"));
    assert_eq!(refused(&correlation("bad", &vec!["good"; 4_000].join(", "))), "5:17 duplicate_rule");
    let mut chain = String::new();
    for n in 0..=CHAIN_DEPTH_MAX {
        let below = if n == 0 { "good".to_owned() } else { format!("c{}", n - 1) };
        chain += &correlation(&format!("c{n}"), &below);
    }
    assert_eq!(refused(&chain), "149:11 chain_too_deep");
}
