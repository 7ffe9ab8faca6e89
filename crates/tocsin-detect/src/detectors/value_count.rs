//! `value_count`: so many different values of a field within the timespan, per key.
//!
//! Source: Sigma correlation specification v2.1.0. Exact whatever the threshold: a window holds N
//! different values if the N seen last were all seen within it, so N are kept and no more.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tocsin_core::detector::Detector;
use tocsin_core::limits::{EVIDENCE_IDS_MAX, EXACT_THRESHOLD_MAX, VALUES_THRESHOLD_MAX};
use tocsin_core::machine::{Contributing, Entries, Entry, Machine, fold_buckets, fold_repeats};
use tocsin_core::time::{Span, Timestamp};

use crate::closing::{self, Tally};
use crate::last_seen::LastSeen;
use crate::registry::{Build, DetectorEntry, Value};
use crate::windowed;

/// The registration of this detector.
pub const ENTRY: DetectorEntry =
    DetectorEntry { name: "value_count", types: &["value_count"], value: Value::Distinct, build };

/// At least `threshold` different values within `timespan`.
struct ValueCount {
    threshold: usize,
    timespan: Span,
}

/// The values seen last, and the last entry that was handed out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Values {
    seen: LastSeen,
    handed_out: Option<Entry>,
    /// Until when values that were only estimated may be among them.
    estimated_until: Option<Timestamp>,
}

fn build(request: Build<'_>) -> Result<Arc<dyn Detector>, String> {
    if !request.spec.rises() {
        return closing::detector(Tally::Different, request);
    }
    let threshold = request.spec.rising_threshold()? as usize;
    if threshold > VALUES_THRESHOLD_MAX {
        return Err(format!("more than {VALUES_THRESHOLD_MAX} different values are not told apart"));
    }
    Ok(windowed::detector(ValueCount { threshold, timespan: request.spec.timespan }, request))
}

impl Machine for ValueCount {
    type State = Values;

    fn advance(&self, state: &mut Values, entry: &Entry) -> bool {
        state.seen.forget_before(entry.time.minus(self.timespan));
        state.seen.see(*entry, self.threshold);
        state.seen.len() >= self.threshold
    }

    fn advance_late(&self, state: &mut Values, entry: &Entry) -> Option<Timestamp> {
        let newest = state.seen.newest().map_or(entry.time, |newest| newest.time);
        if entry.time < newest.minus(self.timespan) {
            return None;
        }
        state.seen.see_late(*entry, self.threshold);
        state.seen.newest().map(|newest| newest.time).filter(|_| state.seen.len() >= self.threshold)
    }

    fn in_window(&self, state: &Values) -> u64 {
        state.seen.len() as u64
    }

    /// Of each value the event that showed it last.
    fn contributing(&self, state: &mut Values, which: Contributing, out: &mut Vec<Entry>) {
        match which {
            Contributing::All => out.extend(state.seen.iter()),
            Contributing::Fresh => {
                let start = out.len();
                let fresh = state.seen.iter_back();
                out.extend(fresh.take_while(|entry| Some(**entry) > state.handed_out));
                out[start..].reverse();
            }
        }
        state.handed_out = state.seen.newest().copied();
    }

    /// Above the bound a look ahead would copy too much: those wait for the watermark.
    fn possible(&self, state: &Values, more: u64) -> bool {
        self.threshold as u64 <= EXACT_THRESHOLD_MAX
            && state.seen.len() as u64 + more >= self.threshold as u64
    }

    fn lasts_until(&self, state: &Values) -> Timestamp {
        state.seen.newest().map_or(Timestamp::MIN, |newest| newest.time.plus(self.timespan))
    }

    fn admits_at(&self) -> Option<u64> {
        Some(self.threshold as u64)
    }

    /// Nobody knows which values there were: others than any that comes.
    fn begin_at(&self, state: &mut Values, entry: &Entry, weight: u64) {
        for nth in 1..=weight.min(self.threshold as u64) {
            let value = entry.value.wrapping_add(nth.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            state.seen.see(Entry { value, weight: 1, ..*entry }, self.threshold);
        }
        state.estimated_until = Some(entry.time.plus(self.timespan));
    }

    fn counts_on_ingest(&self) -> bool {
        true
    }

    fn kept(&self, state: &Values, out: &mut Vec<Entry>) {
        out.extend(state.seen.iter());
    }

    fn heap_bytes(&self, state: &Values) -> usize {
        state.seen.heap_bytes()
    }

    fn window(&self) -> Span {
        self.timespan
    }

    fn is_approximate(&self, state: &Values) -> bool {
        let newest = state.seen.newest().map(|newest| newest.time);
        state.estimated_until.is_some_and(|until| newest <= Some(until))
    }

    fn expire(&self, state: &mut Values, now: Timestamp) -> bool {
        state.seen.forget_before(now.minus(self.timespan));
        state.seen.len() == 0
    }

    fn fold(&self, waiting: &mut Entries, boundary: Option<Timestamp>) {
        fold_repeats(waiting, boundary, self.timespan, |entry| entry.value);
        // Each value is there twice at most in a stretch as long as the window now.
        let ends = (2 * self.threshold).max(EVIDENCE_IDS_MAX);
        fold_buckets(waiting, boundary, self.timespan, ends, ends);
    }
}

#[cfg(test)]
mod tests {
    use tocsin_core::machine::DelayMs;
    use tocsin_core::offset::Position;

    use super::*;

    /// Runs `value_count` (3 within 10 s) over (second, value) pairs; gives the seconds at which it
    /// holds and how many entries contribute.
    fn check(events: &[(i64, u64)], expect: &[(i64, usize)]) {
        let machine = ValueCount { threshold: 3, timespan: Span::seconds(10) };
        let mut state = Values::default();
        let mut got = Vec::new();
        for (second, value) in events {
            let time = Timestamp(second * 1_000_000_000);
            let (delay, position) = (DelayMs::default(), Position::default());
            let entry = Entry { time, position, value: *value, delay, role: 0, weight: 1 };
            if machine.advance(&mut state, &entry) {
                let which = if got.is_empty() { Contributing::All } else { Contributing::Fresh };
                let mut out = Vec::new();
                machine.contributing(&mut state, which, &mut out);
                got.push((*second, out.len()));
            }
        }
        assert_eq!(got, expect, "{events:?}");
    }

    #[test]
    fn value_count_tells_values_apart_in_a_closed_sliding_window() {
        check(&[(0, 1), (1, 1), (2, 2), (3, 2), (10, 3)], &[(10, 3)]);
        check(&[(0, 1), (5, 2), (11, 3)], &[]);
        check(&[(0, 1), (0, 2), (0, 3), (1, 3), (2, 4), (12, 4)], &[(0, 3), (1, 1), (2, 1)]);
    }

    #[test]
    fn folding_a_burst_forgets_no_value() {
        let machine = ValueCount { threshold: 3, timespan: Span::seconds(10) };
        let entry = |n: i64| {
            let time = Timestamp(n * 1_000_000);
            let value = if n == 4_000 { 9 } else { n as u64 % 2 };
            let (delay, position) = (DelayMs::default(), Position::default());
            Entry { time, position, value, delay, role: 0, weight: 1 }
        };
        let mut waiting: Entries = (0..5_000).map(entry).collect();
        machine.fold(&mut waiting, None);
        assert!(waiting.len() < 100, "{}", waiting.len());
        assert_eq!(waiting.iter().map(|e| u64::from(e.weight)).sum::<u64>(), 5_000);
        let mut state = Values::default();
        let holds = waiting.iter().filter(|entry| machine.advance(&mut state, entry));
        assert_eq!(holds.map(|e| e.time.0 / 1_000_000).next(), Some(4_000));
    }
}
