//! One story through the engine: the same decoder, matcher, windows and alerts as a scan, on one
//! thread and in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tocsin_alert::Alert;
use tocsin_core::batch::{EventBatch, Notes, RawBatch, RecordSpan, TenantId};
use tocsin_core::decoder::Decoder;
use tocsin_core::detection::Detection;
use tocsin_core::detector::Emission;
use tocsin_core::engine::{Correlator, EngineConfig, MatchStage};
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

/// What came of a story.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Played {
    /// The alerts, in order of (timestamp, id).
    pub alerts: Vec<Alert>,
    /// Events that matched, by stateless rule.
    pub matches: BTreeMap<RuleIdx, u64>,
    /// Rules with a condition over time that was met, whether they raise alerts or not.
    pub detected: BTreeSet<RuleIdx>,
    /// Records the decoder could not make an event of.
    pub unreadable: Vec<Failure>,
}

/// How a story's records are cut into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// All in one.
    Whole,
    /// One record each.
    Single,
}

/// Whose word on an event's time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// The record's own.
    Record,
    /// The story's.
    Story,
}

/// Plays a story against a plan.
#[must_use]
pub fn play(plan: &Arc<Plan>, story: &Story, cut: Cut, times: Times) -> Played {
    let newest = story.records.iter().map(|record| record.time).max();
    let as_of = newest.unwrap_or(story.start);
    let config = EngineConfig { emission: Emission::Closed, ..EngineConfig::default() };
    let context = FormatContext { taxonomy: Taxonomy::new(Arc::clone(&plan.table)), as_of };
    let mut stage = Stage {
        decoder: RecordDecoder::auto(context),
        matching: MatchStage::new(Arc::clone(plan), &config),
        correlator: Correlator::new(Arc::clone(plan), config),
        finaliser: Finaliser::new(Arc::clone(plan), "default", as_of),
        kept: Kept::default(),
        times,
        played: Played::default(),
    };
    let size = match cut {
        Cut::Whole => story.records.len().max(1),
        Cut::Single => 1,
    };
    stage.correlator.expect(TenantId::default(), PartitionId::default());
    let mut offset = 0;
    let mut number = 0;
    for records in story.records.chunks(size) {
        let raw = batch(records, offset, number);
        offset = raw.offsets.to;
        number += records.len() as u64;
        stage.step(raw, records);
    }
    stage.end()
}

struct Stage {
    decoder: RecordDecoder,
    matching: MatchStage,
    correlator: Correlator,
    finaliser: Finaliser,
    kept: Kept,
    times: Times,
    played: Played,
}

impl Stage {
    fn step(&mut self, raw: RawBatch, records: &[Record]) {
        let mut events = self.decoder.decode(raw);
        note_unreadable(&events, records, &mut self.played.unreadable);
        match self.times {
            Times::Record => note_untimed(&events, records, &mut self.played.unreadable),
            Times::Story => set_times(&mut events, records),
        }
        let mut matched = self.matching.step(events);
        for found in &matched.matches {
            *self.played.matches.entry(found.rule).or_default() += 1;
        }
        keep_signals(&matched, &mut self.kept);
        let output = self.correlator.step(&mut matched);
        self.take(output.detections);
    }

    fn take(&mut self, detections: Vec<Detection>) {
        self.played.detected.extend(detections.iter().map(|detection| detection.rule));
        self.finaliser.take(detections);
    }

    fn end(mut self) -> Played {
        let output = self.correlator.leave(TenantId::default(), PartitionId::default());
        self.take(output.detections);
        let alerts = &mut self.played.alerts;
        self.finaliser.release(Timestamp::MAX, &mut self.kept, &mut |alert| alerts.push(alert));
        self.played
    }
}

/// Records as one batch of lines that begins at `offset`.
fn batch(records: &[Record], offset: u64, number: u64) -> RawBatch {
    let mut bytes = Vec::new();
    let mut spans = Vec::with_capacity(records.len());
    for record in records {
        spans.push(RecordSpan { start: bytes.len() as u32, len: record.text.len() as u32 });
        bytes.extend_from_slice(record.text.as_bytes());
        bytes.push(b'\n');
    }
    RawBatch {
        offsets: OffsetRange { from: offset, to: offset + bytes.len() as u64 },
        first_record: number,
        bytes,
        records: spans,
        ..RawBatch::default()
    }
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
