//! Ingest: what arrived is written to the journal and made durable; only then is it acknowledged
//! and handed on (invariant I5). While one group is being synced the next gathers, so that many
//! senders share one sync.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use hashbrown::HashMap;
use tocsin_core::batch::{EventBatch, TenantId};
use tocsin_core::offset::OffsetRange;
use tocsin_core::time::Timestamp;
use tokio::sync::oneshot;

use crate::channel::{Closed, Received, Receiver, Sender};
use crate::commit::StoreError;
use crate::intake::{Answer, Repeatable, Telling};
use crate::journal::{Appended, Journal, JournalError, NewFrame, RequestMark};
use crate::ledger::Ledger;
use crate::readiness::{Part, Readiness};
use crate::rules::{NewRules, ReadyRules};
use crate::stage::decode::{Arrived, Sent, Work};
use crate::telemetry;
use crate::tenants::Tenants;

/// Bytes written between two syncs. What waits beyond it goes into the next group.
const SYNC_BYTES_MAX: usize = 8 << 20;

/// Requests remembered here; older ones are found in the store, where they are by then.
const RECENT_REQUESTS_MAX: usize = 65_536;

/// Under which reason the ledger counts records of a request that was sent again.
const DUPLICATE: &str = "duplicate";

/// A frame that is durable, on its way to the engine.
#[derive(Debug)]
pub struct Accepted {
    /// Where its frame begins.
    pub start: u64,
    /// One past its frame.
    pub end: u64,
    /// What it holds.
    pub body: AcceptedBody,
}

/// What a durable frame holds.
#[derive(Debug)]
pub enum AcceptedBody {
    /// Events.
    Events {
        /// The records, read; their offsets are places in the journal.
        batch: Box<EventBatch>,
        /// Requests that may be repeated.
        requests: Vec<RequestMark>,
    },
    /// Time has passed.
    Tick(Timestamp),
    /// Other rules are active from here on.
    Rules(NewRules, Timestamp),
}

/// Requests that are stored already.
pub trait Remembered: Send {
    /// The request of this key, if it is remembered at this time.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn request(
        &self,
        tenant: TenantId,
        key: &[u8; 16],
        now: Timestamp,
    ) -> Result<Option<RequestMark>, StoreError>;
}

/// The stage.
pub struct Ingest {
    /// What the decode stage hands on.
    pub works: Receiver<Work>,
    /// The journal.
    pub journal: Box<dyn Journal>,
    /// Requests that are stored.
    pub remembered: Box<dyn Remembered>,
    /// Tenants' names, for the journal.
    pub tenants: Tenants,
    /// What became of records.
    pub ledger: Ledger,
    /// Below this position the journal is no longer needed.
    pub released: Arc<AtomicU64>,
    /// Whether the journal can be written.
    pub readiness: Readiness,
    /// Where answers go back.
    pub telling: Telling,
    /// The detect stage.
    pub next: Sender<Accepted>,
    /// Rules whose frames could not be written yet, in order. What comes now was read for the last of
    /// them, so nothing else is taken in before them.
    pub waiting_rules: VecDeque<(NewRules, Timestamp)>,
}

/// Answers and frames of one sync.
#[derive(Default)]
struct Group {
    answers: Vec<(TenantId, Sent, Verdict)>,
    frames: Vec<Accepted>,
    /// Rules, and when they came.
    rules: Vec<(NewRules, Timestamp)>,
    bytes: usize,
    failed: Option<JournalError>,
}

/// What a sender will be told once the group is durable.
enum Verdict {
    /// What its receipt says.
    Receipt,
    /// What it was told the first time.
    Repeated(RequestMark),
    /// Its key was used with another body.
    Conflict,
    /// The store that remembers requests cannot be read.
    Unknown(StoreError),
}

impl Ingest {
    /// Notes that the house has started, and with which rules: the first frames of its life, which
    /// also show whether the journal can be written.
    pub fn start(&mut self, rules: Arc<ReadyRules>, now: Timestamp) {
        let mut recent = Recent::default();
        let mut group = Group::default();
        self.gather(Work::Rules(NewRules::unasked(rules), now), &mut recent, &mut group);
        self.gather(Work::Tick(now), &mut recent, &mut group);
        if group.failed.is_none() {
            group.failed = self.journal.sync().err();
        }
        if self.settle(group, &mut recent).is_err() {
            tracing::error!("the engine has ended before it began");
        }
    }

    /// Runs until the decode stage has ended. `known` are requests that the store may not have yet.
    pub fn run(mut self, known: Vec<(TenantId, RequestMark)>) {
        let mut recent = Recent::default();
        for (tenant, mark) in known {
            recent.keep(tenant, &[mark]);
        }
        while let Received::Item(first) = self.works.receive(None) {
            let mut group = Group::default();
            for (new, at) in std::mem::take(&mut self.waiting_rules) {
                self.add_rules(new, at, &mut group);
            }
            let mut next = Some(first);
            while let Some(work) = next {
                self.gather(work, &mut recent, &mut group);
                let more = group.bytes < SYNC_BYTES_MAX && group.failed.is_none();
                next = if more { self.works.take() } else { None };
            }
            if group.failed.is_none() && !group.frames.is_empty() {
                let begun = Instant::now();
                group.failed = self.journal.sync().err();
                telemetry::synced(group.bytes, begun.elapsed());
            }
            if self.settle(group, &mut recent).is_err() {
                return;
            }
            self.journal.release(self.released.load(Ordering::Relaxed));
        }
    }

    fn gather(&mut self, work: Work, recent: &mut Recent, group: &mut Group) {
        match work {
            Work::Group(batches) => {
                for arrived in batches {
                    self.add(arrived, recent, group);
                }
            }
            Work::Rules(new, at) => self.add_rules(new, at, group),
            Work::Tick(now) => {
                let frame = NewFrame::Tick(now);
                if let Some(Appended { start, end, .. }) = append(&mut *self.journal, frame, group) {
                    group.frames.push(Accepted { start, end, body: AcceptedBody::Tick(now) });
                }
            }
        }
    }

    fn add_rules(&mut self, new: NewRules, at: Timestamp, group: &mut Group) {
        let frame = NewFrame::Rules { id: new.rules.id, at, by: &new.rules.by };
        let written = append(&mut *self.journal, frame, group);
        if let Some(Appended { start, end, .. }) = written {
            let body = AcceptedBody::Rules(new.clone(), at);
            group.frames.push(Accepted { start, end, body });
        }
        group.rules.push((new, at));
    }

    /// Writes one batch, unless all of it is refused or it is a repeat.
    fn add(&mut self, arrived: Arrived, recent: &mut Recent, group: &mut Group) {
        let Arrived { source, mut batch, senders } = arrived;
        let (tenant, now) = (batch.raw.tenant, batch.raw.ingest.unwrap_or_default());
        let mut requests = Vec::new();
        let mut is_repeat = false;
        for sent in senders {
            let known = sent.repeatable.map(|repeatable| self.known(tenant, repeatable, now, recent));
            let verdict = known.unwrap_or(Verdict::Receipt);
            is_repeat |= !matches!(verdict, Verdict::Receipt);
            if let (Verdict::Receipt, Some(Repeatable { key, body })) = (&verdict, sent.repeatable)
                && sent.receipt.accepted > 0
            {
                let (accepted, reply) = (sent.receipt.accepted, sent.receipt.to_json());
                requests.push(RequestMark { key, body, accepted, reply });
            }
            group.answers.push((tenant, sent, verdict));
        }
        if is_repeat || batch.raw.records.is_empty() {
            return;
        }
        let name = self.tenants.name(tenant).unwrap_or_default();
        let frame = NewFrame::Events { tenant: &name, source: &source, raw: &batch.raw, requests: &requests };
        if let Some(Appended { start, records_at, end }) = append(&mut *self.journal, frame, group) {
            group.bytes += batch.raw.bytes.len();
            batch.raw.offsets =
                OffsetRange { from: records_at, to: records_at + batch.raw.bytes.len() as u64 };
            recent.keep(tenant, &requests);
            group.frames.push(Accepted {
                start,
                end,
                body: AcceptedBody::Events { batch: Box::new(batch), requests },
            });
        }
    }

    /// What is known of a request that may be a repeat.
    fn known(&self, tenant: TenantId, asked: Repeatable, now: Timestamp, recent: &Recent) -> Verdict {
        let stored = match recent.requests.get(&(tenant, asked.key)) {
            Some(mark) => Ok(Some(mark.clone())),
            None => self.remembered.request(tenant, &asked.key, now),
        };
        match stored {
            Ok(None) => Verdict::Receipt,
            Ok(Some(mark)) if mark.body == asked.body => Verdict::Repeated(mark),
            Ok(Some(_)) => Verdict::Conflict,
            Err(error) => Verdict::Unknown(error),
        }
    }

    /// What a sender is told, counted.
    fn answer(
        &self,
        tenant: TenantId,
        sent: Sent,
        verdict: Verdict,
        failed: Option<&JournalError>,
    ) -> (oneshot::Sender<Answer>, Answer) {
        let Sent { answer, receipt, .. } = sent;
        let records = u64::from(receipt.accepted + receipt.rejected);
        let told = match (failed, verdict) {
            (Some(error), Verdict::Receipt) if receipt.accepted > 0 => Answer::Unavailable(error.to_string()),
            (_, Verdict::Receipt) => Answer::Taken(receipt),
            (Some(error), Verdict::Repeated(_)) => Answer::Unavailable(error.to_string()),
            (None, Verdict::Repeated(mark)) => Answer::Repeated(mark.reply),
            (_, Verdict::Conflict) => Answer::Conflict,
            (_, Verdict::Unknown(error)) => Answer::Unavailable(error.to_string()),
        };
        match &told {
            Answer::Taken(receipt) => {
                for (reason, count) in &receipt.reasons {
                    self.ledger.reject(tenant, reason.as_str(), u64::from(*count));
                }
            }
            Answer::Repeated(_) => self.ledger.reject(tenant, DUPLICATE, records),
            Answer::Conflict | Answer::Unavailable(_) => {}
        }
        (answer, told)
    }

    /// Tells every sender, and hands on what is durable.
    fn settle(&mut self, group: Group, recent: &mut Recent) -> Result<(), Closed> {
        let durable = group.failed.is_none();
        self.readiness.set(Part::Journal, group.failed.as_ref().map(ToString::to_string));
        if let Some(error) = &group.failed {
            tracing::warn!(reason = %error, "nothing is acknowledged: the journal cannot be written");
            recent.forget(&group.frames);
        }
        for frame in group.frames.iter().filter(|_| durable) {
            if let AcceptedBody::Events { batch, .. } = &frame.body {
                self.ledger.accept(batch.raw.tenant, batch.raw.records.len() as u64);
            }
        }
        if let Some(error) = &group.failed {
            group.rules.iter().for_each(|(new, _)| new.tell(Err(error.to_string())));
            self.waiting_rules.extend(group.rules);
        }
        let failed = group.failed.as_ref();
        let answers = group.answers.into_iter();
        self.telling.tell(
            answers.map(|(tenant, sent, verdict)| self.answer(tenant, sent, verdict, failed)).collect(),
        );
        let frames = group.frames.into_iter().filter(|_| durable);
        frames.into_iter().try_for_each(|frame| {
            let bytes = frame.bytes();
            self.next.send(frame, bytes)
        })
    }
}

/// Appends a frame unless the group has failed already.
fn append(journal: &mut dyn Journal, frame: NewFrame<'_>, group: &mut Group) -> Option<Appended> {
    if group.failed.is_some() {
        return None;
    }
    journal.append(frame).map_err(|error| group.failed = Some(error)).ok()
}

impl Accepted {
    /// What it takes in a channel.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.body {
            AcceptedBody::Events { batch, .. } => batch.raw.bytes.len(),
            AcceptedBody::Tick(_) | AcceptedBody::Rules(..) => 0,
        }
    }
}

/// Requests since the last restart, the newest of them.
#[derive(Default)]
struct Recent {
    requests: HashMap<(TenantId, [u8; 16]), RequestMark>,
    order: VecDeque<(TenantId, [u8; 16])>,
}

impl Recent {
    fn keep(&mut self, tenant: TenantId, marks: &[RequestMark]) {
        for mark in marks {
            let key = (tenant, mark.key);
            self.requests.insert(key, mark.clone());
            self.order.push_back(key);
        }
        while self.order.len() > RECENT_REQUESTS_MAX {
            let oldest = self.order.pop_front();
            oldest.map(|key| self.requests.remove(&key));
        }
    }

    /// These frames did not become durable.
    fn forget(&mut self, frames: &[Accepted]) {
        for frame in frames {
            if let AcceptedBody::Events { batch, requests } = &frame.body {
                for mark in requests {
                    self.requests.remove(&(batch.raw.tenant, mark.key));
                }
            }
        }
    }
}
