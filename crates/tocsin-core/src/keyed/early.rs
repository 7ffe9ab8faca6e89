//! Keys of which so much waits that it has no room. The older half of it is settled before the
//! watermark has passed it: the key keeps its state and its episode, and only what still comes from
//! before then loses its place in the order. It counts as an event behind the watermark does, and its
//! alert as an estimate.

use crate::detector::{Found, StepContext};
use crate::limits::PRESSED_ENTRIES_MAX;
use crate::machine::{Entry, Machine};
use crate::time::Timestamp;

use super::Keyed;
use super::state::KeyState;

impl<M: Machine> Keyed<M> {
    /// Takes note that many entries of a key wait.
    pub(super) fn note_long(&mut self, slot: u32) {
        if !self.long.contains(&slot) {
            self.long.push(slot);
        }
    }

    /// Settles the older half of what waits of the key with most of it. Returns whether there was one.
    pub(super) fn settle_longest(&mut self, context: &StepContext, out: &mut Found) -> bool {
        let (states, waiting) = (&self.states, &self.waiting);
        let len = |slot: &u32| states.get(*slot).as_ref().map_or(0, |state| waiting.len(state.waiting));
        self.long.retain(|slot| len(slot) >= PRESSED_ENTRIES_MAX);
        let longest = self.long.iter().copied().max_by_key(len);
        let Some((slot, middle)) = longest.and_then(|slot| Some((slot, self.middle(slot)?))) else {
            return false;
        };
        self.pressed = self.pressed.min(Some(middle)).or(Some(middle));
        self.settle(slot, middle.time, context, out);
        if let Some(state) = self.states.get_mut(slot) {
            state.set_settled(Some(middle.time));
            self.waiting.shrink(state.waiting);
        }
        self.weigh(slot);
        self.set_deadline(slot, context);
        true
    }

    /// The middle one of the entries of a key that wait.
    fn middle(&self, slot: u32) -> Option<Entry> {
        let state = self.states.get(slot).as_ref()?;
        self.waiting.get(state.waiting, self.waiting.len(state.waiting) / 2)
    }
}

impl<M> KeyState<M> {
    /// Whether an event of this time has lost its place in the order.
    pub(super) fn is_settled_at(&self, time: Timestamp) -> bool {
        self.held.as_ref().and_then(|held| held.settled).is_some_and(|settled| time <= settled)
    }

    /// Forgets up to when it was settled early, once the watermark is there.
    pub(super) fn watermark_is_at(&mut self, watermark: Timestamp) {
        let settled = self.held.as_ref().and_then(|held| held.settled);
        if settled.is_some_and(|settled| settled <= watermark) {
            self.set_settled(None);
        }
    }
}
