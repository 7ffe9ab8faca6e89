//! Entries in half the room. Most of what waits or is counted is one event that brings no value and
//! was taken in soon after its time; of such an entry 20 bytes say everything. The others stay whole.

use std::collections::VecDeque;

use crate::machine::{DelayMs, Entry};
use crate::offset::Position;
use crate::signal::Role;
use crate::time::Timestamp;

/// Bits of the delay in the last word; the weight is above them.
const DELAY_BITS: u32 = 24;
const DELAY_MS_MAX: i64 = (1 << (DELAY_BITS - 1)) - 1;
const ROLE: Role = 0;

/// An entry of role 0 without a value, of a weight below 256 and a delay below 2.3 hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Packed([u32; 5]);

impl Packed {
    /// The entry, if it is such a one.
    #[inline]
    pub fn of(entry: &Entry) -> Option<Packed> {
        let delay = entry.delay.ms();
        let plain = entry.value == 0 && entry.role == ROLE && entry.weight <= u32::from(u8::MAX);
        if !plain || !(-DELAY_MS_MAX..=DELAY_MS_MAX).contains(&delay) {
            return None;
        }
        let (time, position) = (entry.time.0 as u64, entry.position.bits());
        let low_bits = (1 << DELAY_BITS) - 1;
        let rest = (delay as u32 & low_bits) | entry.weight << DELAY_BITS;
        Some(Packed([time as u32, (time >> 32) as u32, position as u32, (position >> 32) as u32, rest]))
    }

    /// The entry whole.
    #[inline]
    pub fn entry(self) -> Entry {
        let Packed([_, _, low, high, rest]) = self;
        let delay = ((rest << (u32::BITS - DELAY_BITS)) as i32) >> (u32::BITS - DELAY_BITS);
        Entry {
            time: self.time(),
            position: Position::from_bits(u64::from(low) | u64::from(high) << 32),
            value: 0,
            delay: DelayMs::of_ms(i64::from(delay)),
            role: ROLE,
            weight: self.weight(),
        }
    }

    /// Its time.
    #[inline]
    pub fn time(self) -> Timestamp {
        Timestamp((u64::from(self.0[0]) | u64::from(self.0[1]) << 32) as i64)
    }

    /// How many events it stands for.
    #[inline]
    pub fn weight(self) -> u32 {
        self.0[4] >> DELAY_BITS
    }
}

/// Entries in order, packed as long as all of them can be.
#[derive(Clone, Debug)]
pub(crate) enum Rows {
    Packed(VecDeque<Packed>),
    Whole(VecDeque<Entry>),
}

impl Default for Rows {
    fn default() -> Rows {
        Rows::Packed(VecDeque::new())
    }
}

impl Rows {
    pub fn len(&self) -> usize {
        match self {
            Rows::Packed(rows) => rows.len(),
            Rows::Whole(rows) => rows.len(),
        }
    }

    pub fn get(&self, at: usize) -> Option<Entry> {
        match self {
            Rows::Packed(rows) => rows.get(at).map(|row| row.entry()),
            Rows::Whole(rows) => rows.get(at).copied(),
        }
    }

    /// Time of the first, looked at with every event.
    pub fn first_time(&self) -> Option<Timestamp> {
        match self {
            Rows::Packed(rows) => rows.front().map(|row| row.time()),
            Rows::Whole(rows) => rows.front().map(|row| row.time),
        }
    }

    pub fn iter_from(&self, start: usize) -> impl Iterator<Item = Entry> {
        (start..self.len()).filter_map(|at| self.get(at))
    }

    pub fn push(&mut self, entry: &Entry) {
        match (&mut *self, Packed::of(entry)) {
            (Rows::Packed(rows), Some(packed)) => rows.push_back(packed),
            (Rows::Whole(rows), _) => rows.push_back(*entry),
            (Rows::Packed(_), None) => self.widen().push(entry),
        }
    }

    /// Puts an entry where it belongs in the total order; gives its place.
    pub fn insert(&mut self, entry: &Entry) -> usize {
        match (&mut *self, Packed::of(entry)) {
            (Rows::Packed(rows), Some(packed)) => {
                let at = rows.partition_point(|other| other.entry() <= *entry);
                rows.insert(at, packed);
                at
            }
            (Rows::Whole(rows), _) => {
                let at = rows.partition_point(|other| other <= entry);
                rows.insert(at, *entry);
                at
            }
            (Rows::Packed(_), None) => self.widen().insert(entry),
        }
    }

    /// Drops the first; gives its weight.
    pub fn pop_first(&mut self) -> Option<u32> {
        match self {
            Rows::Packed(rows) => rows.pop_front().map(Packed::weight),
            Rows::Whole(rows) => rows.pop_front().map(|row| row.weight),
        }
    }

    /// Bytes it takes beyond its own size.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Rows::Packed(rows) => rows.capacity() * size_of::<Packed>(),
            Rows::Whole(rows) => rows.capacity() * size_of::<Entry>(),
        }
    }

    /// The same entries, whole.
    fn widen(&mut self) -> &mut Rows {
        *self = Rows::Whole(self.iter_from(0).collect());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offset::PartitionId;

    fn entry(ms: i64, weight: u32) -> Entry {
        let position = Position::new(PartitionId(7), 0xABCD_EF01_2345);
        let time = Timestamp(-3);
        Entry { time, position, value: 0, delay: DelayMs::of_ms(ms), role: 0, weight }
    }

    #[test]
    fn what_fits_comes_back_as_it_was() {
        for ms in [0, 1, -1, 5_000, -DELAY_MS_MAX, DELAY_MS_MAX] {
            for weight in [0, 1, 255] {
                let entry = entry(ms, weight);
                assert_eq!(Packed::of(&entry).map(Packed::entry), Some(entry));
            }
        }
        let with_value = Entry { value: 1, ..entry(0, 1) };
        let with_role = Entry { role: 1, ..entry(0, 1) };
        for whole in [with_value, with_role, entry(0, 256), entry(DELAY_MS_MAX + 1, 1)] {
            assert_eq!(Packed::of(&whole), None);
        }
    }

    #[test]
    fn rows_become_whole_when_an_entry_asks_for_it() {
        let mut rows = Rows::default();
        rows.push(&entry(1, 1));
        rows.push(&entry(2, 300));
        assert_eq!(rows.insert(&entry(0, 2)), 0);
        let delays: Vec<i64> = rows.iter_from(0).map(|row| row.delay.ms()).collect();
        assert_eq!((delays, rows.pop_first(), rows.len()), (vec![0, 1, 2], Some(2), 2));
    }
}
