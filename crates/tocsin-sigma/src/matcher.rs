//! The matcher: all stateless rules as one function over events.
//!
//! For every value the set of atoms it satisfies is remembered under (field, kind, bytes); for
//! every combination of sets the rules that match are remembered under the sum of the sets'
//! random numbers, the event's signature. So a value seen before costs a hash and a look-up
//! whatever the number of rules, and an event whose combination was seen before costs one more.
//! Both memories are caches: bounded, per worker, emptied when full, and without any influence on
//! results.

use std::sync::Arc;

use hashbrown::HashMap;
use tocsin_core::batch::{Event, EventBatch};
use tocsin_core::matcher::{Matcher, RuleIdx, RuleMatch};
use tocsin_core::value::Slot;

use crate::atom::AtomId;
use crate::memo::{Memo, SetId};
use crate::predicate::Scratch;
use crate::ruleset::Compiled;

/// Distinct sets of atoms remembered. Above it the worker forgets everything it has learnt.
const SETS_MAX: usize = 65_536;
/// Distinct signatures remembered. Above it they are forgotten.
const SIGNATURES_MAX: usize = 65_536;
/// Longest value that is remembered; longer ones rarely repeat.
const MEMO_VALUE_BYTES_MAX: u32 = 2_048;

/// A set of atoms and the random number that stands for it in signatures.
#[derive(Debug)]
struct Set {
    atoms: Box<[AtomId]>,
    number: u128,
}

/// One worker's matcher.
pub struct SigmaMatcher {
    compiled: Arc<Compiled>,
    memo: Memo,
    sets: Vec<Set>,
    set_ids: HashMap<Box<[AtomId]>, SetId>,
    signatures: HashMap<u128, (u32, u32), foldhash::fast::FixedState>,
    /// Rules of all remembered signatures; each owns a range.
    lists: Vec<RuleIdx>,
    scratch: Scratch,
    atoms: Vec<AtomId>,
    event_sets: Vec<SetId>,
    bits: Vec<u64>,
    stamps: Vec<u32>,
    stamp: u32,
    hits: u64,
}

impl SigmaMatcher {
    /// A matcher that knows nothing yet. `seed` keys its memories.
    #[must_use]
    pub fn new(compiled: Arc<Compiled>, seed: u64) -> SigmaMatcher {
        let words = compiled.atoms.div_ceil(64);
        let rules = compiled.programs.len();
        SigmaMatcher {
            memo: Memo::new(seed),
            sets: Vec::new(),
            set_ids: HashMap::new(),
            signatures: HashMap::default(),
            lists: Vec::new(),
            scratch: Scratch::default(),
            atoms: Vec::new(),
            event_sets: Vec::new(),
            bits: vec![0; words],
            stamps: vec![0; rules],
            stamp: 0,
            hits: 0,
            compiled,
        }
    }

    /// The range of `lists` that holds the rules an event matches.
    fn event(&mut self, batch: &EventBatch, event: &Event) -> (u32, u32) {
        self.event_sets.clear();
        let mut signature = 0_u128;
        for slot in batch.slots(event) {
            if self.compiled.has_predicates(slot.field) {
                let set = self.value(batch, slot);
                signature = signature.wrapping_add(self.sets[set as usize].number);
                self.event_sets.push(set);
            }
        }
        if self.compiled.needs_whole_event() {
            self.atoms.clear();
            self.whole_event(batch, event);
            let set = self.intern();
            signature = signature.wrapping_add(self.sets[set as usize].number);
            self.event_sets.push(set);
        }
        if let Some(range) = self.signatures.get(&signature) {
            self.hits += 1;
            return *range;
        }
        self.evaluate(signature)
    }

    /// The set of a value, from memory or evaluated.
    #[inline]
    fn value(&mut self, batch: &EventBatch, slot: &Slot) -> SetId {
        let bytes = batch.bytes(slot);
        if slot.len > MEMO_VALUE_BYTES_MAX {
            return self.evaluate_value(batch, slot);
        }
        let hash = self.memo.hash(slot.field, slot.kind, bytes);
        if let Some(set) = self.memo.get(hash, slot.field, slot.kind, bytes) {
            self.hits += 1;
            return set;
        }
        let set = self.evaluate_value(batch, slot);
        self.memo.insert(hash, slot.field, slot.kind, bytes, set);
        set
    }

    #[cold]
    fn evaluate_value(&mut self, batch: &EventBatch, slot: &Slot) -> SetId {
        self.atoms.clear();
        if let Some(predicates) = self.compiled.predicates(slot.field) {
            predicates.evaluate(&batch.value(slot), &mut self.scratch, &mut self.atoms);
        }
        self.intern()
    }

    /// The id of the set of atoms now in `self.atoms`.
    fn intern(&mut self) -> SetId {
        self.atoms.sort_unstable();
        self.atoms.dedup();
        if let Some(set) = self.set_ids.get(self.atoms.as_slice()) {
            return *set;
        }
        let id = self.sets.len() as SetId;
        let atoms: Box<[AtomId]> = self.atoms.as_slice().into();
        let number = if atoms.is_empty() { 0 } else { self.memo.number(&atoms) };
        self.sets.push(Set { atoms: atoms.clone(), number });
        self.set_ids.insert(atoms, id);
        id
    }

    /// Atoms that need more than one value: keywords and comparisons between fields.
    fn whole_event(&mut self, batch: &EventBatch, event: &Event) {
        let compiled = Arc::clone(&self.compiled);
        compiled.field_refs.evaluate(batch, event, &mut self.atoms);
        if let Some(keywords) = &compiled.keywords {
            let record = batch.raw.record(event.record);
            keywords.evaluate(record, &mut self.scratch, &mut self.atoms);
        }
    }

    /// Runs the conditions of all rules that could match, and remembers which do.
    #[cold]
    fn evaluate(&mut self, signature: u128) -> (u32, u32) {
        if self.signatures.len() >= SIGNATURES_MAX {
            self.signatures.clear();
            self.lists.clear();
        }
        self.stamp = self.stamp.wrapping_add(1);
        for set in &self.event_sets {
            for atom in &self.sets[*set as usize].atoms {
                self.bits[*atom as usize >> 6] |= 1 << (atom & 63);
            }
        }
        let start = self.lists.len();
        let compiled = Arc::clone(&self.compiled);
        for rule in &compiled.without_witness {
            self.try_rule(*rule);
        }
        for index in 0..self.event_sets.len() {
            let set = self.event_sets[index] as usize;
            for at in 0..self.sets[set].atoms.len() {
                let atom = self.sets[set].atoms[at];
                for rule in &compiled.by_witness[atom as usize] {
                    self.try_rule(*rule);
                }
            }
        }
        self.lists[start..].sort_unstable();
        for set in &self.event_sets {
            for atom in &self.sets[*set as usize].atoms {
                self.bits[*atom as usize >> 6] = 0;
            }
        }
        let range = (start as u32, self.lists.len() as u32);
        self.signatures.insert(signature, range);
        range
    }

    fn try_rule(&mut self, rule: RuleIdx) {
        let stamp = &mut self.stamps[rule.index()];
        if *stamp == self.stamp {
            return;
        }
        *stamp = self.stamp;
        if self.compiled.programs[rule.index()].as_ref().is_some_and(|program| program.holds(&self.bits)) {
            self.lists.push(rule);
        }
    }
}

impl Matcher for SigmaMatcher {
    fn matches(&mut self, batch: &EventBatch, out: &mut Vec<RuleMatch>) {
        for (index, event) in batch.events.iter().enumerate() {
            let (from, to) = self.event(batch, event);
            for rule in &self.lists[from as usize..to as usize] {
                out.push(RuleMatch { event: index as u32, rule: *rule });
            }
        }
        if self.sets.len() > SETS_MAX {
            self.memo.forget();
            self.sets.clear();
            self.set_ids.clear();
            self.signatures.clear();
            self.lists.clear();
        }
    }

    fn memo_hits(&self) -> u64 {
        self.hits
    }
}
