//! State per group key: order, episodes, expiry. One [`Keyed`] is one rule in one shard.
//!
//! Events wait, sorted, until the watermark has passed them; then the rule's [`Machine`] sees them
//! in total order. Everything final comes from that pass alone, which is why order of arrival,
//! batch cuts and workers cannot show in the result. A provisional answer is the same pass run
//! ahead on a copy.
//!
//! Keys are visited when an event touches them or their deadline comes, never all at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::batch::TenantId;
use crate::detection::{Detection, Evidence, Phase};
use crate::detector::{DetectorShard, Emission, SnapshotError, StepContext, Usage};
use crate::episode::{Claim, Episode};
use crate::limits::PENDING_ENTRIES_MAX;
use crate::machine::{Contributing, Entries, Entry, Machine, insert_sorted};
use crate::matcher::RuleIdx;
use crate::orphans::Orphans;
use crate::signal::{Signal, Signals};
use crate::time::{Span, Timestamp};

/// Width of one bucket of the expiry wheel, as a power of two in nanoseconds (about a second).
const WHEEL_SHIFT: u32 = 30;

/// Keys up to this length, most addresses and names, lie inside their state.
const KEY_BYTES_INLINE: usize = 24;

/// The bucket of a key that stands in none.
const NO_BUCKET: i64 = i64::MIN;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeyState<S> {
    key: SmallVec<[u8; KEY_BYTES_INLINE]>,
    /// Entries the watermark has not passed when they were last looked at, in total order.
    waiting: Entries,
    newest: Timestamp,
    machine: S,
    /// Boxed: most keys never have one.
    episode: Option<Box<Episode>>,
    claim: Option<Claim>,
    /// Bucket of the wheel this key stands in.
    bucket: i64,
}

/// One rule's state in one shard, driven by its machine.
pub struct Keyed<M: Machine> {
    machine: Arc<M>,
    tenant: TenantId,
    rule: RuleIdx,
    episode: Span,
    hasher: RandomState,
    index: HashTable<u32>,
    states: Vec<Option<KeyState<M::State>>>,
    free: Vec<u32>,
    wheel: BTreeMap<i64, Vec<u32>>,
    evicted: u64,
    touched: Vec<u32>,
    /// The signals that belong to `touched`.
    found: Vec<u32>,
    orphans: Orphans,
    /// The watermark of the step before.
    passed: Timestamp,
    scratch: Vec<Entry>,
}

impl<M: Machine> Keyed<M> {
    /// Empty state. `seed` keys the hash of attacker-chosen strings.
    #[must_use]
    pub fn new(machine: Arc<M>, tenant: TenantId, rule: RuleIdx, episode: Span, seed: u64) -> Keyed<M> {
        Keyed {
            machine,
            tenant,
            rule,
            episode,
            hasher: RandomState::with_seeds(seed, !seed, seed.rotate_left(32), 0x9E37_79B9_7F4A_7C15),
            index: HashTable::new(),
            states: Vec::new(),
            free: Vec::new(),
            wheel: BTreeMap::new(),
            evicted: 0,
            touched: Vec::new(),
            found: Vec::new(),
            orphans: Orphans::default(),
            passed: Timestamp::MIN,
            scratch: Vec::new(),
        }
    }

    /// The slot of a key, if it has state.
    fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        let states = &self.states;
        let same = |slot: &u32| states[*slot as usize].as_ref().is_some_and(|state| *state.key == *key);
        self.index.find(hash, same).copied()
    }

    /// The slot of the key of a signal; none when the signal says nothing to a key without state.
    fn slot(&mut self, signal: &Signal, key: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        if let Some(slot) = self.find(hash, key) {
            return Some(slot);
        }
        if self.machine.needs_company(signal.role) && signal.late_behind.is_none() {
            self.evicted += self.orphans.push(hash, key, Entry::of(signal), self.passed);
            return None;
        }
        Some(self.create(hash, key))
    }

    fn create(&mut self, hash: u64, key: &[u8]) -> u32 {
        let mut waiting = Entries::new();
        self.orphans.adopt(hash, key, |entry| insert_sorted(&mut waiting, entry));
        let newest = waiting.last().map_or(Timestamp::MIN, |last| last.time);
        let state = KeyState {
            key: SmallVec::from_slice(key),
            waiting,
            newest,
            machine: M::State::default(),
            episode: None,
            claim: None,
            bucket: NO_BUCKET,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.states[slot as usize] = Some(state);
                slot
            }
            None => {
                self.states.push(Some(state));
                (self.states.len() - 1) as u32
            }
        };
        self.enter(slot, hash);
        slot
    }

    fn enter(&mut self, slot: u32, hash: u64) {
        let (states, hasher) = (&self.states, &self.hasher);
        self.index.insert_unique(hash, slot, |slot| {
            states[*slot as usize].as_ref().map_or(0, |s| hasher.hash_one(&*s.key))
        });
    }

    fn remove(&mut self, slot: u32) {
        let Some(state) = self.states[slot as usize].take() else { return };
        let hash = self.hasher.hash_one(&*state.key);
        if let Ok(entry) = self.index.find_entry(hash, |candidate| *candidate == slot) {
            entry.remove();
        }
        self.free.push(slot);
    }

    /// Takes in one signal of this rule, whose key has this slot.
    fn absorb(&mut self, slot: u32, signal: &Signal, context: &StepContext, out: &mut Vec<Detection>) {
        let entry = Entry::of(signal);
        if let Some(watermark) = signal.late_behind {
            self.settle(slot, watermark, context, out);
            self.absorb_late(slot, &entry, context, out);
        } else if let Some(state) = &mut self.states[slot as usize] {
            insert_sorted(&mut state.waiting, entry);
            state.newest = state.newest.max(entry.time);
            if state.waiting.len() > PENDING_ENTRIES_MAX {
                let boundary = state.episode.as_ref().map(|episode| episode.end);
                self.machine.fold(&mut state.waiting, boundary);
            }
        }
    }

    /// An event behind the watermark raises the count of the episode its condition falls in, or
    /// opens one of its own; what is final stays. An episode that is over already is told at once.
    fn absorb_late(&mut self, slot: u32, entry: &Entry, context: &StepContext, out: &mut Vec<Detection>) {
        let Some(state) = &mut self.states[slot as usize] else { return };
        let holds_at = self.machine.advance_late(&mut state.machine, entry);
        state.newest = state.newest.max(entry.time);
        let Some(t0) = holds_at else { return };
        self.scratch.clear();
        let in_window = self.machine.in_window(&state.machine);
        let covered = state.episode.as_ref().is_some_and(|e| e.t0 <= t0 && t0 < e.end);
        let which = if covered { Contributing::Fresh } else { Contributing::All };
        self.machine.contributing(&mut state.machine, which, &mut self.scratch);
        if !self.scratch.contains(entry) {
            self.scratch.push(*entry);
        }
        if let Some(episode) = state.episode.as_mut().filter(|_| covered) {
            episode.extend(&self.scratch);
            episode.late = true;
            return;
        }
        let mut episode = Episode::open(t0, self.episode, entry.position, in_window, &self.scratch);
        episode.late = true;
        if state.episode.is_none() && episode.end > context.watermark.minus(context.grace) {
            state.episode = Some(Box::new(episode));
        } else {
            out.push(episode.detection(self.rule, self.tenant, &state.key, Phase::Closed));
        }
    }

    /// Runs the machine over every waiting entry the watermark has passed, in total order.
    fn settle(&mut self, slot: u32, watermark: Timestamp, context: &StepContext, out: &mut Vec<Detection>) {
        let Some(state) = &mut self.states[slot as usize] else { return };
        let passed = state.waiting.iter().take_while(|entry| entry.time <= watermark).count();
        let mut waiting = std::mem::take(&mut state.waiting);
        for entry in waiting.drain(..passed) {
            if let Some(ended) = state.episode.take_if(|episode| entry.time >= episode.end) {
                out.push(ended.detection(self.rule, self.tenant, &state.key, Phase::Closed));
            }
            if !self.machine.advance(&mut state.machine, &entry) {
                continue;
            }
            let in_window = self.machine.in_window(&state.machine);
            let which = if state.episode.is_some() { Contributing::Fresh } else { Contributing::All };
            self.scratch.clear();
            self.machine.contributing(&mut state.machine, which, &mut self.scratch);
            if let Some(episode) = &mut state.episode {
                episode.extend(&self.scratch);
                continue;
            }
            let opened = Episode::open(entry.time, self.episode, entry.position, in_window, &self.scratch);
            if context.emission == Emission::Live {
                let moved = state.claim.take().filter(|claim| claim.t0 != opened.t0);
                out.extend(moved.map(|c| c.detection(self.rule, self.tenant, &state.key, Phase::Superseded)));
            }
            state.episode = Some(Box::new(opened));
        }
        state.waiting = waiting;
        if let Some(ended) = state.episode.take_if(|episode| watermark >= episode.end) {
            out.push(ended.detection(self.rule, self.tenant, &state.key, Phase::Closed));
        }
    }

    /// Looks ahead on a copy: what would come out if no further event arrived?
    fn claim(&mut self, slot: u32, out: &mut Vec<Detection>) {
        let Some(state) = &mut self.states[slot as usize] else { return };
        let beyond = state.episode.as_ref().map_or(Timestamp::MIN, |episode| episode.end);
        let more: u64 = state.waiting.iter().filter(|e| e.time >= beyond).map(|e| u64::from(e.weight)).sum();
        let mut found = None;
        if more > 0 && self.machine.possible(&state.machine, more) {
            let mut ahead = state.machine.clone();
            for entry in &state.waiting {
                if self.machine.advance(&mut ahead, entry) && entry.time >= beyond {
                    let in_window = self.machine.in_window(&ahead);
                    let mut contributing = Vec::new();
                    self.machine.contributing(&mut ahead, Contributing::All, &mut contributing);
                    found = Some(Episode::open(
                        entry.time,
                        self.episode,
                        entry.position,
                        in_window,
                        &contributing,
                    ));
                    break;
                }
            }
        }
        let claim = found.as_ref().map(|e| Claim { t0: e.t0, completing: e.completing });
        let same = claim.map(|c| c.t0) == state.claim.map(|c| c.t0);
        if same {
            return;
        }
        let phase = if claim.is_some() { Phase::Superseded } else { Phase::Withdrawn };
        out.extend(state.claim.map(|c| c.detection(self.rule, self.tenant, &state.key, phase)));
        out.extend(found.map(|e| e.detection(self.rule, self.tenant, &state.key, Phase::Provisional)));
        state.claim = claim;
    }

    /// Settles one key, hands out what changed, and sets its next deadline.
    fn visit(&mut self, slot: u32, context: &StepContext, out: &mut Vec<Detection>) {
        self.settle(slot, context.watermark, context, out);
        if context.emission == Emission::Live {
            self.claim(slot, out);
        }
        let Some(state) = &mut self.states[slot as usize] else { return };
        if context.emission == Emission::Live
            && let Some(episode) = state.episode.as_mut().filter(|episode| episode.changed)
        {
            episode.changed = false;
            let detection = episode.clone().detection(self.rule, self.tenant, &state.key, Phase::Open);
            out.push(detection);
        }
        let nothing_left = state.waiting.is_empty()
            && state.episode.is_none()
            && self.machine.expire(&mut state.machine, context.watermark);
        if nothing_left {
            self.remove(slot);
            return;
        }
        let bucket = deadline(state, self.machine.span(), context) >> WHEEL_SHIFT;
        // A key that stands in an earlier bucket is looked at too early, once, and moves on then:
        // cheaper than moving it with every event.
        if state.bucket == NO_BUCKET || bucket < state.bucket {
            state.bucket = bucket;
            self.wheel.entry(bucket).or_default().push(slot);
        }
    }

    /// Gives back what an idle key no longer needs.
    fn release_memory(&mut self, slot: u32) {
        if let Some(state) = self.states[slot as usize].as_mut().filter(|state| state.waiting.is_empty()) {
            state.waiting = Entries::new();
        }
    }

    /// Visits every key whose deadline the watermark has passed.
    fn expire(&mut self, context: &StepContext, out: &mut Vec<Detection>) {
        let now = context.watermark.0 >> WHEEL_SHIFT;
        let everything = context.watermark == Timestamp::MAX;
        while let Some(bucket) = self.wheel.first_entry().filter(|b| *b.key() < now || everything) {
            let (id, slots) = bucket.remove_entry();
            for slot in slots {
                if let Some(state) = self.states[slot as usize].as_mut().filter(|s| s.bucket == id) {
                    state.bucket = NO_BUCKET;
                    self.visit(slot, context, out);
                    self.release_memory(slot);
                }
            }
        }
    }
}

/// The time at which a key must be looked at again even if no event touches it. Waiting entries
/// are settled as soon as the watermark has passed them, since most keys are empty after that.
fn deadline<S>(state: &KeyState<S>, span: Span, context: &StepContext) -> i64 {
    let ended = state.episode.as_ref().map_or(i64::MIN, |episode| episode.end.0);
    let waiting = state.waiting.last().map(|last| last.time.0);
    let due = match (&state.claim, context.emission) {
        (Some(claim), Emission::Live) => claim.t0.0,
        _ => waiting.unwrap_or_else(|| state.newest.plus(span).0.max(ended)),
    };
    due.min(i64::MAX - (1 << (WHEEL_SHIFT + 1)))
}

impl<M: Machine> DetectorShard for Keyed<M> {
    fn step(&mut self, context: &StepContext, signals: &Signals, range: &[u32], out: &mut Vec<Detection>) {
        // All keys are found first: the look-ups do not wait for each other, and what they fetch
        // from memory is there when it is used.
        self.touched.clear();
        self.found.clear();
        for index in range {
            let signal = &signals.list[*index as usize];
            if let Some(slot) = self.slot(signal, signals.key(signal)) {
                self.touched.push(slot);
                self.found.push(*index);
            }
        }
        let mut touched = std::mem::take(&mut self.touched);
        let found = std::mem::take(&mut self.found);
        for (index, slot) in found.iter().zip(&touched) {
            self.absorb(*slot, &signals.list[*index as usize], context, out);
        }
        self.found = found;
        touched.sort_unstable();
        touched.dedup();
        for slot in &touched {
            self.visit(*slot, context, out);
        }
        self.touched = touched;
        self.expire(context, out);
        self.passed = context.watermark;
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut states: Vec<&KeyState<M::State>> = self.states.iter().flatten().collect();
        states.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        postcard::to_stdvec(&(self.evicted, states, &self.orphans)).unwrap_or_default()
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        let (evicted, states, orphans): (u64, Vec<KeyState<M::State>>, Orphans) =
            postcard::from_bytes(bytes).map_err(|error| SnapshotError(error.to_string()))?;
        self.evicted = evicted;
        self.orphans = orphans;
        self.orphans.rehash(|key| self.hasher.hash_one(key));
        self.index.clear();
        self.free.clear();
        self.wheel.clear();
        self.states = states.into_iter().map(Some).collect();
        for slot in 0..self.states.len() as u32 {
            if let Some(state) = &self.states[slot as usize] {
                let hash = self.hasher.hash_one(&*state.key);
                self.wheel.entry(state.bucket).or_default().push(slot);
                self.enter(slot, hash);
            }
        }
        Ok(())
    }

    fn evict(&mut self, keys: usize) {
        let mut left = keys;
        while left > 0
            && let Some(mut bucket) = self.wheel.first_entry()
        {
            let id = *bucket.key();
            let slot = bucket.get_mut().pop();
            if bucket.get().is_empty() {
                bucket.remove();
            }
            let Some(slot) = slot else { continue };
            if self.states[slot as usize].as_ref().is_some_and(|state| state.bucket == id) {
                self.remove(slot);
                self.evicted += 1;
                left -= 1;
            }
        }
    }

    fn bytes(&self) -> usize {
        let tables = self.states.capacity() * size_of::<Option<KeyState<M::State>>>()
            + self.index.capacity() * size_of::<u32>();
        let hanging = |state: &KeyState<M::State>| {
            let evidence = state.episode.as_ref().map_or(0, |episode| episode.evidence.capacity());
            let spilled = if state.waiting.spilled() { state.waiting.capacity() } else { 0 };
            evidence * size_of::<Evidence>() + spilled * size_of::<Entry>()
        };
        tables + self.states.iter().flatten().map(hanging).sum::<usize>()
    }

    fn usage(&self) -> Usage {
        Usage { keys: self.index.len() as u64, evicted: self.evicted }
    }
}
