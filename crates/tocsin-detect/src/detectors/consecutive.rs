//! `consecutive`: a run of matching events that no contrary event interrupts, per key.
//!
//! With `followed-by` the condition holds only at the event that ends a long enough run: a success
//! after failures.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tocsin_core::correlation::{ROLE_COUNTS, ROLE_FOLLOWS, ROLE_INTERRUPTS};
use tocsin_core::detector::Detector;
use tocsin_core::limits::{EVIDENCE_IDS_MAX, EXACT_THRESHOLD_MAX};
use tocsin_core::machine::{Contributing, Entries, Entry, Machine, fold_equal_times};
use tocsin_core::time::{Span, Timestamp};
use tocsin_core::window::Window;

use crate::registry::{Build, DetectorEntry, Value};

/// The registration of this detector.
pub const ENTRY: DetectorEntry =
    DetectorEntry { name: "consecutive", types: &["consecutive"], value: Value::Nothing, build };

struct Consecutive {
    threshold: u64,
    timespan: Span,
    followed: bool,
}

/// The current run, and the event that followed it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Run {
    window: Window,
    /// Events in the run when the condition last held.
    length: u64,
    ended_by: Option<Entry>,
}

fn build(request: Build<'_>) -> Result<Arc<dyn Detector>, String> {
    let threshold = request.spec.rising_threshold()?;
    if threshold > EXACT_THRESHOLD_MAX {
        return Err(format!("runs above {EXACT_THRESHOLD_MAX} events are not supported"));
    }
    let machine = Consecutive { threshold, timespan: request.spec.timespan, followed: request.spec.followed };
    Ok(crate::keyed::keyed(machine, request.rule, request.episode))
}

impl Machine for Consecutive {
    type State = Run;

    fn advance(&self, run: &mut Run, entry: &Entry) -> bool {
        if run.ended_by.take().is_some() {
            run.window.clear();
        }
        match entry.role {
            ROLE_COUNTS => {
                run.window.push(*entry, self.timespan);
                run.length = run.window.weight();
                !self.followed && run.length >= self.threshold
            }
            ROLE_FOLLOWS => {
                run.window.drop_before(entry.time.minus(self.timespan));
                run.length = run.window.weight();
                run.ended_by = Some(*entry);
                run.length >= self.threshold
            }
            _ => {
                run.window.clear();
                false
            }
        }
    }

    /// A late event cannot be put back into a run whose order is already judged; it only joins the
    /// run it falls into.
    fn advance_late(&self, run: &mut Run, entry: &Entry) -> Option<Timestamp> {
        let joins = entry.role == ROLE_COUNTS && !self.followed;
        let counts = joins && run.window.insert_late(*entry, self.timespan);
        run.length = run.window.weight();
        run.window.newest().filter(|_| counts && run.length >= self.threshold)
    }

    fn in_window(&self, run: &Run) -> u64 {
        if run.window.has_handed_out() { self.threshold } else { run.length }
    }

    fn contributing(&self, run: &mut Run, which: Contributing, out: &mut Vec<Entry>) {
        run.window.hand_out(which, self.threshold as usize, out);
        out.extend(run.ended_by);
    }

    fn possible(&self, run: &Run, more: u64) -> bool {
        run.window.weight() + more >= self.threshold
    }

    fn lasts_until(&self, run: &Run) -> Timestamp {
        run.window.newest().map_or(Timestamp::MIN, |newest| newest.plus(self.timespan))
    }

    fn admits_at(&self) -> Option<u64> {
        Some(self.threshold)
    }

    fn begin_at(&self, run: &mut Run, entry: &Entry, weight: u64) {
        if entry.role == ROLE_COUNTS {
            run.window.begin_at(entry, weight);
        }
    }

    fn counts_on_ingest(&self) -> bool {
        true
    }

    fn kept(&self, run: &Run, out: &mut Vec<Entry>) {
        out.extend(run.window.iter());
    }

    fn heap_bytes(&self, run: &Run) -> usize {
        run.window.heap_bytes()
    }

    fn window(&self) -> Span {
        self.timespan
    }

    fn is_approximate(&self, run: &Run) -> bool {
        run.window.is_joined()
    }

    fn needs_company(&self, role: u8) -> bool {
        role != ROLE_COUNTS
    }

    fn expire(&self, run: &mut Run, now: Timestamp) -> bool {
        run.window.drop_before(now.minus(self.timespan));
        run.window.is_empty()
    }

    /// Only events of one time and partition stand where nothing can come between them any more.
    fn fold(&self, waiting: &mut Entries, _: Option<Timestamp>) {
        let head = (self.threshold as usize).max(EVIDENCE_IDS_MAX);
        fold_equal_times(waiting, |role| if role == ROLE_INTERRUPTS { 1 } else { head });
    }
}

#[cfg(test)]
mod tests {
    use tocsin_core::machine::DelayMs;
    use tocsin_core::offset::Position;

    use super::*;

    /// Runs `consecutive` (3 within 10 s) over a story: `x` counts, `-` interrupts, `!` follows,
    /// one a second, `.` is a silent second. Gives the seconds at which it holds.
    fn check(followed: bool, story: &str, expect: &[i64]) {
        let machine = Consecutive { threshold: 3, timespan: Span::seconds(10), followed };
        let mut run = Run::default();
        let mut got = Vec::new();
        for (second, event) in story.chars().enumerate() {
            let role = match event {
                'x' => ROLE_COUNTS,
                '-' => ROLE_INTERRUPTS,
                '!' => ROLE_FOLLOWS,
                _ => continue,
            };
            let time = Timestamp(second as i64 * 1_000_000_000);
            let position = Position::default();
            let entry = Entry { time, position, value: 0, delay: DelayMs::default(), role, weight: 1 };
            if machine.advance(&mut run, &entry) {
                got.push(second as i64);
            }
        }
        assert_eq!(got, expect, "{story}");
    }

    #[test]
    fn consecutive_needs_an_uninterrupted_run() {
        check(false, "xxx", &[2]);
        check(false, "xx-xx", &[]);
        check(false, "xx-xxxx", &[5, 6]);
        check(false, "x....x....x", &[10]);
        check(false, "x....x.....x", &[]);
    }

    #[test]
    fn a_success_after_a_run_holds_once() {
        check(true, "xxx!", &[3]);
        check(true, "xx!x!", &[]);
        check(true, "xxx!!xxx!", &[3, 8]);
        check(true, "xxx.........!", &[]);
        check(true, "xxx-!", &[]);
    }
}
