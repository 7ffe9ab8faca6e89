//! What a worker remembers of values: (field, kind, bytes) → set of atoms.
//!
//! Four-way buckets, replaced in turn; the bytes are kept and compared, so a collision costs time,
//! never truth. Keyed by a seed an attacker does not know.

use std::hash::{BuildHasher, Hasher};

use ahash::RandomState;
use tocsin_core::field::FieldId;
use tocsin_core::value::Kind;

use crate::atom::AtomId;

/// Number of a set of atoms within one worker.
pub type SetId = u32;

const BUCKETS: usize = 8_192;
const WAYS: usize = 4;
/// Bytes of remembered values. Above it everything is forgotten.
const BYTES_MAX: usize = 4 << 20;

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u64,
    start: u32,
    len: u32,
    field: FieldId,
    kind: Kind,
    set: SetId,
}

const EMPTY: Entry = Entry { hash: 0, start: 0, len: u32::MAX, field: FieldId(0), kind: Kind::Null, set: 0 };

/// The memory.
pub struct Memo {
    hasher: RandomState,
    buckets: Vec<[Entry; WAYS]>,
    bytes: Vec<u8>,
    turn: usize,
}

impl Memo {
    /// An empty memory.
    #[must_use]
    pub fn new(seed: u64) -> Memo {
        Memo {
            hasher: RandomState::with_seeds(seed, seed.rotate_left(17), !seed, 0x51_7C_C1_B7_27_22_0A_95),
            buckets: vec![[EMPTY; WAYS]; BUCKETS],
            bytes: Vec::new(),
            turn: 0,
        }
    }

    /// Hash of a value.
    #[inline]
    #[must_use]
    pub fn hash(&self, field: FieldId, kind: Kind, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(bytes);
        hasher.write_u32(u32::from(field.0) << 8 | kind as u32);
        hasher.finish()
    }

    /// The set of a value, if it is remembered.
    #[inline]
    #[must_use]
    pub fn get(&self, hash: u64, field: FieldId, kind: Kind, bytes: &[u8]) -> Option<SetId> {
        let bucket = &self.buckets[hash as usize & (BUCKETS - 1)];
        let entry = bucket.iter().find(|entry| {
            entry.hash == hash
                && entry.field == field
                && entry.kind == kind
                && entry.len as usize == bytes.len()
                && self.bytes[entry.start as usize..][..bytes.len()] == *bytes
        })?;
        Some(entry.set)
    }

    /// Remembers the set of a value.
    pub fn insert(&mut self, hash: u64, field: FieldId, kind: Kind, bytes: &[u8], set: SetId) {
        if self.bytes.len() + bytes.len() > BYTES_MAX {
            self.forget();
        }
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        let bucket = &mut self.buckets[hash as usize & (BUCKETS - 1)];
        let free = bucket.iter().position(|entry| entry.len == u32::MAX);
        let way = free.unwrap_or_else(|| {
            self.turn = (self.turn + 1) % WAYS;
            self.turn
        });
        bucket[way] = Entry { hash, start, len: bytes.len() as u32, field, kind, set };
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        self.buckets.fill([EMPTY; WAYS]);
        self.bytes.clear();
    }

    /// The random number that stands for a set of atoms in signatures.
    #[must_use]
    pub fn number(&self, atoms: &[AtomId]) -> u128 {
        let high = self.hasher.hash_one((atoms, 1_u8));
        let low = self.hasher.hash_one((atoms, 2_u8));
        u128::from(high) << 64 | u128::from(low)
    }
}
