//! The matcher: all stateless rules as one function over events.
//!
//! For every value the set of atoms it satisfies is remembered under (field, kind, bytes), and for
//! values in lines under each line; for every combination of sets the rules that match are
//! remembered under the sum of the sets' random numbers, the event's signature. So a value seen
//! before costs a hash and a look-up whatever the number of rules, and an event whose combination
//! was seen before costs one more. All memories are caches: bounded, per worker, forgotten when
//! full, and without any influence on results.

use std::sync::Arc;

use hashbrown::HashTable;
use tocsin_core::batch::{Event, EventBatch};
use tocsin_core::matcher::{Matcher, MatcherStats, RuleIdx, RuleMatch, RuleStats};

use crate::atom::AtomId;
use crate::judge::Judge;
use crate::link::relink;
use crate::memo::SetId;
use crate::ruleset::Compiled;

/// Distinct signatures remembered. Above it they are forgotten.
const SIGNATURES_MAX: usize = 65_536;

/// A signature and its range in the lists of rules.
type Signature = (u128, u32, u32);

/// One worker's matcher.
pub struct SigmaMatcher {
    compiled: Arc<Compiled>,
    seed: u64,
    judge: Judge,
    signatures: HashTable<Signature>,
    /// Rules of all remembered signatures; each owns a range. Behind the rules that match stand the filters
    /// that kept one from matching, their numbers counted on from the number of rules.
    lists: Vec<RuleIdx>,
    late_atoms: Vec<AtomId>,
    event_sets: Vec<SetId>,
    bits: Vec<u64>,
    stamps: Vec<u32>,
    stamp: u32,
    signature_hits: u64,
    signature_misses: u64,
    /// By rule.
    counts: Vec<RuleStats>,
    /// Matches kept back, by filter.
    suppressed: Vec<u64>,
}

impl SigmaMatcher {
    /// A matcher that knows nothing yet. `seed` keys its memories.
    #[must_use]
    pub fn new(compiled: Arc<Compiled>, seed: u64) -> SigmaMatcher {
        let words = compiled.atoms.len().div_ceil(64);
        let rules = compiled.programs.len();
        SigmaMatcher {
            judge: Judge::new(compiled.by_field.len(), seed),
            seed,
            signatures: HashTable::new(),
            lists: Vec::new(),
            late_atoms: Vec::new(),
            event_sets: Vec::new(),
            bits: vec![0; words],
            stamps: vec![0; rules],
            stamp: 0,
            signature_hits: 0,
            signature_misses: 0,
            counts: vec![RuleStats::default(); rules],
            suppressed: vec![0; compiled.filters],
            compiled,
        }
    }

    /// The range of `lists` that holds the rules an event matches.
    fn event(&mut self, compiled: &Compiled, batch: &EventBatch, event: &Event) -> (u32, u32) {
        self.event_sets.clear();
        let mut signature = 0_u128;
        let mut awake = compiled.late.awake;
        for slot in batch.slots(event) {
            if !compiled.has_tests(slot.field) {
                continue;
            }
            let set = self.judge.value(compiled, batch, slot);
            let head = self.judge.sets.head(set);
            signature = signature.wrapping_add(head.number);
            awake |= head.wakes;
            self.event_sets.push(set);
        }
        if awake != 0 {
            self.late_atoms.clear();
            let scratch = &mut self.judge.scratch;
            compiled.late.evaluate(awake, batch, event, scratch, &mut self.late_atoms);
            let set = self.judge.intern(&mut self.late_atoms, &compiled.late);
            signature = signature.wrapping_add(self.judge.sets.head(set).number);
            self.event_sets.push(set);
        }
        if let Some((_, from, to)) = self.signatures.find(signature as u64, |known| known.0 == signature) {
            self.signature_hits += 1;
            return (*from, *to);
        }
        self.evaluate(compiled, signature)
    }

    /// Runs the conditions of all rules that could match, and remembers which do.
    #[cold]
    fn evaluate(&mut self, compiled: &Compiled, signature: u128) -> (u32, u32) {
        if self.signatures.len() >= SIGNATURES_MAX {
            self.signatures.clear();
            self.lists.clear();
        }
        self.signature_misses += 1;
        if self.stamp == u32::MAX {
            self.stamps.fill(0);
            self.stamp = 0;
        }
        self.stamp += 1;
        for set in &self.event_sets {
            for atom in self.judge.sets.atoms(*set) {
                self.bits[*atom as usize >> 6] |= 1 << (atom & 63);
            }
        }
        let start = self.lists.len();
        for rule in &compiled.without_witness {
            self.try_rule(compiled, *rule);
        }
        for index in 0..self.event_sets.len() {
            let set = self.event_sets[index];
            for at in 0..self.judge.sets.atoms(set).len() {
                let atom = self.judge.sets.atoms(set)[at];
                for rule in &compiled.by_witness[atom as usize] {
                    self.try_rule(compiled, *rule);
                }
            }
        }
        self.lists[start..].sort_unstable();
        for set in &self.event_sets {
            for atom in self.judge.sets.atoms(*set) {
                self.bits[*atom as usize >> 6] = 0;
            }
        }
        let known = (signature, start as u32, self.lists.len() as u32);
        self.signatures.insert_unique(signature as u64, known, |known| known.0 as u64);
        (known.1, known.2)
    }

    /// Forgets everything it has learnt.
    fn forget(&mut self) {
        self.judge.forget();
        self.signatures.clear();
        self.lists.clear();
    }

    fn try_rule(&mut self, compiled: &Compiled, rule: RuleIdx) {
        let stamp = &mut self.stamps[rule.index()];
        if *stamp == self.stamp {
            return;
        }
        *stamp = self.stamp;
        self.counts[rule.index()].evaluated += 1;
        let Some(program) = &compiled.programs[rule.index()] else { return };
        if !program.own.holds(&self.bits) {
            return;
        }
        let before = self.lists.len();
        for (filter, number) in program.filters.iter().zip(program.first_filter..) {
            if !filter.holds(&self.bits) {
                self.lists.push(RuleIdx(compiled.programs.len() as u32 + number));
            }
        }
        if self.lists.len() == before {
            self.lists.push(rule);
        }
    }
}

impl Matcher for SigmaMatcher {
    fn matches(&mut self, batch: &EventBatch, out: &mut Vec<RuleMatch>) {
        let compiled = Arc::clone(&self.compiled);
        for (index, event) in batch.events.iter().enumerate() {
            let (from, to) = self.event(&compiled, batch, event);
            for rule in &self.lists[from as usize..to as usize] {
                if let Some(filter) = rule.index().checked_sub(self.counts.len()) {
                    self.suppressed[filter] += 1;
                } else {
                    self.counts[rule.index()].matches += 1;
                    out.push(RuleMatch { event: index as u32, rule: *rule });
                }
            }
        }
        if self.judge.is_full() {
            self.forget();
        }
    }

    fn memo_hits(&self) -> u64 {
        self.signature_hits + self.judge.hits()
    }

    fn stats(&self) -> MatcherStats {
        MatcherStats {
            fields: self.judge.counts.clone(),
            rules: self.counts.clone(),
            suppressed: self.suppressed.clone(),
            signature_hits: self.signature_hits,
            signature_misses: self.signature_misses,
            forgets: self.judge.forgets,
        }
    }

    fn rules(&self) -> Vec<RuleIdx> {
        let programs = self.compiled.programs.iter().zip(0..);
        programs.filter(|(program, _)| program.is_some()).map(|(_, index)| RuleIdx(index)).collect()
    }

    fn only(&self, rule: RuleIdx) -> Option<Box<dyn Matcher>> {
        self.compiled.programs.get(rule.index())?.as_ref()?;
        let compiled = relink(&self.compiled, &|other| other == rule);
        Some(Box::new(SigmaMatcher::new(Arc::new(compiled), self.seed)))
    }

    fn without(&self, rules: &[RuleIdx]) -> Box<dyn Matcher> {
        let compiled = if rules.is_empty() {
            Arc::clone(&self.compiled)
        } else {
            Arc::new(relink(&self.compiled, &|rule| !rules.contains(&rule)))
        };
        Box::new(SigmaMatcher::new(compiled, self.seed))
    }
}

#[cfg(test)]
#[path = "matcher_tests.rs"]
mod tests;
