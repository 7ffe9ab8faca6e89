//! Sigma correlations: `event_count`, over an exact sliding window in event time.
//!
//! Source: Sigma correlation specification v2.1.0. The window is closed and slides with every
//! event: [t − timespan, t].

use std::collections::VecDeque;
use std::sync::Arc;

use tocsin_core::detector::Detector;
use tocsin_core::limits::{EVIDENCE_IDS_MAX, EXACT_THRESHOLD_MAX};
use tocsin_core::machine::{Contributing, Entry, Machine, fold_buckets};
use tocsin_core::time::{Span, Timestamp};
use tocsin_core::window::Window;

use crate::registry::{Build, DetectorEntry};

/// The registration of this detector.
pub const ENTRY: DetectorEntry = DetectorEntry { name: "correlation", types: &["event_count"], build };

/// At least `threshold` events within `timespan`.
struct EventCount {
    threshold: u64,
    timespan: Span,
}

fn build(request: Build<'_>) -> Result<Arc<dyn Detector>, String> {
    let threshold = request.spec.rising_threshold()?;
    if threshold > EXACT_THRESHOLD_MAX {
        return Err(format!("counts above {EXACT_THRESHOLD_MAX} are not exact and not supported"));
    }
    if request.spec.followed {
        return Err("`followed-by` belongs to the type `consecutive`".to_string());
    }
    let machine = EventCount { threshold, timespan: request.spec.timespan };
    Ok(super::keyed(machine, request.rule, request.episode))
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

    fn contributing(&self, window: &mut Window, which: Contributing, out: &mut Vec<Entry>) {
        window.hand_out(which, out);
    }

    fn in_window(&self, window: &Window) -> u64 {
        window.weight()
    }

    fn possible(&self, window: &Window, more: u64) -> bool {
        window.weight() + more >= self.threshold
    }

    fn span(&self) -> Span {
        self.timespan
    }

    fn expire(&self, window: &mut Window, now: Timestamp) -> bool {
        window.drop_before(now.minus(self.timespan));
        window.is_empty()
    }

    fn fold(&self, waiting: &mut VecDeque<Entry>, boundary: Option<Timestamp>) {
        let tail = self.threshold as usize;
        fold_buckets(waiting, boundary, self.timespan, tail.max(EVIDENCE_IDS_MAX), tail);
    }
}
