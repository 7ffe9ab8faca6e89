//! Decode: submissions are cut into records and read, once. What cannot be read is turned away here,
//! so that the journal holds only what was accepted.
//!
//! Small submissions of one source that wait together become one batch: the busier the house, the
//! larger its batches.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;
use tocsin_core::batch::{EventBatch, Quarantined, RawBatch, Reason, RecordSpan, TenantId};
use tocsin_core::decoder::Decoder;
use tocsin_core::offset::SourceId;
use tocsin_core::plan::Plan;
use tocsin_core::time::Timestamp;
use tocsin_decode::framing::{JsonCutter, cut_lines, line, without_mark};
use tokio::sync::oneshot;

use crate::channel::{Closed, Sender};
use crate::clock::Clock;
use crate::intake::{Answer, Arrival, BodyShape, Inbox, Receipt, Rejection, Repeatable, Waiting};
use crate::rules::NewRules;
use crate::telemetry;

/// Bytes of a submission up to which it shares a batch with others of its source.
const SHARED_BYTES_MAX: usize = 16 << 10;

/// Bytes of submissions gathered into one group of batches; more wait for the next.
const GROUP_BYTES_MAX: usize = 1 << 20;

/// Submissions gathered into one group of batches; more wait for the next.
const GROUP_SUBMISSIONS_MAX: usize = 4_096;

/// What a source says of its records.
#[derive(Clone, Copy, Debug, Default)]
pub struct SourcePlan {
    /// Whether they tell of the past on purpose.
    pub backfill: bool,
    /// Reference time of lines without a year; the ingest time if absent.
    pub as_of: Option<Timestamp>,
}

/// A sender who waits for an answer, and what it will be once the batch is durable.
#[derive(Debug)]
pub struct Sent {
    /// Where the answer goes.
    pub answer: oneshot::Sender<Answer>,
    /// What was accepted and what not.
    pub receipt: Receipt,
    /// Set when the sender may repeat the request; then it is alone in its batch.
    pub repeatable: Option<Repeatable>,
}

/// Records on their way to the journal, with those who wait for it.
#[derive(Debug)]
pub struct Arrived {
    /// What has a watermark of its own.
    pub source: Arc<str>,
    /// The accepted records, read; without any, nothing is to be written.
    pub batch: EventBatch,
    /// Who waits.
    pub senders: Vec<Sent>,
}

/// What the ingest stage is given.
#[derive(Debug)]
pub enum Work {
    /// Batches that came together, to be made durable together.
    Group(Vec<Arrived>),
    /// Time has passed, for those from whom nothing came.
    Tick(Timestamp),
    /// Other rules are active for everything that follows, which was read for them.
    Rules(NewRules, Timestamp),
}

/// Makes a decoder for what these rules ask of events; also after one has failed.
pub type Decoders = Box<dyn Fn(&Plan) -> Box<dyn Decoder> + Send>;

/// The stage.
pub struct Decode {
    /// Where submissions wait.
    pub inbox: Inbox,
    /// Makes decoders.
    pub decoders: Decoders,
    /// The rules events are read for.
    pub plan: Arc<Plan>,
    /// The clock ingest times come from.
    pub clock: Arc<dyn Clock>,
    /// What the source says of its records.
    pub source: SourcePlan,
    /// How often to tick.
    pub tick: Duration,
    /// The ingest stage.
    pub next: Sender<Work>,
}

impl Decode {
    /// Runs until every intake is gone.
    pub fn run(mut self) {
        let mut decoder = (self.decoders)(&self.plan);
        let mut due = Instant::now() + self.tick;
        loop {
            let now = Instant::now();
            let waited =
                if now < due { self.inbox.queue.recv_deadline(due) } else { Err(RecvTimeoutError::Timeout) };
            let outcome = match waited {
                Ok(Arrival::Records(first)) => {
                    let (group, rules) = self.group(first, &mut decoder);
                    let bytes = group.iter().map(|arrived| arrived.batch.raw.bytes.len()).sum();
                    let sent = self.next.send(Work::Group(group), bytes);
                    sent.and_then(|()| rules.map_or(Ok(()), |new| self.change_rules(new, &mut decoder)))
                }
                Ok(Arrival::Rules(new)) => self.change_rules(new, &mut decoder),
                Err(RecvTimeoutError::Timeout) => {
                    due = now + self.tick;
                    self.next.send(Work::Tick(self.clock.now()), 0)
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if outcome.is_err() {
                return;
            }
        }
    }

    /// What comes from now on is read for other rules.
    fn change_rules(&mut self, new: NewRules, decoder: &mut Box<dyn Decoder>) -> Result<(), Closed> {
        self.plan = Arc::clone(&new.rules.plan);
        *decoder = (self.decoders)(&self.plan);
        self.next.send(Work::Rules(new, self.clock.now()), 0)
    }

    /// Everything that waits now, up to the bounds and to the next change of rules, which follows.
    fn group(&self, first: Waiting, decoder: &mut Box<dyn Decoder>) -> (Vec<Arrived>, Option<NewRules>) {
        let mut forming: Vec<Forming> = Vec::new();
        let (mut bytes, mut number, mut rules) = (0, 0, None);
        let mut next = Some(first);
        while let Some(waiting) = next {
            bytes += waiting.submission.body.len();
            number += 1;
            join(&mut forming, waiting);
            if bytes >= GROUP_BYTES_MAX || number >= GROUP_SUBMISSIONS_MAX {
                break;
            }
            next = match self.inbox.queue.try_recv() {
                Ok(Arrival::Records(waiting)) => Some(waiting),
                Ok(Arrival::Rules(new)) => {
                    rules = Some(new);
                    None
                }
                Err(_) => None,
            };
        }
        self.inbox.taken(bytes);
        (forming.into_iter().map(|batch| self.read(batch, decoder)).collect(), rules)
    }

    fn read(&self, forming: Forming, decoder: &mut Box<dyn Decoder>) -> Arrived {
        let ingest = self.clock.now();
        let raw = RawBatch {
            tenant: forming.tenant,
            source: SourceId::of(&forming.source),
            ingest: Some(ingest),
            backfill: self.source.backfill,
            reference: Some(self.source.as_of.unwrap_or(ingest)),
            bytes: forming.bytes,
            records: forming.records,
            ..RawBatch::default()
        };
        let mut senders = forming.senders;
        let mut batch = self.decode(raw, decoder);
        if !batch.quarantined.is_empty() {
            tell_rejected(&batch.quarantined, &mut senders);
            let raw = without(std::mem::take(&mut batch.raw), &batch.quarantined);
            batch = self.decode(raw, decoder);
        }
        let senders = senders.into_iter().map(|joined| joined.sent).collect();
        Arrived { source: forming.source, batch, senders }
    }

    /// Reads a batch. A decoder that panics is a defect: its batch is turned away whole, and the
    /// next one gets a fresh decoder.
    fn decode(&self, raw: RawBatch, decoder: &mut Box<dyn Decoder>) -> EventBatch {
        let records = raw.records.len() as u32;
        let tenant = raw.tenant;
        let outcome = catch_unwind(AssertUnwindSafe(|| decoder.decode(raw)));
        outcome.unwrap_or_else(|_| {
            *decoder = (self.decoders)(&self.plan);
            telemetry::decoder_failed();
            let nothing = RawBatch { tenant, ..RawBatch::default() };
            let mut empty = decoder.decode(nothing);
            let unread = |record| Quarantined { record, reason: Reason::Unreadable, at: 0, field: None };
            empty.raw.records = vec![RecordSpan { start: 0, len: 0 }; records as usize];
            empty.quarantined = (0..records).map(unread).collect();
            empty
        })
    }
}

/// One sender's records in a batch that is being formed.
struct Joined {
    sent: Sent,
    /// Its first record in the batch.
    first: u32,
    /// For each of its records the number the sender knows it by, where blank ones lie between.
    numbers: Vec<u32>,
}

struct Forming {
    tenant: TenantId,
    source: Arc<str>,
    bytes: Vec<u8>,
    records: Vec<RecordSpan>,
    senders: Vec<Joined>,
    /// Whether more may join.
    open: bool,
}

/// Puts a submission into the batch of its source, or begins one.
fn join(forming: &mut Vec<Forming>, waiting: Waiting) {
    let Waiting { submission, answer } = waiting;
    let small = submission.body.len() <= SHARED_BYTES_MAX && submission.repeatable.is_none();
    let (tenant, source) = (submission.tenant, submission.source);
    let last = forming.iter_mut().rev().find(|batch| batch.tenant == tenant && batch.source == source);
    let sent = Sent { answer, receipt: Receipt::default(), repeatable: submission.repeatable };
    match last.filter(|batch| small && batch.open) {
        Some(batch) => {
            let start = batch.bytes.len();
            batch.bytes.extend_from_slice(&submission.body);
            add(batch, start, submission.shape, sent);
        }
        None => {
            let mut batch = Forming {
                tenant,
                source,
                bytes: submission.body,
                records: Vec::new(),
                senders: Vec::new(),
                open: small,
            };
            add(&mut batch, 0, submission.shape, sent);
            forming.push(batch);
        }
    }
}

/// Cuts the bytes from `start` on and notes whose records they are.
fn add(batch: &mut Forming, start: usize, shape: BodyShape, mut sent: Sent) {
    let first = batch.records.len();
    let is_cut_off = cut(&batch.bytes, start, shape, &mut batch.records);
    let line = (batch.records.len() - first) as u32 + 1;
    let number = |(index, span): (usize, &RecordSpan)| (span.len > 0).then_some(index as u32 + 1);
    let numbers: Vec<u32> = batch.records[first..].iter().enumerate().filter_map(number).collect();
    let mut at = 0;
    batch.records.retain(|span| {
        at += 1;
        at <= first || span.len > 0
    });
    sent.receipt.accepted = numbers.len() as u32;
    if is_cut_off {
        // What is missing was never here, so it takes no accepted record away.
        sent.receipt.accepted += 1;
        sent.receipt.refuse(Rejection { line, reason: Reason::Truncated, at: 0, field: None });
    }
    batch.senders.push(Joined { sent, first: first as u32, numbers });
}

/// Cuts the bytes from `start` on; whether they end inside an array.
fn cut(bytes: &[u8], start: usize, shape: BodyShape, records: &mut Vec<RecordSpan>) -> bool {
    let start = bytes.len() - without_mark(&bytes[start..]).len();
    let mut json = JsonCutter::default();
    let rest = match shape {
        BodyShape::One => start,
        BodyShape::Lines => cut_lines(bytes, start, records),
        BodyShape::Json => json.cut(bytes, start, records),
    };
    if rest < bytes.len() {
        let last = line(bytes, rest, bytes.len());
        if last.len > 0 {
            records.push(last);
        }
    }
    json.is_open()
}

/// Moves refused records from what a sender's receipt accepts to what it rejects.
fn tell_rejected(quarantined: &[Quarantined], senders: &mut [Joined]) {
    for refused in quarantined {
        let index = senders.partition_point(|joined| joined.first <= refused.record);
        let Some(joined) = index.checked_sub(1).and_then(|index| senders.get_mut(index)) else { continue };
        let Some(line) = joined.numbers.get((refused.record - joined.first) as usize) else { continue };
        let (reason, at, field) = (refused.reason, refused.at, refused.field.clone());
        joined.sent.receipt.refuse(Rejection { line: *line, reason, at, field });
    }
}

/// The batch without these records and without their bytes.
fn without(raw: RawBatch, refused: &[Quarantined]) -> RawBatch {
    let mut bytes = Vec::with_capacity(raw.bytes.len());
    let mut records = Vec::with_capacity(raw.records.len());
    let mut refused = refused.iter().map(|refused| refused.record).peekable();
    for index in 0..raw.records.len() as u32 {
        if refused.next_if_eq(&index).is_some() {
            continue;
        }
        let record = raw.record(index);
        records.push(RecordSpan { start: bytes.len() as u32, len: record.len() as u32 });
        bytes.extend_from_slice(record);
        bytes.push(b'\n');
    }
    RawBatch { bytes, records, ..raw }
}
