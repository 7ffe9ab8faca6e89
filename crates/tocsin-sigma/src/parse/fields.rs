//! Reading the values of known keys: text, lists of text, numbers, truth, spans.
//!
//! An absent key is `None`; so is one of the wrong type, with a finding.

use tocsin_core::time::Span;

use crate::ast::Place;
use crate::finding::Findings;
use crate::yaml::{Data, Entry, Kind, Node, Scalar};

/// The text of a single value, which may also be a number or the like.
pub(crate) fn text(findings: &mut Findings, entry: &Entry) -> Option<String> {
    let text = entry.value.text().map(str::trim).filter(|text| !text.is_empty());
    if text.is_none() {
        wrong_type(findings, entry, "a text");
    }
    text.map(str::to_owned)
}

/// The text of a key, if the mapping has it.
pub(crate) fn text_of(findings: &mut Findings, node: &Node, key: &str) -> Option<String> {
    node.entry(key).and_then(|entry| text(findings, entry))
}

/// The texts of a list, or of a single value, with their places.
pub(crate) fn texts(findings: &mut Findings, entry: &Entry) -> Option<Vec<(String, Place)>> {
    let nodes = match &entry.value.data {
        Data::Scalar(_) => std::slice::from_ref(&entry.value),
        Data::List(nodes) => nodes,
        Data::Map(_) => {
            wrong_type(findings, entry, "a list of texts");
            return None;
        }
    };
    let mut texts = Vec::with_capacity(nodes.len());
    for node in nodes {
        match node.text().map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) => texts.push((text.to_owned(), node.place)),
            None => findings.error(
                node.place,
                "wrong_type",
                format!("`{}` holds something other than text", entry.key),
            ),
        }
    }
    (texts.len() == nodes.len()).then_some(texts)
}

/// A number.
pub(crate) fn number(findings: &mut Findings, entry: &Entry) -> Option<f64> {
    match entry.value.scalar().map(Scalar::kind) {
        Some(Kind::Number(number)) => Some(number),
        _ => {
            wrong_type(findings, entry, "a number");
            None
        }
    }
}

/// `true` or `false`.
pub(crate) fn truth(findings: &mut Findings, entry: &Entry) -> Option<bool> {
    match entry.value.scalar().map(Scalar::kind) {
        Some(Kind::Bool(truth)) => Some(truth),
        _ => {
            wrong_type(findings, entry, "`true` or `false`");
            None
        }
    }
}

/// A length of time above zero.
pub(crate) fn span(findings: &mut Findings, entry: &Entry) -> Option<Span> {
    let span = entry.value.text().and_then(Span::parse).filter(|span| span.0 > 0);
    if span.is_none() {
        let hint = "write a number and a unit: `90s`, `5m`, `1h`, `7d`, `2w`";
        let reason = format!("`{}` is no length of time", entry.key);
        findings.error_with_hint(entry.value.place, "timespan_value", reason, hint);
    }
    span
}

/// Whether the value is a mapping; a finding if not.
pub(crate) fn is_map(findings: &mut Findings, entry: &Entry) -> bool {
    let is_map = matches!(entry.value.data, Data::Map(_));
    if !is_map {
        wrong_type(findings, entry, "a mapping");
    }
    is_map
}

/// Refuses keys outside a closed list.
pub(crate) fn only_known_keys(findings: &mut Findings, entry: &Entry, known: &[&str]) {
    for inner in entry.value.entries() {
        if !known.contains(&inner.key.as_str()) {
            let what = format!("key of `{}`", entry.key);
            findings.unknown_word(inner.key_place, "unknown_key", &what, &inner.key, known);
        }
    }
}

/// A required key is not there.
pub(crate) fn missing(findings: &mut Findings, place: Place, key: &str) {
    findings.error(place, "missing_key", format!("`{key}` is missing"));
}

fn wrong_type(findings: &mut Findings, entry: &Entry, wanted: &str) {
    findings.error(entry.value.place, "wrong_type", format!("`{}` must be {wanted}", entry.key));
}
