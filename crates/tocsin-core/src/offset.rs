//! Where a record came from: its partition and its place in it. Total order of events is
//! (event time, partition, offset); the position is also what names an event.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One ordered input: a file, a journal partition. Ids are given in the order of the partitions'
/// names, so that comparing ids compares names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionId(pub u16);

/// Who sent what lies in a partition, where several do: an API key. Each has a clock of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceId(pub u64);

impl SourceId {
    /// The id of a name, the same everywhere.
    #[must_use]
    pub fn of(name: &str) -> SourceId {
        let mut first = [0; 8];
        first.copy_from_slice(&blake3::hash(name.as_bytes()).as_bytes()[..8]);
        SourceId(u64::from_le_bytes(first))
    }
}

/// A record's partition and its byte offset there, packed so that it orders like the pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position(u64);

const OFFSET_BITS: u32 = 48;

impl Position {
    /// Packs a partition and an offset in bytes (below 2^48: 256 TiB of one input).
    #[must_use]
    pub fn new(partition: PartitionId, offset: u64) -> Position {
        let offset = offset & ((1 << OFFSET_BITS) - 1);
        Position(u64::from(partition.0) << OFFSET_BITS | offset)
    }

    /// All of it in one number, and back.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn from_bits(bits: u64) -> Position {
        Position(bits)
    }

    /// The partition.
    #[must_use]
    pub fn partition(self) -> PartitionId {
        PartitionId((self.0 >> OFFSET_BITS) as u16)
    }

    /// The byte offset in the partition.
    #[must_use]
    pub fn offset(self) -> u64 {
        self.0 & ((1 << OFFSET_BITS) - 1)
    }
}

impl fmt::Display for Position {
    /// `partition:offset`, the event id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition().0, self.offset())
    }
}

/// The stretch `(from, to]` of a partition that a batch covers, in bytes. It travels with the
/// batch through every stage to the commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetRange {
    /// First byte covered.
    pub from: u64,
    /// One past the last byte covered.
    pub to: u64,
}
