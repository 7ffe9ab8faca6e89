//! A rule file's text as documents, and what is wrong with it.
//!
//! Each document of a file stands alone: an error keeps that document from loading and no other.
//! What refers to other rules (ids, names, field mapping) is checked where all rules are known.

mod correlation;
mod correlation_condition;
mod correlation_kinds;
mod correlation_time;
mod detection;
mod exemplars;
mod extension;
pub(crate) mod fields;
mod filter;
mod head;
mod inline_tests;
mod lists;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use crate::ast::{Body, Diagnostic, Document, Head, Place};
use crate::finding::Findings;
use crate::limits::{FILE_BYTES_MAX, FILE_DOCUMENTS_MAX, FINDINGS_MAX, YAML_NODES_MAX};
use crate::local::Local;
use crate::yaml::{self, Data, Node, Piece};

pub(crate) use correlation_kinds::is_sequence;

/// Where a file begins.
const FILE_START: Place = Place { line: 1, column: 1 };

/// Reads a rule file: the documents that load, and the findings about all of them in the order of
/// their places. A placeholder has no values.
#[must_use]
pub fn parse(file: Arc<PathBuf>, text: &str) -> (Vec<Document>, Vec<Diagnostic>) {
    parse_with(file, text, &Local::default())
}

/// Reads a rule file, as [`parse`], with what the house adds to the language.
#[must_use]
pub fn parse_with(file: Arc<PathBuf>, text: &str, local: &Local) -> (Vec<Document>, Vec<Diagnostic>) {
    let mut findings = Findings::new(Arc::clone(&file));
    if text.len() > FILE_BYTES_MAX {
        let reason = format!("the file is larger than {FILE_BYTES_MAX} bytes");
        let hint = "split it into several files; rules that belong together may stand in one folder";
        findings.error_with_hint(FILE_START, "file_too_large", reason, hint);
        return (Vec::new(), findings.into_list());
    }
    let text = plain_text(text);
    let pieces = yaml::split(&text);
    if pieces.is_empty() {
        findings.warning(FILE_START, "no_document", "the file holds no document");
        return (Vec::new(), findings.into_list());
    }
    if let Some(piece) = pieces.get(FILE_DOCUMENTS_MAX) {
        let reason = format!("the file holds more than {FILE_DOCUMENTS_MAX} documents");
        findings.error_with_hint(piece.place(0), "file_too_large", reason, "split it into several files");
        return (Vec::new(), findings.into_list());
    }
    let mut documents = Vec::new();
    let mut diagnostics = Vec::new();
    for piece in pieces {
        let mut findings = Findings::new(Arc::clone(&file));
        let document = document(&mut findings, &file, piece, local);
        documents.extend(document.filter(|_| !findings.has_errors()));
        if diagnostics.len() < FINDINGS_MAX {
            diagnostics.extend(findings.into_list());
        }
    }
    (documents, diagnostics)
}

/// A file's text without byte order mark and with one spelling of line ends, so that a rule's hash
/// does not depend on how it was checked out.
pub(crate) fn plain_text(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) }
}

/// What a document is about, by the key that only it has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    Detection,
    Correlation,
    Filter,
}

const SUBJECTS: [(&str, Subject); 3] =
    [("detection", Subject::Detection), ("correlation", Subject::Correlation), ("filter", Subject::Filter)];

fn document(
    findings: &mut Findings,
    file: &Arc<PathBuf>,
    piece: Piece<'_>,
    local: &Local,
) -> Option<Document> {
    if let Some(at) = piece.text.find(char::REPLACEMENT_CHARACTER) {
        let place = piece.place(at);
        findings.error_with_hint(place, "invalid_utf8", "this is not UTF-8", "save the file as UTF-8");
        return None;
    }
    let root = yaml::read(findings, piece, YAML_NODES_MAX)?;
    if !matches!(root.data, Data::Map(_)) {
        findings.error(root.place, "no_rule", "a rule is a mapping of keys to values");
        return None;
    }
    let subject = subject(findings, &root)?;
    let head = head::read(findings, &root, piece, file);
    let body = match subject {
        Subject::Detection => detection::read(findings, &root, piece.text, local).map(Body::Detection),
        Subject::Correlation => correlation::read(findings, &root, piece.text).map(Body::Correlation),
        Subject::Filter => filter::read(findings, &root, piece.text, local).map(Body::Filter),
    };
    let mut exemplars = exemplars::read(findings, &root, subject);
    exemplars.extend(inline_tests::read(findings, &root, subject));
    let head = head.map(|head| Head { exemplars, ..head });
    Some(Document { head: head?, body: body? })
}

fn subject(findings: &mut Findings, root: &Node) -> Option<Subject> {
    let mut present =
        SUBJECTS.iter().filter_map(|(key, subject)| root.entry(key).map(|entry| (entry, *subject)));
    let Some((_, subject)) = present.next() else {
        let hint = "a rule has `detection`, `correlation` or `filter`";
        let reason = "the document is no rule: it has neither detection nor correlation nor filter";
        findings.error_with_hint(root.place, "no_rule", reason, hint);
        return None;
    };
    if let Some((second, _)) = present.next() {
        let hint = "write them as two documents, with `---` between them";
        let reason = format!("`{}` stands beside another kind of rule", second.key);
        findings.error_with_hint(second.key_place, "two_kinds", reason, hint);
        return None;
    }
    Some(subject)
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
