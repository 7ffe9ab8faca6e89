//! Virtual shards: 64 owners of keyed state, without locks. Which shard a key lives in depends on
//! nothing but (tenant, rule, key), so it is the same on every machine.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::activation::{Contexts, HandOver, Moves};
use crate::batch::TenantId;
use crate::detector::{DetectorShard, Found, Owner, SnapshotError, StateRoom, StepContext, Usage};
use crate::limits::{ADMITTED_KEYS_EIGHTHS_MAX, RULE_KEYS_SIXTEENTHS_MAX, SKETCHES_EIGHTHS_MAX};
use crate::matcher::RuleIdx;
use crate::plan::Plan;
use crate::rule::RuleMeta;
use crate::signal::Signals;

/// Number of virtual shards. Fixed for good: snapshots and routing rely on it.
pub const SHARDS: usize = 64;

/// The shard of a key. `rule` is the rule's [`rule_hash`].
#[must_use]
pub fn shard_of(tenant: TenantId, rule: u64, key: &[u8]) -> usize {
    let head = fnv(rule, &tenant.0.to_le_bytes());
    // FNV's last bytes hardly reach its highest bits: addresses of one network would share a shard.
    (spread(fnv(head, key)) >> 58) as usize
}

/// The finalizer of MurmurHash3: every bit depends on every other.
fn spread(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

/// What a rule contributes to routing: its id and logic, not its place in the rule set.
#[must_use]
pub fn rule_hash(meta: &RuleMeta) -> u64 {
    fnv(fnv(0xcbf2_9ce4_8422_2325, meta.id.as_bytes()), meta.logic_hash.as_bytes())
}

/// FNV-1a: fixed and simple. Skew an attacker can cause costs balance, never correctness.
fn fnv(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What one rule may have of a tenant's bytes in one shard while no other has state there.
pub(crate) fn room_of_one(bytes_max: usize) -> StateRoom {
    Held::default().leaves(bytes_max)
}

/// The state of one rule in one shard, under what names the rule wherever it stands in a set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RuleState {
    /// The tenant.
    pub tenant: TenantId,
    /// The rule's id.
    pub rule_id: String,
    /// The hash of its logic: an edited logic starts empty.
    pub logic_hash: String,
    /// The detector's own snapshot.
    pub state: Vec<u8>,
}

/// One shard: the state of its keys, by tenant and rule. Tenants have watermarks of their own, so
/// nothing here is shared between them.
#[derive(Default)]
pub struct Shard {
    rules: HashMap<(TenantId, RuleIdx), Box<dyn DetectorShard>>,
    order: Vec<(TenantId, RuleIdx)>,
    /// What each tenant's rules hold.
    held: HashMap<TenantId, Held>,
}

/// What the rules of one tenant hold in one shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Held {
    /// Rules with state.
    rules: usize,
    /// Of these, the ones with a sketch.
    pressed: usize,
    /// Bytes of their keys.
    keys: usize,
}

impl Held {
    fn add(&mut self, state: &dyn DetectorShard) {
        self.rules += 1;
        self.pressed += usize::from(state.is_pressed());
        self.keys += state.bytes();
    }

    fn take_away(&mut self, state: &dyn DetectorShard) {
        self.rules -= 1;
        self.pressed -= usize::from(state.is_pressed());
        self.keys -= state.bytes();
    }

    /// What so many bytes leave one more rule. Sketches have a part of their own, so that a rule
    /// that needs one always gets it, and still has room for the keys that it admits; the more
    /// rules need one, the smaller they are. No rule can take all from the others.
    fn leaves(&self, bytes_max: usize) -> StateRoom {
        let sketches = bytes_max / 8 * SKETCHES_EIGHTHS_MAX;
        let keys = bytes_max - sketches;
        let least = (bytes_max / 16).min(keys / (self.rules + 1));
        let most = (bytes_max / 16 * RULE_KEYS_SIXTEENTHS_MAX).min(keys.saturating_sub(self.keys));
        let for_admitted = most.max(least);
        // Every rule may go beyond its part by an eighth; none pays for what the others do.
        let beyond = (keys + keys / 8).saturating_sub(self.keys);
        StateRoom {
            for_all: most
                .saturating_sub(keys / 8 * ADMITTED_KEYS_EIGHTHS_MAX)
                .max(least - least / 8 * ADMITTED_KEYS_EIGHTHS_MAX),
            for_admitted,
            for_kept: beyond.max(for_admitted + for_admitted / 8),
            for_sketch: sketches / (self.pressed + 1),
        }
    }
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
        out: &mut Found,
    ) {
        mine.sort_by_key(|index| signals.list[*index as usize].rule);
        for range in mine.chunk_by(|a, b| signals.list[*a as usize].rule == signals.list[*b as usize].rule) {
            let rule = signals.list[range[0] as usize].rule;
            if self.state(plan, signals.tenant, rule).is_some() {
                self.step_rule((signals.tenant, rule), context, signals, range, out);
            }
        }
    }

    /// Advances every rule of a tenant and level without signals: expiry and the end of input.
    pub fn tick(&mut self, plan: &Plan, tenant: TenantId, level: u8, context: &StepContext, out: &mut Found) {
        let nothing = Signals { tenant, ..Signals::default() };
        for at in 0..self.order.len() {
            let owner = self.order[at];
            if owner.0 == tenant && plan.rules[owner.1.index()].level == level {
                self.step_rule(owner, context, &nothing, &[], out);
            }
        }
    }

    /// One rule's step, within the bytes its tenant's other rules leave it.
    fn step_rule(
        &mut self,
        owner: (TenantId, RuleIdx),
        context: &StepContext,
        signals: &Signals,
        range: &[u32],
        out: &mut Found,
    ) {
        let Some(state) = self.rules.get_mut(&owner) else { return };
        let held = self.held.entry(owner.0).or_default();
        held.take_away(&**state);
        let room = held.leaves(context.bytes_max).and(context.lent);
        state.step(&StepContext { room, ..*context }, signals, range, out);
        held.add(&**state);
    }

    fn state(&mut self, plan: &Plan, tenant: TenantId, rule: RuleIdx) -> Option<&mut Box<dyn DetectorShard>> {
        let owner = (tenant, rule);
        if !self.rules.contains_key(&owner) {
            let detector = plan.rules[rule.index()].detector.as_ref()?;
            let chained = !plan.rules[rule.index()].chains.is_empty();
            let state = detector.shard(Owner { tenant, seed: plan.seed, chained });
            self.held.entry(tenant).or_default().add(&*state);
            self.rules.insert(owner, state);
            self.order.push(owner);
            self.order.sort_unstable();
        }
        self.rules.get_mut(&owner)
    }

    /// Settles, up to their watermarks, a tenant's rules for which it matters.
    pub(crate) fn settle(
        &mut self,
        tenant: TenantId,
        moves: &Moves<'_>,
        contexts: &Contexts,
        out: &mut Found,
    ) {
        let mine = |(owner, rule): &&(TenantId, RuleIdx)| *owner == tenant && moves.settles(*rule);
        for owner in self.order.iter().filter(mine) {
            let context = &contexts[tenant.0 as usize][usize::from(moves.level(owner.1))];
            if let Some(state) = self.rules.get_mut(owner) {
                state.hand_over(HandOver::Settle, context, out);
            }
        }
        self.weigh();
    }

    /// Other rules are active from now on: state that goes on gets its new number, the rest ends.
    pub(crate) fn activate(&mut self, moves: &Moves<'_>, contexts: &Contexts, out: &mut Found) {
        let mut before = std::mem::take(&mut self.rules);
        for (tenant, rule) in std::mem::take(&mut self.order) {
            let Some(mut state) = before.remove(&(tenant, rule)) else { continue };
            let (to, context) =
                (moves.of(rule), &contexts[tenant.0 as usize][usize::from(moves.level(rule))]);
            if to.is_none_or(|to| to.is_silenced) {
                state.hand_over(HandOver::End, context, out);
            }
            if let Some(to) = to {
                state.hand_over(HandOver::GoOn(to), context, out);
                self.rules.insert((tenant, to.rule), state);
                self.order.push((tenant, to.rule));
            }
        }
        self.order.sort_unstable();
        self.weigh();
    }

    /// Adds up anew what each tenant's state takes.
    fn weigh(&mut self) {
        self.held.clear();
        for ((tenant, _), state) in &self.rules {
            self.held.entry(*tenant).or_default().add(&**state);
        }
    }

    /// All state, by rule.
    #[must_use]
    pub fn snapshot(&self, plan: &Plan) -> Vec<RuleState> {
        let of_rule = |owner: &(TenantId, RuleIdx)| {
            let meta = plan.meta(owner.1);
            Some(RuleState {
                tenant: owner.0,
                rule_id: meta.id.clone(),
                logic_hash: meta.logic_hash.clone(),
                state: self.rules.get(owner)?.snapshot(),
            })
        };
        self.order.iter().filter_map(of_rule).collect()
    }

    /// Replaces all state by a snapshot's. State of rules that are gone or have another logic now
    /// is left behind.
    ///
    /// # Errors
    /// [`SnapshotError`] when a rule's bytes do not fit; the shard is then to be dropped.
    pub fn restore(&mut self, plan: &Plan, snapshot: &[RuleState]) -> Result<(), SnapshotError> {
        *self = Shard::default();
        for saved in snapshot {
            let same = |meta: &RuleMeta| meta.id == saved.rule_id && meta.logic_hash == saved.logic_hash;
            let index = plan.rules.iter().position(|rule| same(&rule.meta));
            if let Some(state) = index.and_then(|index| self.state(plan, saved.tenant, RuleIdx(index as u32)))
            {
                state.restore(&saved.state)?;
            }
        }
        self.weigh();
        Ok(())
    }

    /// How much state this shard holds of each tenant and rule, in no order.
    pub fn each_usage(&self, mut tell: impl FnMut(TenantId, RuleIdx, Usage)) {
        self.rules.iter().for_each(|((tenant, rule), state)| tell(*tenant, *rule, state.usage()));
    }

    /// Bytes of a tenant's state.
    pub(crate) fn bytes(&self, tenant: TenantId) -> usize {
        self.held.get(&tenant).map_or(0, |held| held.keys)
    }

    /// How much state this shard holds.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.rules.values().map(|state| state.usage()).fold(Usage::default(), Usage::and)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_lie_in_different_shards() {
        let mut keys = [0; SHARDS];
        for host in 0..=255 {
            keys[shard_of(TenantId(0), 7, format!("203.0.113.{host}").as_bytes())] += 1;
        }
        assert!(keys.iter().all(|count| *count <= 12), "{keys:?}");
    }
}
