//! How far event time has come: per partition the newest event seen less the lateness, for the
//! tenant the minimum over its active partitions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::offset::PartitionId;
use crate::time::{Span, Timestamp};

/// The watermarks of one tenant's partitions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Watermarks {
    newest: BTreeMap<PartitionId, Timestamp>,
    reached: Option<Timestamp>,
}

impl Watermarks {
    /// Makes a partition known before its first event, so that the minimum waits for it.
    pub fn expect(&mut self, partition: PartitionId) {
        self.newest.entry(partition).or_insert(Timestamp::MIN);
    }

    /// Newest event time of a partition.
    #[must_use]
    pub fn newest(&self, partition: PartitionId) -> Timestamp {
        self.newest.get(&partition).copied().unwrap_or(Timestamp::MIN)
    }

    /// Notes an event time of a partition.
    pub fn observe(&mut self, partition: PartitionId, time: Timestamp) {
        let newest = self.newest.entry(partition).or_insert(Timestamp::MIN);
        *newest = (*newest).max(time);
    }

    /// A partition has ended: it no longer holds the watermark back.
    pub fn leave(&mut self, partition: PartitionId) {
        self.newest.remove(&partition);
    }

    /// The tenant's watermark; it never goes back. Infinite once every partition has left.
    pub fn advance(&mut self, lateness: Span) -> Timestamp {
        let minimum = self.newest.values().min();
        let now = minimum.map_or(Timestamp::MAX, |newest| newest.minus(lateness));
        let reached = self.reached.map_or(now, |reached| reached.max(now));
        self.reached = Some(reached);
        reached
    }

    /// The watermark as it stood at the last [`Watermarks::advance`].
    #[must_use]
    pub fn reached(&self) -> Timestamp {
        self.reached.unwrap_or(Timestamp::MIN)
    }
}
