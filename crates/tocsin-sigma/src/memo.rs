//! What a worker remembers of values: (field, kind, bytes) → set of atoms.
//!
//! Buckets of four places, one cache line each. The bytes lie in a ring and are compared, so neither
//! a collision nor an overwritten place can cost more than time. Keyed by a seed an attacker does
//! not know. Who is asked for again gets a second chance: values that come once push each other out.

use std::hash::{BuildHasher, Hasher};

use ahash::RandomState;
use foldhash::fast::FixedState;
use tocsin_core::field::FieldId;
use tocsin_core::value::Kind;

use crate::atom::AtomId;

/// Number of a set of atoms within one worker.
pub type SetId = u32;

const BUCKETS: usize = 8_192;
const WAYS: usize = 4;
/// Bytes of remembered values. Above it the oldest are overwritten.
const BYTES_MAX: usize = 4 << 20;
/// Bytes before each remembered value: its length.
const HEAD: usize = 4;
/// Beside an entry's set: asked for since it was last passed over.
const USED: u32 = 1 << 31;
/// The key of no value: no kind has this number.
const NO_KEY: u32 = u32::MAX;

/// What a value is besides its bytes, as one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoKey(u32);

impl MemoKey {
    /// The key of a field's whole value.
    #[inline]
    #[must_use]
    pub fn value(field: FieldId, kind: Kind) -> MemoKey {
        MemoKey(u32::from(field.0) << 8 | kind as u32)
    }

    /// The key of a line of a field's value, told apart if it is the first or the last.
    #[inline]
    #[must_use]
    pub fn line(field: FieldId, kind: Kind, first: bool, last: bool) -> MemoKey {
        let place = 0x40 | u32::from(first) << 5 | u32::from(last) << 4;
        MemoKey(u32::from(field.0) << 8 | kind as u32 | place)
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The upper half of the hash.
    tag: u32,
    key: u32,
    /// Where its head lies in the ring.
    start: u32,
    /// The set, and [`USED`].
    set: u32,
}

const EMPTY: Entry = Entry { tag: 0, key: NO_KEY, start: 0, set: 0 };

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Bucket([Entry; WAYS]);

/// The memory.
pub struct Memo {
    /// Finds values.
    values: FixedState,
    /// Gives sets their numbers.
    numbers: RandomState,
    buckets: Vec<Bucket>,
    /// The ring: heads and values.
    bytes: Vec<u8>,
    /// Where the next value goes.
    next: usize,
}

impl Memo {
    /// An empty memory.
    #[must_use]
    pub fn new(seed: u64) -> Memo {
        Memo {
            values: FixedState::with_seed(seed.rotate_left(31)),
            numbers: RandomState::with_seeds(seed, seed.rotate_left(17), !seed, 0x51_7C_C1_B7_27_22_0A_95),
            buckets: vec![Bucket([EMPTY; WAYS]); BUCKETS],
            bytes: Vec::new(),
            next: 0,
        }
    }

    /// Hash of a value.
    #[inline]
    #[must_use]
    pub fn hash(&self, key: MemoKey, bytes: &[u8]) -> u64 {
        let mut hasher = self.values.build_hasher();
        hasher.write_u32(key.0);
        hasher.write(bytes);
        hasher.finish()
    }

    /// The set of a value, if it is remembered.
    #[inline]
    #[must_use]
    pub fn get(&mut self, hash: u64, key: MemoKey, bytes: &[u8]) -> Option<SetId> {
        let bucket = &mut self.buckets[hash as usize & (BUCKETS - 1)];
        let tag = (hash >> 32) as u32;
        for entry in &mut bucket.0 {
            if entry.tag == tag && entry.key == key.0 && is_at(&self.bytes, entry.start, bytes) {
                entry.set |= USED;
                return Some(entry.set & !USED);
            }
        }
        None
    }

    /// Remembers the set of a value.
    pub fn insert(&mut self, hash: u64, key: MemoKey, bytes: &[u8], set: SetId) {
        let size = HEAD + bytes.len();
        if size > BYTES_MAX {
            return;
        }
        if self.next + size > BYTES_MAX {
            self.next = 0;
        }
        let start = self.next;
        self.next += size;
        if self.bytes.len() < self.next {
            self.bytes.resize(self.next, 0);
        }
        self.bytes[start..][..HEAD].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        self.bytes[start + HEAD..][..bytes.len()].copy_from_slice(bytes);
        let bucket = &mut self.buckets[hash as usize & (BUCKETS - 1)].0;
        let unused = bucket.iter().position(|entry| entry.key == NO_KEY || entry.set & USED == 0);
        let way = unused.unwrap_or(hash as usize >> 16 & (WAYS - 1));
        if unused.is_none() {
            bucket.iter_mut().for_each(|entry| entry.set &= !USED);
        }
        bucket[way] = Entry { tag: (hash >> 32) as u32, key: key.0, start: start as u32, set };
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        self.buckets.fill(Bucket([EMPTY; WAYS]));
        self.bytes.clear();
        self.next = 0;
    }

    /// The random number that stands for a set of atoms in signatures.
    #[must_use]
    pub fn number(&self, atoms: &[AtomId]) -> u128 {
        let high = self.numbers.hash_one((atoms, 1_u8));
        let low = self.numbers.hash_one((atoms, 2_u8));
        u128::from(high) << 64 | u128::from(low)
    }
}

/// Whether a value with its head lies at a place of the ring.
#[inline]
fn is_at(ring: &[u8], start: u32, bytes: &[u8]) -> bool {
    let Some((head, rest)) = ring.get(start as usize..).and_then(<[u8]>::split_first_chunk::<HEAD>) else {
        return false;
    };
    u32::from_le_bytes(*head) as usize == bytes.len() && rest.get(..bytes.len()) == Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_told_by_field_kind_place_and_bytes() {
        let mut memo = Memo::new(7);
        let key = MemoKey::value(FieldId(3), Kind::Text);
        let hash = memo.hash(key, b"cmd.exe");
        assert_eq!(memo.get(hash, key, b"cmd.exe"), None);
        memo.insert(hash, key, b"cmd.exe", 11);
        assert_eq!(memo.get(hash, key, b"cmd.exe"), Some(11));
        assert_eq!(memo.get(hash, key, b"cmd.ex"), None);
        for other in [
            MemoKey::value(FieldId(4), Kind::Text),
            MemoKey::value(FieldId(3), Kind::Escaped),
            MemoKey::line(FieldId(3), Kind::Text, false, false),
            MemoKey::line(FieldId(3), Kind::Text, true, false),
        ] {
            assert_eq!(memo.get(hash, other, b"cmd.exe"), None);
        }
        memo.forget();
        assert_eq!(memo.get(hash, key, b"cmd.exe"), None);
    }

    #[test]
    fn a_ring_gone_round_never_tells_the_wrong_set() {
        let mut memo = Memo::new(7);
        let key = MemoKey::value(FieldId(1), Kind::Text);
        let value =
            |number: u32| format!("{number:>width$}", width = 200 + number as usize % 100).into_bytes();
        let mut known = 0;
        for number in 0..60_000 {
            let bytes = value(number);
            let hash = memo.hash(key, &bytes);
            memo.insert(hash, key, &bytes, number);
            let back = number.saturating_sub(number % 5_000);
            let old = value(back);
            let found = memo.get(memo.hash(key, &old), key, &old);
            assert!(found.is_none_or(|set| set == back), "{number} {back} {found:?}");
            known += u32::from(found.is_some());
        }
        assert!(known > 30_000, "{known}");
        assert!(memo.bytes.len() <= BYTES_MAX);
    }
}
