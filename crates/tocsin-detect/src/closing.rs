//! Conditions that only the end of a window can decide: fewer than, exactly, at most, not, never.
//!
//! A window opens with its first event (or lies where the rule puts it) and is judged when the
//! watermark has passed its last moment, which is the alert's time. A condition that holds at
//! nothing alone is absence: it is judged for a group that was there, over the window after its
//! last one.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tocsin_core::correlation::{CorrelationSpec, SeenLogic};
use tocsin_core::detector::Detector;
use tocsin_core::limits::{EVIDENCE_IDS_MAX, VALUES_THRESHOLD_MAX};
use tocsin_core::machine::{Contributing, Entries, Entry, Machine, fold_equal_times};
use tocsin_core::time::Timestamp;

use crate::detectors::sequence;
use crate::registry::Build;
use crate::samples::{Measure, Samples};
use crate::windowed::{Frame, Frames};

/// What is counted up to the end of the window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tally {
    /// Events.
    Events,
    /// Different values.
    Different,
    /// Different rules, or which of them.
    Seen(Option<SeenLogic>),
    /// Numbers.
    Numbers(Measure),
}

struct Closing {
    tally: Tally,
    spec: CorrelationSpec,
    frames: Frames,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Open {
    frame: Option<Frame>,
    /// Until when nothing must have come, after a window.
    silent_until: Option<Timestamp>,
    last: Option<Entry>,
    /// The first entries of the window; the last of them stands for those after it.
    entries: Vec<Entry>,
    weight: u64,
    values: BTreeSet<u64>,
    /// Rules seen, a bit each.
    roles: u64,
    samples: Samples,
    /// What the window that was judged last said.
    judged: u64,
}

/// The detector of a rule whose condition needs the end of its window.
pub(crate) fn detector(tally: Tally, request: Build<'_>) -> Result<Arc<dyn Detector>, String> {
    let spec = request.spec.clone();
    if spec.condition.is_empty() && !matches!(tally, Tally::Seen(Some(_))) {
        return Err(format!("`{}` needs a condition with a number", spec.kind));
    }
    let frames = Frames { windowing: spec.windowing, timespan: spec.timespan };
    Ok(crate::keyed::keyed(Closing { tally, spec, frames }, request.rule, request.episode))
}

impl Closing {
    fn holds(&self, open: &Open) -> bool {
        match &self.tally {
            Tally::Seen(Some(logic)) if self.spec.condition.is_empty() => {
                sequence::holds(logic, &|role| open.roles >> role & 1 != 0)
            }
            Tally::Numbers(measure) => {
                open.samples.measure(*measure).is_some_and(|value| self.spec.holds(value))
            }
            _ => self.spec.holds(self.count(open) as f64),
        }
    }

    fn count(&self, open: &Open) -> u64 {
        match &self.tally {
            Tally::Events | Tally::Numbers(_) => open.weight,
            Tally::Different => open.values.len() as u64,
            Tally::Seen(_) => u64::from(open.roles.count_ones()),
        }
    }

    fn is_absence(&self) -> bool {
        let counts = matches!(self.tally, Tally::Events | Tally::Different);
        counts && self.spec.holds(0.0) && !self.spec.holds_above_zero()
    }
}

impl Machine for Closing {
    type State = Open;

    fn advance(&self, open: &mut Open, entry: &Entry) -> bool {
        if open.frame.is_none() {
            open.entries.clear();
        }
        open.frame = Some(self.frames.next(open.frame, entry.time));
        open.silent_until = None;
        open.last = Some(*entry);
        open.weight += u64::from(entry.weight);
        match &self.tally {
            Tally::Events => {}
            Tally::Different if open.values.len() < VALUES_THRESHOLD_MAX => {
                open.values.insert(entry.value);
            }
            Tally::Different => {}
            Tally::Seen(_) => open.roles |= 1_u64.checked_shl(u32::from(entry.role)).unwrap_or(0),
            Tally::Numbers(measure) => open.samples.add(*entry, *measure),
        }
        match open.entries.last_mut().filter(|_| open.weight > EVIDENCE_IDS_MAX as u64) {
            Some(last) => last.weight = last.weight.saturating_add(entry.weight),
            None => open.entries.push(*entry),
        }
        false
    }

    /// A window that was judged stays as it is.
    fn advance_late(&self, _: &mut Open, _: &Entry) -> Option<Timestamp> {
        None
    }

    fn due(&self, open: &Open) -> Option<Timestamp> {
        open.frame.map(|frame| self.frames.end(frame)).or(open.silent_until)
    }

    fn judge(&self, open: &mut Open, ended: bool) -> Option<Entry> {
        let last = open.last?;
        let Some(frame) = open.frame.take() else {
            // No more input is not the same as silence.
            *open = Open::default();
            return Some(last).filter(|_| !ended);
        };
        let holds = self.holds(open);
        let silent_until = self.is_absence().then(|| self.frames.end(frame).plus(self.spec.timespan));
        *open = Open {
            entries: std::mem::take(&mut open.entries),
            judged: self.count(open),
            last: Some(last),
            silent_until,
            ..Open::default()
        };
        holds.then_some(last)
    }

    fn in_window(&self, open: &Open) -> u64 {
        open.judged
    }

    fn contributing(&self, open: &mut Open, _: Contributing, out: &mut Vec<Entry>) {
        out.append(&mut open.entries);
    }

    fn possible(&self, _: &Open, _: u64) -> bool {
        false
    }

    fn lasts_until(&self, open: &Open) -> Timestamp {
        self.due(open).unwrap_or(Timestamp::MIN)
    }

    fn heap_bytes(&self, open: &Open) -> usize {
        let values = open.values.len() * 2 * size_of::<u64>();
        open.entries.capacity() * size_of::<Entry>() + values + open.samples.heap_bytes()
    }

    fn is_approximate(&self, open: &Open) -> bool {
        open.samples.is_joined()
    }

    fn expire(&self, open: &mut Open, _: Timestamp) -> bool {
        self.due(open).is_none()
    }

    fn fold(&self, waiting: &mut Entries, _: Option<Timestamp>) {
        fold_equal_times(waiting, |_| EVIDENCE_IDS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use tocsin_core::correlation::Comparison;
    use tocsin_core::machine::DelayMs;
    use tocsin_core::offset::Position;
    use tocsin_core::time::Span;

    use super::*;

    /// Runs a condition over windows of 10 s and (second, value) pairs; gives the seconds at which
    /// it is judged to hold.
    fn check(tally: Tally, condition: &[(Comparison, f64)], events: &[(i64, u64)], expect: &[i64]) {
        let timespan = Span::seconds(10);
        let spec =
            CorrelationSpec { condition: condition.to_vec(), ..CorrelationSpec::new("test", timespan) };
        let frames = Frames { windowing: spec.windowing, timespan };
        let machine = Closing { tally, spec, frames };
        let mut open = Open::default();
        let mut got = Vec::new();
        let mut judge = |open: &mut Open, before: i64| {
            while let Some(due) = machine.due(open).filter(|due| due.0 < before) {
                got.extend(machine.judge(open, false).map(|_| due.0 / 1_000_000_000));
            }
        };
        for (second, value) in events {
            let time = Timestamp(second * 1_000_000_000);
            judge(&mut open, time.0);
            let (position, delay) = (Position::default(), DelayMs::default());
            let role = *value as u8;
            machine.advance(&mut open, &Entry { time, position, value: *value, delay, role, weight: 1 });
        }
        judge(&mut open, 1_000_000_000_000);
        assert_eq!(got, expect, "{condition:?} {events:?}");
    }

    #[test]
    fn a_window_is_judged_at_its_end() {
        use Comparison::{Eq, Gt, Lt, Lte};
        check(Tally::Events, &[(Lt, 3.0)], &[(0, 0), (1, 0), (2, 0), (20, 0)], &[30]);
        check(Tally::Events, &[(Eq, 2.0)], &[(0, 0), (10, 0), (11, 0), (12, 0), (13, 0)], &[10]);
        check(Tally::Events, &[(Gt, 1.0), (Lte, 2.0)], &[(0, 0), (1, 0), (20, 0), (21, 0), (22, 0)], &[10]);
        check(Tally::Different, &[(Lt, 2.0)], &[(0, 5), (1, 5), (20, 5), (21, 6)], &[10]);
        let without = SeenLogic::And(vec![SeenLogic::Seen(0), SeenLogic::Not(Box::new(SeenLogic::Seen(1)))]);
        check(Tally::Seen(Some(without)), &[], &[(0, 0), (5, 1), (20, 0), (40, 1)], &[30]);
    }

    #[test]
    fn absence_is_told_of_a_group_that_was_there() {
        use Comparison::{Eq, Lt};
        check(Tally::Events, &[(Lt, 1.0)], &[(0, 0), (9, 0), (15, 0)], &[35]);
        check(Tally::Events, &[(Eq, 0.0)], &[(0, 0), (30, 0)], &[20, 50]);
        check(Tally::Events, &[(Lt, 1.0)], &[], &[]);
    }
}
