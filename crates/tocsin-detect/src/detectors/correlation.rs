//! Sigma correlations: `event_count`, over an exact sliding window in event time.
//!
//! Source: Sigma correlation specification v2.1.0. The window is closed and slides with every
//! event: [t − timespan, t].

use std::sync::Arc;

use tocsin_core::detector::Detector;
use tocsin_core::limits::{EVIDENCE_IDS_MAX, EXACT_THRESHOLD_MAX};
use tocsin_core::machine::{Contributing, Entries, Entry, Machine, fold_buckets};
use tocsin_core::time::{Span, Timestamp};
use tocsin_core::window::Window;

use crate::closing::{self, Tally};
use crate::registry::{Build, DetectorEntry, Value};
use crate::windowed;

/// The registration of this detector.
pub const ENTRY: DetectorEntry =
    DetectorEntry { name: "correlation", types: &["event_count"], value: Value::Nothing, build };

/// At least `threshold` events within `timespan`.
struct EventCount {
    threshold: u64,
    timespan: Span,
}

fn build(request: Build<'_>) -> Result<Arc<dyn Detector>, String> {
    if request.spec.followed {
        return Err("`followed-by` belongs to the type `consecutive`".to_string());
    }
    if !request.spec.rises() {
        return closing::detector(Tally::Events, request);
    }
    let threshold = request.spec.rising_threshold()?;
    Ok(windowed::detector(EventCount { threshold, timespan: request.spec.timespan }, request))
}

impl Machine for EventCount {
    type State = Window;

    fn advance(&self, window: &mut Window, entry: &Entry) -> bool {
        window.push(*entry, self.timespan);
        window.weight() >= self.threshold
    }

    fn advance_late(&self, window: &mut Window, entry: &Entry) -> Option<Timestamp> {
        let counts = window.insert_late(*entry, self.timespan) && window.weight() >= self.threshold;
        window.newest().filter(|_| counts)
    }

    /// While the condition goes on holding only the last events are kept, and their number says
    /// nothing more than the threshold.
    fn in_window(&self, window: &Window) -> u64 {
        if window.has_handed_out() { self.threshold } else { window.weight() }
    }

    fn contributing(&self, window: &mut Window, which: Contributing, out: &mut Vec<Entry>) {
        window.hand_out(which, self.threshold as usize, out);
    }

    fn possible(&self, window: &Window, more: u64) -> bool {
        window.weight() + more >= self.threshold
    }

    fn lasts_until(&self, window: &Window) -> Timestamp {
        window.newest().map_or(Timestamp::MIN, |newest| newest.plus(self.timespan))
    }

    fn admits_at(&self) -> Option<u64> {
        Some(self.threshold)
    }

    fn begin_at(&self, window: &mut Window, entry: &Entry, weight: u64) {
        window.begin_at(entry, weight);
    }

    fn counts_on_ingest(&self) -> bool {
        true
    }

    fn kept(&self, window: &Window, out: &mut Vec<Entry>) {
        out.extend(window.iter());
    }

    fn heap_bytes(&self, window: &Window) -> usize {
        window.heap_bytes()
    }

    fn window(&self) -> Span {
        self.timespan
    }

    fn is_approximate(&self, window: &Window) -> bool {
        window.is_joined()
    }

    fn expire(&self, window: &mut Window, now: Timestamp) -> bool {
        window.drop_before(now.minus(self.timespan));
        window.is_empty()
    }

    fn fold(&self, waiting: &mut Entries, boundary: Option<Timestamp>) {
        // Above the bound of exact counts the times within a sixtieth of the window blur.
        let exact = self.threshold <= EXACT_THRESHOLD_MAX;
        let (bucket, tail) =
            if exact { (self.timespan, self.threshold as usize) } else { (Span(self.timespan.0 / 60), 1) };
        fold_buckets(waiting, boundary, bucket, tail.max(EVIDENCE_IDS_MAX), tail);
    }
}

#[cfg(test)]
mod tests {
    use tocsin_core::machine::DelayMs;
    use tocsin_core::offset::Position;

    use super::*;

    fn entry(seconds: i64, weight: u32) -> Entry {
        let time = Timestamp(seconds * 1_000_000_000);
        Entry { time, position: Position::default(), value: 0, delay: DelayMs::default(), role: 0, weight }
    }

    /// Runs a correlation over (second, weight) pairs; gives the seconds at which it holds.
    fn check(threshold: u64, events: &[(i64, u32)], expect: &[i64]) {
        let machine = EventCount { threshold, timespan: Span::seconds(10) };
        let mut window = Window::default();
        let holds = events.iter().filter(|(s, w)| machine.advance(&mut window, &entry(*s, *w)));
        let got: Vec<i64> = holds.map(|(second, _)| *second).collect();
        assert_eq!(got, expect, "{events:?}");
    }

    #[test]
    fn a_correlation_counts_in_a_closed_sliding_window() {
        check(3, &[(0, 1), (5, 1), (10, 1)], &[10]);
        check(3, &[(0, 1), (5, 1), (11, 1)], &[]);
        check(3, &[(0, 1), (9, 1), (10, 1), (19, 1), (20, 1)], &[10, 19, 20]);
        check(3, &[(0, 3), (1, 1), (10, 1), (11, 1)], &[0, 1, 10, 11]);
    }

    #[test]
    fn what_contributes_is_handed_out_once() {
        let machine = EventCount { threshold: 2, timespan: Span::seconds(10) };
        let mut window = Window::default();
        let mut seconds = |which, second| {
            machine.advance(&mut window, &entry(second, 1));
            let mut out = Vec::new();
            machine.contributing(&mut window, which, &mut out);
            out.iter().map(|e| e.time.0 / 1_000_000_000).collect::<Vec<_>>()
        };
        assert_eq!(seconds(Contributing::All, 0), [0]);
        assert_eq!(seconds(Contributing::Fresh, 3), [3]);
        assert_eq!(seconds(Contributing::Fresh, 4), [4]);
        assert_eq!(seconds(Contributing::All, 5), [4, 5]);
        assert!(window.weight() <= 2);
    }

    #[test]
    fn folding_a_burst_changes_no_count() {
        let machine = EventCount { threshold: 3, timespan: Span::seconds(10) };
        let mut waiting: Entries = (0..5_000).map(|n| entry(n / 1_000, 1)).collect();
        machine.fold(&mut waiting, None);
        assert!(waiting.len() < 600, "{}", waiting.len());
        assert_eq!(waiting.iter().map(|e| u64::from(e.weight)).sum::<u64>(), 5_000);
    }
}
