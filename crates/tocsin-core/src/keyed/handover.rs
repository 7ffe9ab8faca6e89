//! What becomes of a rule's keys when other rules become active: they end, or they go on.

use crate::activation::{HandOver, Move};
use crate::detection::Phase;
use crate::detector::{Emission, Found, StepContext};
use crate::machine::Machine;

use super::Keyed;
use super::state::{KeyState, WaitingAt};

/// Does the part of one rule.
pub(super) fn do_it<M: Machine>(of: &mut Keyed<M>, what: HandOver, context: &StepContext, out: &mut Found) {
    match what {
        HandOver::Settle => of.open().into_iter().for_each(|slot| of.visit(slot, context, out)),
        HandOver::End => of.open().into_iter().for_each(|slot| of.tell_end(slot, context, out)),
        HandOver::GoOn(to) => of.go_on(to, context),
    }
}

impl<M: Machine> Keyed<M> {
    fn tell_end(&mut self, slot: u32, context: &StepContext, out: &mut Found) {
        self.settle(slot, context.watermark, context, out);
        self.weigh(slot);
        let Some(state) = self.states.get(slot) else { return };
        let on_ingest = state.second().and_then(|second| second.episode.as_ref());
        let (rule, tenant) = (self.rule, self.owner.tenant);
        for episode in state.episode().into_iter().chain(on_ingest).cloned() {
            out.detections.push(episode.detection(rule, tenant, &state.key, Phase::Closed));
        }
        let withdrawn =
            state.claim().map(|claim| claim.detection(rule, tenant, &state.key, Phase::Withdrawn));
        out.detections.extend(withdrawn);
    }

    fn go_on(&mut self, to: Move, context: &StepContext) {
        let is_new_chain = to.chained && !self.owner.chained;
        (self.rule, self.length, self.owner.chained) = (to.rule, to.episode, to.chained);
        if is_new_chain {
            // From now on a key is looked at for the first of its entries that wait, not for the last.
            let context = StepContext { emission: Emission::Closed, ..*context };
            self.open().into_iter().for_each(|slot| self.set_deadline(slot, &context));
        }
    }

    /// The keys of which something is open, in order of key: entries that wait, windows that are not
    /// judged, an episode, a claim.
    fn open(&self) -> Vec<u32> {
        let mut open: Vec<(&KeyState<M::State>, u32)> = Vec::new();
        for (slot, state) in self.states.iter().enumerate() {
            let is_open = |s: &&KeyState<M::State>| {
                s.waiting != WaitingAt::NOWHERE || s.held.is_some() || self.machine.due(&s.machine).is_some()
            };
            open.extend(state.as_ref().filter(is_open).map(|state| (state, slot as u32)));
        }
        open.sort_unstable_by(|(a, _), (b, _)| a.key.cmp(&b.key));
        open.into_iter().map(|(_, slot)| slot).collect()
    }
}
