//! A machine with its rule: what most detectors are.

use std::sync::Arc;

use tocsin_core::detector::{Detector, DetectorShard, Owner};
use tocsin_core::keyed::Keyed;
use tocsin_core::machine::Machine;
use tocsin_core::matcher::RuleIdx;
use tocsin_core::time::Span;

/// A machine with its rule: the detector of one rule.
struct KeyedDetector<M> {
    machine: Arc<M>,
    rule: RuleIdx,
    episode: Span,
}

impl<M: Machine> Detector for KeyedDetector<M> {
    fn counts_on_ingest(&self) -> bool {
        self.machine.counts_on_ingest()
    }

    fn shard(&self, owner: Owner) -> Box<dyn DetectorShard> {
        Box::new(Keyed::new(Arc::clone(&self.machine), owner, self.rule, self.episode))
    }
}

/// The detector of one rule, whose logic is a machine.
pub(crate) fn keyed<M: Machine>(machine: M, rule: RuleIdx, episode: Span) -> Arc<dyn Detector> {
    Arc::new(KeyedDetector { machine: Arc::new(machine), rule, episode })
}
