//! Sigma correlations `temporal` and `temporal_ordered`: different rules seen within the timespan,
//! in any order or in the order they are named, per key.
//!
//! Source: Sigma correlation specification v2.1.0. One event never plays two parts of an ordered
//! sequence; events of one time stand in the order of their positions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use tocsin_core::correlation::SeenLogic;
use tocsin_core::detector::Detector;
use tocsin_core::machine::{Contributing, Entries, Entry, Machine, fold_quanta, fold_repeats};
use tocsin_core::time::{Span, Timestamp};

use crate::closing::{self, Tally};
use crate::registry::{Build, DetectorEntry, Value};
use crate::windowed;

/// The registration of this detector.
pub const ENTRY: DetectorEntry = DetectorEntry {
    name: "sequence",
    types: &["temporal", "temporal_ordered"],
    value: Value::Nothing,
    build,
};

/// A burst of one part beyond all bounds keeps its ends in each of so many parts of the timespan.
const QUANTA: i64 = 64;

/// The rules in any order.
struct Temporal {
    needed: SeenLogic,
    /// How many of them, instead.
    at_least: Option<u64>,
    timespan: Span,
}

/// The rules one after the other. Their roles count from the last rule (see
/// [`crate::registry::role`]): of one event that meets several the later parts come first, so that
/// it cannot go on with itself.
struct Ordered {
    length: usize,
    timespan: Span,
}

fn build(request: Build<'_>) -> Result<Arc<dyn Detector>, String> {
    let spec = request.spec;
    let all = || SeenLogic::And((0..spec.references).map(SeenLogic::Seen).collect());
    if spec.kind == "temporal_ordered" {
        if spec.seen.is_some() || !spec.condition.is_empty() {
            return Err("`temporal_ordered` needs all its rules in order and takes no condition".to_string());
        }
        let machine = Ordered { length: usize::from(spec.references), timespan: spec.timespan };
        return Ok(windowed::detector(machine, request));
    }
    let needed = spec.seen.clone().unwrap_or_else(all);
    if !spec.condition.is_empty() && !spec.rises() || needs_absence(&needed) {
        return closing::detector(Tally::Seen(spec.seen.clone()), request);
    }
    let at_least = if spec.condition.is_empty() { None } else { Some(spec.rising_threshold()?) };
    Ok(windowed::detector(Temporal { needed, at_least, timespan: spec.timespan }, request))
}

fn needs_absence(logic: &SeenLogic) -> bool {
    match logic {
        SeenLogic::Seen(_) => false,
        SeenLogic::Not(_) => true,
        SeenLogic::And(parts) | SeenLogic::Or(parts) => parts.iter().any(needs_absence),
    }
}

/// Whether a condition over rules holds, given which were seen.
pub(crate) fn holds(logic: &SeenLogic, seen: &impl Fn(u8) -> bool) -> bool {
    match logic {
        SeenLogic::Seen(role) => seen(*role),
        SeenLogic::Not(inner) => !holds(inner, seen),
        SeenLogic::And(parts) => parts.iter().all(|part| holds(part, seen)),
        SeenLogic::Or(parts) => parts.iter().any(|part| holds(part, seen)),
    }
}

/// Of each rule the entry seen last, oldest first, and the last entry that was handed out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Seen {
    last: SmallVec<[Entry; 1]>,
    handed_out: Option<Entry>,
}

impl Temporal {
    fn holds(&self, state: &Seen) -> bool {
        match self.at_least {
            Some(least) => state.last.len() as u64 >= least,
            None => holds(&self.needed, &|role| state.last.iter().any(|entry| entry.role == role)),
        }
    }
}

impl Machine for Temporal {
    type State = Seen;

    fn advance(&self, state: &mut Seen, entry: &Entry) -> bool {
        let since = entry.time.minus(self.timespan);
        state.last.retain(|other| other.role != entry.role && other.time >= since);
        state.last.push(*entry);
        self.holds(state)
    }

    fn advance_late(&self, state: &mut Seen, entry: &Entry) -> Option<Timestamp> {
        let newest = state.last.last().map_or(entry.time, |last| last.time);
        let known = state.last.iter().any(|other| other.role == entry.role && other.time >= entry.time);
        if entry.time < newest.minus(self.timespan) || known {
            return None;
        }
        state.last.retain(|other| other.role != entry.role);
        let at = state.last.partition_point(|other| *other <= *entry);
        state.last.insert(at, *entry);
        state.last.last().map(|last| last.time).filter(|_| self.holds(state))
    }

    fn in_window(&self, state: &Seen) -> u64 {
        state.last.len() as u64
    }

    fn contributing(&self, state: &mut Seen, which: Contributing, out: &mut Vec<Entry>) {
        let fresh = |entry: &&Entry| which == Contributing::All || Some(**entry) > state.handed_out;
        out.extend(state.last.iter().filter(fresh));
        state.handed_out = state.last.last().copied();
    }

    fn possible(&self, _: &Seen, more: u64) -> bool {
        more > 0
    }

    fn lasts_until(&self, state: &Seen) -> Timestamp {
        state.last.last().map_or(Timestamp::MIN, |last| last.time.plus(self.timespan))
    }

    fn counts_on_ingest(&self) -> bool {
        true
    }

    fn kept(&self, state: &Seen, out: &mut Vec<Entry>) {
        out.extend_from_slice(&state.last);
    }

    fn heap_bytes(&self, state: &Seen) -> usize {
        if state.last.spilled() { state.last.capacity() * size_of::<Entry>() } else { 0 }
    }

    fn expire(&self, state: &mut Seen, now: Timestamp) -> bool {
        state.last.retain(|entry| entry.time >= now.minus(self.timespan));
        state.last.is_empty()
    }

    fn fold(&self, waiting: &mut Entries, boundary: Option<Timestamp>) {
        fold_repeats(waiting, boundary, self.timespan, |entry| u64::from(entry.role));
    }
}

/// For each beginning of the sequence, by its length less one, the entries that make it: of all
/// such runs the one that began last, which outlives the others.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Runs {
    by_length: SmallVec<[SmallVec<[Entry; 1]>; 1]>,
    newest: Option<Timestamp>,
}

impl Machine for Ordered {
    type State = Runs;

    fn advance(&self, state: &mut Runs, entry: &Entry) -> bool {
        state.newest = Some(entry.time);
        let Some(part) = self.length.checked_sub(1 + usize::from(entry.role)) else { return false };
        let since = entry.time.minus(self.timespan);
        let mut run = match part.checked_sub(1) {
            None => SmallVec::new(),
            Some(before) => match state.by_length.get(before) {
                Some(run) if follows(run, entry, since) => run.clone(),
                _ => return false,
            },
        };
        run.push(*entry);
        if state.by_length.len() <= part {
            state.by_length.resize_with(part + 1, SmallVec::new);
        }
        state.by_length[part] = run;
        part + 1 == self.length
    }

    /// What came late cannot be put between what was judged already.
    fn advance_late(&self, _: &mut Runs, _: &Entry) -> Option<Timestamp> {
        None
    }

    fn in_window(&self, _: &Runs) -> u64 {
        self.length as u64
    }

    /// The entries of the run that is complete; while an episode goes on only its last one is new.
    fn contributing(&self, state: &mut Runs, which: Contributing, out: &mut Vec<Entry>) {
        let Some(run) = self.length.checked_sub(1).and_then(|at| state.by_length.get(at)) else { return };
        match which {
            Contributing::All => out.extend_from_slice(run),
            Contributing::Fresh => out.extend(run.last()),
        }
    }

    fn possible(&self, _: &Runs, more: u64) -> bool {
        more > 0
    }

    fn lasts_until(&self, state: &Runs) -> Timestamp {
        state.newest.map_or(Timestamp::MIN, |newest| newest.plus(self.timespan))
    }

    fn needs_company(&self, role: u8) -> bool {
        usize::from(role) + 1 < self.length
    }

    fn counts_on_ingest(&self) -> bool {
        true
    }

    fn kept(&self, state: &Runs, out: &mut Vec<Entry>) {
        out.extend(state.by_length.iter().flatten());
    }

    fn heap_bytes(&self, state: &Runs) -> usize {
        let runs = state.by_length.iter().map(|run| size_of_val(run) + run.len() * size_of::<Entry>());
        runs.sum()
    }

    fn expire(&self, state: &mut Runs, now: Timestamp) -> bool {
        state.newest.is_none_or(|newest| newest.plus(self.timespan) <= now)
    }

    fn fold(&self, waiting: &mut Entries, boundary: Option<Timestamp>) {
        fold_quanta(waiting, boundary, Span(self.timespan.0 / QUANTA));
    }
}

/// Whether an entry goes on with a run, all of it no older than `since`.
fn follows(run: &[Entry], entry: &Entry, since: Timestamp) -> bool {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return false };
    first.time >= since && (last.time, last.position) < (entry.time, entry.position)
}

#[cfg(test)]
mod tests {
    use tocsin_core::machine::DelayMs;
    use tocsin_core::offset::{PartitionId, Position};

    use super::*;

    /// A story of one event a second, each named by the letter of its rule; events in brackets are
    /// one event that meets several rules. Gives the seconds at which the machine holds.
    fn seconds<M: Machine>(machine: &M, role_of: impl Fn(u8) -> u8, story: &str) -> Vec<i64> {
        let (mut entries, mut second, mut inside) = (Vec::new(), 0, false);
        for letter in story.chars() {
            let role = role_of(match letter {
                '(' | ')' => {
                    inside = letter == '(';
                    second += i64::from(letter == ')');
                    continue;
                }
                '.' => {
                    second += 1;
                    continue;
                }
                letter => letter as u8 - b'a',
            });
            let time = Timestamp(second * 1_000_000_000);
            let position = Position::new(PartitionId(0), second as u64);
            entries.push(Entry { time, position, value: 0, delay: DelayMs::default(), role, weight: 1 });
            second += i64::from(!inside);
        }
        entries.sort_unstable();
        let mut state = M::State::default();
        let holds = entries.iter().filter(|entry| machine.advance(&mut state, entry));
        holds.map(|entry| entry.time.0 / 1_000_000_000).collect()
    }

    #[test]
    fn a_temporal_correlation_needs_all_rules_in_any_order() {
        let needed = SeenLogic::And((0..3).map(SeenLogic::Seen).collect());
        let machine = Temporal { needed, at_least: None, timespan: Span::seconds(5) };
        for (story, expect) in [
            ("abc", vec![2]),
            ("cba", vec![2]),
            ("aabbc", vec![4]),
            ("ab....c", vec![]),
            ("a.b..c", vec![5]),
            ("(abc)", vec![0]),
            ("abca", vec![2, 3]),
        ] {
            assert_eq!(seconds(&machine, |role| role, story), expect, "{story}");
        }
    }

    #[test]
    fn a_temporal_correlation_counts_different_rules() {
        let needed = SeenLogic::And(Vec::new());
        let machine = Temporal { needed, at_least: Some(2), timespan: Span::seconds(5) };
        for (story, expect) in [("aaab", vec![3]), ("aaaa", vec![]), ("a.....b", vec![]), ("ac", vec![1])] {
            assert_eq!(seconds(&machine, |role| role, story), expect, "{story}");
        }
    }

    #[test]
    fn an_ordered_sequence_needs_its_order() {
        let machine = Ordered { length: 3, timespan: Span::seconds(5) };
        for (story, expect) in [
            ("abc", vec![2]),
            ("acb", vec![]),
            ("acbc", vec![3]),
            ("cab.c", vec![4]),
            ("abb.c", vec![4]),
            ("a..ab..c", vec![7]),
            ("ab....c", vec![]),
            ("(ab)c", vec![]),
            ("a(ab)c", vec![2]),
            ("abcc", vec![2, 3]),
        ] {
            assert_eq!(seconds(&machine, |role| 2 - role, story), expect, "{story}");
        }
    }
}
