//! The seam to the journal: what was accepted, in one order, durable before it is acknowledged.
//!
//! ```text
//! loop {
//!     for frame in group { appended = journal.append(frame)? }
//!     journal.sync()?;                       // then, and only then: acknowledge, hand on
//! }
//! ```
//!
//! An error means that nothing since the last sync counts: the journal has forgotten those frames,
//! nobody is acknowledged, and the next append may succeed again. Everything the engine does is a
//! function of these frames, so all that is not determined by them is a frame itself.

use thiserror::Error;
use tocsin_core::batch::RawBatch;
use tocsin_core::time::Timestamp;

use crate::rules::RuleSetId;

/// A request that may be repeated by its sender, remembered so that a repeat changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestMark {
    /// Hash of the idempotency key.
    pub key: [u8; 16],
    /// Hash of the body.
    pub body: [u8; 16],
    /// Records of it that were accepted.
    pub accepted: u32,
    /// The answer, to be given again.
    pub reply: Box<[u8]>,
}

/// A frame to write.
#[derive(Clone, Copy, Debug)]
pub enum NewFrame<'a> {
    /// Accepted records of one tenant and source. `raw.records` has no blank ones; `raw.ingest` is
    /// there.
    Events {
        /// Name of the tenant.
        tenant: &'a str,
        /// Name of the source: what has a watermark of its own.
        source: &'a str,
        /// The records.
        raw: &'a RawBatch,
        /// The requests they came by, where those may be repeated.
        requests: &'a [RequestMark],
    },
    /// Time passed without events.
    Tick(Timestamp),
    /// A rule set became active: frames before it were taken in under the one before.
    Rules {
        /// Names the set.
        id: RuleSetId,
        /// When.
        at: Timestamp,
        /// On whose behalf.
        by: &'a str,
    },
}

/// A frame as read. Equal to what was written.
#[derive(Debug)]
pub struct Frame {
    /// Where it begins in the journal.
    pub start: u64,
    /// One past its last byte. The next one begins there, or a little behind it where a new file
    /// begins.
    pub end: u64,
    /// What it holds.
    pub body: FrameBody,
}

/// What a frame holds.
#[derive(Debug)]
pub enum FrameBody {
    /// Accepted records; see [`NewFrame::Events`].
    Events {
        /// Name of the tenant.
        tenant: String,
        /// Name of the source.
        source: String,
        /// The records. `raw.offsets` are places in the journal; `raw.tenant` is left to who knows
        /// the numbers.
        raw: RawBatch,
        /// The requests they came by.
        requests: Vec<RequestMark>,
    },
    /// Time passed without events.
    Tick(Timestamp),
    /// A rule set became active; see [`NewFrame::Rules`].
    Rules {
        /// Names the set.
        id: RuleSetId,
        /// When.
        at: Timestamp,
        /// On whose behalf.
        by: String,
    },
}

/// Where an appended frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Where the frame begins.
    pub start: u64,
    /// Where the bytes of its records begin: `raw.offsets.from` of the batch handed on.
    pub records_at: u64,
    /// One past its last byte.
    pub end: u64,
}

/// Why the journal cannot take anything now.
#[derive(Debug, Error)]
pub enum JournalError {
    /// No room on the disk, or the journal's own bound is reached.
    #[error("{0}")]
    Full(String),
    /// The disk cannot be written.
    #[error("{0}")]
    Disk(String),
}

/// The writing end. One thread owns it.
pub trait Journal: Send {
    /// Writes a frame, not durable yet.
    ///
    /// # Errors
    /// [`JournalError`]; everything since the last sync is forgotten then.
    fn append(&mut self, frame: NewFrame<'_>) -> Result<Appended, JournalError>;

    /// Makes all appended frames durable.
    ///
    /// # Errors
    /// [`JournalError`]; everything since the last sync is forgotten then.
    fn sync(&mut self) -> Result<(), JournalError>;

    /// One past the last frame: no frame appended from now on begins before it.
    fn end(&self) -> u64;

    /// Nothing below this position is needed for a restart: as much of it as keeps the journal
    /// within its bound may go.
    fn release(&mut self, position: u64);
}
