//! The exact sliding window over event time: how many events lie in [t − W, t].
//!
//! Closed on both sides: an event exactly W earlier counts, one nanosecond more does not. With at
//! most one window's entries held per key the count is exact; nothing is bucketed.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::machine::{Contributing, Entry};
use crate::time::{Span, Timestamp};

/// Entries of the current window, in total order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Window {
    entries: VecDeque<Entry>,
    weight: u64,
    /// How many entries at the front were handed out as contributing.
    handed_out: usize,
}

impl Window {
    /// Adds the next entry in order and drops what lies more than `length` before it.
    pub fn push(&mut self, entry: Entry, length: Span) {
        self.drop_before(entry.time.minus(length));
        self.entries.push_back(entry);
        self.weight += u64::from(entry.weight);
    }

    /// Adds an entry from behind the newest one, if it can still share a window with it. Returns
    /// whether it was added.
    pub fn insert_late(&mut self, entry: Entry, length: Span) -> bool {
        let newest = self.entries.back().map_or(Timestamp::MIN, |last| last.time);
        if entry.time > newest {
            self.push(entry, length);
            return true;
        }
        if entry.time < newest.minus(length) {
            return false;
        }
        let at = self.entries.partition_point(|other| *other <= entry);
        self.entries.insert(at, entry);
        self.weight += u64::from(entry.weight);
        if at < self.handed_out {
            self.handed_out += 1;
        }
        true
    }

    /// Drops everything before a time.
    pub fn drop_before(&mut self, time: Timestamp) {
        while let Some(first) = self.entries.front().filter(|first| first.time < time) {
            self.weight -= u64::from(first.weight);
            self.entries.pop_front();
            self.handed_out = self.handed_out.saturating_sub(1);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Window::default();
    }

    /// Weight of all entries.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// Time of the newest entry.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.entries.back().map(|last| last.time)
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Appends entries to `out` and remembers that they were handed out.
    pub fn hand_out(&mut self, which: Contributing, out: &mut Vec<Entry>) {
        let from = match which {
            Contributing::All => 0,
            Contributing::Fresh => self.handed_out,
        };
        out.extend(self.entries.range(from..));
        self.handed_out = self.entries.len();
    }
}
