//! `rsigma.exemplars`: example events that stand in a rule, with what it must say of them.
//!
//! A detection's example has one `event`; a correlation's has `events`, each with its `offset` in
//! time. What is wrong with them keeps no rule from loading: they are for its tests.

use std::fmt::Write as _;

use tocsin_core::time::Span;

use super::Subject;
use crate::ast::{Exemplar, ExemplarEvent, Place, Shows};
use crate::finding::{Findings, advise};
use crate::limits::EXEMPLARS_MAX;
use crate::yaml::{Data, Entry, Kind, Node, Scalar};

const KEY: &str = "rsigma.exemplars";
const KEYS: [&str; 4] = ["name", "expect", "event", "events"];
const TIMED_KEYS: [&str; 2] = ["offset", "event"];
const CODE: &str = "exemplar_shape";

/// Reads the examples; they stand at the top of the document or under `custom_attributes`, which
/// goes first.
pub(super) fn read(findings: &mut Findings, root: &Node, subject: Subject) -> Vec<Exemplar> {
    let custom = root.entry("custom_attributes").and_then(|entry| entry.value.entry(KEY));
    let Some(entry) = custom.or_else(|| root.entry(KEY)) else { return Vec::new() };
    let nodes = match &entry.value.data {
        Data::List(nodes) if !nodes.is_empty() => nodes,
        _ => {
            findings.warning(entry.value.place, CODE, "examples are a list of mappings, and not empty");
            return Vec::new();
        }
    };
    if subject == Subject::Filter {
        findings.warning(entry.key_place, CODE, "a filter has no examples");
        return Vec::new();
    }
    if nodes.len() > EXEMPLARS_MAX {
        let reason = format!("of the examples only the first {EXEMPLARS_MAX} are used");
        findings.warning(entry.key_place, CODE, reason);
    }
    let mut exemplars: Vec<Exemplar> = Vec::new();
    for (index, node) in nodes.iter().enumerate().take(EXEMPLARS_MAX) {
        let Some(exemplar) = exemplar(findings, node, index, subject) else { continue };
        if exemplars.iter().any(|other| other.name == exemplar.name) {
            let reason = format!("another example is called `{}`", exemplar.name);
            findings.warning(exemplar.place, CODE, reason);
        } else {
            exemplars.push(exemplar);
        }
    }
    exemplars
}

fn exemplar(findings: &mut Findings, node: &Node, index: usize, subject: Subject) -> Option<Exemplar> {
    only_keys(findings, node, &KEYS)?;
    let name = node.entry("name").and_then(|entry| entry.value.text()).map(str::trim);
    let name = name.filter(|name| !name.is_empty()).map_or_else(|| index.to_string(), str::to_owned);
    let expect = node.entry("expect");
    let matches = match expect.and_then(|entry| entry.value.text()) {
        Some("match") => true,
        Some("no-match") => false,
        _ => {
            let place = expect.map_or(node.place, |entry| entry.value.place);
            let hint = "write `expect: match` or `expect: no-match`";
            findings.warning_with_hint(place, CODE, "the example does not say what to expect", hint);
            return None;
        }
    };
    let (wanted, other) = match subject {
        Subject::Correlation => ("events", "event"),
        Subject::Detection | Subject::Filter => ("event", "events"),
    };
    let (Some(entry), None) = (node.entry(wanted), node.entry(other)) else {
        let reason = format!("the example needs `{wanted}`, and nothing else of the kind");
        findings.warning(node.place, CODE, reason);
        return None;
    };
    let events = match subject {
        Subject::Correlation => sequence(findings, entry)?,
        Subject::Detection | Subject::Filter => vec![event(findings, entry, Span(0))?],
    };
    Some(Exemplar { name, place: node.place, matches, shows: Shows::Fields, events })
}

/// Events with offsets that never go back.
fn sequence(findings: &mut Findings, entry: &Entry) -> Option<Vec<ExemplarEvent>> {
    let Data::List(nodes) = &entry.value.data else {
        findings.warning(entry.value.place, CODE, "`events` is no list");
        return None;
    };
    let mut events: Vec<ExemplarEvent> = Vec::with_capacity(nodes.len());
    for node in nodes {
        only_keys(findings, node, &TIMED_KEYS)?;
        let offset = node.entry("offset");
        let place = offset.map_or(node.place, |entry| entry.value.place);
        let Some(span) = offset.and_then(|entry| span(entry.value.text()?)) else {
            let hint = "write a number and a unit: `0s`, `90s`, `5m`";
            findings.warning_with_hint(place, CODE, "the event has no `offset` in time", hint);
            return None;
        };
        if events.last().is_some_and(|before| before.offset > span) {
            findings.warning(place, CODE, "an event stands before the one above it");
            return None;
        }
        let Some(found) = node.entry("event") else {
            findings.warning(node.place, CODE, "`event` is missing");
            return None;
        };
        events.push(event(findings, found, span)?);
    }
    if events.is_empty() {
        findings.warning(entry.value.place, CODE, "`events` is empty");
        return None;
    }
    Some(events)
}

/// A length of time, or none: `0s`.
fn span(text: &str) -> Option<Span> {
    let number = text.strip_suffix(['s', 'm', 'h', 'd', 'w']).unwrap_or_default();
    let is_zero = !number.is_empty() && number.bytes().all(|byte| byte == b'0');
    if is_zero { Some(Span(0)) } else { Span::parse(text) }
}

fn event(findings: &mut Findings, entry: &Entry, offset: Span) -> Option<ExemplarEvent> {
    if !matches!(entry.value.data, Data::Map(_)) {
        findings.warning(entry.value.place, CODE, "an event is a mapping of fields to values");
        return None;
    }
    let mut json = String::new();
    write_json(&entry.value, &mut json);
    Some(ExemplarEvent { offset, json, place: entry.key_place })
}

fn only_keys(findings: &mut Findings, node: &Node, known: &[&str]) -> Option<()> {
    if !matches!(node.data, Data::Map(_)) {
        findings.warning(node.place, CODE, "an example is a mapping");
        return None;
    }
    let unknown: Vec<(&str, Place)> = node
        .entries()
        .iter()
        .map(|entry| (entry.key.as_str(), entry.key_place))
        .filter(|(key, _)| !known.contains(key))
        .collect();
    for (key, place) in &unknown {
        let reason = format!("unknown key of an example `{key}`");
        findings.warning_with_hint(*place, CODE, reason, advise(key, known));
    }
    unknown.is_empty().then_some(())
}

/// A YAML value as JSON. The depth of the YAML tree bounds the recursion.
pub(super) fn write_json(node: &Node, out: &mut String) {
    match &node.data {
        Data::Scalar(scalar) => write_scalar(scalar, out),
        Data::List(nodes) => {
            out.push('[');
            for (index, node) in nodes.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(node, out);
            }
            out.push(']');
        }
        Data::Map(entries) => {
            out.push('{');
            for (index, entry) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(&entry.key, out);
                out.push(':');
                write_json(&entry.value, out);
            }
            out.push('}');
        }
    }
}

fn write_scalar(scalar: &Scalar, out: &mut String) {
    match scalar.kind() {
        Kind::Null => out.push_str("null"),
        Kind::Bool(truth) => out.push_str(if truth { "true" } else { "false" }),
        // As written where JSON writes numbers so too; `0x10` and `1.` it does not.
        Kind::Number(_) if is_json_number(&scalar.text) => out.push_str(&scalar.text),
        Kind::Number(number) if number.is_finite() => {
            let _ = write!(out, "{number}");
        }
        Kind::Number(_) | Kind::Text => write_text(&scalar.text, out),
    }
}

/// Whether a number's text is one in JSON (RFC 8259, section 6).
fn is_json_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use crate::test_support::{findings, load};

    const DETECTION: &str = "title: t\nlogsource: {product: windows}\ndetection: {s: {a: b}, condition: s}\n";
    const CORRELATION: &str = "title: t\ncorrelation: {type: event_count, rules: [a], group-by: u, \
                               timespan: 5m, condition: {gte: 2}}\n";

    #[test]
    fn events_become_json() {
        let text = format!(
            "{DETECTION}rsigma.exemplars:\n  - name: seen\n    expect: match\n    event:\n      a: b\n      \
             n: 0x10\n      f: -1.50\n      q: '5'\n      t: true\n      e: ~\n      l: [1, x]\n      \
             m: {{\"k\\\\\": \"\\u0001\\\"é\"}}\n  - expect: no-match\n    event: {{a: c}}\n"
        );
        let (documents, diagnostics) = load(&text);
        assert_eq!(diagnostics, Vec::new());
        let exemplars = &documents[0].head.exemplars;
        assert_eq!((exemplars[0].name.as_str(), exemplars[0].matches), ("seen", true));
        let json =
            r#"{"a":"b","n":16,"f":-1.50,"q":"5","t":true,"e":null,"l":[1,"x"],"m":{"k\\":"\u0001\"é"}}"#;
        assert_eq!(exemplars[0].events[0].json, json);
        assert!(serde_json::from_str::<serde_json::Value>(json).is_ok());
        assert_eq!((exemplars[1].name.as_str(), exemplars[1].matches), ("1", false));
        assert_eq!((exemplars[1].place.line, exemplars[1].place.column), (16, 5));
    }

    #[test]
    fn sequences_have_times() {
        let text = format!(
            "{CORRELATION}custom_attributes:\n  rsigma.exemplars:\n  - expect: match\n    events:\n    \
             - {{offset: 0s, event: {{u: x}}}}\n    - {{offset: 90s, event: {{u: x}}}}\n"
        );
        let (documents, diagnostics) = load(&text);
        assert_eq!(diagnostics, Vec::new());
        let events = &documents[0].head.exemplars[0].events;
        let offsets: Vec<i64> = events.iter().map(|event| event.offset.0 / 1_000_000_000).collect();
        assert_eq!(offsets, [0, 90]);
    }

    #[test]
    fn what_is_wrong_stops_no_rule() {
        for (head, exemplars, expect) in [
            (DETECTION, "x", "4:19 warning exemplar_shape"),
            (DETECTION, "[]", "4:19 warning exemplar_shape"),
            (DETECTION, "[{event: {a: b}}]", "4:20 warning exemplar_shape"),
            (DETECTION, "[{expect: maybe, event: {a: b}}]", "4:29 warning exemplar_shape"),
            (DETECTION, "[{expect: match, events: []}]", "4:20 warning exemplar_shape"),
            (DETECTION, "[{expect: match, event: x}]", "4:43 warning exemplar_shape"),
            (DETECTION, "[{expect: match, evnt: {}}]", "4:36 warning exemplar_shape"),
            (CORRELATION, "[{expect: match, events: []}]", "3:44 warning exemplar_shape"),
            (CORRELATION, "[{expect: match, events: [{event: {}}]}]", "3:45 warning exemplar_shape"),
        ] {
            let text = format!("{head}rsigma.exemplars: {exemplars}\n");
            assert_eq!(findings(&text), [expect], "{exemplars}");
            assert_eq!(load(&text).0.len(), 1, "{exemplars}");
        }
        let back = "[{expect: match, events: [{offset: 2s, event: {}}, {offset: 1s, event: {}}]}]";
        assert_eq!(
            findings(&format!("{CORRELATION}rsigma.exemplars: {back}\n")),
            ["3:79 warning exemplar_shape"]
        );
    }
}
