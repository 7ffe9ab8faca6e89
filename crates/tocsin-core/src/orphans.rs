//! Entries that say nothing to a key without state, such as an interruption of no run.
//!
//! They matter only if an earlier event of their key is still on its way, so they are not worth a
//! key's state: they wait here until the watermark has passed them, or their key appears.

use hashbrown::HashSet;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::limits::ORPHANS_PER_RULE_MAX;
use crate::machine::Entry;
use crate::time::Timestamp;

/// Keys up to this length lie inside their entry.
const KEY_BYTES_INLINE: usize = 24;

#[derive(Debug, Serialize, Deserialize)]
struct Orphan {
    #[serde(skip)]
    hash: u64,
    key: SmallVec<[u8; KEY_BYTES_INLINE]>,
    entry: Entry,
}

/// The entries of one rule in one shard, in order of arrival.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Orphans {
    list: Vec<Orphan>,
    /// Hashes of their keys, and of some that have left: most new keys have no entries here.
    #[serde(skip)]
    hashes: HashSet<u64>,
    /// Length at which passed entries are let go.
    sweep_at: usize,
}

impl Orphans {
    /// Takes in an entry of a key with this hash. `passed` is a watermark that held before any
    /// event now on its way. Returns how many entries had to be dropped for want of room.
    pub fn push(&mut self, hash: u64, key: &[u8], entry: Entry, passed: Timestamp) -> u64 {
        let mut dropped = 0;
        if self.list.len() >= self.sweep_at {
            self.list.retain(|orphan| orphan.entry.time > passed);
            if self.list.len() >= ORPHANS_PER_RULE_MAX {
                dropped = self.list.drain(..ORPHANS_PER_RULE_MAX / 2).count() as u64;
            }
            self.sweep_at = (self.list.len() * 2 + 256).min(ORPHANS_PER_RULE_MAX);
            self.hashes.clear();
            self.hashes.extend(self.list.iter().map(|orphan| orphan.hash));
        }
        self.hashes.insert(hash);
        self.list.push(Orphan { hash, key: SmallVec::from_slice(key), entry });
        dropped
    }

    /// Hands out the entries of a key, which now has a state.
    pub fn adopt(&mut self, hash: u64, key: &[u8], mut take: impl FnMut(Entry)) {
        if !self.hashes.remove(&hash) {
            return;
        }
        self.list.retain(|orphan| {
            let theirs = orphan.hash == hash && *orphan.key == *key;
            if theirs {
                take(orphan.entry);
            }
            !theirs
        });
    }

    /// Finds the hashes again after a snapshot was read.
    pub fn rehash(&mut self, hash: impl Fn(&[u8]) -> u64) {
        for orphan in &mut self.list {
            orphan.hash = hash(&orphan.key);
            self.hashes.insert(orphan.hash);
        }
    }
}
