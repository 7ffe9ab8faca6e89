//! The seam to decoding: bytes become events.

use crate::batch::{EventBatch, RawBatch};

/// Turns records into events, filling only slots somebody asked for. One per worker; it may keep
/// scratch space and caches, none of which may change a result.
///
/// ```text
/// loop { let batch = decoder.decode(source.next()?); engine.step(batch); }
/// ```
pub trait Decoder: Send {
    /// Decodes a batch. Unreadable records end up in `quarantined`; decoding never fails.
    fn decode(&mut self, raw: RawBatch) -> EventBatch;
}
