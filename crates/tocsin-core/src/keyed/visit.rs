//! Looking at one key: what the watermark has passed is settled, what changed is told, and the next
//! time to look is set.

use crate::detection::Phase;
use crate::detector::{Emission, Found, StepContext};
use crate::episode::{Claim, Episode};
use crate::limits::{PENDING_ENTRIES_MAX, PRESSED_ENTRIES_MAX};
use crate::machine::{Contributing, Entries, Entry, Machine};
use crate::signal::Signal;
use crate::time::{Span, Timestamp};

use super::order::Ordered;
use super::state::{KeyState, Single, Waiting, WaitingAt};
use super::wheel::{NO_BUCKET, bucket_of};
use super::{Keyed, second};

impl<M: Machine> Keyed<M> {
    /// Runs the machine over every waiting entry the watermark has passed, in total order.
    pub(super) fn settle(&mut self, slot: u32, watermark: Timestamp, context: &StepContext, out: &mut Found) {
        let Some(state) = self.states.get_mut(slot) else { return };
        let mut ordered = Ordered {
            machine: &*self.machine,
            rule: self.rule,
            tenant: self.owner.tenant,
            length: self.length,
            emission: context.emission,
            chained: self.owner.chained,
            scratch: &mut self.scratch,
        };
        match self.waiting.take_single(&mut state.waiting, watermark) {
            Single::Passed(entry) => ordered.advance(state, &entry, out),
            Single::Waits => {}
            Single::Others => {
                let mut waiting = self.waiting.take(&mut state.waiting);
                let passed = waiting.iter().take_while(|entry| entry.time <= watermark).count();
                for entry in waiting.drain(..passed) {
                    ordered.advance(state, &entry, out);
                }
                self.waiting.put_back(&mut state.waiting, waiting);
            }
        }
        ordered.pass(state, watermark, out);
    }

    /// Looks ahead on a copy: what would come out if no further event arrived?
    fn claim(&mut self, slot: u32, out: &mut Found) {
        let Some(state) = self.states.get_mut(slot) else { return };
        let found = look_ahead(&*self.machine, state, &self.waiting, self.length);
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
    pub(super) fn visit(&mut self, slot: u32, context: &StepContext, out: &mut Found) {
        self.settle(slot, context.watermark, context, out);
        if context.emission == Emission::Live {
            self.claim(slot, out);
        }
        self.visit_second(slot, context, out);
        let Some(state) = self.states.get_mut(slot) else { return };
        state.watermark_is_at(context.watermark);
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
    pub(super) fn expire(&mut self, context: &StepContext, out: &mut Found) {
        let everything = context.watermark == Timestamp::MAX;
        let now = (!everything).then(|| bucket_of(context.watermark));
        let due: Vec<_> = std::iter::from_fn(|| self.wheel.pop_before(now)).collect();
        for (id, slots) in due {
            // All are looked at before any is visited: then they are fetched from memory together.
            let states = slots.iter().filter_map(|slot| self.states.get(*slot).as_ref());
            if states.filter(|state| state.bucket == id || state.later == id).count() == 0 {
                continue;
            }
            for slot in slots {
                if self.leaves(slot, id) {
                    self.visit(slot, context, out);
                }
            }
        }
    }

    /// Takes note that a key has left a bucket; returns whether it is to be looked at for that.
    pub(super) fn leaves(&mut self, slot: u32, bucket: i32) -> bool {
        let Some(state) = self.states.get_mut(slot) else { return false };
        if state.later == bucket {
            state.later = NO_BUCKET;
        }
        let is_due = state.bucket == bucket;
        if is_due {
            state.bucket = NO_BUCKET;
        }
        is_due
    }

    /// Says when to look at a key again.
    pub(super) fn set_deadline(&mut self, slot: u32, context: &StepContext) {
        let Some(state) = self.states.get_mut(slot) else { return };
        let next = deadline(&*self.machine, state, &self.waiting, self.owner.chained, context);
        self.wheel_at(slot, next);
    }

    fn wheel_at(&mut self, slot: u32, next: Timestamp) {
        let Some(state) = self.states.get_mut(slot) else { return };
        let bucket = bucket_of(next);
        if state.bucket == NO_BUCKET && state.later != NO_BUCKET && state.later <= bucket {
            state.bucket = std::mem::replace(&mut state.later, NO_BUCKET);
        }
        // A key that stands in an earlier bucket is looked at too early, once, and moves on then:
        // cheaper than moving it with every event.
        if state.bucket == NO_BUCKET || bucket < state.bucket {
            if state.later == NO_BUCKET {
                state.later = state.bucket;
            }
            state.bucket = bucket;
            self.wheel.push(bucket, slot);
        }
    }

    /// Takes in an event that lies ahead of the watermark and can tell nothing yet: all it changes is
    /// when to look at its key again. Returns whether it was such a one.
    pub(super) fn wait(&mut self, slot: u32, signal: &Signal, context: &StepContext) -> bool {
        if signal.late_behind.is_some() || signal.beyond || signal.time <= context.watermark {
            return false;
        }
        let Some(state) = self.states.get_mut(slot) else { return false };
        if state.held.is_some() || self.machine.due(&state.machine).is_some() {
            return false;
        }
        if context.emission == Emission::Live {
            let more = self.waiting.weight_from(state.waiting, Timestamp::MIN) + u64::from(signal.weight);
            if self.machine.possible(&state.machine, more) {
                return false;
            }
        }
        let before = self.waiting.bytes(state.waiting);
        let mut is_long = false;
        if let Some(list) = self.waiting.insert(&mut state.waiting, Entry::of(signal)) {
            is_long = fold_if_long(&*self.machine, list, None);
        }
        let bytes = self.waiting.bytes(state.waiting);
        self.heap_bytes = self.heap_bytes + bytes - before;
        state.heap_bytes = state.heap_bytes + bytes as u32 - before as u32;
        let next = waits_for(&self.waiting, state.waiting, self.owner.chained);
        self.wheel_at(slot, next.map_or(signal.time, |entry| entry.time));
        if is_long {
            self.note_long(slot);
        }
        true
    }
}

/// Folds what waits of a key at powers of two: it may find little, and must not be tried with every
/// entry. Returns whether much is left.
pub(super) fn fold_if_long<M: Machine>(machine: &M, list: &mut Entries, boundary: Option<Timestamp>) -> bool {
    if list.len() < PRESSED_ENTRIES_MAX || !list.len().is_power_of_two() {
        return false;
    }
    if list.len() >= PENDING_ENTRIES_MAX {
        machine.fold(list, boundary);
    }
    list.len() >= PRESSED_ENTRIES_MAX
}

/// The entry at which what waits of a key is settled: waiting entries are settled as soon as the
/// watermark has passed them all, since most keys are empty after that; where other rules count the
/// findings, as soon as it has passed the first.
fn waits_for(waiting: &Waiting, at: WaitingAt, chained: bool) -> Option<Entry> {
    if chained { waiting.first(at) } else { waiting.last(at) }
}

/// The time at which a key must be looked at again even if no event touches it.
fn deadline<M: Machine>(
    machine: &M,
    state: &KeyState<M::State>,
    waiting: &Waiting,
    chained: bool,
    context: &StepContext,
) -> Timestamp {
    let entry = waits_for(waiting, state.waiting, chained);
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
    waiting: &Waiting,
    length: Span,
) -> Option<Episode> {
    let beyond = state.episode().map_or(Timestamp::MIN, |episode| episode.end);
    let more = waiting.weight_from(state.waiting, beyond);
    if more == 0 || !machine.possible(&state.machine, more) {
        return None;
    }
    let mut ahead = state.machine.clone();
    for entry in &waiting.entries(state.waiting) {
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
