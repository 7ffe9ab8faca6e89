//! Values by when they were last seen, the newest ones only: whether a window holds N different
//! values depends on the N seen last alone, however often and however many others were seen.
//!
//! Every operation takes the same time whatever it holds.

use hashbrown::HashTable;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tocsin_core::machine::Entry;
use tocsin_core::time::Timestamp;

/// Up to so many values looking through them all is quicker than an index.
const WITHOUT_INDEX_MAX: usize = 16;

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Node {
    /// The entry that showed the value last.
    entry: Entry,
    older: u32,
    newer: u32,
}

/// The values, from the one seen longest ago to the one seen last.
#[derive(Clone, Debug)]
pub(crate) struct LastSeen {
    nodes: Vec<Node>,
    free: Vec<u32>,
    index: HashTable<u32>,
    oldest: u32,
    newest: u32,
}

impl Default for LastSeen {
    fn default() -> LastSeen {
        LastSeen { nodes: Vec::new(), free: Vec::new(), index: HashTable::new(), oldest: NONE, newest: NONE }
    }
}

/// Values are keyed hashes already.
fn spread(value: u64) -> u64 {
    value
}

impl LastSeen {
    /// How many values there are.
    pub fn len(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// Bytes it takes beyond its own size.
    pub fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + (self.index.capacity() + self.free.capacity()) * size_of::<u32>()
    }

    /// Takes in the next entry in order, and keeps the `keep` values seen last.
    pub fn see(&mut self, entry: Entry, keep: usize) {
        match self.find(entry.value) {
            Some(at) => {
                self.unlink(at);
                self.nodes[at as usize].entry = entry;
                self.link_newest(at);
            }
            None => {
                if self.len() >= keep.max(1) {
                    self.forget_oldest();
                }
                self.insert(entry);
            }
        }
    }

    /// Takes in an entry from behind the newest one.
    pub fn see_late(&mut self, entry: Entry, keep: usize) {
        let mut entries: Vec<Entry> = self.iter().copied().collect();
        match entries.iter_mut().find(|other| other.value == entry.value) {
            Some(other) => *other = entry.max(*other),
            None => entries.push(entry),
        }
        entries.sort_unstable();
        let skip = entries.len().saturating_sub(keep.max(1));
        *self = entries.into_iter().skip(skip).collect();
    }

    /// Forgets the values last seen before a time.
    pub fn forget_before(&mut self, time: Timestamp) {
        while self.oldest != NONE && self.nodes[self.oldest as usize].entry.time < time {
            self.forget_oldest();
        }
    }

    /// The entry that came last.
    pub fn newest(&self) -> Option<&Entry> {
        self.nodes.get(self.newest as usize).map(|node| &node.entry)
    }

    /// The entries that showed the values last, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.walk(self.oldest, |node| node.newer)
    }

    /// The same, newest first.
    pub fn iter_back(&self) -> impl Iterator<Item = &Entry> {
        self.walk(self.newest, |node| node.older)
    }

    fn walk(&self, from: u32, next: impl Fn(&Node) -> u32) -> impl Iterator<Item = &Entry> {
        let mut at = from;
        std::iter::from_fn(move || {
            let node = self.nodes.get(at as usize)?;
            at = next(node);
            Some(&node.entry)
        })
    }

    fn find(&self, value: u64) -> Option<u32> {
        if self.nodes.len() <= WITHOUT_INDEX_MAX {
            let same = |at: &u32| self.nodes[*at as usize].entry.value == value && !self.free.contains(at);
            return (0..self.nodes.len() as u32).find(same);
        }
        let same = |at: &u32| self.nodes[*at as usize].entry.value == value;
        self.index.find(spread(value), same).copied()
    }

    fn insert(&mut self, entry: Entry) {
        let node = Node { entry, older: NONE, newer: NONE };
        let at = match self.free.pop() {
            Some(at) => {
                self.nodes[at as usize] = node;
                at
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        };
        if self.nodes.len() == WITHOUT_INDEX_MAX + 1 && self.index.is_empty() {
            let mut used = (0..self.nodes.len() as u32).collect::<Vec<_>>();
            used.retain(|at| !self.free.contains(at));
            used.into_iter().for_each(|at| self.enter(at));
        } else if self.nodes.len() > WITHOUT_INDEX_MAX {
            self.enter(at);
        }
        self.link_newest(at);
    }

    fn enter(&mut self, at: u32) {
        let nodes = &self.nodes;
        let hash = |at: &u32| spread(nodes[*at as usize].entry.value);
        self.index.insert_unique(hash(&at), at, hash);
    }

    fn forget_oldest(&mut self) {
        let at = self.oldest;
        if at == NONE {
            return;
        }
        self.unlink(at);
        if let Ok(found) =
            self.index.find_entry(spread(self.nodes[at as usize].entry.value), |other| *other == at)
        {
            found.remove();
        }
        self.free.push(at);
        if self.free.len() == self.nodes.len() {
            *self = LastSeen::default();
        }
    }

    fn link_newest(&mut self, at: u32) {
        let before = std::mem::replace(&mut self.newest, at);
        self.nodes[at as usize].older = before;
        self.nodes[at as usize].newer = NONE;
        match self.nodes.get_mut(before as usize) {
            Some(node) => node.newer = at,
            None => self.oldest = at,
        }
    }

    fn unlink(&mut self, at: u32) {
        let Node { older, newer, .. } = self.nodes[at as usize];
        match self.nodes.get_mut(older as usize) {
            Some(node) => node.newer = newer,
            None => self.oldest = newer,
        }
        match self.nodes.get_mut(newer as usize) {
            Some(node) => node.older = older,
            None => self.newest = older,
        }
    }
}

impl FromIterator<Entry> for LastSeen {
    /// From entries in order, each with a value of its own.
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> LastSeen {
        let mut all = LastSeen::default();
        entries.into_iter().for_each(|entry| all.insert(entry));
        all
    }
}

impl Serialize for LastSeen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.iter().collect::<Vec<_>>().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LastSeen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LastSeen, D::Error> {
        Ok(Vec::<Entry>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use tocsin_core::machine::DelayMs;
    use tocsin_core::offset::Position;

    use super::*;

    fn entry(second: i64, value: u64) -> Entry {
        let time = Timestamp(second);
        Entry { time, position: Position::default(), value, delay: DelayMs::default(), role: 0, weight: 1 }
    }

    proptest! {
        #[test]
        fn it_holds_the_values_seen_last(
            values in prop::collection::vec(0..60_u64, 0..400),
            keep in 1..50_usize,
            window in 1..100_i64,
        ) {
            let mut seen = LastSeen::default();
            let mut last: BTreeMap<u64, i64> = BTreeMap::new();
            for (second, value) in values.iter().enumerate() {
                let second = second as i64;
                seen.see(entry(second, *value), keep);
                seen.forget_before(Timestamp(second - window));
                last.insert(*value, second);
                let mut expect: Vec<(i64, u64)> =
                    last.iter().map(|(v, s)| (*s, *v)).filter(|(s, _)| *s >= second - window).collect();
                expect.sort_unstable();
                let expect = &expect[expect.len().saturating_sub(keep)..];
                let got: Vec<(i64, u64)> = seen.iter().map(|e| (e.time.0, e.value)).collect();
                prop_assert_eq!(&got, expect);
                prop_assert_eq!(seen.len(), expect.len());
                let mut back: Vec<(i64, u64)> = seen.iter_back().map(|e| (e.time.0, e.value)).collect();
                back.reverse();
                prop_assert_eq!(back, expect);
            }
        }
    }
}
