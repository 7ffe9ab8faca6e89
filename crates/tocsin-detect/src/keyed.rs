//! A machine with its rule: what most detectors are.

use std::sync::Arc;

use tocsin_core::batch::TenantId;
use tocsin_core::detector::{Detector, DetectorShard};
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
    fn shard(&self, tenant: TenantId, seed: u64) -> Box<dyn DetectorShard> {
        Box::new(Keyed::new(Arc::clone(&self.machine), tenant, self.rule, self.episode, seed))
    }
}

/// The detector of one rule, whose logic is a machine.
pub(crate) fn keyed<M: Machine>(machine: M, rule: RuleIdx, episode: Span) -> Arc<dyn Detector> {
    Arc::new(KeyedDetector { machine: Arc::new(machine), rule, episode })
}
