//! How far event time has come: per source the newest event seen less the lateness, for the tenant
//! the minimum over its active sources.
//!
//! A live source that sends nothing for a while, or whose clock lies far behind the others, no longer
//! holds the tenant back; what it sends then is late. In scans every source is waited for to its end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chain::watermark_above;
use crate::limits::SOURCES_PER_TENANT_MAX;
use crate::offset::{PartitionId, SourceId};
use crate::time::{Span, Timestamp};

/// How far a live source's newest event may lie behind the tenant's before nobody waits for it.
const BEHIND_MAX: Span = Span::seconds(300);

/// The watermarks of one tenant's sources.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Watermarks {
    sources: BTreeMap<(PartitionId, SourceId), Source>,
    reached: Option<Timestamp>,
    /// The watermark at which state that nothing touched was last looked at.
    ticked: Option<Timestamp>,
    /// When the tenant's last batch was taken in; none in scans.
    taken_in: Option<Timestamp>,
    /// The watermarks of rules over rules, from level 1 on.
    above: Vec<Timestamp>,
}

/// How far one source has come.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Source {
    newest: Timestamp,
    /// When its last batch was taken in; none in scans.
    taken_in: Option<Timestamp>,
}

/// How long sources are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How late an event may be behind its source's newest.
    pub lateness: Span,
    /// How long a live source may send nothing.
    pub idle: Span,
}

/// The clock of one source while one of its batches is taken in: what [`Watermarks`] says, without
/// a look-up per event.
#[derive(Clone, Copy, Debug)]
pub struct SourceClock {
    newest: Timestamp,
    /// The least newest time of all other active sources.
    others: Timestamp,
    /// The newest time of all other sources.
    foremost: Timestamp,
    reached: Timestamp,
    lateness: Span,
    /// When the batch was taken in: no sender's clock counts beyond it.
    taken_in: Option<Timestamp>,
}

impl SourceClock {
    /// Notes an event time; gives the watermark after it.
    #[inline]
    pub fn observe(&mut self, time: Timestamp) -> Timestamp {
        self.newest = self.newest.max(time.min(self.taken_in.unwrap_or(Timestamp::MAX)));
        let far_behind = self.taken_in.is_some() && self.newest.plus(BEHIND_MAX) < self.foremost;
        let least = if far_behind { self.others } else { self.newest.min(self.others) };
        if least < Timestamp::MAX {
            self.reached = self.reached.max(least.minus(self.lateness));
        }
        self.reached
    }

    /// Newest event time of the source.
    #[must_use]
    pub fn newest(&self) -> Timestamp {
        self.newest
    }
}

impl Watermarks {
    /// Makes a partition known before its first event, so that the minimum waits for it.
    pub fn expect(&mut self, partition: PartitionId) {
        let unseen = Source { newest: Timestamp::MIN, taken_in: None };
        self.sources.entry((partition, SourceId::default())).or_insert(unseen);
    }

    /// The clock of a source, to take in one of its batches, which came at `taken_in`.
    #[must_use]
    pub fn clock(
        &self,
        source: (PartitionId, SourceId),
        patience: Patience,
        taken_in: Option<Timestamp>,
    ) -> SourceClock {
        let others = || self.sources.iter().filter(|(other, _)| **other != source).map(|(_, other)| *other);
        let foremost = others().map(|other| other.newest).max().unwrap_or(Timestamp::MIN);
        let own = self.sources.get(&source).map_or(Timestamp::MIN, |own| own.newest);
        let active = |other: &Source| other.is_active(taken_in, patience.idle, foremost.max(own));
        let least = others().filter(active).map(|other| other.newest).min();
        SourceClock {
            newest: own,
            others: least.unwrap_or(Timestamp::MAX),
            foremost,
            reached: self.reached(),
            lateness: patience.lateness,
            taken_in,
        }
    }

    /// Takes over what a clock has come to.
    pub fn accept(&mut self, source: (PartitionId, SourceId), clock: SourceClock) {
        self.sources.insert(source, Source { newest: clock.newest, taken_in: clock.taken_in });
        self.reached = Some(clock.reached);
        self.taken_in = self.taken_in.max(clock.taken_in);
        if self.sources.len() > SOURCES_PER_TENANT_MAX {
            let oldest = self.sources.iter().min_by_key(|(_, source)| source.taken_in).map(|(id, _)| *id);
            oldest.map(|oldest| self.sources.remove(&oldest));
        }
    }

    /// Time passes without events: sources from which nothing came for `idle` no longer hold the
    /// watermark back. Gives it where it moves.
    pub fn pass(&mut self, now: Timestamp, patience: Patience) -> Option<Timestamp> {
        self.taken_in?;
        let foremost = self.sources.values().map(|source| source.newest).max()?;
        let active = |source: &&Source| source.is_active(Some(now), patience.idle, foremost);
        let least = self.sources.values().filter(active).map(|source| source.newest).min();
        let reached = least.unwrap_or(now).min(now).minus(patience.lateness);
        let moves = reached > self.reached();
        if moves {
            self.reached = Some(reached);
        }
        moves.then_some(reached)
    }

    /// A partition has ended: it no longer holds the watermark back.
    pub fn leave(&mut self, partition: PartitionId) {
        self.sources.retain(|(other, _), _| *other != partition);
    }

    /// The tenant's watermark; it never goes back. Infinite once every partition has left.
    pub fn advance(&mut self, lateness: Span) -> Timestamp {
        let minimum = self.sources.values().map(|source| source.newest).min();
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

impl Source {
    /// Whether the watermark waits for it.
    fn is_active(self, now: Option<Timestamp>, idle: Span, foremost: Timestamp) -> bool {
        match (self.taken_in, now) {
            (Some(taken_in), Some(now)) => {
                taken_in.plus(idle) > now && self.newest.plus(BEHIND_MAX) >= foremost
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { lateness: Span::seconds(60), idle: Span::seconds(60) };

    fn second(second: i64) -> Timestamp {
        Timestamp(second * 1_000_000_000)
    }

    /// Takes in (source, arrival, event time) in seconds; gives the watermark after each.
    fn check(arrivals: &[(u64, i64, i64)], expect: &[i64]) {
        let mut marks = Watermarks::default();
        let mut got = Vec::new();
        for (source, arrival, time) in arrivals {
            let source = (PartitionId(0), SourceId(*source));
            let mut clock = marks.clock(source, PATIENCE, Some(second(*arrival)));
            got.push(clock.observe(second(*time)).0 / 1_000_000_000);
            marks.accept(source, clock);
        }
        assert_eq!(got, expect, "{arrivals:?}");
    }

    #[test]
    fn a_watermark_follows_the_slowest_active_source() {
        check(&[(1, 1_000, 1_000), (2, 1_001, 990), (1, 1_010, 1_010)], &[940, 940, 940]);
        check(
            &[(1, 1_000, 1_000), (2, 1_001, 990), (2, 1_050, 1_050), (1, 1_055, 1_055)],
            &[940, 940, 940, 990],
        );
    }

    #[test]
    fn a_source_that_sends_nothing_is_not_waited_for() {
        check(&[(1, 1_000, 1_000), (2, 1_001, 1_001), (2, 1_061, 1_061)], &[940, 940, 1_001]);
    }

    #[test]
    fn a_source_far_behind_is_not_waited_for() {
        check(&[(1, 1_000, 1_000), (2, 1_001, 1), (1, 1_002, 1_002)], &[940, 940, 942]);
    }

    #[test]
    fn a_sender_cannot_push_the_watermark_beyond_the_clock() {
        check(&[(1, 1_000, 9_000), (2, 1_001, 1_001), (2, 1_002, 1_002)], &[940, 940, 940]);
    }

    #[test]
    fn time_passes_without_events() {
        let mut marks = Watermarks::default();
        for (source, time) in [(1, 1_000), (2, 1_030)] {
            let source = (PartitionId(0), SourceId(source));
            let mut clock = marks.clock(source, PATIENCE, Some(second(time)));
            clock.observe(second(time));
            marks.accept(source, clock);
        }
        assert_eq!(marks.pass(second(1_050), PATIENCE), None);
        assert_eq!(marks.pass(second(1_061), PATIENCE), Some(second(970)));
        assert_eq!(marks.pass(second(1_100), PATIENCE), Some(second(1_040)));
    }
}
