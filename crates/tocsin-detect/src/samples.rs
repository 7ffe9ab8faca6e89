//! Numbers in a sliding window: their sum, their average, the value at a percentile. What an event
//! brings is added when it comes and taken away when it leaves.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use tocsin_core::limits::WINDOW_ENTRIES_MAX;
use tocsin_core::machine::Entry;
use tocsin_core::time::Timestamp;

use crate::ranks::Ranks;

/// What is asked of the numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Measure {
    /// `value_sum`.
    Sum,
    /// `value_avg`.
    Average,
    /// `value_percentile`, `value_median`: 0 to 100.
    Percentile(f64),
}

/// The numbers of a window, in total order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Samples {
    entries: VecDeque<Entry>,
    /// Sum in millionths: whole numbers, so that adding and taking away leave nothing behind.
    sum: i128,
    weight: u64,
    ranks: Ranks,
    /// How many entries at the front were handed out as contributing.
    handed_out: usize,
    /// Whether entries had to be joined.
    joined: bool,
}

fn number(entry: &Entry) -> f64 {
    f64::from_bits(entry.value)
}

fn millionths(entry: &Entry) -> i128 {
    (number(entry) * 1e6).round() as i128 * i128::from(entry.weight)
}

impl Samples {
    /// Appends the entries.
    pub fn append_to(&self, out: &mut Vec<Entry>) {
        out.extend(&self.entries);
    }

    /// Bytes it takes beyond its own size, about.
    pub fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.ranks.heap_bytes()
    }

    /// Adds an entry where it belongs in the order.
    pub fn add(&mut self, entry: Entry, measure: Measure) {
        let at = self.entries.partition_point(|other| *other <= entry);
        self.count(&entry, measure);
        if at < self.handed_out {
            self.handed_out += 1;
        }
        self.entries.insert(at, entry);
        if self.entries.len() > WINDOW_ENTRIES_MAX {
            self.join(measure);
        }
    }

    /// Drops everything before a time.
    pub fn drop_before(&mut self, time: Timestamp, measure: Measure) {
        while let Some(entry) = self.entries.front().copied().filter(|entry| entry.time < time) {
            self.entries.pop_front();
            self.handed_out = self.handed_out.saturating_sub(1);
            self.discount(&entry, measure);
        }
        if self.entries.is_empty() {
            *self = Samples::default();
        }
    }

    /// What was asked for; `None` where there is no number.
    pub fn measure(&self, measure: Measure) -> Option<f64> {
        if self.weight == 0 {
            return None;
        }
        match measure {
            Measure::Sum => Some(self.sum as f64 / 1e6),
            Measure::Average => Some(self.sum as f64 / 1e6 / self.weight as f64),
            Measure::Percentile(percentile) => self.ranks.at(percentile),
        }
    }

    /// Events behind the numbers.
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// The newest entry.
    pub fn newest(&self) -> Option<&Entry> {
        self.entries.back()
    }

    /// Whether entries had to be joined, so that what was asked for is an estimate.
    pub fn is_joined(&self) -> bool {
        self.joined
    }

    /// Appends the entries, all or those not handed out before.
    pub fn hand_out(&mut self, fresh: bool, out: &mut Vec<Entry>) {
        let from = if fresh { self.handed_out } else { 0 };
        out.extend(self.entries.range(from..));
        self.handed_out = self.entries.len();
    }

    fn count(&mut self, entry: &Entry, measure: Measure) {
        self.weight += u64::from(entry.weight);
        self.sum += millionths(entry);
        if let Measure::Percentile(percentile) = measure {
            self.ranks.add(number(entry), u64::from(entry.weight), percentile);
        }
    }

    fn discount(&mut self, entry: &Entry, measure: Measure) {
        self.weight -= u64::from(entry.weight);
        self.sum -= millionths(entry);
        if let Measure::Percentile(percentile) = measure {
            self.ranks.remove(number(entry), u64::from(entry.weight), percentile);
        }
    }

    /// Joins neighbours in the older half at the later one's time: for a percentile the larger and
    /// the smaller value in turn, else their average.
    fn join(&mut self, measure: Measure) {
        let older: Vec<Entry> = self.entries.drain(..WINDOW_ENTRIES_MAX / 2).collect();
        older.iter().for_each(|entry| self.discount(entry, measure));
        let handed_out = self.handed_out.min(older.len()) / 2;
        self.handed_out = self.handed_out.saturating_sub(older.len()) + handed_out;
        for (at, pair) in older.chunks(2).enumerate().collect::<Vec<_>>().into_iter().rev() {
            let joined = joined(pair, at % 2 == 0, measure);
            self.count(&joined, measure);
            self.entries.push_front(joined);
        }
        self.joined = true;
    }
}

/// Neighbours as one.
pub(crate) fn joined(pair: &[Entry], larger: bool, measure: Measure) -> Entry {
    let [first, second] = pair else { return pair[0] };
    let weight = first.weight.saturating_add(second.weight);
    let (a, b) = (number(first), number(second));
    let value = match measure {
        Measure::Percentile(_) if larger => a.max(b),
        Measure::Percentile(_) => a.min(b),
        _ => (a * f64::from(first.weight) + b * f64::from(second.weight)) / f64::from(weight.max(1)),
    };
    Entry { weight, value: value.to_bits(), ..*second }
}

#[cfg(test)]
mod tests {
    use tocsin_core::machine::DelayMs;
    use tocsin_core::offset::Position;

    use super::*;

    fn entry(second: i64, value: f64) -> Entry {
        let (time, value) = (Timestamp(second), value.to_bits());
        Entry { time, position: Position::default(), value, delay: DelayMs::default(), role: 0, weight: 1 }
    }

    #[test]
    fn a_large_number_leaves_nothing_behind() {
        let mut samples = Samples::default();
        samples.add(entry(0, 1e15), Measure::Sum);
        samples.add(entry(1, 0.1), Measure::Sum);
        samples.add(entry(2, 0.2), Measure::Sum);
        samples.drop_before(Timestamp(1), Measure::Sum);
        assert_eq!(samples.measure(Measure::Sum), Some(0.3));
        assert_eq!(samples.measure(Measure::Average), Some(0.15));
    }

    #[test]
    fn joined_numbers_keep_their_sum_and_stay_near_their_median() {
        for measure in [Measure::Sum, Measure::Percentile(50.0)] {
            let mut samples = Samples::default();
            let count = 3 * WINDOW_ENTRIES_MAX as i64;
            (0..count).for_each(|n| samples.add(entry(n, (n * 7_919 % 1_000) as f64), measure));
            assert!(samples.is_joined() && samples.entries.len() <= WINDOW_ENTRIES_MAX);
            assert_eq!(samples.weight(), count as u64);
            let got = samples.measure(measure).unwrap_or_default();
            let expect = match measure {
                Measure::Sum => (0..count).map(|n| (n * 7_919 % 1_000) as f64).sum(),
                _ => 499.5,
            };
            assert!((got / expect - 1.0).abs() < 0.05, "{measure:?} {got} {expect}");
        }
    }
}
