//! The second window of keys whose events came back-dated: the same condition over the times at which
//! events were taken in, which no sender chooses. Whatever times an attacker writes on his events, he
//! is counted on one of the two clocks.

use crate::detection::{Clock, Phase};
use crate::detector::{Emission, Found, StepContext};
use crate::episode::Episode;
use crate::machine::{Contributing, Entry, Machine};
use crate::signal::Signal;
use crate::time::Timestamp;

use super::Keyed;
use super::state::{KeyState, Second};

impl<M: Machine> Keyed<M> {
    /// Gives a key whose event came late a second window, with what it remembers so far.
    pub(super) fn begin_second(&mut self, slot: u32, signal: &Signal) {
        let Some(state) = self.states.get_mut(slot) else { return };
        if state.second().is_some() || signal.late_behind.is_none() {
            return;
        }
        let mut kept = Vec::new();
        self.machine.kept(&state.machine, &mut kept);
        kept.extend(self.waiting.entries(state.waiting));
        let mut kept: Vec<Entry> = kept.iter().map(Entry::on_ingest).collect();
        kept.sort_unstable();
        kept.dedup();
        let mut machine = M::State::default();
        for entry in &kept {
            self.machine.advance(&mut machine, entry);
        }
        state.set_second(Some(Second { machine, episode: None }));
    }

    /// Counts an event on ingest time, where its key has a second window. `told` says that it made
    /// an episode in event time.
    pub(super) fn absorb_on_ingest(&mut self, slot: u32, signal: &Signal, told: bool) {
        let Some(state) = self.states.get_mut(slot) else { return };
        let entry = Entry::of(signal);
        self.scratch.clear();
        let absorbed = if told { Absorbed::Whole } else { Absorbed::of(signal.beyond) };
        advance(&*self.machine, state, &entry, absorbed, self.length, &mut self.scratch);
    }

    /// Tells what changed on ingest time, and forgets what is over.
    pub(super) fn visit_second(&mut self, slot: u32, context: &StepContext, out: &mut Found) {
        let Some(state) = self.states.get_mut(slot) else { return };
        if state.held.is_none() {
            return;
        }
        let key = state.key.clone();
        let Some(second) = state.second_mut() else { return };
        let (rule, tenant) = (self.rule, self.owner.tenant);
        let now = context.now.max(context.watermark);
        if let Some(ended) = second.episode.take_if(|episode| now >= episode.end) {
            out.detections.push(ended.detection(rule, tenant, &key, Phase::Closed));
        }
        if let Some(episode) = second.episode.as_mut().filter(|episode| episode.changed)
            && context.emission == Emission::Live
        {
            episode.changed = false;
            out.detections.push(episode.clone().detection(rule, tenant, &key, Phase::Open));
        }
        if second.episode.is_none() && self.machine.expire(&mut second.machine, now) {
            state.set_second(None);
        }
    }
}

/// What an episode in event time already has of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absorbed {
    /// It was made by it.
    Whole,
    /// It counted it, if it is open.
    Counted,
    /// Nothing: the event is too late for it.
    Nothing,
}

impl Absorbed {
    fn of(beyond: bool) -> Absorbed {
        if beyond { Absorbed::Nothing } else { Absorbed::Counted }
    }
}

/// Takes in an event at the time it came. An episode that is open already, on either clock, absorbs
/// what it adds.
fn advance<M: Machine>(
    machine: &M,
    state: &mut KeyState<M::State>,
    entry: &Entry,
    absorbed: Absorbed,
    length: crate::time::Span,
    contributing: &mut Vec<Entry>,
) {
    let on_ingest = entry.on_ingest();
    let Some(second) = state.second_mut() else { return };
    if !machine.advance(&mut second.machine, &on_ingest) {
        return;
    }
    let in_window = machine.in_window(&second.machine);
    let goes_on = second.episode.as_ref().is_some_and(|episode| on_ingest.time < episode.end);
    let which = if goes_on { Contributing::Fresh } else { Contributing::All };
    machine.contributing(&mut second.machine, which, contributing);
    if goes_on {
        if let Some(episode) = &mut second.episode {
            episode.extend(contributing);
        }
        return;
    }
    if absorbed == Absorbed::Whole {
        return;
    }
    if let Some(episode) = state.episode_mut() {
        if absorbed == Absorbed::Nothing {
            episode.extend(&[*entry]);
            episode.late = true;
        }
        return;
    }
    let mut opened = Episode::open(on_ingest.time, length, entry.position, in_window, contributing);
    opened.clock = Clock::Ingest;
    opened.late = true;
    if let Some(second) = state.second_mut() {
        second.episode = Some(opened);
    }
}

/// When the second window of a key must be looked at again.
pub(super) fn deadline<M: Machine>(machine: &M, state: &KeyState<M::State>) -> Option<Timestamp> {
    let second = state.second()?;
    let ended = second.episode.as_ref().map_or(Timestamp::MIN, |episode| episode.end);
    Some(machine.lasts_until(&second.machine).max(ended))
}
