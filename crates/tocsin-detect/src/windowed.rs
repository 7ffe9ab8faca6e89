//! Windows that do not slide: the same conditions over windows side by side, or over sessions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tocsin_core::correlation::Windowing;
use tocsin_core::detector::Detector;
use tocsin_core::machine::{Contributing, Entries, Entry, Machine};
use tocsin_core::time::{Span, Timestamp};

use crate::registry::Build;

/// The detector of a machine whose own window slides, under the windows the rule asks for.
pub(crate) fn detector<M: Machine>(machine: M, request: Build<'_>) -> Arc<dyn Detector> {
    let spec = request.spec;
    match spec.windowing {
        Windowing::Sliding => crate::keyed::keyed(machine, request.rule, request.episode),
        windowing => {
            let frames = Frames { windowing, timespan: spec.timespan };
            crate::keyed::keyed(Framed { machine, frames }, request.rule, request.episode)
        }
    }
}

/// How time is cut into windows that do not overlap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frames {
    /// How they lie. Sliding windows are taken as they begin with their first event.
    pub windowing: Windowing,
    /// The longest a window may be.
    pub timespan: Span,
}

/// The window that is open, by its first and last event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Frame {
    pub first: Timestamp,
    pub last: Timestamp,
}

impl Frames {
    /// The window of an event, after the one that was open.
    pub fn next(&self, open: Option<Frame>, time: Timestamp) -> Frame {
        match open.filter(|frame| time <= self.end(*frame)) {
            Some(frame) => Frame { last: frame.last.max(time), ..frame },
            None => Frame { first: time, last: time },
        }
    }

    /// The last moment of a window, as it stands.
    pub fn end(&self, frame: Frame) -> Timestamp {
        let full = frame.first.plus(self.timespan);
        match self.windowing {
            Windowing::Sliding => full,
            Windowing::Session { gap } => full.min(frame.last.plus(gap)),
            Windowing::Tumbling => {
                let length = self.timespan.0.max(1);
                let start = frame.first.0.div_euclid(length).saturating_mul(length);
                Timestamp(start.saturating_add(length - 1))
            }
        }
    }
}

/// A machine that begins anew with every window.
struct Framed<M> {
    machine: M,
    frames: Frames,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct FramedState<S> {
    frame: Option<Frame>,
    inner: S,
}

impl<M: Machine> Machine for Framed<M> {
    type State = FramedState<M::State>;

    fn advance(&self, state: &mut Self::State, entry: &Entry) -> bool {
        let frame = self.frames.next(state.frame, entry.time);
        if state.frame.is_none_or(|open| open.first != frame.first) {
            state.inner = M::State::default();
        }
        state.frame = Some(frame);
        self.machine.advance(&mut state.inner, entry)
    }

    /// A late event joins the window that is open, or none.
    fn advance_late(&self, state: &mut Self::State, entry: &Entry) -> Option<Timestamp> {
        let frame = state.frame?;
        let inside = frame.first <= entry.time && entry.time <= self.frames.end(frame);
        if inside { self.machine.advance_late(&mut state.inner, entry) } else { None }
    }

    fn in_window(&self, state: &Self::State) -> u64 {
        self.machine.in_window(&state.inner)
    }

    fn contributing(&self, state: &mut Self::State, which: Contributing, out: &mut Vec<Entry>) {
        self.machine.contributing(&mut state.inner, which, out);
    }

    fn possible(&self, state: &Self::State, more: u64) -> bool {
        self.machine.possible(&state.inner, more)
    }

    fn lasts_until(&self, state: &Self::State) -> Timestamp {
        state.frame.map_or(Timestamp::MIN, |frame| self.frames.end(frame))
    }

    fn counts_on_ingest(&self) -> bool {
        self.machine.counts_on_ingest()
    }

    fn kept(&self, state: &Self::State, out: &mut Vec<Entry>) {
        self.machine.kept(&state.inner, out);
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        self.machine.heap_bytes(&state.inner)
    }

    fn admits_at(&self) -> Option<u64> {
        self.machine.admits_at()
    }

    fn begin_at(&self, state: &mut Self::State, entry: &Entry, weight: u64) {
        state.frame = Some(self.frames.next(None, entry.time));
        self.machine.begin_at(&mut state.inner, entry, weight);
    }

    fn window(&self) -> Span {
        self.machine.window()
    }

    fn is_approximate(&self, state: &Self::State) -> bool {
        self.machine.is_approximate(&state.inner)
    }

    fn needs_company(&self, role: u8) -> bool {
        self.machine.needs_company(role)
    }

    fn expire(&self, state: &mut Self::State, now: Timestamp) -> bool {
        self.lasts_until(state) <= now
    }

    /// Folding is exact for windows that slide; these may begin inside a fold.
    fn fold(&self, waiting: &mut Entries, boundary: Option<Timestamp>) {
        self.machine.fold(waiting, boundary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The windows that events at these seconds fall into, by their first second.
    fn check(windowing: Windowing, seconds: &[i64], expect: &[i64]) {
        let frames = Frames { windowing, timespan: Span::seconds(10) };
        let mut open = None;
        let firsts = seconds.iter().map(|second| {
            open = Some(frames.next(open, Timestamp(second * 1_000_000_000)));
            open.map_or(0, |frame| frame.first.0 / 1_000_000_000)
        });
        assert_eq!(firsts.collect::<Vec<_>>(), expect, "{windowing:?}");
    }

    #[test]
    fn events_fall_into_windows() {
        check(Windowing::Tumbling, &[1, 9, 10, 19, 20], &[1, 1, 10, 10, 20]);
        check(Windowing::Tumbling, &[-1, 0], &[-1, 0]);
        let session = Windowing::Session { gap: Span::seconds(3) };
        check(session, &[0, 3, 6, 10, 11], &[0, 0, 0, 10, 10]);
        check(session, &[0, 3, 6, 9, 12], &[0, 0, 0, 0, 12]);
        check(Windowing::Sliding, &[0, 10, 11], &[0, 0, 11]);
    }
}
