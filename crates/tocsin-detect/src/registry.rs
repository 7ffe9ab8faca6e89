//! Every detector, by the `type` that rules ask for it with: one file and one line here.

use std::sync::Arc;

use tocsin_core::correlation::CorrelationSpec;
use tocsin_core::detector::Detector;
use tocsin_core::matcher::RuleIdx;
use tocsin_core::time::Span;

use crate::detectors::{consecutive, correlation, leaky_bucket, sequence, value_count, values};
use crate::every;

/// What a detector is built from.
#[derive(Clone, Copy, Debug)]
pub struct Build<'a> {
    /// The rule it serves.
    pub rule: RuleIdx,
    /// Length of its episodes.
    pub episode: Span,
    /// What the rule asks for.
    pub spec: &'a CorrelationSpec,
    /// Whether the rule names fields whose values are told apart.
    pub distinct: bool,
}

/// One detector.
pub struct DetectorEntry {
    /// Its name: file, documentation page and tests go by it.
    pub name: &'static str,
    /// The correlation types it serves.
    pub types: &'static [&'static str],
    /// What an event must bring.
    pub value: Value,
    /// Builds it, or says in a sentence why the rule asks for what it cannot do.
    pub build: fn(Build<'_>) -> Result<Arc<dyn Detector>, String>,
}

/// What an event must bring to a detector, besides being one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Nothing,
    /// A value to tell from others.
    Distinct,
    /// The same, where the rule names a field.
    DistinctIfNamed,
    /// A number.
    Number,
}

/// All detectors, alphabetically.
pub const DETECTORS: &[DetectorEntry] = &[
    consecutive::ENTRY,
    correlation::ENTRY,
    leaky_bucket::ENTRY,
    sequence::ENTRY,
    value_count::ENTRY,
    values::ENTRY,
];

/// What events must bring to a rule of that type.
#[must_use]
pub fn value(kind: &str) -> Value {
    DETECTORS.iter().find(|entry| entry.types.contains(&kind)).map_or(Value::Nothing, |entry| entry.value)
}

/// The role of an event for a rule, given the place of the rule it met among those referred to. In
/// ordered sequences roles count from the last one; for types that only count, all events are alike.
#[must_use]
pub fn role(spec: &CorrelationSpec, place: u8) -> u8 {
    match spec.kind.as_str() {
        "temporal_ordered" => spec.references.saturating_sub(1).saturating_sub(place),
        "temporal" | "consecutive" => place,
        _ => 0,
    }
}

/// Whether every moment at which a rule's condition holds counts for a rule of that type, or only
/// the beginning of each episode: sequences ask whether something was seen, others how often.
#[must_use]
pub fn counts_every_moment(kind: &str) -> bool {
    matches!(kind, "temporal" | "temporal_ordered")
}

/// Builds the detector a rule asks for.
///
/// # Errors
/// A sentence when no detector serves the type, or it cannot do what is asked.
pub fn build(request: Build<'_>) -> Result<Arc<dyn Detector>, String> {
    let kind = request.spec.kind.as_str();
    let entry = DETECTORS.iter().find(|entry| entry.types.contains(&kind));
    let entry = entry.ok_or_else(|| {
        let known: Vec<&str> = DETECTORS.iter().flat_map(|entry| entry.types).copied().collect();
        format!("no detector serves the type `{kind}`; there are {}", known.join(", "))
    })?;
    (entry.build)(request)
}

/// The detector of a stateless rule: every match is a detection.
#[must_use]
pub fn every_match(rule: RuleIdx, episode: Span) -> Arc<dyn Detector> {
    every::detector(rule, episode)
}
