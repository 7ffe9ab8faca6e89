//! State per group key: order, episodes, expiry. One [`Keyed`] is one rule in one shard.
//!
//! Events wait, sorted, until the watermark has passed them; then the rule's [`Machine`] sees them
//! in total order. Everything final comes from that pass alone, which is why order of arrival,
//! batch cuts and workers cannot show in the result. A provisional answer is the same pass run
//! ahead on a copy.
//!
//! Keys are visited when an event touches them or their deadline comes, never all at once.

mod early;
mod handover;
mod order;
mod room;
mod saved;
mod second;
mod slab;
mod state;
mod visit;
mod wheel;

use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashTable;

use crate::activation::HandOver;
use crate::detection::Phase;
use crate::detector::{DetectorShard, Found, Owner, SnapshotError, StateRoom, StepContext, Usage};
use crate::episode::Episode;
use crate::machine::{Contributing, Entry, Machine};
use crate::matcher::RuleIdx;
use crate::orphans::Orphans;
use crate::signal::{Signal, Signals};
use crate::sketch::Sketch;
use crate::time::{Span, Timestamp};

use room::Admission;
use slab::Slab;
use state::{Key, KeyState, Waiting, WaitingAt};
pub(crate) use wheel::WHEEL_SHIFT;
use wheel::{NO_BUCKET, Wheel};

/// From so many keys on they no longer lie in the nearest memory.
const TOUCHED_ABOVE: usize = 512;

/// One rule's state in one shard, driven by its machine.
pub struct Keyed<M: Machine> {
    machine: Arc<M>,
    owner: Owner,
    rule: RuleIdx,
    /// Length of an episode.
    length: Span,
    hasher: RandomState,
    index: HashTable<u32>,
    states: Slab<Option<KeyState<M::State>>>,
    waiting: Waiting,
    wheel: Wheel,
    evicted: u64,
    touched: Vec<u32>,
    /// The signals that belong to `touched`.
    found: Vec<u32>,
    /// Hashes of the keys of a step's signals.
    hashes: Vec<u64>,
    orphans: Orphans,
    /// Keys of which many entries wait, or did.
    long: Vec<u32>,
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
            states: Slab::default(),
            waiting: Waiting::default(),
            wheel: Wheel::default(),
            evicted: 0,
            touched: Vec::new(),
            found: Vec::new(),
            hashes: Vec::new(),
            orphans: Orphans::default(),
            long: Vec::new(),
            heap_bytes: 0,
            room: StateRoom::default(),
            sketch: None,
            sketched: 0,
            pressed: None,
            passed: Timestamp::MIN,
            scratch: Vec::new(),
        }
    }

    /// Finds the slots of all signals. What the look-ups read is touched beforehand, for all of them:
    /// so they do not wait for memory one after the other, and it is there when it is used.
    fn find_all(&mut self, signals: &Signals, range: &[u32]) {
        let key = |index: u32| signals.key(&signals.list[index as usize]);
        self.touched.clear();
        self.found.clear();
        self.hashes.clear();
        self.hashes.extend(range.iter().map(|index| self.hasher.hash_one(key(*index))));
        if self.index.len() > TOUCHED_ABOVE {
            let candidates = self.hashes.iter().filter_map(|hash| self.index.find(*hash, |_| true));
            self.touched.extend(candidates);
            let short = self.touched.iter().filter_map(|slot| self.states.get(*slot).as_ref());
            std::hint::black_box(short.filter(|state| state.key.heap_bytes() == 0).count());
            self.touched.clear();
        }
        let hashes = std::mem::take(&mut self.hashes);
        for (index, hash) in range.iter().zip(&hashes) {
            let signal = &signals.list[*index as usize];
            if let Some(slot) = self.slot(signal, *hash, key(*index)) {
                self.touched.push(slot);
                self.found.push(*index);
            }
        }
        self.hashes = hashes;
    }

    /// The slot of a key, if it has state.
    fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        let states = &self.states;
        let same = |slot: &u32| states.get(*slot).as_ref().is_some_and(|state| *state.key == *key);
        self.index.find(hash, same).copied()
    }

    /// The slot of the key of a signal; none when the signal says nothing to a key without state.
    fn slot(&mut self, signal: &Signal, hash: u64, key: &[u8]) -> Option<u32> {
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
            key: Key::new(key),
            held: None,
            waiting: WaitingAt::NOWHERE,
            bucket: NO_BUCKET,
            later: NO_BUCKET,
            heap_bytes: 0,
            machine: M::State::default(),
        };
        let waiting = &mut self.waiting;
        self.orphans.adopt(hash, key, |entry| {
            waiting.insert(&mut state.waiting, entry);
        });
        let slot = self.states.put(Some(state));
        self.enter(slot, hash);
        slot
    }

    fn enter(&mut self, slot: u32, hash: u64) {
        let (states, hasher) = (&self.states, &self.hasher);
        self.index.insert_unique(hash, slot, |slot| {
            states.get(*slot).as_ref().map_or(0, |s| hasher.hash_one(&*s.key))
        });
    }

    fn remove(&mut self, slot: u32) {
        if self.states.get(slot).is_none() {
            return;
        }
        let Some(state) = self.states.release(slot, None) else { return };
        let hash = self.hasher.hash_one(&*state.key);
        if let Ok(entry) = self.index.find_entry(hash, |candidate| *candidate == slot) {
            entry.remove();
        }
        self.waiting.forget(state.waiting);
        self.heap_bytes -= state.heap_bytes as usize;
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
        } else if self.states.get(slot).as_ref().is_some_and(|state| state.is_settled_at(entry.time)) {
            self.absorb_late(slot, &entry, context, out);
        } else if let Some(state) = self.states.get_mut(slot)
            && let Some(list) = self.waiting.insert(&mut state.waiting, entry)
        {
            let episode = state.held.as_ref().and_then(|held| held.episode.as_ref());
            if visit::fold_if_long(&*self.machine, list, episode.map(|episode| episode.end)) {
                self.note_long(slot);
            }
        }
        if second {
            self.absorb_on_ingest(slot, signal, out.detections.len() > told);
        }
    }

    /// An event behind the watermark raises the count of the episode its condition falls in, or
    /// opens one of its own; what is final stays. An episode that is over already is told at once.
    fn absorb_late(&mut self, slot: u32, entry: &Entry, context: &StepContext, out: &mut Found) {
        let Some(state) = self.states.get_mut(slot) else { return };
        let Some(t0) = self.machine.advance_late(&mut state.machine, entry) else { return };
        self.scratch.clear();
        let in_window = self.machine.in_window(&state.machine);
        // What comes from before the watermark's time to a key settled beyond it is out of order.
        let is_early = state.is_settled_at(entry.time);
        let approximate = is_early || self.machine.is_approximate(&state.machine);
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
}

impl<M: Machine> DetectorShard for Keyed<M> {
    fn step(&mut self, context: &StepContext, signals: &Signals, range: &[u32], out: &mut Found) {
        self.take_room(context.room);
        self.find_all(signals, range);
        let mut touched = std::mem::take(&mut self.touched);
        let found = std::mem::take(&mut self.found);
        let mut changed = 0;
        for (at, index) in found.iter().enumerate() {
            let (slot, signal) = (touched[at], &signals.list[*index as usize]);
            if !self.wait(slot, signal, context) {
                self.absorb(slot, signal, signals.live, context, out);
                touched[changed] = slot;
                changed += 1;
            }
        }
        self.found = found;
        touched.truncate(changed);
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
        saved::snapshot(self)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        saved::restore(self, bytes)
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
