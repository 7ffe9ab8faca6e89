//! The exact sliding window over event time: how many events lie in [t − W, t].
//!
//! Closed on both sides: an event exactly W earlier counts, one nanosecond more does not. Nothing is
//! bucketed. Whether a window holds N events depends on its last N alone, so once the condition
//! holds no more than N entries are kept.

use serde::{Deserialize, Serialize};

use crate::limits::WINDOW_ENTRIES_MAX;
use crate::machine::{Contributing, Entries, Entry};
use crate::time::{Span, Timestamp};

/// Entries of the current window, in total order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Window {
    entries: Entries,
    /// Weight of all entries; at its most it is only a bound.
    weight: u32,
    /// How many entries at the front were handed out as contributing; the highest bit says whether
    /// entries had to be joined. Many windows are held at once, so every byte counts.
    marks: u32,
}

const JOINED: u32 = 1 << 31;

impl Window {
    /// Adds the next entry in order and drops what lies more than `length` before it.
    pub fn push(&mut self, entry: Entry, length: Span) {
        self.drop_before(entry.time.minus(length));
        self.entries.push(entry);
        self.weight = self.weight.saturating_add(entry.weight);
        self.bound();
    }

    /// Begins with so many events more than were seen, as new as the entry.
    pub fn begin_at(&mut self, entry: &Entry, weight: u64) {
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        self.entries.push(Entry { weight, ..*entry });
        self.weight = self.weight.saturating_add(weight);
        self.marks |= JOINED;
    }

    /// Bytes it takes beyond its own size.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        if self.entries.spilled() { self.entries.capacity() * size_of::<Entry>() } else { 0 }
    }

    /// Adds an entry from behind the newest one, if it can still share a window with it. Returns
    /// whether it was added.
    pub fn insert_late(&mut self, entry: Entry, length: Span) -> bool {
        let newest = self.entries.last().map_or(Timestamp::MIN, |last| last.time);
        if entry.time > newest {
            self.push(entry, length);
            return true;
        }
        if entry.time < newest.minus(length) {
            return false;
        }
        let at = self.entries.partition_point(|other| *other <= entry);
        self.entries.insert(at, entry);
        self.weight = self.weight.saturating_add(entry.weight);
        if at < self.handed_out() {
            self.marks += 1;
        }
        self.bound();
        true
    }

    /// Drops everything before a time.
    pub fn drop_before(&mut self, time: Timestamp) {
        let gone = self.entries.iter().take_while(|entry| entry.time < time).count();
        self.drop_first(gone);
    }

    fn drop_first(&mut self, gone: usize) {
        if gone > 0 {
            let full = self.weight == u32::MAX;
            let weight: u64 = self.entries.drain(..gone).map(|entry| u64::from(entry.weight)).sum();
            self.weight = if full { total(&self.entries) } else { self.weight - weight as u32 };
            self.set_handed_out(self.handed_out().saturating_sub(gone));
            if self.entries.is_empty() {
                self.marks = 0;
            }
        }
    }

    fn handed_out(&self) -> usize {
        (self.marks & !JOINED) as usize
    }

    fn set_handed_out(&mut self, count: usize) {
        self.marks = self.marks & JOINED | count as u32;
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Window::default();
    }

    /// The entries.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Weight of all entries.
    #[must_use]
    pub fn weight(&self) -> u64 {
        u64::from(self.weight)
    }

    /// Time of the newest entry.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.entries.last().map(|last| last.time)
    }

    /// Whether entries had to be joined, so that the weight of a window is an estimate.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        self.marks & JOINED != 0
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether some entries were handed out before: the condition has held within this window.
    #[must_use]
    pub fn has_handed_out(&self) -> bool {
        self.handed_out() > 0
    }

    /// Appends entries to `out`, and keeps the last `keep` entries. Where the condition has held
    /// within this window before, those last ones are all there are.
    pub fn hand_out(&mut self, which: Contributing, keep: usize, out: &mut Vec<Entry>) {
        match which {
            Contributing::All => {
                if self.has_handed_out() {
                    self.keep_last(keep);
                }
                out.extend_from_slice(&self.entries);
            }
            Contributing::Fresh => out.extend_from_slice(&self.entries[self.handed_out()..]),
        }
        self.keep_last(keep);
        self.set_handed_out(self.entries.len());
    }

    fn keep_last(&mut self, keep: usize) {
        self.drop_first(self.entries.len().saturating_sub(keep));
    }

    /// Joins neighbours in the older half, at the later one's time, when there are too many.
    fn bound(&mut self) {
        if self.entries.len() <= WINDOW_ENTRIES_MAX {
            return;
        }
        let newer: Entries = self.entries.drain(WINDOW_ENTRIES_MAX / 2..).collect();
        let joined = |pair: &[Entry]| {
            let weight = pair.iter().fold(0_u32, |sum, entry| sum.saturating_add(entry.weight));
            Entry { weight, ..pair[pair.len() - 1] }
        };
        let older: Entries = self.entries.chunks(2).map(joined).collect();
        self.set_handed_out(self.handed_out().saturating_sub(self.entries.len() - older.len()));
        self.marks |= JOINED;
        self.entries = older;
        self.entries.extend_from_slice(&newer);
    }
}

fn total(entries: &[Entry]) -> u32 {
    entries.iter().fold(0, |sum, entry| sum.saturating_add(entry.weight))
}
