//! The seam between "what condition" and "in what order".
//!
//! A [`Machine`] is the logic of one rule for one key, written as if events came in event-time
//! order. [`crate::keyed::Keyed`] makes that true: it holds events back until the watermark has
//! passed them, and keeps the episodes. So a detector is a page of logic, and every detector has
//! the same exact semantics under disorder.

use serde::Serialize;
use serde::de::DeserializeOwned;
use smallvec::SmallVec;

use crate::matcher::RuleIdx;
use crate::offset::Position;
use crate::signal::{Role, Signal};
use crate::time::{Span, Timestamp};

const NANOS_PER_MILLI: i64 = 1_000_000;

/// One event as a machine sees it. Ordered by (time, position): the total order of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
pub struct Entry {
    /// Event time.
    pub time: Timestamp,
    /// Where it came from.
    pub position: Position,
    /// What it brings: the hash of a value, or a number's bits; 0 where only events count.
    pub value: u64,
    /// How long after its event time it was taken in.
    pub delay: DelayMs,
    /// The part it plays for the rule.
    pub role: Role,
    /// How many events it stands for.
    pub weight: u32,
}

/// Entries of one key, in total order. Most keys never have more than one at a time, which then
/// needs no memory of its own.
pub type Entries = SmallVec<[Entry; 1]>;

impl Entry {
    /// The entry of a signal.
    #[must_use]
    pub fn of(signal: &Signal) -> Entry {
        Entry {
            time: signal.time,
            position: signal.position,
            value: signal.value,
            delay: DelayMs::between(signal.time, signal.ingest),
            role: signal.role,
            weight: signal.weight,
        }
    }

    /// A signal of a rule about this entry, with its key at that place.
    pub(crate) fn signal(
        &self,
        rule: RuleIdx,
        late_behind: Option<Timestamp>,
        key_start: u32,
        key_len: u32,
    ) -> Signal {
        Signal {
            rule,
            role: 0,
            late_behind,
            beyond: false,
            time: self.time,
            ingest: self.ingest(),
            position: self.position,
            weight: 1,
            value: 0,
            key_start,
            key_len,
        }
    }

    /// The same entry at the time it was taken in.
    #[must_use]
    pub fn on_ingest(&self) -> Entry {
        Entry { time: self.ingest(), delay: DelayMs::default(), ..*self }
    }

    /// When it was taken in, to the millisecond.
    #[must_use]
    pub fn ingest(&self) -> Timestamp {
        self.time.plus(self.delay.span())
    }
}

/// The time from one moment to another in whole milliseconds. Six bytes hold it, whatever the
/// moments (two times are less than 2^44 ms apart), and keep an [`Entry`] at 40 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
pub struct DelayMs([u8; 6]);

impl DelayMs {
    /// The time from `from` to `to`; below zero where `to` is earlier.
    #[must_use]
    pub fn between(from: Timestamp, to: Timestamp) -> DelayMs {
        DelayMs::of_ms(to.0.saturating_sub(from.0) / NANOS_PER_MILLI)
    }

    /// So many milliseconds, of which six bytes are kept.
    pub(crate) fn of_ms(ms: i64) -> DelayMs {
        let [a, b, c, d, e, f, ..] = ms.to_le_bytes();
        DelayMs([a, b, c, d, e, f])
    }

    pub(crate) fn ms(self) -> i64 {
        let [a, b, c, d, e, f] = self.0;
        // Shifted down again, so that the sign goes with it.
        i64::from_le_bytes([0, 0, a, b, c, d, e, f]) >> 16
    }

    /// The same as a span.
    #[must_use]
    pub fn span(self) -> Span {
        Span(self.ms() * NANOS_PER_MILLI)
    }
}

/// The condition of a stateful rule, for one key.
pub trait Machine: Send + Sync + 'static {
    /// What it remembers of a key.
    type State: Clone + Default + Serialize + DeserializeOwned + Send;

    /// Takes in the next entry in total order; says whether the condition holds at it.
    fn advance(&self, state: &mut Self::State, entry: &Entry) -> bool;

    /// Takes in an entry from behind the newest one; says at which time the condition holds
    /// because of it, if it does.
    fn advance_late(&self, state: &mut Self::State, entry: &Entry) -> Option<Timestamp>;

    /// Events in the window now, asked before [`Machine::contributing`].
    fn in_window(&self, state: &Self::State) -> u64;

    /// Appends the entries that make the condition hold: all there are, or only those not handed
    /// out before.
    fn contributing(&self, state: &mut Self::State, which: Contributing, out: &mut Vec<Entry>);

    /// Whether the condition could come to hold with so much more weight (a quick upper bound).
    /// A machine that never says so before the watermark has passed makes no provisional claims.
    fn possible(&self, state: &Self::State, more: u64) -> bool;

    /// Until when the state still matters if nothing more comes.
    fn lasts_until(&self, state: &Self::State) -> Timestamp;

    /// When the state is to be judged even if no entry comes: the last moment of a window whose
    /// end decides. [`Machine::judge`] follows once every entry up to then was taken in.
    fn due(&self, _state: &Self::State) -> Option<Timestamp> {
        None
    }

    /// Judges a window at its end; says whether the condition holds, and the entry that stands
    /// for it. `ended` says that there is no more input, so that nothing is missing.
    fn judge(&self, _state: &mut Self::State, _ended: bool) -> Option<Entry> {
        None
    }

    /// Weight of events from which on a key is worth exact counting when there is no room for every
    /// key; `None` where a count says nothing about the condition.
    fn admits_at(&self) -> Option<u64> {
        None
    }

    /// Begins with an upper bound of what was seen before the first entry: `weight` events, taken to
    /// be as new as the entry, so that nothing is missed. What follows from it is an estimate.
    fn begin_at(&self, _state: &mut Self::State, _entry: &Entry, _weight: u64) {}

    /// Bytes the state takes beyond its own size.
    fn heap_bytes(&self, _state: &Self::State) -> usize {
        0
    }

    /// The window, where events within a timespan are counted; for how long a sketch looks back.
    fn window(&self) -> Span {
        Span::seconds(3_600)
    }

    /// Whether events of a key that came back-dated count on ingest time too. Then
    /// [`Machine::kept`] says which were there before.
    fn counts_on_ingest(&self) -> bool {
        false
    }

    /// Appends the entries it remembers.
    fn kept(&self, _state: &Self::State, _out: &mut Vec<Entry>) {}

    /// Whether what it says now is an estimate.
    fn is_approximate(&self, _state: &Self::State) -> bool {
        false
    }

    /// Whether an entry of this role says nothing to a key that remembers nothing.
    fn needs_company(&self, _role: Role) -> bool {
        false
    }

    /// Drops what can no longer matter at a time; returns whether nothing is left.
    fn expire(&self, state: &mut Self::State, now: Timestamp) -> bool;

    /// Folds the middle of a burst among entries that wait, without changing any exact result.
    /// `boundary` is a time no fold may cross (the end of the open episode).
    fn fold(&self, waiting: &mut Entries, boundary: Option<Timestamp>);
}

/// Puts an entry where it belongs in the total order.
pub fn insert_sorted(waiting: &mut Entries, entry: Entry) {
    if waiting.last().is_none_or(|last| *last <= entry) {
        waiting.push(entry);
    } else {
        let at = waiting.partition_point(|other| *other <= entry);
        waiting.insert(at, entry);
    }
}

/// Which contributing entries are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contributing {
    /// All: an episode begins.
    All,
    /// Those not handed out before: an episode goes on.
    Fresh,
}

/// Folds entries of each bucket of length `bucket` beyond the first `head` and before the last
/// `tail` into the last of the head, by weight. With a bucket no longer than the window and
/// `tail` at least the threshold, every folded entry lies in windows where the condition holds,
/// so no result changes.
pub fn fold_buckets(
    waiting: &mut Entries,
    boundary: Option<Timestamp>,
    bucket: Span,
    head: usize,
    tail: usize,
) {
    let bucket_of = |entry: &Entry| {
        let beyond = boundary.is_some_and(|end| entry.time >= end);
        (entry.time.0.div_euclid(bucket.0.max(1)), beyond)
    };
    let mut folded = Entries::new();
    for same in waiting.chunk_by(|a, b| bucket_of(a) == bucket_of(b)) {
        let keep_head = same.len().min(head);
        let keep_tail = (same.len() - keep_head).min(tail);
        let middle = keep_head..same.len() - keep_tail;
        let weight: u64 = same[middle.clone()].iter().map(|entry| u64::from(entry.weight)).sum();
        folded.extend_from_slice(&same[..middle.start]);
        if let Some(last) = folded.last_mut().filter(|_| weight > 0) {
            last.weight = u32::try_from(u64::from(last.weight) + weight).unwrap_or(u32::MAX);
        }
        folded.extend_from_slice(&same[middle.end..]);
    }
    *waiting = folded;
}

/// Folds neighbouring entries of one time, partition and role beyond the first `head(role)` into
/// the last of those, by weight. Entries of one partition and time keep their order, so nothing
/// can arrive between them later.
pub fn fold_equal_times(waiting: &mut Entries, head: impl Fn(Role) -> usize) {
    let mut folded = Entries::new();
    let mut alike = 0;
    for entry in waiting.drain(..) {
        let same = |last: &Entry| {
            last.time == entry.time
                && last.position.partition() == entry.position.partition()
                && (last.role, last.value) == (entry.role, entry.value)
        };
        alike = if folded.last().is_some_and(same) { alike + 1 } else { 0 };
        match folded.last_mut().filter(|_| alike >= head(entry.role)) {
            Some(last) => last.weight = last.weight.saturating_add(entry.weight),
            None => folded.push(entry),
        }
    }
    *waiting = folded;
}

/// Folds entries that lie between two others of the same `what` no further apart than `span` into
/// the one before, by weight: any window of that length that holds the middle one holds one of the
/// two. So what was seen when, the last time, does not change.
pub fn fold_repeats(
    waiting: &mut Entries,
    boundary: Option<Timestamp>,
    span: Span,
    what: impl Fn(&Entry) -> u64,
) {
    // Per kind: the last one that stays, and one after it that may go once another comes.
    let mut last: hashbrown::HashMap<(u64, bool), (usize, Option<usize>)> = hashbrown::HashMap::new();
    let mut gone = vec![false; waiting.len()];
    for at in 0..waiting.len() {
        let entry = waiting[at];
        let beyond = boundary.is_some_and(|end| entry.time >= end);
        let known = last.entry((what(&entry), beyond)).or_insert((at, None));
        match *known {
            (kept, Some(middle)) if entry.time.0.saturating_sub(waiting[kept].time.0) <= span.0 => {
                let weight = waiting[kept].weight.saturating_add(waiting[middle].weight);
                waiting[kept].weight = weight;
                gone[middle] = true;
                *known = (kept, Some(at));
            }
            (_, Some(middle)) => *known = (middle, Some(at)),
            (kept, None) if kept != at => *known = (kept, Some(at)),
            (_, None) => {}
        }
    }
    let mut index = 0;
    waiting.retain(|_| {
        index += 1;
        !gone[index - 1]
    });
}

/// Of each role keeps the first and the last entry in every stretch of length `quantum`, the others
/// folded into the first by weight: times blur by no more than that.
pub fn fold_quanta(waiting: &mut Entries, boundary: Option<Timestamp>, quantum: Span) {
    let stretch = |entry: &Entry| entry.time.0.div_euclid(quantum.0.max(1)) as u64;
    fold_repeats(waiting, boundary, quantum, |entry| stretch(entry) << 8 | u64::from(entry.role));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_exact_to_the_millisecond_however_long() {
        let day = 86_400_000;
        for ms in [0, 1, -1, 25 * day, -25 * day, 36_525 * day, -36_525 * day, 100_000 * day] {
            let (from, to) = (Timestamp(-1_000_000), Timestamp(ms * NANOS_PER_MILLI - 1_000_000));
            assert_eq!(DelayMs::between(from, to).span(), Span(ms * NANOS_PER_MILLI), "{ms}");
        }
        let (first, last) = (Timestamp(i64::MIN), Timestamp(i64::MAX));
        assert_eq!(DelayMs::between(first, last).span().0, i64::MAX / NANOS_PER_MILLI * NANOS_PER_MILLI);
    }

    #[test]
    fn entries_stay_small() {
        assert_eq!(size_of::<Entry>(), 40);
    }
}
