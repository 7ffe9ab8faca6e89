//! The seam to formats: one record's bytes become one row.

use tocsin_core::batch::{EventBatch, Reason};
use tocsin_core::time::Timestamp;

use crate::row::Row;
use crate::taxonomy::Taxonomy;

/// Why a format does not take a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub reason: Reason,
    /// Byte within the record where reading stopped.
    pub at: usize,
    /// Field being read there.
    pub field: Option<Box<str>>,
}

impl Refusal {
    /// A refusal at a byte of the record.
    #[must_use]
    pub fn new(reason: Reason, at: usize) -> Refusal {
        Refusal { reason, at, field: None }
    }
}

/// One record within its batch.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// All bytes of the batch.
    pub bytes: &'a [u8],
    /// First byte of the record.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
    /// Reference time, should the record have no year.
    pub reference: Timestamp,
}

impl<'a> Record<'a> {
    /// The record's text.
    #[must_use]
    pub fn text(&self) -> &'a [u8] {
        &self.bytes[self.start..self.end]
    }
}

/// What a format must know to be built.
#[derive(Clone, Debug)]
pub struct FormatContext {
    /// The wanted fields.
    pub taxonomy: Taxonomy,
    /// Reference time for lines without a year: they get the latest year that puts them at or
    /// before it + 24 h.
    pub as_of: Timestamp,
}

/// Reads records of one format. One per decoder; it may keep caches.
pub trait Format: Send {
    /// Reads one record into the row: puts its values, sets its time, states what it knows. The
    /// caller has called [`Row::begin`] and will call [`Row::finish`], or [`Row::abandon`] after
    /// a refusal. The record is valid UTF-8.
    ///
    /// # Errors
    /// A [`Refusal`] when the record is not of this format.
    fn read(&mut self, record: Record<'_>, row: &mut Row, batch: &mut EventBatch) -> Result<(), Refusal>;
}
