//! The seam to records already read: an alert shows its evidence, which nobody keeps in memory.

use tocsin_core::offset::Position;

/// Finds records again by position.
pub trait Records {
    /// Notes a record that may be asked for later. Stores that can read their input again do
    /// nothing here.
    fn keep(&mut self, position: Position, record: &[u8]);

    /// The record at a position, or `None` when it cannot be read again.
    fn read(&mut self, position: Position) -> Option<Vec<u8>>;
}
