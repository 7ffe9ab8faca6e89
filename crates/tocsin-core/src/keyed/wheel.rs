//! Which keys to look at when: slots by the second of event time at which something falls due.

use std::collections::BTreeMap;

use crate::time::Timestamp;

/// Width of one bucket, as a power of two in nanoseconds (about a second).
pub(crate) const WHEEL_SHIFT: u32 = 30;

/// The bucket of a key that stands in none.
pub(super) const NO_BUCKET: i32 = i32::MIN;

/// The bucket a time lies in.
#[inline]
pub(super) fn bucket_of(time: Timestamp) -> i32 {
    (time.0 >> WHEEL_SHIFT).clamp(i64::from(NO_BUCKET + 1), i64::from(i32::MAX)) as i32
}

/// Slots by bucket. Events come about in order of time, so most go where the one before went: that
/// bucket is held open beside the others.
#[derive(Debug, Default)]
pub(super) struct Wheel {
    buckets: BTreeMap<i32, Vec<u32>>,
    open: Option<(i32, Vec<u32>)>,
}

impl Wheel {
    /// Puts a slot into a bucket.
    #[inline]
    pub fn push(&mut self, bucket: i32, slot: u32) {
        match &mut self.open {
            Some((id, slots)) if *id == bucket => put(slots, slot),
            _ => {
                self.close();
                let mut slots = self.buckets.remove(&bucket).unwrap_or_default();
                put(&mut slots, slot);
                self.open = Some((bucket, slots));
            }
        }
    }

    /// Takes out the first bucket, if it lies before this one.
    pub fn pop_before(&mut self, bucket: Option<i32>) -> Option<(i32, Vec<u32>)> {
        let is_due = |id: i32| bucket.is_none_or(|bucket| id < bucket);
        if self.open.as_ref().is_some_and(|(id, _)| is_due(*id)) {
            self.close();
        }
        let first = self.buckets.first_entry()?;
        is_due(*first.key()).then(|| first.remove_entry())
    }

    /// Takes one slot out of the first bucket; gives its bucket too.
    pub fn pop_first(&mut self) -> Option<(i32, u32)> {
        self.close();
        let mut first = self.buckets.first_entry()?;
        let id = *first.key();
        let slot = first.get_mut().pop();
        if first.get().is_empty() {
            first.remove();
        }
        slot.map(|slot| (id, slot))
    }

    fn close(&mut self) {
        if let Some((id, slots)) = self.open.take() {
            self.buckets.insert(id, slots);
        }
    }
}

/// Appends a slot. Room grows by a quarter, not by the double: many buckets are held at once, and what
/// they do not use would cost each key more than its place in them.
fn put(slots: &mut Vec<u32>, slot: u32) {
    if slots.len() == slots.capacity() {
        slots.reserve_exact(slots.len() / 4 + 4);
    }
    slots.push(slot);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_come_out_by_bucket() {
        let mut wheel = Wheel::default();
        for (bucket, slot) in [(5, 1), (5, 2), (9, 3), (5, 4), (2, 5)] {
            wheel.push(bucket, slot);
        }
        assert_eq!(wheel.pop_before(Some(2)), None);
        assert_eq!(wheel.pop_before(Some(6)), Some((2, vec![5])));
        assert_eq!(wheel.pop_first(), Some((5, 4)));
        assert_eq!(wheel.pop_before(Some(6)), Some((5, vec![1, 2])));
        assert_eq!((wheel.pop_before(Some(6)), wheel.pop_before(None)), (None, Some((9, vec![3]))));
        assert_eq!(wheel.pop_first(), None);
    }
}
