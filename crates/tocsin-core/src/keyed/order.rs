//! One key's entries in total order: the machine sees them, its episodes begin, go on and end.

use crate::batch::TenantId;
use crate::detection::Phase;
use crate::detector::{Emission, Found, Hold};
use crate::episode::Episode;
use crate::machine::{Contributing, Entry, Machine};
use crate::matcher::RuleIdx;
use crate::time::{Span, Timestamp};

use super::state::KeyState;

/// What it takes to run one key of a rule.
pub(super) struct Ordered<'a, M: Machine> {
    pub machine: &'a M,
    pub rule: RuleIdx,
    pub tenant: TenantId,
    /// Length of an episode.
    pub length: Span,
    pub emission: Emission,
    /// Whether other rules count what this one finds.
    pub chained: bool,
    pub scratch: &'a mut Vec<Entry>,
}

impl<M: Machine> Ordered<'_, M> {
    /// Takes in the next entry.
    pub fn advance(&mut self, state: &mut KeyState<M::State>, entry: &Entry, out: &mut Found) {
        while let Some(due) = self.machine.due(&state.machine).filter(|due| *due < entry.time) {
            self.judge(state, due, false, out);
        }
        self.end_episode(state, entry.time, out);
        if self.machine.advance(&mut state.machine, entry) {
            self.holds(state, entry.time, entry, out);
        }
    }

    /// Every entry up to the watermark was taken in: windows that end by then are judged, and an
    /// episode that ends by then is told.
    pub fn pass(&mut self, state: &mut KeyState<M::State>, watermark: Timestamp, out: &mut Found) {
        let ended = watermark == Timestamp::MAX;
        while let Some(due) = self.machine.due(&state.machine).filter(|due| *due <= watermark) {
            self.judge(state, due, ended, out);
        }
        self.end_episode(state, watermark, out);
    }

    fn judge(&mut self, state: &mut KeyState<M::State>, due: Timestamp, ended: bool, out: &mut Found) {
        self.end_episode(state, due, out);
        if let Some(entry) = self.machine.judge(&mut state.machine, ended) {
            self.holds(state, due, &entry, out);
        }
    }

    fn end_episode(&self, state: &mut KeyState<M::State>, now: Timestamp, out: &mut Found) {
        if let Some(ended) = state.take_episode_if(|episode| now >= episode.end) {
            out.detections.push(ended.detection(self.rule, self.tenant, &state.key, Phase::Closed));
        }
    }

    /// The condition holds at a time because of an entry: the episode goes on, or one begins.
    fn holds(&mut self, state: &mut KeyState<M::State>, at: Timestamp, entry: &Entry, out: &mut Found) {
        let opens = state.episode().is_none();
        let in_window = self.machine.in_window(&state.machine);
        let approximate = self.machine.is_approximate(&state.machine);
        let which = if opens { Contributing::All } else { Contributing::Fresh };
        self.scratch.clear();
        self.machine.contributing(&mut state.machine, which, self.scratch);
        if self.chained {
            let entry = Entry { time: at, ..*entry };
            out.holds.push(Hold { rule: self.rule, key: (*state.key).into(), entry, opens });
        }
        if let Some(episode) = state.episode_mut() {
            episode.extend(self.scratch);
            episode.approximate |= approximate;
            return;
        }
        let mut opened = Episode::open(at, self.length, entry.position, in_window, self.scratch);
        opened.approximate = approximate;
        if self.emission == Emission::Live {
            let moved = state.claim().filter(|claim| claim.t0 != opened.t0);
            state.set_claim(None);
            let told =
                moved.map(|claim| claim.detection(self.rule, self.tenant, &state.key, Phase::Superseded));
            out.detections.extend(told);
        }
        state.set_episode(opened);
    }
}
