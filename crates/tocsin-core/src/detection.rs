//! A detector's claim, with its evidence as positions.

use serde::{Deserialize, Serialize};

use crate::batch::TenantId;
use crate::matcher::RuleIdx;
use crate::offset::Position;
use crate::time::Timestamp;

/// How settled a detection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// The condition holds, but an event still on its way may move t0.
    Provisional,
    /// Final: t0 and with it the id never change; counts still rise.
    Open,
    /// The episode is over; nothing changes any more.
    Closed,
    /// A late event moved t0: this detection gives way to the next one of the same key.
    Superseded,
    /// A late event removed the condition.
    Withdrawn,
}

/// One of the events behind a detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Its event time.
    pub time: Timestamp,
    /// When it was taken in.
    pub ingest: Timestamp,
    /// Its position, by which the record can be read again.
    pub position: Position,
}

/// A rule's condition held for a key, in one episode.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// Whose events these are.
    pub tenant: TenantId,
    /// The rule.
    pub rule: RuleIdx,
    /// The group key (see [`crate::key`]).
    pub key: Box<[u8]>,
    /// How settled it is.
    pub phase: Phase,
    /// Event time of the event that completes the condition, in event-time order.
    pub t0: Timestamp,
    /// Position of that event.
    pub completing: Position,
    /// Time of the first contributing event.
    pub first_seen: Timestamp,
    /// Time of the last contributing event.
    pub last_seen: Timestamp,
    /// Distinct events that lay in a window while the condition held, since the episode began.
    pub count: u64,
    /// Events in the window at t0.
    pub in_window: u64,
    /// Contributing events in total order; bounded, the first ones kept.
    pub evidence: Vec<Evidence>,
    /// Whether an event that came behind the watermark contributed.
    pub late: bool,
    /// Whether a number in it is an estimate.
    pub approximate: bool,
    /// The clock its window lay on.
    pub clock: Clock,
}

/// What a window lies on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Clock {
    /// The senders' times.
    #[default]
    Event,
    /// When events were taken in: for keys whose events came back-dated.
    Ingest,
}
