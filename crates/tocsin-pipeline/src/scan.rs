//! A scan: recorded inputs through the engine, once, to the end.
//!
//! Inputs are read in step with event time: the next batch comes from the input that is furthest
//! behind, so that none runs ahead and waits in memory. Which one that is depends on nothing but
//! the inputs.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tocsin_alert::Alert;
use tocsin_core::batch::{Notes, Quarantined, RawBatch, TenantId};
use tocsin_core::decoder::Decoder;
use tocsin_core::engine::{Correlator, EngineConfig, MatchStage, MatchedBatch, Output};
use tocsin_core::field::FieldTable;
use tocsin_core::offset::PartitionId;
use tocsin_core::plan::Plan;
use tocsin_core::time::Timestamp;
use tocsin_decode::decoder::RecordDecoder;
use tocsin_decode::format::FormatContext;
use tocsin_decode::taxonomy::Taxonomy;

use crate::cutter::{BATCH_BYTES, Cutter};
use crate::finalise::{Finaliser, keep_signals};
use crate::pool::{Pool, Worker, WorkerFailed, WorkerStats};
use crate::records::Records;

/// Signals of a batch below which starting threads costs more than it saves.
const SIGNALS_PER_PART: usize = 512;

/// Buffers kept for reuse; more are let go.
const SPARE_BUFFERS_MAX: usize = 16;

/// How to scan.
#[derive(Clone, Debug)]
pub struct ScanConfig {
    /// How the engine treats time.
    pub engine: EngineConfig,
    /// Reference time of lines without a year.
    pub as_of: Timestamp,
    /// Format name; `None` recognises each record.
    pub format: Option<String>,
    /// Worker threads.
    pub threads: usize,
    /// Name of the tenant.
    pub tenant: String,
    /// Whether only stateless matches are wanted.
    pub matches_only: bool,
}

/// What a scan tells while it runs.
pub trait Watcher {
    /// A batch was taken in; its matches, in order.
    fn on_batch(&mut self, batch: &MatchedBatch);
    /// A record could not be read. `line` counts from 1.
    fn on_quarantined(&mut self, partition: PartitionId, line: u64, quarantined: &Quarantined);
    /// An input could not be read to its end.
    fn on_failed_input(&mut self, name: &str, error: &io::Error);
    /// The next alert, final and in order.
    fn on_alert(&mut self, alert: Alert);
    /// So many bytes of the inputs are consumed.
    fn on_progress(&mut self, consumed: u64, events: u64);
}

/// What a scan comes to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Events read.
    pub events: u64,
    /// Bytes of the inputs, decompressed.
    pub bytes: u64,
    /// Stateless matches.
    pub matches: u64,
    /// Unreadable records by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Unusual events by note.
    pub notes: BTreeMap<&'static str, u64>,
    /// Events too late for any window.
    pub late: u64,
    /// Events a correlation could not count for want of a key field.
    pub without_key: u64,
    /// Events a correlation could not count for want of the value it counts.
    pub without_value: u64,
    /// Keys dropped because a bound was reached.
    pub evicted: u64,
    /// Events whose key found no room, so that they are only estimated.
    pub sketched: u64,
    /// What the workers counted, and how long they took.
    pub workers: WorkerStats,
    /// Time spent on state and alerts.
    pub correlate: Duration,
}

/// Why a scan ended early.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The format is not registered.
    #[error("there is no format `{0}`")]
    UnknownFormat(String),
    /// A worker died.
    #[error(transparent)]
    Worker(#[from] WorkerFailed),
}

/// Scans inputs to their end.
///
/// # Errors
/// [`ScanError`]; an input that cannot be read is told to the watcher and does not end the scan.
pub fn run(
    plan: &Arc<Plan>,
    inputs: Vec<Cutter>,
    records: &mut dyn Records,
    config: &ScanConfig,
    watcher: &mut dyn Watcher,
) -> Result<Summary, ScanError> {
    let workers: Result<Vec<Worker>, ScanError> =
        (0..config.threads.max(1)).map(|_| worker(plan, config)).collect();
    let mut scan = Scan {
        inputs: Inputs::new(inputs, config),
        correlator: Correlator::new(Arc::clone(plan), config.engine),
        finaliser: Finaliser::new(Arc::clone(plan), &config.tenant, config.as_of),
        summary: Summary::default(),
        records,
        watcher,
        matches_only: config.matches_only,
        parts: config.threads,
    };
    let mut pool = Pool::new(workers?);
    scan.run(&mut pool)?;
    scan.summary.workers = pool.finish();
    Ok(scan.summary)
}

fn worker(plan: &Arc<Plan>, config: &ScanConfig) -> Result<Worker, ScanError> {
    let decoder = decoder(Arc::clone(&plan.table), config)?;
    Ok(Worker { decoder: Box::new(decoder), matching: MatchStage::new(Arc::clone(plan), &config.engine) })
}

fn decoder(table: Arc<FieldTable>, config: &ScanConfig) -> Result<RecordDecoder, ScanError> {
    let context = FormatContext { taxonomy: Taxonomy::new(table), as_of: config.as_of };
    match &config.format {
        None => Ok(RecordDecoder::auto(context)),
        Some(name) => RecordDecoder::named(name, context).map_err(|_| ScanError::UnknownFormat(name.clone())),
    }
}

struct Scan<'a> {
    inputs: Inputs,
    correlator: Correlator,
    finaliser: Finaliser,
    summary: Summary,
    records: &'a mut dyn Records,
    watcher: &'a mut dyn Watcher,
    matches_only: bool,
    /// Threads that share the shards' work.
    parts: usize,
}

impl Scan<'_> {
    fn run(&mut self, pool: &mut Pool) -> Result<(), ScanError> {
        let tenant = TenantId::default();
        for input in &self.inputs.open {
            self.correlator.expect(tenant, input.cutter.partition());
        }
        let mut leaving: BTreeMap<PartitionId, u64> = BTreeMap::new();
        let (mut sent, mut done) = (0_u64, 0_u64);
        loop {
            while pool.has_room() {
                match self.inputs.next(self.watcher) {
                    Next::Batch(batch) => {
                        pool.send(batch)?;
                        sent += 1;
                    }
                    Next::Ended(partition) => {
                        leaving.insert(partition, sent);
                    }
                    Next::Nothing => break,
                }
            }
            let fetched = pool.fetch()?;
            let finished = fetched.is_none();
            if let Some(batch) = fetched {
                self.take(batch);
                done += 1;
            }
            leaving.retain(|partition, after| {
                let ended = *after <= done;
                if ended {
                    let output = self.correlator.leave(tenant, *partition);
                    self.finaliser.take(output.detections);
                }
                !ended
            });
            if finished && self.inputs.open.is_empty() {
                break;
            }
        }
        let usage = self.correlator.usage();
        (self.summary.evicted, self.summary.sketched) = (usage.evicted, usage.sketched);
        self.release(Timestamp::MAX);
        Ok(())
    }

    /// Steps the correlator, on several threads where there is enough to do.
    fn correlate(&mut self, batch: &mut MatchedBatch) -> Output {
        let parts = if batch.signals() < SIGNALS_PER_PART { 1 } else { self.parts };
        self.correlator.step_in_parts(batch, parts, |parts| {
            let mut parts = parts.into_iter();
            let own = parts.next();
            std::thread::scope(|scope| {
                for part in parts {
                    scope.spawn(|| part.run());
                }
                if let Some(own) = own {
                    own.run();
                }
            });
        })
    }

    fn release(&mut self, watermark: Timestamp) {
        self.finaliser.release(watermark, self.records, &mut |alert| self.watcher.on_alert(alert));
    }

    fn take(&mut self, mut batch: MatchedBatch) {
        self.summary.events += batch.events;
        self.summary.bytes += batch.raw.offsets.to - batch.raw.offsets.from;
        self.summary.matches += batch.matches.len() as u64;
        self.summary.without_key += batch.without_key;
        self.summary.without_value += batch.without_value;
        for (count, (_, name)) in batch.notes.iter().zip(Notes::ALL).filter(|(count, _)| **count > 0) {
            *self.summary.notes.entry(name).or_default() += count;
        }
        for quarantined in &batch.quarantined {
            *self.summary.rejected.entry(quarantined.reason.as_str()).or_default() += 1;
            let line = batch.raw.first_record + u64::from(quarantined.record) + 1;
            self.watcher.on_quarantined(batch.raw.partition, line, quarantined);
        }
        self.watcher.on_batch(&batch);
        if !self.matches_only {
            let began = Instant::now();
            keep_signals(&batch, self.records);
            let output = self.correlate(&mut batch);
            self.summary.late += output.late_dropped;
            self.finaliser.take(output.detections);
            let watermark = self.correlator.watermark(TenantId::default());
            self.release(watermark);
            self.summary.correlate += began.elapsed();
        }
        self.inputs.recycle(std::mem::take(&mut batch.raw.bytes));
        self.watcher.on_progress(self.inputs.consumed(), self.summary.events);
    }
}

struct Input {
    cutter: Cutter,
    /// Time of the last record handed out, by which the inputs are kept in step.
    reached: Timestamp,
}

struct Inputs {
    open: Vec<Input>,
    /// Buffers of batches that are done.
    spare: Vec<Vec<u8>>,
    closed_bytes: u64,
    /// Reads the time of one record and nothing else.
    clock: RecordDecoder,
}

enum Next {
    Batch(RawBatch),
    Ended(PartitionId),
    Nothing,
}

impl Inputs {
    fn new(cutters: Vec<Cutter>, config: &ScanConfig) -> Inputs {
        let open = cutters.into_iter().map(|cutter| Input { cutter, reached: Timestamp::MIN }).collect();
        let taxonomy = Taxonomy::new(Arc::new(FieldTable::new()));
        let clock = RecordDecoder::auto(FormatContext { taxonomy, as_of: config.as_of });
        Inputs { open, spare: Vec::new(), closed_bytes: 0, clock }
    }

    /// Takes back the buffer of a batch; a huge one is let go.
    fn recycle(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < SPARE_BUFFERS_MAX && buffer.capacity() <= 4 * BATCH_BYTES {
            self.spare.push(buffer);
        }
    }

    fn consumed(&self) -> u64 {
        self.closed_bytes + self.open.iter().map(|input| input.cutter.source().consumed()).sum::<u64>()
    }

    fn next(&mut self, watcher: &mut dyn Watcher) -> Next {
        let behind = self.open.iter().enumerate().min_by_key(|(_, input)| input.reached);
        let Some((index, _)) = behind else { return Next::Nothing };
        let input = &mut self.open[index];
        if let Some(buffer) = self.spare.pop() {
            input.cutter.recycle(buffer);
        }
        match input.cutter.next_batch() {
            Ok(Some(batch)) => {
                if self.open.len() > 1 {
                    let reached = last_time(&mut self.clock, &batch);
                    let input = &mut self.open[index];
                    input.reached = input.reached.max(reached);
                }
                return Next::Batch(batch);
            }
            Ok(None) => {}
            Err(error) => watcher.on_failed_input(input.cutter.source().name(), &error),
        }
        let input = self.open.remove(index);
        self.closed_bytes += input.cutter.source().consumed();
        Next::Ended(input.cutter.partition())
    }
}

/// Event time of a batch's last record that has one of its own.
fn last_time(clock: &mut RecordDecoder, batch: &RawBatch) -> Timestamp {
    let last = batch.records.iter().rev().find(|span| span.len > 0);
    let Some(last) = last else { return Timestamp::MIN };
    let start = last.start as usize;
    let bytes = batch.bytes[start..start + last.len as usize].to_vec();
    let span = tocsin_core::batch::RecordSpan { start: 0, len: last.len };
    let decoded = clock.decode(RawBatch { bytes, records: vec![span], ..RawBatch::default() });
    let event = decoded.events.first().filter(|event| !event.notes.time_from_ingest());
    event.map_or(Timestamp::MIN, |event| event.time)
}
