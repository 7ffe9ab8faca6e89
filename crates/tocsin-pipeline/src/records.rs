//! The seam to records already read: an alert shows its evidence, which nobody keeps in memory.

use tocsin_core::offset::{PartitionId, Position};

/// Finds records again by position.
pub trait Records {
    /// Whether records of a partition must be kept, because it cannot be read again.
    fn must_keep(&self, partition: PartitionId) -> bool;

    /// Notes a record that may be asked for later.
    fn keep(&mut self, position: Position, record: &[u8]);

    /// The record at a position, or `None` when it cannot be read again.
    fn read(&mut self, position: Position) -> Option<Vec<u8>>;
}
