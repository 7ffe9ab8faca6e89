//! The ways a story is played: cut into batches, shared between workers, restarted, told as it
//! happens, in another order of arrival. All of them must come to the same.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;
use tocsin_core::plan::Plan;
use tocsin_core::time::{Span, Timestamp};

use crate::play::{Played, Times, config, play};
use crate::report::Failure;
use crate::trace::{Record, Story};

/// Batches of a story that is cut into a few.
const FEW: usize = 16;

/// How much sooner than the lateness a record arrives at the latest, so that none is late.
const MARGIN: Span = Span::seconds(1);

/// How a story's records are cut into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// As long as possible.
    Whole,
    /// One record each.
    Single,
    /// A few.
    Few,
}

/// One way to play a story.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// What the story changes by, for messages.
    pub name: &'static str,
    /// How it is cut.
    pub cut: Cut,
    /// Workers that share the batches.
    pub workers: usize,
    /// Whether everything is restarted after each batch.
    pub restarts: bool,
    /// Whether detections are told as they arise, and taken back where they must be.
    pub live: bool,
}

/// The plain way, with which the others are compared.
pub const PLAIN: Way =
    Way { name: "in one batch", cut: Cut::Whole, workers: 1, restarts: false, live: false };

/// The other ways.
const OTHERS: [Way; 5] = [
    Way { name: "when each record is a batch of its own", cut: Cut::Single, ..PLAIN },
    Way { name: "when everything is restarted between batches", cut: Cut::Few, restarts: true, ..PLAIN },
    Way { name: "on two workers", cut: Cut::Few, workers: 2, ..PLAIN },
    Way { name: "on four workers", cut: Cut::Few, workers: 4, live: true, ..PLAIN },
    Way { name: "when alerts are told as they arise", cut: Cut::Single, live: true, ..PLAIN },
];

/// For stories in which nothing comes too late.
const MIXED: Way = Way { name: "in another order of arrival within the lateness", cut: Cut::Few, ..PLAIN };

/// Plays a story in every way: what came of it in the plain one, and what differs in the others.
#[must_use]
pub fn play_all(plan: &Arc<Plan>, story: &Story, times: Times) -> (Played, Vec<Failure>) {
    let played = play(plan, story, &PLAIN, times);
    let plain = comparable(&played);
    let mut failures = Vec::new();
    let mut compare = |story: &Story, way: &Way| {
        let other = play(plan, story, way, times);
        if comparable(&other) != plain {
            let then = (other.alerts.len(), matches(&other));
            let details = vec![
                format!("in one batch: {} alerts, {} matches", played.alerts.len(), matches(&played)),
                format!("        then: {} alerts, {} matches", then.0, then.1),
            ];
            let reason = format!("something else comes of the story {}", way.name);
            failures.push(Failure { line: 0, reason, details });
        }
    };
    OTHERS.iter().for_each(|way| compare(story, way));
    if let Some(mixed) = mixed(story, &played.times) {
        compare(&mixed, &MIXED);
    }
    (played, failures)
}

/// The batches of a story as ranges of its records, each of one input and without a restart inside.
pub fn batches<'s>(story: &'s Story, way: &Way) -> impl Iterator<Item = Range<usize>> + use<'s> {
    let records = &story.records;
    let size = match way.cut {
        Cut::Whole => records.len().max(1),
        Cut::Single => 1,
        Cut::Few => records.len().div_ceil(FEW).max(1),
    };
    let mut at = 0;
    std::iter::from_fn(move || {
        let input = records.get(at)?.input;
        let from = at;
        at += 1;
        let goes_on =
            |next: usize| records.get(next).is_some_and(|record| record.input == input && next - from < size);
        while goes_on(at) && !story.restarts.contains(&at) {
            at += 1;
        }
        Some(from..at)
    })
}

/// A story whose records arrive in another order, each within the lateness, those of one time and
/// input in their order. `None` where a record comes late already, or has not exactly one time.
fn mixed(story: &Story, times: &[Vec<Timestamp>]) -> Option<Story> {
    let lateness = config(false).lateness;
    let mut newest = Timestamp::MIN;
    let mut arriving: Vec<(Timestamp, &Record)> = Vec::with_capacity(story.records.len());
    for (record, times) in story.records.iter().zip(times) {
        let [time] = times[..] else { return None };
        if newest > time.plus(lateness) {
            return None;
        }
        newest = newest.max(time);
        arriving.push((time, record));
    }
    let longest = lateness.0.saturating_sub(MARGIN.0).max(1);
    arriving.sort_by_key(|(time, record)| time.plus(Span(delay(*time, record.input) % longest)));
    let records = arriving.into_iter().map(|(_, record)| record.clone()).collect();
    Some(Story { records, restarts: Vec::new(), ..story.clone() })
}

/// A number that looks random and is the same for equal times of one input (G. L. Steele, D. Lea
/// and C. H. Flood, 2014).
fn delay(time: Timestamp, input: u16) -> i64 {
    let mut bits = (time.0 as u64).wrapping_add(u64::from(input) << 48).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 1) as i64
}

/// What must be the same in every way: everything but the places of records in their input.
fn comparable(played: &Played) -> impl PartialEq + use<> {
    let alerts: Vec<Value> = played
        .alerts
        .iter()
        .map(|alert| placeless(serde_json::to_value(alert).unwrap_or_default()))
        .collect();
    (alerts, played.matches.clone(), played.detected.clone(), played.unreadable.clone())
}

fn placeless(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(key, _)| !matches!(key.as_str(), "event_id" | "processed_at"))
            .map(|(key, value)| (key, placeless(value)))
            .collect(),
        Value::Array(list) => list.into_iter().map(placeless).collect(),
        other => other,
    }
}

fn matches(played: &Played) -> usize {
    played.matches.values().map(Vec::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A story of events at these seconds on these inputs.
    fn story(events: &[(i64, u16)], restarts: &[usize]) -> Story {
        let record = |(second, input): &(i64, u16)| Record {
            time: Timestamp(0).plus(Span::seconds(*second)),
            input: *input,
            ..Record::default()
        };
        Story {
            records: events.iter().map(record).collect(),
            restarts: restarts.to_vec(),
            ..Story::default()
        }
    }

    fn cuts(events: &[(i64, u16)], restarts: &[usize], cut: Cut) -> Vec<Range<usize>> {
        batches(&story(events, restarts), &Way { cut, ..PLAIN }).collect()
    }

    fn times(story: &Story) -> Vec<Vec<Timestamp>> {
        story.records.iter().map(|record| vec![record.time]).collect()
    }

    #[test]
    fn batches_are_of_one_input_and_end_before_restarts() {
        let events = [(0, 0), (1, 0), (2, 1), (3, 1), (4, 1), (5, 0)];
        assert_eq!(cuts(&events, &[], Cut::Whole), [0..2, 2..5, 5..6]);
        assert_eq!(cuts(&events, &[3], Cut::Whole), [0..2, 2..3, 3..5, 5..6]);
        assert_eq!(cuts(&events, &[], Cut::Single).len(), 6);
        assert_eq!(cuts(&[(0, 0); 100], &[], Cut::Few).len(), 15);
        assert!(cuts(&[], &[], Cut::Whole).is_empty());
    }

    #[test]
    fn another_order_stays_within_the_lateness_and_keeps_equal_times() {
        let events: Vec<(i64, u16)> = (0..200).map(|at| (at / 2 * 3, (at % 4 / 2) as u16)).collect();
        let told = story(&events, &[7]);
        let mixed = mixed(&told, &times(&told)).unwrap();
        assert_ne!(mixed.records, told.records);
        assert!(mixed.restarts.is_empty());
        let mut newest = Timestamp::MIN;
        for record in &mixed.records {
            assert!(newest <= record.time.plus(config(false).lateness));
            newest = newest.max(record.time);
        }
        let mut sorted = mixed.records.clone();
        sorted.sort_by_key(|record| record.time);
        assert_eq!(sorted, told.records);
    }

    #[test]
    fn what_comes_late_already_or_at_several_times_keeps_its_order() {
        let late = story(&[(61, 0), (0, 0)], &[]);
        assert!(mixed(&late, &times(&late)).is_none());
        let twice = story(&[(0, 0)], &[]);
        assert!(mixed(&twice, &[vec![Timestamp(0), Timestamp(1)]]).is_none());
        assert!(mixed(&twice, &[Vec::new()]).is_none());
    }
}
