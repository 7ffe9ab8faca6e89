//! One story through the engine: the same decoder, matcher, windows and alerts as a scan, in
//! memory, in any of several ways ([`crate::ways`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tocsin_alert::Alert;
use tocsin_core::batch::{EventBatch, Notes, RawBatch, RecordSpan, TenantId};
use tocsin_core::checkpoint::Checkpoint;
use tocsin_core::decoder::Decoder;
use tocsin_core::detection::{Detection, Phase};
use tocsin_core::detector::Emission;
use tocsin_core::engine::{Correlator, EngineConfig, MatchStage, ShardsPart};
use tocsin_core::matcher::RuleIdx;
use tocsin_core::offset::{OffsetRange, PartitionId, Position};
use tocsin_core::plan::Plan;
use tocsin_core::time::Timestamp;
use tocsin_decode::decoder::RecordDecoder;
use tocsin_decode::format::FormatContext;
use tocsin_decode::taxonomy::Taxonomy;
use tocsin_pipeline::finalise::{Finaliser, keep_signals};
use tocsin_pipeline::records::Records;

use crate::report::Failure;
use crate::trace::{Record, Story};
use crate::ways::{Way, batches};

/// What came of a story.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Played {
    /// The alerts, in order of (timestamp, id).
    pub alerts: Vec<Alert>,
    /// Times of the events that matched, by stateless rule, in order.
    pub matches: BTreeMap<RuleIdx, Vec<Timestamp>>,
    /// Rules with a condition over time that was met, whether they raise alerts or not.
    pub detected: BTreeSet<RuleIdx>,
    /// Records the decoder could not make an event of.
    pub unreadable: Vec<Failure>,
    /// Times of the events of each record, in the order of arrival.
    pub times: Vec<Vec<Timestamp>>,
}

/// Whose word on an event's time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// The record's own.
    Record,
    /// The story's.
    Story,
}

/// How a story's engine treats time.
#[must_use]
pub fn config(live: bool) -> EngineConfig {
    let emission = if live { Emission::Live } else { Emission::Closed };
    EngineConfig { emission, ..EngineConfig::default() }
}

/// Plays a story against a plan.
#[must_use]
pub fn play(plan: &Arc<Plan>, story: &Story, way: &Way, times: Times) -> Played {
    let mut stage = Stage::new(plan, story, way, times);
    for (turn, batch) in batches(story, way).enumerate() {
        stage.step(&story.records[batch.clone()], turn % way.workers);
        if way.restarts || story.restarts.contains(&batch.end) {
            stage.restart();
        }
    }
    stage.end()
}

/// One worker's tools.
struct Worker {
    decoder: RecordDecoder,
    matching: MatchStage,
}

struct Stage<'s> {
    plan: Arc<Plan>,
    story: &'s Story,
    way: &'s Way,
    times: Times,
    workers: Vec<Worker>,
    correlator: Correlator,
    finaliser: Finaliser,
    kept: Kept,
    /// Bytes and records taken in so far, by input.
    reached: BTreeMap<PartitionId, (u64, u64)>,
    /// The last word on each detection.
    held: BTreeMap<(RuleIdx, Box<[u8]>, Timestamp), Detection>,
    played: Played,
}

impl<'s> Stage<'s> {
    fn new(plan: &Arc<Plan>, story: &'s Story, way: &'s Way, times: Times) -> Stage<'s> {
        let newest = story.records.iter().map(|record| record.time).max();
        let as_of = newest.unwrap_or(story.start);
        let worker = |_| Worker {
            decoder: RecordDecoder::auto(FormatContext {
                taxonomy: Taxonomy::new(Arc::clone(&plan.table)),
                as_of,
            }),
            matching: MatchStage::new(Arc::clone(plan), &config(way.live)),
        };
        Stage {
            plan: Arc::clone(plan),
            story,
            way,
            times,
            workers: (0..way.workers).map(worker).collect(),
            correlator: correlator(plan, story, way),
            finaliser: Finaliser::new(Arc::clone(plan), "default", as_of),
            kept: Kept::default(),
            reached: BTreeMap::new(),
            held: BTreeMap::new(),
            played: Played::default(),
        }
    }

    /// One batch, of one input, read and matched by one of the workers.
    fn step(&mut self, records: &[Record], worker: usize) {
        let partition = PartitionId(records.first().map_or(0, |record| record.input));
        let reached = self.reached.entry(partition).or_default();
        let raw = batch(records, partition, *reached);
        *reached = (raw.offsets.to, raw.first_record + records.len() as u64);
        let worker = &mut self.workers[worker];
        let mut events = worker.decoder.decode(raw);
        note_unreadable(&events, records, &mut self.played.unreadable);
        match self.times {
            Times::Record => note_untimed(&events, records, &mut self.played.unreadable),
            Times::Story => set_times(&mut events, records),
        }
        let times = times(&events, records.len());
        let mut matched = worker.matching.step(events);
        for found in &matched.matches {
            let time = times.get(found.event as usize).and_then(|times| times.first().copied());
            self.played.matches.entry(found.rule).or_default().extend(time);
        }
        self.played.times.extend(times);
        keep_signals(&matched, &mut self.kept);
        let output = self.correlator.step_in_parts(&mut matched, self.way.workers, |parts| {
            std::thread::scope(|scope| {
                let mut parts = parts.into_iter();
                let own = parts.next();
                for part in parts {
                    scope.spawn(|| part.run());
                }
                own.into_iter().for_each(ShardsPart::run);
            });
        });
        self.take(output.detections);
    }

    /// Goes on with a new correlator from what the old one had kept.
    fn restart(&mut self) {
        let bytes = self.correlator.checkpoint().to_bytes();
        let mut correlator = correlator(&self.plan, self.story, self.way);
        let restored = Checkpoint::from_bytes(&bytes)
            .map_err(|error| error.to_string())
            .and_then(|checkpoint| correlator.restore(&checkpoint).map_err(|error| error.to_string()));
        if let Err(error) = restored {
            let reason = format!("what was kept over a restart cannot be read again: {error}");
            self.played.unreadable.push(Failure::new(0, reason));
        }
        self.correlator = correlator;
    }

    fn take(&mut self, detections: Vec<Detection>) {
        for detection in detections {
            let id = (detection.rule, detection.key.clone(), detection.t0);
            match detection.phase {
                Phase::Superseded | Phase::Withdrawn => drop(self.held.remove(&id)),
                Phase::Provisional | Phase::Open | Phase::Closed => drop(self.held.insert(id, detection)),
            }
        }
    }

    fn end(mut self) -> Played {
        for input in inputs(self.story) {
            let output = self.correlator.leave(TenantId::default(), input);
            self.take(output.detections);
        }
        let held: Vec<Detection> = std::mem::take(&mut self.held).into_values().collect();
        self.played.detected = held.iter().map(|detection| detection.rule).collect();
        self.finaliser.take(held);
        let alerts = &mut self.played.alerts;
        self.finaliser.release(Timestamp::MAX, &mut self.kept, &mut |alert| alerts.push(alert));
        self.played.matches.values_mut().for_each(|times| times.sort_unstable());
        self.played.unreadable.sort_by_key(|failure| failure.line);
        self.played
    }
}

/// A correlator that waits for all inputs of a story.
fn correlator(plan: &Arc<Plan>, story: &Story, way: &Way) -> Correlator {
    let mut correlator = Correlator::new(Arc::clone(plan), config(way.live));
    for input in inputs(story) {
        correlator.expect(TenantId::default(), input);
    }
    correlator
}

/// The inputs of a story; there is always one.
fn inputs(story: &Story) -> BTreeSet<PartitionId> {
    let named = story.records.iter().map(|record| PartitionId(record.input));
    let mut inputs: BTreeSet<PartitionId> = named.collect();
    if inputs.is_empty() {
        inputs.insert(PartitionId::default());
    }
    inputs
}

/// Records as one batch of lines behind those taken in before.
fn batch(records: &[Record], partition: PartitionId, (offset, number): (u64, u64)) -> RawBatch {
    let mut bytes = Vec::new();
    let mut spans = Vec::with_capacity(records.len());
    for record in records {
        spans.push(RecordSpan { start: bytes.len() as u32, len: record.text.len() as u32 });
        bytes.extend_from_slice(record.text.as_bytes());
        bytes.push(b'\n');
    }
    RawBatch {
        partition,
        offsets: OffsetRange { from: offset, to: offset + bytes.len() as u64 },
        first_record: number,
        bytes,
        records: spans,
        ..RawBatch::default()
    }
}

/// The times of the events of each record.
fn times(events: &EventBatch, records: usize) -> Vec<Vec<Timestamp>> {
    let mut times = vec![Vec::new(); records];
    for event in &events.events {
        if let Some(times) = times.get_mut(event.record as usize) {
            times.push(event.time);
        }
    }
    times
}

/// A line nobody can read is a slip of the pen.
fn note_unreadable(events: &EventBatch, records: &[Record], failures: &mut Vec<Failure>) {
    for quarantined in &events.quarantined {
        let reason = format!("this record cannot be read: {}", quarantined.reason.describe());
        failures.extend(failure(records, quarantined.record, reason));
    }
}

/// So is an event without a time.
fn note_untimed(events: &EventBatch, records: &[Record], failures: &mut Vec<Failure>) {
    for event in &events.events {
        if event.notes.time_from_ingest() || event.notes.contains(Notes::TIME_CLAMPED) {
            let reason = "this record carries no time that can be read".to_string();
            failures.extend(failure(records, event.record, reason));
        }
    }
}

fn failure(records: &[Record], record: u32, reason: String) -> Option<Failure> {
    let record = records.get(record as usize)?;
    Some(Failure { line: record.line, reason, details: vec![format!("record: {}", record.text)] })
}

fn set_times(events: &mut EventBatch, records: &[Record]) {
    for event in &mut events.events {
        if let Some(record) = records.get(event.record as usize) {
            event.time = record.time;
            event.notes = Notes::default();
        }
    }
}

/// Records that alerts show as evidence.
#[derive(Debug, Default)]
struct Kept(BTreeMap<Position, Vec<u8>>);

impl Records for Kept {
    fn must_keep(&self, _: PartitionId) -> bool {
        true
    }

    fn keep(&mut self, position: Position, record: &[u8]) {
        self.0.insert(position, record.to_vec());
    }

    fn read(&mut self, position: Position) -> Option<Vec<u8>> {
        self.0.get(&position).cloned()
    }
}
