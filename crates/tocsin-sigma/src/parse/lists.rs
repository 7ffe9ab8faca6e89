//! The lists that only describe a rule: what is wrong with them stops nothing.

use std::collections::BTreeSet;

use crate::finding::Findings;
use crate::yaml::{Data, Entry, Node};

/// Lists whose members stand there once.
const ONCE: [&str; 2] = ["references", "fields"];

/// Lists of words, and the fewest characters one has.
const WORDS: [&str; 2] = ["falsepositives", "scope"];
const WORD_CHARS_MIN: usize = 2;

/// Looks the lists over.
pub(super) fn check(findings: &mut Findings, root: &Node) {
    for entry in ONCE.iter().filter_map(|key| root.entry(key)) {
        check_once(findings, entry);
    }
    for entry in WORDS.iter().filter_map(|key| root.entry(key)) {
        check_words(findings, entry);
    }
}

fn check_once(findings: &mut Findings, entry: &Entry) {
    let Some(nodes) = nodes(findings, entry) else { return };
    let mut seen = BTreeSet::new();
    for node in nodes {
        match node.text() {
            Some(text) if !seen.insert(text) => {
                findings.info(node.place, "duplicate_value", format!("`{text}` stands here twice"));
            }
            Some(_) => {}
            None => not_text(findings, entry, node),
        }
    }
}

fn check_words(findings: &mut Findings, entry: &Entry) {
    let Some(nodes) = nodes(findings, entry) else { return };
    for node in nodes {
        match node.text() {
            Some(text) if text.chars().count() < WORD_CHARS_MIN => {
                let reason = format!("`{text}` is shorter than {WORD_CHARS_MIN} characters");
                findings.info(node.place, "too_short", reason);
            }
            Some(_) => {}
            None => not_text(findings, entry, node),
        }
    }
}

/// The members of a list; a single text, which correlations may have, is its own only member.
fn nodes<'n>(findings: &mut Findings, entry: &'n Entry) -> Option<&'n [Node]> {
    match &entry.value.data {
        Data::List(nodes) => Some(nodes),
        Data::Scalar(_) if entry.value.is_null() => None,
        Data::Scalar(_) => Some(std::slice::from_ref(&entry.value)),
        Data::Map(_) => {
            let reason = format!("`{}` is no list of texts", entry.key);
            findings.warning(entry.value.place, "list_shape", reason);
            None
        }
    }
}

fn not_text(findings: &mut Findings, entry: &Entry, node: &Node) {
    let reason = format!("`{}` holds something other than text", entry.key);
    findings.warning(node.place, "list_shape", reason);
}
