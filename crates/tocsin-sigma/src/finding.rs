//! What parsing finds wrong, gathered document by document.
//!
//! Every stage takes the list first and adds to it; none stops at its first finding, so that an
//! author sees all of them at once.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::ast::{Diagnostic, Place, Severity};
use crate::hints;
use crate::limits::{FILE_DIAGNOSTICS_MAX, FINDINGS_MAX, IDENTIFIER_CHARS_MAX, MESSAGE_CHARS_MAX};

/// The findings about one document (or one file) so far.
#[derive(Debug)]
pub struct Findings {
    file: Arc<PathBuf>,
    list: Vec<Diagnostic>,
    /// Whether there is an error, kept or not.
    broken: bool,
    /// How many were not kept.
    more: usize,
}

impl Findings {
    /// An empty list for a file.
    #[must_use]
    pub fn new(file: Arc<PathBuf>) -> Findings {
        Findings { file, list: Vec::new(), broken: false, more: 0 }
    }

    /// Adds an error: the document will not load.
    pub fn error(&mut self, place: Place, code: &'static str, reason: impl Into<String>) {
        self.push(place, Severity::Error, code, reason.into(), None);
    }

    /// Adds an error with what to do about it.
    pub fn error_with_hint(
        &mut self,
        place: Place,
        code: &'static str,
        reason: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(place, Severity::Error, code, reason.into(), Some(hint.into()));
    }

    /// Adds a warning: the document loads.
    pub fn warning(&mut self, place: Place, code: &'static str, reason: impl Into<String>) {
        self.push(place, Severity::Warning, code, reason.into(), None);
    }

    /// Adds a warning with what to do about it.
    pub fn warning_with_hint(
        &mut self,
        place: Place,
        code: &'static str,
        reason: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(place, Severity::Warning, code, reason.into(), Some(hint.into()));
    }

    /// Adds something worth knowing.
    pub fn info(&mut self, place: Place, code: &'static str, reason: impl Into<String>) {
        self.push(place, Severity::Info, code, reason.into(), None);
    }

    /// Adds something worth knowing with what to do about it.
    pub fn info_with_hint(
        &mut self,
        place: Place,
        code: &'static str,
        reason: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(place, Severity::Info, code, reason.into(), Some(hint.into()));
    }

    /// Adds an error about a word outside a closed list, with the likely or the possible words.
    pub fn unknown_word(&mut self, place: Place, code: &'static str, what: &str, word: &str, known: &[&str]) {
        let reason = format!("unknown {what} `{word}`");
        self.push(place, Severity::Error, code, reason, Some(advise(word, known)));
    }

    /// Whether the document can load.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.broken
    }

    /// The findings in the order of their places.
    #[must_use]
    pub fn into_list(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|finding| finding.place);
        if self.more > 0 {
            let severity = if self.broken { Severity::Error } else { Severity::Warning };
            let place = self.list.last().map(|finding| finding.place).unwrap_or_default();
            let (file, reason) = (self.file, format!("… and {} more", self.more));
            self.list.push(Diagnostic { file, place, severity, code: "more", reason, hint: None });
        }
        self.list
    }

    fn push(
        &mut self,
        place: Place,
        severity: Severity,
        code: &'static str,
        reason: String,
        hint: Option<String>,
    ) {
        self.broken |= severity == Severity::Error;
        if self.list.len() >= FINDINGS_MAX {
            self.more += 1;
            return;
        }
        let file = Arc::clone(&self.file);
        let hint = hint.or_else(|| hints::of(severity, code));
        let (reason, hint) = (short(reason), hint.map(short));
        self.list.push(Diagnostic { file, place, severity, code, reason, hint });
    }
}

/// A message of a length people read.
fn short(message: String) -> String {
    match message.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    }
}

/// The first diagnostics of each file that has errors, and how many more there are: a file that is
/// something else altogether would bury the others. Errors go first; the rest keeps its order.
#[must_use]
pub fn bounded(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut by_file: BTreeMap<Arc<PathBuf>, Vec<Diagnostic>> = BTreeMap::new();
    for diagnostic in diagnostics {
        by_file.entry(Arc::clone(&diagnostic.file)).or_default().push(diagnostic);
    }
    let mut kept = Vec::new();
    for (file, mut found) in by_file {
        let broken = found.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        let named = !file.as_os_str().is_empty();
        if !(broken && named) || found.len() <= FILE_DIAGNOSTICS_MAX {
            kept.append(&mut found);
            continue;
        }
        found.sort_by_key(|diagnostic| Reverse(diagnostic.severity));
        let more = found.split_off(FILE_DIAGNOSTICS_MAX);
        found.sort_by_key(|diagnostic| diagnostic.place);
        let severity = more.iter().map(|diagnostic| diagnostic.severity).max().unwrap_or(Severity::Error);
        let reason = format!("… and {} more in this file", more.len());
        kept.append(&mut found);
        kept.push(Diagnostic { file, place: Place::default(), severity, code: "more", reason, hint: None });
    }
    kept
}

/// A hint for a mistyped word: the nearest known word, or all of them.
#[must_use]
pub fn advise(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "there is none".to_owned(),
        None => format!("known: {}", known.join(", ")),
    }
}

/// The known word with the fewest edits, if they are few for a word of that length.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let length = word.chars().count();
    if length > IDENTIFIER_CHARS_MAX {
        return None;
    }
    let allowed = (length / 3).max(1);
    known
        .iter()
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= allowed)
        .map(|candidate| (edits(word, candidate), *candidate))
        .filter(|(count, _)| *count <= allowed)
        .min_by_key(|(count, _)| *count)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, case ignored (V. I. Levenshtein, 1966).
pub(crate) fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, from) in left.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, to) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostics(file: &str, severity: Severity, lines: std::ops::Range<u32>) -> Vec<Diagnostic> {
        let mut findings = Findings::new(Arc::new(PathBuf::from(file)));
        lines.for_each(|line| findings.push(Place { line, column: 1 }, severity, "x", String::new(), None));
        findings.into_list()
    }

    #[test]
    fn a_broken_file_does_not_bury_the_others() {
        let all = [
            diagnostics("a", Severity::Warning, 1..16),
            diagnostics("a", Severity::Error, 16..26),
            diagnostics("b", Severity::Warning, 1..31),
            diagnostics("c", Severity::Error, 1..21),
        ];
        let kept = bounded(all.concat());
        let of = |file: &str| -> Vec<&Diagnostic> {
            kept.iter().filter(|found| found.file.as_os_str() == file).collect()
        };
        let (a, b, c) = (of("a"), of("b"), of("c"));
        assert_eq!((a.len(), b.len(), c.len()), (21, 30, 20), "only files with errors are cut short");
        assert_eq!(a.iter().filter(|found| found.severity == Severity::Error).count(), 10);
        assert_eq!((a[20].reason.as_str(), a[20].severity), ("… and 5 more in this file", Severity::Warning));
    }

    #[test]
    fn a_mistyped_word_gets_its_neighbour() {
        let known = ["startswith", "endswith", "contains", "re"];
        for (word, expect) in [
            ("startwith", Some("startswith")),
            ("Contains", Some("contains")),
            ("containz", Some("contains")),
            ("r", Some("re")),
            ("banana", None),
        ] {
            assert_eq!(nearest(word, &known), expect, "{word}");
        }
        assert_eq!(advise("banana", &["a", "b"]), "known: a, b");
    }

    #[test]
    fn edit_distances() {
        for (left, right, expect) in
            [("", "", 0), ("", "ab", 2), ("kitten", "sitting", 3), ("all", "all", 0), ("al", "all", 1)]
        {
            assert_eq!(edits(left, right), expect, "{left} {right}");
        }
    }
}
