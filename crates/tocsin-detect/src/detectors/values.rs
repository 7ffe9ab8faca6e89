//! Sigma correlations over numbers: `value_sum`, `value_avg`, `value_percentile` and
//! `value_median` of a field within the timespan, per key.
//!
//! Sources: Sigma correlation specification v2.1.0; percentiles lie between their two neighbours in
//! proportion, as most tools count them. A number can make any of these fall, so all wait for the
//! watermark.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tocsin_core::correlation::CorrelationSpec;
use tocsin_core::detector::Detector;
use tocsin_core::limits::PENDING_ENTRIES_MAX;
use tocsin_core::machine::{Contributing, Entries, Entry, Machine, fold_equal_times};
use tocsin_core::time::{Span, Timestamp};

use crate::closing::{self, Tally};
use crate::registry::{Build, DetectorEntry, Value};
use crate::samples::{Measure, Samples, joined};
use crate::windowed;

/// The registration of this detector.
pub const ENTRY: DetectorEntry = DetectorEntry {
    name: "values",
    types: &["value_avg", "value_median", "value_percentile", "value_sum"],
    value: Value::Number,
    build,
};

/// A measure of the numbers within `timespan` that meets the condition.
struct Values {
    measure: Measure,
    spec: CorrelationSpec,
    timespan: Span,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    samples: Samples,
    /// Whether the condition held at the entry before.
    held: bool,
}

fn build(request: Build<'_>) -> Result<Arc<dyn Detector>, String> {
    let spec = request.spec;
    if spec.condition.is_empty() {
        return Err(format!("`{}` needs a condition with a number", spec.kind));
    }
    let measure = match (spec.kind.as_str(), spec.percentile) {
        ("value_sum", _) => Measure::Sum,
        ("value_avg", _) => Measure::Average,
        ("value_median", _) => Measure::Percentile(50.0),
        (_, Some(percentile)) => Measure::Percentile(percentile),
        (_, None) => return Err("`value_percentile` needs a `percentile` from 0 to 100".to_string()),
    };
    if !spec.rises() {
        return closing::detector(Tally::Numbers(measure), request);
    }
    let machine = Values { measure, spec: spec.clone(), timespan: spec.timespan };
    Ok(windowed::detector(machine, request))
}

impl Machine for Values {
    type State = State;

    fn advance(&self, state: &mut State, entry: &Entry) -> bool {
        state.samples.drop_before(entry.time.minus(self.timespan), self.measure);
        state.samples.add(*entry, self.measure);
        state.held = state.samples.measure(self.measure).is_some_and(|value| self.spec.holds(value));
        state.held
    }

    fn advance_late(&self, state: &mut State, entry: &Entry) -> Option<Timestamp> {
        let newest = state.samples.newest().map_or(entry.time, |newest| newest.time);
        if entry.time < newest.minus(self.timespan) {
            return None;
        }
        state.samples.add(*entry, self.measure);
        let value = state.samples.measure(self.measure)?;
        Some(newest.max(entry.time)).filter(|_| self.spec.holds(value))
    }

    fn in_window(&self, state: &State) -> u64 {
        state.samples.weight()
    }

    fn contributing(&self, state: &mut State, which: Contributing, out: &mut Vec<Entry>) {
        state.samples.hand_out(which == Contributing::Fresh, out);
    }

    fn possible(&self, _: &State, _: u64) -> bool {
        false
    }

    fn lasts_until(&self, state: &State) -> Timestamp {
        state.samples.newest().map_or(Timestamp::MIN, |newest| newest.time.plus(self.timespan))
    }

    fn counts_on_ingest(&self) -> bool {
        true
    }

    fn kept(&self, state: &State, out: &mut Vec<Entry>) {
        state.samples.append_to(out);
    }

    fn heap_bytes(&self, state: &State) -> usize {
        state.samples.heap_bytes()
    }

    fn is_approximate(&self, state: &State) -> bool {
        state.samples.is_joined()
    }

    fn expire(&self, state: &mut State, now: Timestamp) -> bool {
        state.samples.drop_before(now.minus(self.timespan), self.measure);
        state.samples.newest().is_none()
    }

    /// Numbers of one time and partition that are the same are one of more weight; in a burst
    /// beyond that neighbours are joined.
    fn fold(&self, waiting: &mut Entries, _: Option<Timestamp>) {
        fold_equal_times(waiting, |_| 1);
        if waiting.len() >= PENDING_ENTRIES_MAX {
            let pairs = waiting.chunks(2).enumerate();
            *waiting = pairs.map(|(at, pair)| joined(pair, at % 2 == 0, self.measure)).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use tocsin_core::correlation::Comparison;
    use tocsin_core::machine::DelayMs;
    use tocsin_core::offset::Position;

    use super::*;

    /// Runs a measure (above 100 within 10 s) over (second, number) pairs; gives the seconds at
    /// which it holds.
    fn check(measure: Measure, events: &[(i64, f64)], expect: &[i64]) {
        let condition = vec![(Comparison::Gt, 100.0)];
        let timespan = Span::seconds(10);
        let spec = CorrelationSpec { condition, ..CorrelationSpec::new("values", timespan) };
        let machine = Values { measure, spec, timespan };
        let mut state = State::default();
        let holds = events.iter().filter(|(second, number)| {
            let time = Timestamp(second * 1_000_000_000);
            let (value, delay) = (number.to_bits(), DelayMs::default());
            let entry = Entry { time, position: Position::default(), value, delay, role: 0, weight: 1 };
            machine.advance(&mut state, &entry)
        });
        assert_eq!(holds.map(|(second, _)| *second).collect::<Vec<_>>(), expect, "{measure:?} {events:?}");
    }

    #[test]
    fn values_are_measured_in_a_closed_sliding_window() {
        check(Measure::Sum, &[(0, 60.0), (10, 50.0), (11, 50.0)], &[10]);
        check(Measure::Sum, &[(0, 60.0), (5, 50.0), (6, -20.0)], &[5]);
        check(Measure::Average, &[(0, 150.0), (5, 60.0), (11, 141.0)], &[0, 5, 11]);
        check(Measure::Average, &[(0, 150.0), (5, 50.0), (11, 141.0)], &[0]);
        check(Measure::Percentile(50.0), &[(0, 90.0), (1, 120.0), (2, 95.0), (3, 130.0)], &[1, 3]);
        check(Measure::Percentile(100.0), &[(0, 90.0), (1, 120.0), (12, 1.0)], &[1]);
    }
}
