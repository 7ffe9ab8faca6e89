//! The value at a percentile of many, while values come and go: each takes the time of a look-up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Values split at a percentile: those below it, and the rest.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ranks {
    low: Side,
    high: Side,
}

/// Values by size, each with how often it is there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Side {
    values: BTreeMap<u64, u64>,
    weight: u64,
}

impl Side {
    fn add(&mut self, key: u64, weight: u64) {
        *self.values.entry(key).or_default() += weight;
        self.weight += weight;
    }

    /// Takes away as much as there is, up to `weight`; gives how much that was.
    fn take(&mut self, key: u64, weight: u64) -> u64 {
        let Some(there) = self.values.get_mut(&key) else { return 0 };
        let taken = weight.min(*there);
        *there -= taken;
        if *there == 0 {
            self.values.remove(&key);
        }
        self.weight -= taken;
        taken
    }
}

impl Ranks {
    /// Adds a value so many times. `percentile` is 0 to 100 and always the same.
    pub fn add(&mut self, value: f64, weight: u64, percentile: f64) {
        let key = key(value);
        let is_low = self.low.values.last_key_value().is_some_and(|(last, _)| key <= *last);
        let side = if is_low { &mut self.low } else { &mut self.high };
        side.add(key, weight);
        self.balance(percentile);
    }

    /// Bytes it takes beyond its own size, about.
    pub fn heap_bytes(&self) -> usize {
        (self.low.values.len() + self.high.values.len()) * 3 * size_of::<u64>()
    }

    /// Takes a value away so many times.
    pub fn remove(&mut self, value: f64, weight: u64, percentile: f64) {
        let key = key(value);
        let taken = self.low.take(key, weight);
        self.high.take(key, weight - taken);
        self.balance(percentile);
    }

    /// The value at the percentile, between its two neighbours where it falls between two; `None`
    /// where there is no value.
    pub fn at(&self, percentile: f64) -> Option<f64> {
        let count = self.low.weight + self.high.weight;
        let rank = percentile.clamp(0.0, 100.0) / 100.0 * count.checked_sub(1)? as f64;
        let below = *self.low.values.last_key_value()?.0;
        let above = self.high.values.first_key_value().map_or(below, |(key, _)| *key);
        let part = rank - rank.floor();
        let (below, above) = (value(below), value(above));
        // Not `below + part * (above - below)` where nothing lies between: that would not be exact.
        Some(if part == 0.0 { below } else { below * (1.0 - part) + above * part })
    }

    /// Keeps as many below as the percentile says: its floor and the one there.
    fn balance(&mut self, percentile: f64) {
        let count = self.low.weight + self.high.weight;
        let wanted = match count.checked_sub(1) {
            Some(last) => (percentile.clamp(0.0, 100.0) / 100.0 * last as f64).floor() as u64 + 1,
            None => 0,
        };
        while self.low.weight < wanted {
            let Some((key, there)) = self.high.values.first_key_value().map(|(k, n)| (*k, *n)) else {
                return;
            };
            let moved = self.high.take(key, there.min(wanted - self.low.weight));
            self.low.add(key, moved);
        }
        while self.low.weight > wanted {
            let Some((key, there)) = self.low.values.last_key_value().map(|(k, n)| (*k, *n)) else { return };
            let moved = self.low.take(key, there.min(self.low.weight - wanted));
            self.high.add(key, moved);
        }
    }
}

/// A number's bits so that they are ordered as the numbers are.
fn key(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

fn value(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranks_follow_a_sliding_list(
            values in prop::collection::vec(-20_i32..20, 1..120),
            window in 1..30_usize,
            percentile in 0..=100_u32,
        ) {
            let percentile = f64::from(percentile);
            let mut ranks = Ranks::default();
            for (at, value) in values.iter().enumerate() {
                ranks.add(f64::from(*value), 1, percentile);
                if at >= window {
                    ranks.remove(f64::from(values[at - window]), 1, percentile);
                }
                let mut sorted = values[(at + 1).saturating_sub(window)..=at].to_vec();
                sorted.sort_unstable();
                let rank = percentile / 100.0 * (sorted.len() - 1) as f64;
                let (below, part) = (rank.floor() as usize, rank - rank.floor());
                let above = (below + 1).min(sorted.len() - 1);
                let expect = f64::from(sorted[below]) * (1.0 - part) + f64::from(sorted[above]) * part;
                let got = ranks.at(percentile).unwrap_or(f64::NAN);
                prop_assert!((got - expect).abs() < 1e-9, "{got} {expect}");
            }
        }
    }
}
