//! Signals: what a rule match sends to the shard that owns its key.

use crate::batch::TenantId;
use crate::matcher::RuleIdx;
use crate::offset::Position;
use crate::time::Timestamp;

/// What part a signal plays for the rule that receives it; each detector defines its own roles,
/// 0 being the events it counts.
pub type Role = u8;

/// One event's contribution to one rule and key.
#[derive(Clone, Copy, Debug)]
pub struct Signal {
    /// The rule that keeps state.
    pub rule: RuleIdx,
    /// The part this event plays.
    pub role: Role,
    /// Whether it came behind the watermark, and how far that was then.
    pub late_behind: Option<Timestamp>,
    /// Whether it came so far behind that no window in event time holds it any more.
    pub beyond: bool,
    /// Event time.
    pub time: Timestamp,
    /// When the event was taken in.
    pub ingest: Timestamp,
    /// Position of the event.
    pub position: Position,
    /// How many events it stands for.
    pub weight: u32,
    /// What it brings to be counted or added up (see [`crate::plan::ValueOf`]).
    pub value: u64,
    /// Range of its key in the key bytes beside the signals.
    pub key_start: u32,
    /// Length of its key.
    pub key_len: u32,
}

/// Signals of one tenant with the bytes of their keys.
#[derive(Debug, Default)]
pub struct Signals {
    /// Whose signals these are.
    pub tenant: TenantId,
    /// Whether they were taken in as they happened, so that their ingest time says something.
    pub live: bool,
    /// The signals, in order of (position, rule).
    pub list: Vec<Signal>,
    /// The keys' bytes.
    pub keys: Vec<u8>,
}

impl Signals {
    /// The key of one of these signals.
    #[must_use]
    pub fn key(&self, signal: &Signal) -> &[u8] {
        &self.keys[signal.key_start as usize..(signal.key_start + signal.key_len) as usize]
    }
}
