//! Virtual shards: 64 owners of keyed state, without locks. Which shard a key lives in depends on
//! nothing but (tenant, rule, key), so it is the same on every machine.

use hashbrown::HashMap;

use crate::batch::TenantId;
use crate::detection::Detection;
use crate::detector::{DetectorShard, SnapshotError, StepContext, Usage};
use crate::matcher::RuleIdx;
use crate::plan::Plan;
use crate::signal::Signals;

/// Number of virtual shards. Fixed for good: snapshots and routing rely on it.
pub const SHARDS: usize = 64;

/// The shard of a key.
#[must_use]
pub fn shard_of(tenant: TenantId, rule: RuleIdx, key: &[u8]) -> usize {
    // FNV-1a: fixed and simple. Skew an attacker can cause costs balance, never correctness.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let head = tenant.0.to_le_bytes().into_iter().chain(rule.0.to_le_bytes());
    for byte in head.chain(key.iter().copied()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (hash >> 58) as usize
}

/// One shard: the state of its keys, by rule.
#[derive(Default)]
pub struct Shard {
    rules: HashMap<RuleIdx, Box<dyn DetectorShard>>,
    order: Vec<RuleIdx>,
}

impl Shard {
    /// Takes in this shard's signals (indices into `signals`, in any order of rules but in order
    /// of position for each) and advances every rule.
    pub fn step(
        &mut self,
        plan: &Plan,
        context: &StepContext,
        signals: &Signals,
        mine: &mut [u32],
        out: &mut Vec<Detection>,
    ) {
        mine.sort_by_key(|index| signals.list[*index as usize].rule);
        for range in mine.chunk_by(|a, b| signals.list[*a as usize].rule == signals.list[*b as usize].rule) {
            let rule = signals.list[range[0] as usize].rule;
            if let Some(state) = self.state(plan, rule) {
                state.step(context, signals, range, out);
            }
        }
    }

    /// Advances every rule without signals: expiry and the end of input.
    pub fn tick(&mut self, context: &StepContext, out: &mut Vec<Detection>) {
        let nothing = Signals::default();
        for rule in &self.order {
            if let Some(state) = self.rules.get_mut(rule) {
                state.step(context, &nothing, &[], out);
            }
        }
    }

    fn state(&mut self, plan: &Plan, rule: RuleIdx) -> Option<&mut Box<dyn DetectorShard>> {
        if !self.rules.contains_key(&rule) {
            let detector = plan.rules[rule.index()].detector.as_ref()?;
            self.rules.insert(rule, detector.shard(plan.seed));
            self.order.push(rule);
            self.order.sort_unstable();
        }
        self.rules.get_mut(&rule)
    }

    /// All state, by rule.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(RuleIdx, Vec<u8>)> {
        self.order.iter().filter_map(|rule| Some((*rule, self.rules.get(rule)?.snapshot()))).collect()
    }

    /// Replaces all state by a snapshot's.
    ///
    /// # Errors
    /// [`SnapshotError`] when a rule of the snapshot is unknown or its bytes do not fit; the shard
    /// is then to be dropped.
    pub fn restore(&mut self, plan: &Plan, snapshot: &[(RuleIdx, Vec<u8>)]) -> Result<(), SnapshotError> {
        *self = Shard::default();
        for (rule, bytes) in snapshot {
            let state = self
                .state(plan, *rule)
                .ok_or_else(|| SnapshotError(format!("rule {} keeps no state", rule.0)))?;
            state.restore(bytes)?;
        }
        Ok(())
    }

    /// How much state this shard holds.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.rules.values().map(|state| state.usage()).fold(Usage::default(), |sum, one| Usage {
            keys: sum.keys + one.keys,
            evicted: sum.evicted + one.evicted,
        })
    }
}
