//! The seam to stateful rules: signals become detections.
//!
//! A [`Detector`] is one rule's plan, shared and immutable. Each of the virtual shards asks it for
//! a [`DetectorShard`], the state of the keys that shard owns:
//!
//! ```text
//! for batch in batches {                      // in order
//!     for shard in shards_with_signals { for rule in shard { rule.step(&context, signals, range, &mut found) } }
//! }
//! ```
//!
//! A shard never blocks, never fails and sees every signal once. Nobody else touches its state.

use thiserror::Error;

use crate::activation::HandOver;
use crate::batch::TenantId;
use crate::detection::Detection;
use crate::machine::Entry;
use crate::matcher::RuleIdx;
use crate::signal::Signals;
use crate::time::{Span, Timestamp};

/// When detections are handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emission {
    /// As they arise and change: provisional, open, superseded, withdrawn, closed.
    Live,
    /// Once, when the episode is closed (`scan`, `replay`).
    Closed,
}

/// What a step needs to know besides its signals.
#[derive(Clone, Copy, Debug)]
pub struct StepContext {
    /// The tenant's watermark after this step: no event at or before it is still expected.
    pub watermark: Timestamp,
    /// When the last batch or tick was taken in; [`Timestamp::MIN`] in scans.
    pub now: Timestamp,
    /// How far behind the watermark an event may still add or revise.
    pub grace: Span,
    /// When detections are handed out.
    pub emission: Emission,
    /// Bytes of state of the tenant in a shard.
    pub bytes_max: usize,
    /// Bytes a rule may have beyond its share, since the tenant has little state as yet.
    pub lent: usize,
    /// What they leave the rule that steps.
    pub room: StateRoom,
}

/// Bytes that one rule's state may take in one shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateRoom {
    /// Of keys, while every new one gets state.
    pub for_all: usize,
    /// Of these and the keys that the sketch admits.
    pub for_admitted: usize,
    /// Of all keys, before some lose their state.
    pub for_kept: usize,
    /// Of the sketch.
    pub for_sketch: usize,
}

impl StateRoom {
    /// So many bytes more for keys.
    #[must_use]
    pub fn and(self, more: usize) -> StateRoom {
        StateRoom {
            for_all: self.for_all + more,
            for_admitted: self.for_admitted + more,
            for_kept: self.for_kept + more,
            for_sketch: self.for_sketch,
        }
    }
}

/// Whose state it is, and how it is kept.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// The tenant.
    pub tenant: TenantId,
    /// Key of the hash tables of attacker-chosen strings.
    pub seed: u64,
    /// Whether other stateful rules count what this one finds.
    pub chained: bool,
}

/// What a step found.
#[derive(Debug, Default)]
pub struct Found {
    /// Detections that arose or changed.
    pub detections: Vec<Detection>,
    /// For rules that others count: every moment at which the condition held, once it is final.
    pub holds: Vec<Hold>,
    /// Rules that had no room for an event's key, each with the first such event.
    pub pressed: Vec<(RuleIdx, Entry)>,
}

impl Found {
    /// Takes in what another part found.
    pub fn append(&mut self, other: Found) {
        self.detections.extend(other.detections);
        self.holds.extend(other.holds);
        self.pressed.extend(other.pressed);
    }
}

/// A moment at which a rule's condition held, for the rules that count it.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The rule.
    pub rule: RuleIdx,
    /// Its group key.
    pub key: Box<[u8]>,
    /// The event that completed the condition; its time is the moment.
    pub entry: Entry,
    /// Whether an episode began with it: one of these per alert.
    pub opens: bool,
}

/// A snapshot that does not fit the detector it is given to.
#[derive(Debug, Error)]
#[error("the snapshot of rule state cannot be read: {0}")]
pub struct SnapshotError(pub String);

/// One stateful rule.
pub trait Detector: Send + Sync {
    /// Fresh state of one owner for one shard.
    fn shard(&self, owner: Owner) -> Box<dyn DetectorShard>;

    /// Whether events too late for any window in event time count on ingest time.
    fn counts_on_ingest(&self) -> bool {
        false
    }
}

/// The state of one rule in one shard.
pub trait DetectorShard: Send {
    /// Takes in signals of this rule and advances to the context's watermark.
    fn step(&mut self, context: &StepContext, signals: &Signals, range: &[u32], out: &mut Found);

    /// All state as bytes: restoring them and going on gives what going on without would have.
    fn snapshot(&self) -> Vec<u8>;

    /// Replaces all state by a snapshot's.
    ///
    /// # Errors
    /// [`SnapshotError`] when the bytes are not a snapshot of this detector; the state is then
    /// unchanged.
    fn restore(&mut self, bytes: &[u8]) -> Result<(), SnapshotError>;

    /// Does its part where other rules become active.
    fn hand_over(&mut self, what: HandOver, context: &StepContext, out: &mut Found);

    /// Bytes of memory its keys take, about: tables and what hangs on them.
    fn bytes(&self) -> usize;

    /// Whether it counts in a sketch what it has no room for.
    fn is_pressed(&self) -> bool;

    /// Keys held now, and keys dropped at a bound so far.
    fn usage(&self) -> Usage;
}

/// How much state a shard holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Keys held now.
    pub keys: u64,
    /// Keys dropped because a bound was reached.
    pub evicted: u64,
    /// Events whose key found no room, so that they are only estimated.
    pub sketched: u64,
    /// Bytes all of it takes, about.
    pub bytes: u64,
}

impl Usage {
    /// The same of both together.
    #[must_use]
    pub fn and(self, other: Usage) -> Usage {
        Usage {
            keys: self.keys + other.keys,
            evicted: self.evicted + other.evicted,
            sketched: self.sketched + other.sketched,
            bytes: self.bytes + other.bytes,
        }
    }
}
