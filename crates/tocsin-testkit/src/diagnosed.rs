//! Where what a story expects to be told of its rules and what is told differ.
//!
//! Errors must be exactly the expected ones. Warnings must be so in a story that expects one, and
//! notes likewise; in others they are nobody's business.

use tocsin_sigma::ast::{Diagnostic, Severity};

use crate::report::Failure;
use crate::trace::{Expected, ExpectedFinding};

/// All differences between expected and told diagnostics.
#[must_use]
pub fn compare_findings(expected: &[Expected], told: &[Diagnostic]) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut open: Vec<&Diagnostic> = told.iter().collect();
    let wanted = || {
        expected.iter().filter_map(|expected| match expected {
            Expected::Finding(finding) => Some(finding),
            _ => None,
        })
    };
    for finding in wanted() {
        match open.iter().position(|told| fits(finding, told)) {
            Some(index) => drop(open.remove(index)),
            None => failures.push(missing(finding, told)),
        }
    }
    let clean = expected.iter().find_map(|expected| match expected {
        Expected::Clean(line) => Some(*line),
        _ => None,
    });
    let counts = |severity: Severity| {
        severity == Severity::Error || clean.is_some() || wanted().any(|finding| finding.severity == severity)
    };
    failures.extend(open.into_iter().filter(|told| counts(told.severity)).map(unexpected));
    failures
}

fn fits(wanted: &ExpectedFinding, told: &Diagnostic) -> bool {
    let hint = told.hint.as_deref().unwrap_or_default();
    told.severity == wanted.severity
        && told.code == wanted.code
        && (told.reason.contains(&wanted.words) || hint.contains(&wanted.words))
}

fn missing(wanted: &ExpectedFinding, told: &[Diagnostic]) -> Failure {
    let near = told.iter().filter(|told| told.code == wanted.code || told.severity == wanted.severity);
    let words = match wanted.words.as_str() {
        "" => String::new(),
        words => format!(" \"{words}\""),
    };
    let expected = format!("expected: {} {}{words}", wanted.severity.as_str(), wanted.code);
    let details = std::iter::once(expected).chain(near.map(|told| format!("    told: {}", written(told))));
    Failure {
        line: wanted.line,
        reason: "an expected finding was not told".to_string(),
        details: details.collect(),
    }
}

fn unexpected(told: &Diagnostic) -> Failure {
    let reason = match told.severity {
        Severity::Error => "a rule is refused that the story does not expect to be",
        Severity::Warning | Severity::Info => "something is told of a rule that the story does not expect",
    };
    Failure { line: told.place.line, reason: reason.to_string(), details: vec![written(told)] }
}

fn written(told: &Diagnostic) -> String {
    let hint = told.hint.as_deref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("line {}: {} {}: {}{hint}", told.place.line, told.severity.as_str(), told.code, told.reason)
}
