//! `tests`: whole log records that stand in a rule, each with whether the rule is to match, in the
//! shape Panther's rules have them.
//!
//! They stand at the top of the document, as `tests` or `Tests`, or under `tocsin`. What is wrong
//! with them keeps no rule from loading.

use tocsin_core::time::Span;

use super::Subject;
use super::exemplars::write_json;
use crate::ast::{Exemplar, ExemplarEvent, Shows};
use crate::finding::{Findings, advise};
use crate::limits::EXEMPLARS_MAX;
use crate::yaml::{Data, Entry, Kind, Node, Scalar};

const NAMES: [&str; 2] = ["tests", "Tests"];
const KEYS: [&str; 3] = ["Name", "ExpectedResult", "Log"];
const CODE: &str = "test_shape";

/// Reads the tests.
pub(super) fn read(findings: &mut Findings, root: &Node, subject: Subject) -> Vec<Exemplar> {
    let own = root.entry("tocsin").and_then(|entry| entry.value.entry(NAMES[0]));
    let Some(entry) = own.or_else(|| NAMES.iter().find_map(|name| root.entry(name))) else {
        return Vec::new();
    };
    let Data::List(nodes) = &entry.value.data else {
        let hint = "write a list of mappings with `Name`, `ExpectedResult` and `Log`";
        findings.warning_with_hint(entry.value.place, CODE, "`tests` is no list", hint);
        return Vec::new();
    };
    if subject != Subject::Detection {
        let hint = "give a correlation `rsigma.exemplars`, whose events have times";
        findings.warning_with_hint(entry.key_place, CODE, "only detection rules have `tests`", hint);
        return Vec::new();
    }
    if nodes.len() > EXEMPLARS_MAX {
        let reason = format!("of the tests only the first {EXEMPLARS_MAX} are used");
        findings.warning(entry.key_place, CODE, reason);
    }
    nodes.iter().take(EXEMPLARS_MAX).enumerate().filter_map(|(n, node)| test(findings, node, n)).collect()
}

fn test(findings: &mut Findings, node: &Node, number: usize) -> Option<Exemplar> {
    let mut sound = matches!(node.data, Data::Map(_));
    if !sound {
        findings.warning(node.place, CODE, "a test is a mapping");
    }
    for entry in node.entries().iter().filter(|entry| !KEYS.contains(&entry.key.as_str())) {
        let reason = format!("unknown key of a test `{}`", entry.key);
        findings.warning_with_hint(entry.key_place, CODE, reason, advise(&entry.key, &KEYS));
        sound = false;
    }
    let name = node.entry("Name").and_then(|entry| entry.value.text()).map(str::trim);
    let name = name.filter(|name| !name.is_empty()).map_or_else(|| number.to_string(), str::to_owned);
    let expected = node.entry("ExpectedResult");
    let matches = match expected.and_then(|entry| entry.value.scalar()).map(Scalar::kind) {
        Some(Kind::Bool(matches)) => matches,
        _ => {
            let place = expected.map_or(node.place, |entry| entry.value.place);
            let hint = "write `ExpectedResult: true` or `ExpectedResult: false`";
            findings.warning_with_hint(place, CODE, "the test does not say what to expect", hint);
            return None;
        }
    };
    let Some(log) = node.entry("Log") else {
        findings.warning(node.place, CODE, "the test has no `Log`");
        return None;
    };
    let event = ExemplarEvent { offset: Span(0), json: record(findings, log)?, place: log.key_place };
    let events = vec![event];
    sound.then_some(Exemplar { name, place: node.place, matches, shows: Shows::Records, events })
}

/// The record: a mapping as JSON, or the line that stands there.
fn record(findings: &mut Findings, log: &Entry) -> Option<String> {
    match (&log.value.data, log.value.text().map(str::trim)) {
        (Data::Map(_), _) => {
            let mut json = String::new();
            write_json(&log.value, &mut json);
            Some(json)
        }
        (_, Some(line)) if !line.is_empty() && !line.contains('\n') => Some(line.to_owned()),
        _ => {
            let reason = "`Log` is one record: a mapping of fields to values, or one line of text";
            findings.warning(log.value.place, CODE, reason);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ast::Shows;
    use crate::test_support::{findings, load};

    const DETECTION: &str = "title: t\nlogsource: {product: windows}\ndetection: {s: {a: b}, condition: s}\n";

    #[test]
    fn a_log_is_a_mapping_or_a_line() {
        let tests = "\n- {Name: one, ExpectedResult: true, Log: {a: {b: [1, x]}}}\n- ExpectedResult: false\n  Log: |\n    a line\n";
        let under = tests.replace('\n', "\n  ");
        for text in [format!("tests:{tests}"), format!("Tests:{tests}"), format!("tocsin:\n  tests:{under}")]
        {
            let (documents, diagnostics) = load(&format!("{DETECTION}{text}"));
            assert_eq!(diagnostics, Vec::new(), "{text}");
            let read: Vec<_> = documents[0].head.exemplars.iter().collect();
            let told = read.iter().map(|t| (t.name.as_str(), t.matches, t.events[0].json.as_str()));
            let expect = [("one", true, r#"{"a":{"b":[1,"x"]}}"#), ("1", false, "a line")];
            assert_eq!(told.collect::<Vec<_>>(), expect, "{text}");
            assert!(read.iter().all(|test| test.shows == Shows::Records));
        }
    }

    #[test]
    fn what_is_wrong_stops_no_rule() {
        for (tests, expect) in [
            ("x", "4:8 warning test_shape"),
            ("[x]", "4:9 warning test_shape"),
            ("[{Log: {a: b}}]", "4:9 warning test_shape"),
            ("[{ExpectedResult: maybe, Log: {a: b}}]", "4:26 warning test_shape"),
            ("[{ExpectedResult: true}]", "4:9 warning test_shape"),
            ("[{ExpectedResult: true, Log: [1]}]", "4:37 warning test_shape"),
            ("[{ExpectedResult: true, Log: ''}]", "4:37 warning test_shape"),
            ("[{ExpectedResult: true, Log: {}, Mocks: []}]", "4:41 warning test_shape"),
        ] {
            let text = format!("{DETECTION}tests: {tests}\n");
            assert_eq!(findings(&text).first().map(String::as_str), Some(expect), "{tests}");
            assert_eq!(load(&text).0.len(), 1, "{tests}");
        }
        let correlation = "title: t\ncorrelation: {type: event_count, rules: [a], group-by: u, timespan: 5m, \
                           condition: {gte: 2}}\ntests: []\n";
        assert_eq!(findings(correlation), ["3:1 warning test_shape"]);
    }
}
