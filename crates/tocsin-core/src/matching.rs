//! The data-parallel half of the engine: matching, and the keys of what stateful rules count.

use std::sync::Arc;

use crate::batch::{Event, EventBatch, Notes, RawBatch};
use crate::engine::EngineConfig;
use crate::field::FieldId;
use crate::guard::{Blamed, Failure, Guarded};
use crate::key;
use crate::machine::{DelayMs, Entry};
use crate::matcher::{MatcherStats, RuleIdx, RuleMatch};
use crate::offset::Position;
use crate::plan::{Plan, ValueOf};
use crate::rule::RuleMeta;
use crate::signal::Signal;
use crate::time::Timestamp;
use crate::times::Times;
use crate::value_hash::ValueHasher;

/// A signal and what its worker could not know yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unplaced {
    pub(crate) signal: Signal,
    /// Newest event time of the batch up to and with this event.
    pub(crate) newest_in_batch: Timestamp,
    pub(crate) time_from_ingest: bool,
}

/// What a worker made of a batch.
#[derive(Debug)]
pub struct MatchedBatch {
    /// The raw records, for evidence.
    pub raw: RawBatch,
    /// Every stateless match, in order of event, then rule; the event is given by its record.
    pub matches: Vec<RuleMatch>,
    /// Number of events (weights not applied).
    pub events: u64,
    /// Events with each note of [`Notes::ALL`].
    pub notes: [u64; Notes::ALL.len()],
    /// Events with a value that could not be taken as sent, by record, with their notes.
    pub noted: Vec<(u32, Notes)>,
    /// Events a correlation could not count because a field of its key is missing.
    pub without_key: u64,
    /// Events a correlation could not count because the value it counts is missing or no number.
    pub without_value: u64,
    /// Records that could not be read.
    pub quarantined: Vec<crate::batch::Quarantined>,
    /// Rules that failed on an event, which is quarantined.
    pub failed: Vec<Failed>,
    pub(crate) signals: Vec<Unplaced>,
    pub(crate) keys: Vec<u8>,
    pub(crate) newest: Timestamp,
}

impl MatchedBatch {
    /// How many signals its events became.
    #[must_use]
    pub fn signals(&self) -> usize {
        self.signals.len()
    }

    /// Positions of the events that became signals, each once, in order.
    pub fn signal_positions(&self) -> impl Iterator<Item = Position> {
        let mut last = None;
        let positions = self.signals.iter().map(|unplaced| unplaced.signal.position);
        positions.filter(move |position| last.replace(*position) != Some(*position))
    }
}

/// A rule that failed on an event of a batch: a defect.
#[derive(Clone, Copy, Debug)]
pub struct Failed {
    /// The rule.
    pub rule: RuleIdx,
    /// Whether it was switched off for it.
    pub is_off: bool,
    pub(crate) entry: Entry,
}

/// The data-parallel half: matching and keys. One per worker.
pub struct MatchStage {
    plan: Arc<Plan>,
    matcher: Guarded,
    hasher: ValueHasher,
    latest: Timestamp,
}

impl MatchStage {
    /// A stage for one worker.
    #[must_use]
    pub fn new(plan: Arc<Plan>, config: &EngineConfig) -> MatchStage {
        let matcher = Guarded::new((plan.matcher)());
        MatchStage { hasher: ValueHasher::new(plan.seed), plan, matcher, latest: config.latest }
    }

    /// Matches a batch and forms the signals of stateful rules.
    pub fn step(&mut self, mut batch: EventBatch) -> MatchedBatch {
        let mut notes = [0; Notes::ALL.len()];
        let mut noted = Vec::new();
        let times = Times::of(&batch.raw, self.latest);
        for event in &mut batch.events {
            // A line without a year has no zone either: up to a day ahead is another zone's clock.
            let exact = !event.notes.contains(Notes::YEAR_DERIVED);
            if exact && event.time > times.latest && !event.notes.time_from_ingest() {
                event.notes.insert(Notes::TIME_CLAMPED);
            }
            if let Some(stand_in) = times.stand_in.filter(|_| event.notes.time_from_ingest()) {
                event.time = stand_in;
            }
            if event.notes != Notes::default() {
                for (count, (note, _)) in notes.iter_mut().zip(Notes::ALL) {
                    *count += u64::from(event.notes.contains(note));
                }
                if event.notes.about_values() {
                    noted.push((event.record, event.notes));
                }
            }
        }
        let mut matches = Vec::new();
        self.matcher.matches(&mut batch, &mut matches);
        let mut out = MatchedBatch {
            matches: Vec::new(),
            events: batch.events.len() as u64,
            notes,
            noted,
            without_key: 0,
            without_value: 0,
            quarantined: std::mem::take(&mut batch.quarantined),
            failed: self.matcher.take_blamed().iter().map(|blamed| failed(&batch.raw, blamed)).collect(),
            signals: Vec::new(),
            keys: Vec::new(),
            newest: Timestamp::MIN,
            raw: RawBatch::default(),
        };
        self.form_signals(&batch, &matches, times, &mut out);
        for found in &mut matches {
            found.event = batch.events[found.event as usize].record;
        }
        out.matches = matches;
        out.raw = batch.raw;
        out
    }

    /// The rules it matches.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// How often so far something seen before did not have to be judged again.
    #[must_use]
    pub fn memo_hits(&self) -> u64 {
        self.matcher.memo_hits()
    }

    /// What the matcher has counted.
    #[must_use]
    pub fn matcher_stats(&self) -> MatcherStats {
        self.matcher.stats()
    }

    /// The rules that have failed.
    #[must_use]
    pub fn failures(&self) -> Vec<Failure> {
        let named = |(rule, events): &(RuleIdx, u32)| {
            let meta = self.plan.meta(*rule);
            Failure { rule_id: meta.id.clone(), logic_hash: meta.logic_hash.clone(), events: *events }
        };
        self.matcher.panics().iter().map(named).collect()
    }

    /// Rules have failed before this stage was made, also under other numbers. What was switched off
    /// stays off.
    pub fn go_on_from(&mut self, failures: &[Failure]) {
        if failures.is_empty() {
            return;
        }
        let events = |meta: &RuleMeta| {
            let same = |f: &&Failure| f.rule_id == meta.id && f.logic_hash == meta.logic_hash;
            failures.iter().find(same).map(|failure| failure.events)
        };
        let numbered = self.plan.rules.iter().zip(0..);
        let panics = numbered.filter_map(|(rule, index)| Some((RuleIdx(index), events(&rule.meta)?)));
        self.matcher.go_on_from(panics.collect());
    }

    fn form_signals(&self, batch: &EventBatch, matches: &[RuleMatch], times: Times, out: &mut MatchedBatch) {
        let has_time = |event: &Event| times.stand_in.is_some() || !event.notes.time_from_ingest();
        let mut newest = Timestamp::MIN;
        let mut next_event = 0;
        let mut first_of_event = 0;
        for found in matches {
            let upto = found.event as usize + 1;
            if upto != next_event {
                first_of_event = out.signals.len();
            }
            newest = newest_of(&batch.events[next_event..upto], has_time, newest);
            next_event = upto;
            let event = &batch.events[found.event as usize];
            for route in &self.plan.rules[found.rule.index()].routes {
                let key_start = out.keys.len() as u32;
                if !key::append(batch, event, &route.key, route.missing, &mut out.keys) {
                    out.without_key += 1;
                    continue;
                }
                let Some(value) = self.value(batch, event, &route.value) else {
                    out.keys.truncate(key_start as usize);
                    out.without_value += 1;
                    continue;
                };
                let signal = Signal {
                    rule: route.rule,
                    role: route.role,
                    late_behind: None,
                    beyond: false,
                    time: event.time,
                    ingest: batch.raw.ingest.unwrap_or(Timestamp::MIN),
                    position: batch.raw.position(event.record),
                    weight: event.weight,
                    value,
                    key_start,
                    key_len: out.keys.len() as u32 - key_start,
                };
                if has_same(&out.signals[first_of_event..], &signal, &out.keys) {
                    out.keys.truncate(key_start as usize);
                    continue;
                }
                let time_from_ingest = !has_time(event);
                out.signals.push(Unplaced { signal, newest_in_batch: newest, time_from_ingest });
            }
        }
        out.newest = newest_of(&batch.events[next_event..], has_time, newest);
    }
}

impl MatchStage {
    /// What an event brings; `None` when a rule asks for what it does not have.
    fn value(&self, batch: &EventBatch, event: &Event, wanted: &ValueOf) -> Option<u64> {
        let text = |field: FieldId| batch.get(event, field).filter(|value| value.as_text().is_some());
        match wanted {
            ValueOf::Nothing => Some(0),
            ValueOf::Distinct(fields) => {
                let mut hash = self.hasher.begin();
                for field in fields {
                    hash.part(text(*field)?.as_text()?);
                }
                Some(hash.finish())
            }
            ValueOf::Number(field) => number_bits(text(*field)?.as_text()?),
        }
    }
}

/// A rule that failed, with the event it failed on as machines see it.
fn failed(raw: &RawBatch, blamed: &Blamed) -> Failed {
    let Blamed { rule, event, is_off } = *blamed;
    let entry = Entry {
        time: event.time,
        position: raw.position(event.record),
        value: 0,
        delay: DelayMs::between(event.time, raw.ingest.unwrap_or(event.time)),
        role: 0,
        weight: 1,
    };
    Failed { rule, is_off, entry }
}

/// Whether an event already has this signal: it met two rules that one counts, and is one event.
fn has_same(of_event: &[Unplaced], signal: &Signal, keys: &[u8]) -> bool {
    let key = |signal: &Signal| &keys[signal.key_start as usize..][..signal.key_len as usize];
    of_event.iter().map(|other| &other.signal).any(|other| {
        (other.rule, other.role, other.value) == (signal.rule, signal.role, signal.value)
            && key(other) == key(signal)
    })
}

/// The bits of the number a text reads as; `None` where it reads as none, or as one without end.
pub(crate) fn number_bits(text: &str) -> Option<u64> {
    let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite())?;
    Some(number.to_bits())
}

fn newest_of(events: &[Event], has_time: impl Fn(&Event) -> bool, so_far: Timestamp) -> Timestamp {
    let timed = events.iter().filter(|event| has_time(event));
    timed.map(|event| event.time).fold(so_far, Timestamp::max)
}
