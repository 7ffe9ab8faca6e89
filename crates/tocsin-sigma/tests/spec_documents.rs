//! One document of each kind the specification knows, in full: what is written is what is read.

#![expect(clippy::panic, reason = "a document of another kind fails the test")]

use std::sync::Arc;

use tocsin_core::correlation::{Comparison, Windowing};
use tocsin_core::time::Span;
use tocsin_sigma::ast::{Body, Correlation, Document, Severity};
use tocsin_sigma::compile::{Options, compile};
use tocsin_sigma::local::{Local, Placeholders};

/// Thirteen documents that stand on one another.
const TEXT: &str = include_str!("spec_documents.yml");

fn documents() -> Vec<Document> {
    let placeholders = Placeholders::read(&Arc::default(), "Administrators: [root, 'adm-*']\n").0;
    let local = Local { placeholders, ..Local::default() };
    let (documents, found) = tocsin_sigma::parse_with(Arc::default(), TEXT, &local);
    let errors: Vec<_> = found.iter().filter(|found| found.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
    documents
}

fn correlation(documents: &[Document], name: &str) -> Correlation {
    let found = documents.iter().find(|document| document.head.name.as_deref() == Some(name));
    match found.map(|document| document.body.clone()) {
        Some(Body::Correlation(correlation)) => correlation,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn all_of_them_load_together() {
    let documents = documents();
    assert_eq!(documents.len(), 13);
    let (set, found) = compile(documents, Options { gate: true });
    let errors: Vec<_> = found.iter().filter(|found| found.severity > Severity::Info).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(set.rules.len(), 12, "the filter is no rule of its own");
    let filtered: Vec<&str> = set
        .rules
        .iter()
        .filter(|rule| !rule.filters.is_empty())
        .filter_map(|rule| rule.meta.name.as_deref())
        .collect();
    assert_eq!(filtered, ["failed_logon"]);
    let silent: Vec<&str> = set
        .rules
        .iter()
        .filter(|rule| !rule.meta.alerts)
        .filter_map(|rule| rule.meta.name.as_deref())
        .collect();
    assert_eq!(silent, ["failed_logon", "logon", "net_use", "many_failures"]);
}

#[test]
fn correlations_are_read_in_full() {
    let documents = documents();
    let range = correlation(&documents, "many_failures");
    assert_eq!(range.condition, [(Comparison::Gte, 10.0), (Comparison::Lt, 1000.0)]);
    assert_eq!((range.timespan, range.group_by.len()), (Span::seconds(300), 2));
    let values = correlation(&documents, "spray");
    assert_eq!(values.fields, ["TargetUserName", "WorkstationName"]);
    assert_eq!(correlation(&documents, "slow").percentile, Some(95.0));
    assert_eq!(correlation(&documents, "chain").rules[0].0, "many_failures");
    assert_eq!(correlation(&documents, "steps").windowing, Windowing::Tumbling);
    assert!(correlation(&documents, "either").seen.is_some());
    assert_eq!(correlation(&documents, "bucket").leak, Some(Span::seconds(10)));
}
