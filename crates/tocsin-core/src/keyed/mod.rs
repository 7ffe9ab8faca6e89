//! State per group key: order, episodes, expiry. One [`Keyed`] is one rule in one shard.
//!
//! Events wait, sorted, until the watermark has passed them; then the rule's [`Machine`] sees them
//! in total order. Everything final comes from that pass alone, which is why order of arrival,
//! batch cuts and workers cannot show in the result. A provisional answer is the same pass run
//! ahead on a copy.
//!
//! Keys are visited when an event touches them or their deadline comes, never all at once.

mod handover;
mod order;
mod room;
mod second;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::activation::HandOver;
use crate::detection::Phase;
use crate::detector::{DetectorShard, Emission, Found, Owner, SnapshotError, StateRoom, StepContext, Usage};
use crate::episode::{Claim, Episode};
use crate::limits::PENDING_ENTRIES_MAX;
use crate::machine::{Contributing, Entries, Entry, Machine, insert_sorted};
use crate::matcher::RuleIdx;
use crate::orphans::Orphans;
use crate::signal::{Signal, Signals};
use crate::sketch::Sketch;
use crate::time::{Span, Timestamp};

use order::Ordered;
use room::Admission;
use state::{Held, Key, KeyState, Saved, Waiting, WaitingAt};

/// Width of one bucket of the expiry wheel, as a power of two in nanoseconds (about a second).
pub(crate) const WHEEL_SHIFT: u32 = 30;

/// The bucket of a key that stands in none.
const NO_BUCKET: i32 = i32::MIN;

/// One rule's state in one shard, driven by its machine.
pub struct Keyed<M: Machine> {
    machine: Arc<M>,
    owner: Owner,
    rule: RuleIdx,
    /// Length of an episode.
    length: Span,
    hasher: RandomState,
    index: HashTable<u32>,
    states: Vec<Option<KeyState<M::State>>>,
    free: Vec<u32>,
    waiting: Waiting,
    wheel: BTreeMap<i32, Vec<u32>>,
    evicted: u64,
    touched: Vec<u32>,
    /// The signals that belong to `touched`.
    found: Vec<u32>,
    orphans: Orphans,
    /// Bytes all keys take beyond their own size.
    heap_bytes: usize,
    /// Bytes this rule may take in this shard.
    room: StateRoom,
    /// Counts what has no room.
    sketch: Option<Box<Sketch>>,
    /// Events that were only counted there.
    sketched: u64,
    /// The first event of the step that found no room.
    pressed: Option<Entry>,
    /// The watermark of the step before.
    passed: Timestamp,
    scratch: Vec<Entry>,
}

impl<M: Machine> Keyed<M> {
    /// Empty state.
    #[must_use]
    pub fn new(machine: Arc<M>, owner: Owner, rule: RuleIdx, length: Span) -> Keyed<M> {
        let seed = owner.seed;
        Keyed {
            machine,
            owner,
            rule,
            length,
            hasher: RandomState::with_seeds(seed, !seed, seed.rotate_left(32), 0x9E37_79B9_7F4A_7C15),
            index: HashTable::new(),
            states: Vec::new(),
            free: Vec::new(),
            waiting: Waiting::default(),
            wheel: BTreeMap::new(),
            evicted: 0,
            touched: Vec::new(),
            found: Vec::new(),
            orphans: Orphans::default(),
            heap_bytes: 0,
            room: StateRoom::default(),
            sketch: None,
            sketched: 0,
            pressed: None,
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
        if self.machine.needs_company(signal.role) && signal.beyond {
            return None;
        }
        if self.machine.needs_company(signal.role) && signal.late_behind.is_none() {
            self.evicted += self.orphans.push(hash, key, Entry::of(signal), self.passed);
            return None;
        }
        let entry = Entry::of(signal);
        match self.admit(hash, key, &entry) {
            Admission::Exact(before) => Some(self.begin(hash, key, &entry, before)),
            Admission::Network(network, before) => {
                let hash = self.hasher.hash_one(&*network);
                let known = self.find(hash, &network);
                Some(known.unwrap_or_else(|| self.begin(hash, &network, &entry, before)))
            }
            Admission::Sketched => {
                self.sketched += 1;
                None
            }
        }
    }

    fn create(&mut self, hash: u64, key: &[u8]) -> u32 {
        let mut state = KeyState {
            key: SmallVec::from_slice(key),
            machine: M::State::default(),
            held: None,
            waiting: WaitingAt::NOWHERE,
            bucket: NO_BUCKET,
            heap_bytes: 0,
        };
        let waiting = &mut self.waiting;
        self.orphans.adopt(hash, key, |entry| insert_sorted(waiting.of_mut(&mut state.waiting), entry));
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
        self.waiting.forget(state.waiting);
        self.heap_bytes -= state.heap_bytes as usize;
        self.free.push(slot);
    }

    /// Takes in one signal of this rule, whose key has this slot.
    fn absorb(&mut self, slot: u32, signal: &Signal, live: bool, context: &StepContext, out: &mut Found) {
        let entry = Entry::of(signal);
        let second = live && self.machine.counts_on_ingest();
        if second {
            self.begin_second(slot, signal);
        }
        let told = out.detections.len();
        if signal.beyond {
            // No window in event time holds it.
        } else if let Some(watermark) = signal.late_behind {
            self.settle(slot, watermark, context, out);
            self.absorb_late(slot, &entry, context, out);
        } else if let Some(state) = &mut self.states[slot as usize] {
            let waiting = self.waiting.of_mut(&mut state.waiting);
            insert_sorted(waiting, entry);
            // At powers of two: folding may find little, and must not be tried with every entry.
            if waiting.len() >= PENDING_ENTRIES_MAX && waiting.len().is_power_of_two() {
                let boundary = state.episode().map(|episode| episode.end);
                self.machine.fold(waiting, boundary);
            }
        }
        if second {
            self.absorb_on_ingest(slot, signal, out.detections.len() > told);
        }
    }

    /// An event behind the watermark raises the count of the episode its condition falls in, or
    /// opens one of its own; what is final stays. An episode that is over already is told at once.
    fn absorb_late(&mut self, slot: u32, entry: &Entry, context: &StepContext, out: &mut Found) {
        let Some(state) = &mut self.states[slot as usize] else { return };
        let Some(t0) = self.machine.advance_late(&mut state.machine, entry) else { return };
        self.scratch.clear();
        let in_window = self.machine.in_window(&state.machine);
        let approximate = self.machine.is_approximate(&state.machine);
        let covered = state.episode().is_some_and(|e| e.t0 <= t0 && t0 < e.end);
        let which = if covered { Contributing::Fresh } else { Contributing::All };
        self.machine.contributing(&mut state.machine, which, &mut self.scratch);
        if !self.scratch.contains(entry) {
            self.scratch.push(*entry);
        }
        if let Some(episode) = state.episode_mut().filter(|_| covered) {
            episode.extend(&self.scratch);
            episode.late = true;
            episode.approximate |= approximate;
            return;
        }
        let mut episode = Episode::open(t0, self.length, entry.position, in_window, &self.scratch);
        episode.late = true;
        episode.approximate = approximate;
        if state.episode().is_none() && episode.end > context.watermark.minus(context.grace) {
            state.set_episode(episode);
        } else {
            let told = episode.detection(self.rule, self.owner.tenant, &state.key, Phase::Closed);
            out.detections.push(told);
        }
    }

    /// Runs the machine over every waiting entry the watermark has passed, in total order.
    fn settle(&mut self, slot: u32, watermark: Timestamp, context: &StepContext, out: &mut Found) {
        let Some(state) = &mut self.states[slot as usize] else { return };
        let mut waiting = self.waiting.take(state.waiting);
        let passed = waiting.iter().take_while(|entry| entry.time <= watermark).count();
        let mut ordered = Ordered {
            machine: &*self.machine,
            rule: self.rule,
            tenant: self.owner.tenant,
            length: self.length,
            emission: context.emission,
            chained: self.owner.chained,
            scratch: &mut self.scratch,
        };
        for entry in waiting.drain(..passed) {
            ordered.advance(state, &entry, out);
        }
        ordered.pass(state, watermark, out);
        self.waiting.put_back(&mut state.waiting, waiting);
    }

    /// Looks ahead on a copy: what would come out if no further event arrived?
    fn claim(&mut self, slot: u32, out: &mut Found) {
        let Some(state) = &mut self.states[slot as usize] else { return };
        let found = look_ahead(&*self.machine, state, self.waiting.of(state.waiting), self.length);
        let before = state.claim();
        let claim = found.as_ref().map(|e| Claim { t0: e.t0, completing: e.completing });
        if claim.map(|c| c.t0) == before.map(|c| c.t0) {
            return;
        }
        let (rule, tenant) = (self.rule, self.owner.tenant);
        let phase = if claim.is_some() { Phase::Superseded } else { Phase::Withdrawn };
        out.detections.extend(before.map(|c| c.detection(rule, tenant, &state.key, phase)));
        out.detections.extend(found.map(|e| e.detection(rule, tenant, &state.key, Phase::Provisional)));
        state.set_claim(claim);
    }

    /// Settles one key, hands out what changed, and sets its next deadline.
    fn visit(&mut self, slot: u32, context: &StepContext, out: &mut Found) {
        self.settle(slot, context.watermark, context, out);
        if context.emission == Emission::Live {
            self.claim(slot, out);
        }
        self.visit_second(slot, context, out);
        let Some(state) = &mut self.states[slot as usize] else { return };
        if context.emission == Emission::Live
            && let Some(episode) = state.episode_mut().filter(|episode| episode.changed)
        {
            episode.changed = false;
            let episode = episode.clone();
            out.detections.push(episode.detection(self.rule, self.owner.tenant, &state.key, Phase::Open));
        }
        let nothing_left = state.waiting == WaitingAt::NOWHERE
            && state.episode().is_none()
            && state.second().is_none()
            && self.machine.expire(&mut state.machine, context.watermark);
        if nothing_left {
            self.remove(slot);
            return;
        }
        self.weigh(slot);
        self.set_deadline(slot, context);
    }

    /// Visits every key whose deadline the watermark has passed.
    fn expire(&mut self, context: &StepContext, out: &mut Found) {
        let now = bucket_of(context.watermark);
        let everything = context.watermark == Timestamp::MAX;
        if self.wheel.first_key_value().is_none_or(|(first, _)| *first >= now && !everything) {
            return;
        }
        let due = if everything {
            std::mem::take(&mut self.wheel)
        } else {
            let later = self.wheel.split_off(&now);
            std::mem::replace(&mut self.wheel, later)
        };
        for (id, slots) in due {
            for slot in slots {
                if let Some(state) = self.states[slot as usize].as_mut().filter(|s| s.bucket == id) {
                    state.bucket = NO_BUCKET;
                    self.visit(slot, context, out);
                }
            }
        }
    }
}

/// The bucket of the wheel a time lies in.
fn bucket_of(time: Timestamp) -> i32 {
    (time.0 >> WHEEL_SHIFT).clamp(i64::from(NO_BUCKET + 1), i64::from(i32::MAX)) as i32
}

/// The time at which a key must be looked at again even if no event touches it. Waiting entries
/// are settled as soon as the watermark has passed them all, since most keys are empty after that;
/// where other rules count the findings, as soon as it has passed the first.
fn deadline<M: Machine>(
    machine: &M,
    state: &KeyState<M::State>,
    waiting: &Entries,
    chained: bool,
    context: &StepContext,
) -> Timestamp {
    let entry = if chained { waiting.first() } else { waiting.last() };
    let next = match (state.claim(), context.emission) {
        // What is claimed may lie behind entries that go on with an episode; who counts them waits for
        // none of it.
        (Some(claim), Emission::Live) if !chained => claim.t0,
        _ => entry.map_or_else(
            || {
                let ended = state.episode().map_or(Timestamp::MIN, |episode| episode.end);
                machine.lasts_until(&state.machine).max(ended)
            },
            |entry| entry.time,
        ),
    };
    let next = machine.due(&state.machine).map_or(next, |due| next.min(due));
    match second::deadline(machine, state) {
        Some(second) if next <= context.watermark => second,
        Some(second) => next.min(second),
        None => next,
    }
}

/// The episode that would begin if no further event arrived.
fn look_ahead<M: Machine>(
    machine: &M,
    state: &KeyState<M::State>,
    waiting: &Entries,
    length: Span,
) -> Option<Episode> {
    let beyond = state.episode().map_or(Timestamp::MIN, |episode| episode.end);
    let more: u64 = waiting.iter().filter(|e| e.time >= beyond).map(|e| u64::from(e.weight)).sum();
    if more == 0 || !machine.possible(&state.machine, more) {
        return None;
    }
    let mut ahead = state.machine.clone();
    for entry in waiting {
        if machine.advance(&mut ahead, entry) && entry.time >= beyond {
            let in_window = machine.in_window(&ahead);
            let mut contributing = Vec::new();
            machine.contributing(&mut ahead, Contributing::All, &mut contributing);
            let mut episode = Episode::open(entry.time, length, entry.position, in_window, &contributing);
            episode.approximate = machine.is_approximate(&ahead);
            return Some(episode);
        }
    }
    None
}

impl<M: Machine> DetectorShard for Keyed<M> {
    fn step(&mut self, context: &StepContext, signals: &Signals, range: &[u32], out: &mut Found) {
        // All keys are found first: the look-ups do not wait for each other, and what they fetch
        // from memory is there when it is used.
        self.take_room(context.room);
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
            self.absorb(*slot, &signals.list[*index as usize], signals.live, context, out);
        }
        self.found = found;
        touched.sort_unstable();
        touched.dedup();
        for slot in &touched {
            self.visit(*slot, context, out);
        }
        self.touched = touched;
        self.expire(context, out);
        self.make_room(context, out);
        self.sketch.take_if(|sketch| sketch.is_over(context.watermark));
        out.pressed.extend(self.pressed.take().map(|entry| (self.rule, entry)));
        self.passed = context.watermark;
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut states: Vec<_> = self
            .states
            .iter()
            .flatten()
            .map(|state| Saved {
                key: &state.key,
                waiting: self.waiting.of(state.waiting),
                machine: &state.machine,
                held: &state.held,
                bucket: state.bucket,
            })
            .collect();
        states.sort_unstable_by(|a, b| a.key.cmp(b.key));
        let counted = (self.evicted, self.sketched, &self.sketch);
        postcard::to_stdvec(&(counted, states, &self.orphans)).unwrap_or_default()
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        type Counted = (u64, u64, Option<Box<Sketch>>);
        type Restored<S> = (Counted, Vec<Saved<Key, Entries, S, Option<Box<Held<S>>>>>, Orphans);
        let (counted, states, orphans): Restored<M::State> =
            postcard::from_bytes(bytes).map_err(|error| SnapshotError(error.to_string()))?;
        (self.evicted, self.sketched, self.sketch) = counted;
        self.orphans = orphans;
        self.orphans.rehash(|key| self.hasher.hash_one(key));
        self.index.clear();
        self.free.clear();
        self.wheel.clear();
        self.states.clear();
        self.waiting = Waiting::default();
        self.heap_bytes = 0;
        for saved in states {
            let Saved { key, waiting, machine, held, bucket } = saved;
            let mut state =
                KeyState { key, machine, held, waiting: WaitingAt::NOWHERE, bucket, heap_bytes: 0 };
            if !waiting.is_empty() {
                *self.waiting.of_mut(&mut state.waiting) = waiting;
            }
            let hash = self.hasher.hash_one(&*state.key);
            let slot = self.states.len() as u32;
            self.wheel.entry(bucket).or_default().push(slot);
            self.states.push(Some(state));
            self.enter(slot, hash);
            self.weigh(slot);
        }
        Ok(())
    }

    fn hand_over(&mut self, what: HandOver, context: &StepContext, out: &mut Found) {
        handover::do_it(self, what, context, out);
    }

    fn bytes(&self) -> usize {
        self.key_bytes()
    }

    fn is_pressed(&self) -> bool {
        self.sketch.is_some()
    }

    fn usage(&self) -> Usage {
        let keys = self.index.len() as u64;
        Usage { keys, evicted: self.evicted, sketched: self.sketched, bytes: self.all_bytes() as u64 }
    }
}
