//! `leaky_bucket`: each event raises the level by one, time lowers it steadily; the condition
//! holds when the level rises above the capacity, and the bucket is new after that.
//!
//! Source: CrowdSec's scenarios of type `leaky`. A steady stream below the leak never overflows,
//! however long it goes on: what CrowdSec's rules mean, and not the same as N in a window.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tocsin_core::detector::Detector;
use tocsin_core::limits::{EVIDENCE_IDS_MAX, EXACT_THRESHOLD_MAX};
use tocsin_core::machine::{Contributing, Entries, Entry, Machine, fold_equal_times};
use tocsin_core::time::{Span, Timestamp};

use crate::registry::{Build, DetectorEntry, Value};

/// The registration of this detector.
pub const ENTRY: DetectorEntry =
    DetectorEntry { name: "leaky_bucket", types: &["leaky_bucket"], value: Value::DistinctIfNamed, build };

struct LeakyBucket {
    /// Events that fit in.
    capacity: u64,
    /// How long one event takes to leak.
    leak: Span,
    /// Whether only values not yet in the bucket count.
    distinct: bool,
}

/// A bucket since it was last empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Bucket {
    /// How long it would take to run empty, from `newest` on.
    level: Span,
    newest: Option<Timestamp>,
    /// Entries that raised it; of distinct values all of them, else the first ones.
    entries: Vec<Entry>,
    poured: u64,
    overflown: bool,
    /// Whether it began with an estimate.
    estimated: bool,
}

fn build(request: Build<'_>) -> Result<Arc<dyn Detector>, String> {
    let spec = request.spec;
    let leak = spec.leak.filter(|leak| leak.0 > 0);
    let leak = leak.ok_or("`leaky_bucket` needs `leak`: how long one event takes to leak, as `10s`")?;
    let least = spec.rising_threshold()?;
    if least > EXACT_THRESHOLD_MAX {
        return Err(format!("buckets of more than {EXACT_THRESHOLD_MAX} events are not supported"));
    }
    let machine = LeakyBucket { capacity: least - 1, leak, distinct: request.distinct };
    Ok(crate::keyed::keyed(machine, request.rule, request.episode))
}

impl LeakyBucket {
    /// Lets leak until a time; a bucket that ran empty is a new one.
    fn leak(&self, bucket: &mut Bucket, now: Timestamp) {
        let Some(newest) = bucket.newest else { return };
        let passed = now.0.saturating_sub(newest.0).max(0);
        bucket.level = Span(bucket.level.0.saturating_sub(passed).max(0));
        bucket.newest = Some(newest.max(now));
        if bucket.level.0 == 0 || bucket.overflown {
            *bucket = Bucket::default();
        }
    }
}

impl Machine for LeakyBucket {
    type State = Bucket;

    fn advance(&self, bucket: &mut Bucket, entry: &Entry) -> bool {
        self.leak(bucket, entry.time);
        if self.distinct && bucket.entries.iter().any(|other| other.value == entry.value) {
            return false;
        }
        bucket.newest = Some(entry.time);
        let weight = if self.distinct { 1 } else { entry.weight };
        bucket.level = Span(bucket.level.0.saturating_add(self.leak.0.saturating_mul(i64::from(weight))));
        bucket.poured += u64::from(weight);
        if self.distinct || bucket.entries.len() < EVIDENCE_IDS_MAX {
            bucket.entries.push(*entry);
        } else if let Some(last) = bucket.entries.last_mut() {
            last.weight = last.weight.saturating_add(entry.weight);
        }
        let full = i128::from(self.leak.0) * i128::from(self.capacity);
        bucket.overflown = i128::from(bucket.level.0) > full;
        bucket.overflown
    }

    /// A bucket has leaked since; what came late cannot be poured into the past.
    fn advance_late(&self, _: &mut Bucket, _: &Entry) -> Option<Timestamp> {
        None
    }

    fn in_window(&self, bucket: &Bucket) -> u64 {
        bucket.poured
    }

    /// A bucket that overflows is told once, whole.
    fn contributing(&self, bucket: &mut Bucket, _: Contributing, out: &mut Vec<Entry>) {
        out.append(&mut bucket.entries);
    }

    fn possible(&self, bucket: &Bucket, more: u64) -> bool {
        bucket.poured + more > self.capacity
    }

    fn lasts_until(&self, bucket: &Bucket) -> Timestamp {
        bucket.newest.map_or(Timestamp::MIN, |newest| newest.plus(bucket.level))
    }

    fn admits_at(&self) -> Option<u64> {
        Some(self.capacity + 1)
    }

    fn begin_at(&self, bucket: &mut Bucket, entry: &Entry, weight: u64) {
        let weight = weight.min(self.capacity);
        bucket.level = Span(self.leak.0.saturating_mul(weight as i64));
        bucket.newest = Some(entry.time);
        bucket.poured = weight;
        bucket.estimated = true;
    }

    fn counts_on_ingest(&self) -> bool {
        true
    }

    fn kept(&self, bucket: &Bucket, out: &mut Vec<Entry>) {
        out.extend_from_slice(&bucket.entries);
    }

    fn heap_bytes(&self, bucket: &Bucket) -> usize {
        bucket.entries.capacity() * size_of::<Entry>()
    }

    fn window(&self) -> Span {
        Span(self.leak.0.saturating_mul(self.capacity as i64 + 1))
    }

    fn is_approximate(&self, bucket: &Bucket) -> bool {
        bucket.estimated
    }

    fn expire(&self, bucket: &mut Bucket, now: Timestamp) -> bool {
        bucket.overflown || self.lasts_until(bucket) <= now
    }

    fn fold(&self, waiting: &mut Entries, _: Option<Timestamp>) {
        if !self.distinct {
            fold_equal_times(waiting, |_| self.capacity as usize + EVIDENCE_IDS_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use tocsin_core::machine::DelayMs;
    use tocsin_core::offset::Position;

    use super::*;

    /// Pours (second, value) pairs into a bucket of 3 that leaks one every 10 s; gives the seconds
    /// at which it overflows.
    fn check(distinct: bool, events: &[(i64, u64)], expect: &[i64]) {
        let machine = LeakyBucket { capacity: 3, leak: Span::seconds(10), distinct };
        let mut bucket = Bucket::default();
        let holds = events.iter().filter(|(second, value)| {
            let time = Timestamp(second * 1_000_000_000);
            let (position, delay) = (Position::default(), DelayMs::default());
            let entry = Entry { time, position, value: *value, delay, role: 0, weight: 1 };
            machine.advance(&mut bucket, &entry)
        });
        assert_eq!(holds.map(|(second, _)| *second).collect::<Vec<_>>(), expect, "{events:?}");
    }

    #[test]
    fn a_leaky_bucket_overflows_above_its_capacity() {
        check(false, &[(0, 0), (0, 0), (0, 0), (0, 0)], &[0]);
        check(false, &[(0, 0), (1, 0), (2, 0), (9, 0)], &[9]);
        check(false, &[(0, 0), (1, 0), (2, 0), (10, 0)], &[]);
        check(false, &[(0, 0), (1, 0), (2, 0), (10, 0), (11, 0)], &[11]);
        check(false, &[(0, 0), (10, 0), (20, 0), (30, 0), (40, 0), (50, 0)], &[]);
        check(false, &[(0, 0), (0, 0), (0, 0), (0, 0), (1, 0), (1, 0), (1, 0), (2, 0)], &[0, 2]);
    }

    #[test]
    fn a_distinct_bucket_counts_a_value_once_until_it_is_empty() {
        check(true, &[(0, 1), (0, 1), (0, 2), (0, 2), (0, 3), (0, 3), (0, 1)], &[]);
        check(true, &[(0, 1), (0, 2), (0, 3), (0, 4)], &[0]);
        check(true, &[(0, 1), (11, 1), (11, 2), (11, 3), (11, 4)], &[11]);
    }
}
