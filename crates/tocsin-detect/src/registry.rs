//! Every detector, by the `type` that rules ask for it with: one file and one line here.

use std::sync::Arc;

use tocsin_core::correlation::CorrelationSpec;
use tocsin_core::detector::Detector;
use tocsin_core::matcher::RuleIdx;
use tocsin_core::time::Span;

use crate::detectors::{consecutive, correlation};
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
}

/// One detector.
pub struct DetectorEntry {
    /// Its name: file, documentation page and tests go by it.
    pub name: &'static str,
    /// The correlation types it serves.
    pub types: &'static [&'static str],
    /// Builds it, or says in a sentence why the rule asks for what it cannot do.
    pub build: fn(Build<'_>) -> Result<Arc<dyn Detector>, String>,
}

/// All detectors, alphabetically.
pub const DETECTORS: &[DetectorEntry] = &[consecutive::ENTRY, correlation::ENTRY];

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
