//! What the records of a batch may say of time: how late an event may claim to be, and when an event
//! was that has no time of its own.

use crate::batch::RawBatch;
use crate::time::{Span, Timestamp};

/// How far an event's time may lie ahead of its ingest.
const FUTURE_MAX: Span = Span::seconds(60);

/// What the records of a batch may say of time.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Time of an event that has none of its own, where that is known before matching.
    pub stand_in: Option<Timestamp>,
    /// Latest time an event may claim.
    pub latest: Timestamp,
    /// Time of an event that has none of its own and no other before it.
    pub first: Timestamp,
}

impl Times {
    /// What this batch may say; `latest` bounds records that nobody knows the ingest of.
    ///
    /// Records taken in live stand where they came; those that tell of the past, recorded or sent
    /// again, stand where the newest event before them does.
    #[must_use]
    pub fn of(raw: &RawBatch, latest: Timestamp) -> Times {
        match (raw.ingest, raw.backfill) {
            (None, _) => Times { stand_in: None, latest, first: latest.minus(FUTURE_MAX) },
            (Some(ingest), true) => {
                let first = raw.reference.unwrap_or(ingest);
                Times { stand_in: None, latest: first.plus(FUTURE_MAX), first }
            }
            (Some(ingest), false) => {
                Times { stand_in: Some(ingest), latest: ingest.plus(FUTURE_MAX), first: ingest }
            }
        }
    }
}
