//! How far event time has come: per partition the newest event seen less the lateness, for the
//! tenant the minimum over its active partitions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chain::watermark_above;
use crate::offset::PartitionId;
use crate::time::{Span, Timestamp};

/// The watermarks of one tenant's partitions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Watermarks {
    newest: BTreeMap<PartitionId, Timestamp>,
    reached: Option<Timestamp>,
    /// The watermark at which state that nothing touched was last looked at.
    ticked: Option<Timestamp>,
    /// When the tenant's last batch was taken in; none in scans.
    taken_in: Option<Timestamp>,
    /// The watermarks of rules over rules, from level 1 on.
    above: Vec<Timestamp>,
}

/// The clock of one partition while one of its batches is taken in: what [`Watermarks`] says,
/// without a look-up per event.
#[derive(Clone, Copy, Debug)]
pub struct PartitionClock {
    newest: Timestamp,
    /// The least newest time of all other partitions.
    others: Timestamp,
    reached: Timestamp,
    lateness: Span,
    /// When the batch was taken in: no sender's clock counts beyond it.
    taken_in: Option<Timestamp>,
}

impl PartitionClock {
    /// Notes an event time; gives the watermark after it.
    #[inline]
    pub fn observe(&mut self, time: Timestamp) -> Timestamp {
        self.newest = self.newest.max(time.min(self.taken_in.unwrap_or(Timestamp::MAX)));
        self.reached = self.reached.max(self.newest.min(self.others).minus(self.lateness));
        self.reached
    }

    /// Newest event time of the partition.
    #[must_use]
    pub fn newest(&self) -> Timestamp {
        self.newest
    }
}

impl Watermarks {
    /// Makes a partition known before its first event, so that the minimum waits for it.
    pub fn expect(&mut self, partition: PartitionId) {
        self.newest.entry(partition).or_insert(Timestamp::MIN);
    }

    /// The clock of a partition, to take in one of its batches, which came at `taken_in`.
    #[must_use]
    pub fn clock(
        &self,
        partition: PartitionId,
        lateness: Span,
        taken_in: Option<Timestamp>,
    ) -> PartitionClock {
        let others = self.newest.iter().filter(|(other, _)| **other != partition).map(|(_, newest)| *newest);
        PartitionClock {
            newest: self.newest.get(&partition).copied().unwrap_or(Timestamp::MIN),
            others: others.min().unwrap_or(Timestamp::MAX),
            reached: self.reached(),
            lateness,
            taken_in,
        }
    }

    /// Takes over what a clock has come to.
    pub fn accept(&mut self, partition: PartitionId, clock: PartitionClock) {
        self.newest.insert(partition, clock.newest);
        self.reached = Some(clock.reached);
        self.taken_in = self.taken_in.max(clock.taken_in);
    }

    /// Time passes without events: a tenant from whom nothing came for `idle` no longer holds its
    /// own watermark back. Gives the watermark where that is so.
    pub fn pass(&mut self, now: Timestamp, idle: Span, lateness: Span) -> Option<Timestamp> {
        if self.taken_in?.plus(idle) > now {
            return None;
        }
        let reached = self.reached().max(now.minus(lateness));
        self.reached = Some(reached);
        Some(reached)
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

    /// Whether time is to pass in all shards now: at most once a second of event time, and at the
    /// end. A shard without signals has only expiry to do.
    pub fn tick(&mut self, watermark: Timestamp) -> bool {
        let due = self.ticked.is_none_or(|ticked| watermark >= ticked.plus(Span::seconds(1)));
        if due {
            self.ticked = Some(watermark);
        }
        due || watermark == Timestamp::MAX
    }

    /// The watermark of a level: that of the tenant, or of rules over rules.
    #[must_use]
    pub fn of_level(&self, level: u8) -> Timestamp {
        match usize::from(level).checked_sub(1) {
            None => self.reached(),
            Some(above) => self.above.get(above).copied().unwrap_or(Timestamp::MIN),
        }
    }

    /// A tick has gone through the level below: gives the watermark of this one.
    pub fn raise_level(&mut self, level: u8) -> Timestamp {
        let raised = self.of_level(level).max(watermark_above(self.of_level(level.saturating_sub(1))));
        if let Some(above) = usize::from(level).checked_sub(1) {
            self.above.resize(self.above.len().max(above + 1), Timestamp::MIN);
            self.above[above] = raised;
        }
        raised
    }

    /// The watermark as it stood at the last [`Watermarks::advance`].
    #[must_use]
    pub fn reached(&self) -> Timestamp {
        self.reached.unwrap_or(Timestamp::MIN)
    }
}
