//! Detect: durable frames, in their order, through the engine. One step a frame, so that a replay of
//! the journal makes the same steps.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tocsin_core::batch::{EventBatch, RawBatch, TenantId};
use tocsin_core::detection::Detection;
use tocsin_core::engine::{Correlator, MatchStage, MatchedBatch};
use tocsin_core::plan::Plan;
use tocsin_core::time::Timestamp;

use crate::channel::{Received, Receiver, Sender};
use crate::commit::NewCheckpoint;
use crate::journal::RequestMark;
use crate::rules::{ActiveRules, ReadyRules, RuleSetId};
use crate::stage::ingest::{Accepted, AcceptedBody};
use crate::telemetry;

/// How often all state is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

/// What one step came to.
#[derive(Debug)]
pub struct Step {
    /// One past its frame.
    pub end: u64,
    /// Whose events they were; of a tick, nobody's.
    pub tenant: TenantId,
    /// Position of its last record; of its frame, if it has none.
    pub position: u64,
    /// When it was taken in.
    pub at: Timestamp,
    /// The records; `None` for a tick.
    pub raw: Option<Arc<RawBatch>>,
    /// Events taken in.
    pub processed: u64,
    /// Accepted records that could not be read after all.
    pub quarantined: u64,
    /// What arose or changed, in order.
    pub detections: Vec<Detection>,
    /// Requests that may be repeated.
    pub requests: Vec<RequestMark>,
    /// The rules its detections are of.
    pub rules: Arc<ReadyRules>,
    /// The set that is active after this step, where it changed that.
    pub activated: Option<RuleSetId>,
    /// All state after this step, when it is time to keep it.
    pub checkpoint: Option<NewCheckpoint>,
}

impl Step {
    /// What it takes in a channel.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.raw.as_ref().map_or(0, |raw| raw.bytes.len())
    }
}

/// When to keep all state.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointPlan {
    /// Bytes of journal after which a checkpoint is taken: what a restart reads again at most.
    pub bytes: u64,
    /// Time after which one is taken, if anything came.
    pub interval: Duration,
}

/// Makes a matcher of these rules; also after one has failed.
pub type Matchers = Box<dyn Fn(&Arc<Plan>) -> MatchStage + Send>;

/// The engine with what it needs to decide on checkpoints.
pub struct Detect {
    matchers: Matchers,
    matching: MatchStage,
    correlator: Correlator,
    /// The rules that are active, as others see them.
    active: ActiveRules,
    rules: Arc<ReadyRules>,
    /// Memo hits of matchers that are gone.
    hits_before: u64,
    plan: CheckpointPlan,
    kept_at: u64,
    kept: Instant,
    measured: Option<Instant>,
}

impl Detect {
    /// An engine whose state is that of the cut at `position`, and whose rules are the active ones.
    #[must_use]
    pub fn new(
        matchers: Matchers,
        correlator: Correlator,
        active: ActiveRules,
        plan: CheckpointPlan,
        position: u64,
    ) -> Detect {
        telemetry::rules_changed(active.now().rules.len(), None);
        Detect {
            matching: matchers(correlator.plan()),
            matchers,
            correlator,
            rules: active.now(),
            active,
            hits_before: 0,
            plan,
            kept_at: position,
            kept: Instant::now(),
            measured: None,
        }
    }

    /// Runs until the ingest stage has ended, then keeps all state a last time.
    pub fn run(mut self, frames: &Receiver<Accepted>, next: &Sender<Step>) {
        let mut end = self.kept_at;
        while let Received::Item(frame) = frames.receive(None) {
            let mut step = self.take(frame);
            self.measure();
            end = step.end;
            let due = end - self.kept_at >= self.plan.bytes || self.kept.elapsed() >= self.plan.interval;
            step.checkpoint = due.then(|| self.checkpoint(end));
            let bytes = step.bytes();
            if next.send(step, bytes).is_err() {
                return;
            }
        }
        if end > self.kept_at {
            let last = Step { checkpoint: Some(self.checkpoint(end)), ..self.empty(end) };
            if next.send(last, 0).is_err() {
                tracing::warn!("the last state is not kept; the next start reads more of the journal");
            }
        }
    }

    /// One step.
    pub fn take(&mut self, frame: Accepted) -> Step {
        match frame.body {
            AcceptedBody::Tick(now) => {
                let detections = self.correlator.pass(now).detections;
                Step { position: frame.start, at: now, detections, ..self.empty(frame.end) }
            }
            AcceptedBody::Rules(new, at) => {
                let (position, activated) = (frame.start, Some(new.rules.id));
                let step = Step { position, at, activated, ..self.empty(frame.end) };
                let detections = self.change_rules(&new.rules);
                new.tell(Ok(frame.start));
                Step { detections, ..step }
            }
            AcceptedBody::Events { batch, requests } => {
                let events = Step { requests, position: frame.start, ..self.step_of(&batch.raw, frame.end) };
                let records = batch.raw.records.len() as u64;
                match self.matched(*batch) {
                    Some(matched) => self.correlated(matched, events),
                    None => Step { quarantined: records, ..events },
                }
            }
        }
    }

    /// Other rules are active from now on; gives what came of the rules that are gone.
    fn change_rules(&mut self, rules: &Arc<ReadyRules>) -> Vec<Detection> {
        if Arc::ptr_eq(&rules.plan, self.correlator.plan()) {
            return Vec::new();
        }
        let begun = Instant::now();
        let detections = self.correlator.activate(Arc::clone(&rules.plan)).detections;
        self.hits_before += self.matching.memo_hits();
        rules.exchange(&mut self.matching, &self.matchers);
        self.active.take_over(Arc::clone(rules));
        self.rules = Arc::clone(rules);
        telemetry::rules_changed(rules.rules.len(), Some(begun.elapsed()));
        detections
    }

    /// Matches a batch. A matcher that panics is a defect: the batch is quarantined where it lies, in
    /// the journal, and the house goes on with a new matcher.
    fn matched(&mut self, batch: EventBatch) -> Option<MatchedBatch> {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.matching.step(batch)));
        if outcome.is_err() {
            telemetry::matcher_failed();
            self.matching = (self.matchers)(self.correlator.plan());
        }
        outcome.ok()
    }

    fn correlated(&mut self, mut matched: MatchedBatch, events: Step) -> Step {
        let output = self.correlator.step(&mut matched);
        self.rules.count(&matched);
        let hits = self.hits_before + self.matching.memo_hits();
        telemetry::matched(matched.matches.len() as u64, hits, output.late_dropped);
        let raw = matched.raw;
        let last = raw.records.len().checked_sub(1).map(|last| raw.position(last as u32).offset());
        Step {
            position: last.unwrap_or(events.position),
            processed: matched.events,
            quarantined: matched.quarantined.len() as u64,
            detections: output.detections,
            raw: Some(Arc::new(raw)),
            ..events
        }
    }

    /// Says how much state there is, now and then.
    fn measure(&mut self) {
        if self.measured.is_none_or(|measured| measured.elapsed() >= MEASURE_EVERY) {
            self.measured = Some(Instant::now());
            telemetry::state(self.correlator.usage());
        }
    }

    fn checkpoint(&mut self, position: u64) -> NewCheckpoint {
        self.kept_at = position;
        self.kept = Instant::now();
        NewCheckpoint { position, bytes: self.correlator.checkpoint().to_bytes().into() }
    }

    fn step_of(&self, raw: &RawBatch, end: u64) -> Step {
        Step { tenant: raw.tenant, at: raw.ingest.unwrap_or_default(), ..self.empty(end) }
    }

    /// A step that nothing came of.
    fn empty(&self, end: u64) -> Step {
        Step {
            end,
            tenant: TenantId::default(),
            position: end,
            at: Timestamp::MIN,
            raw: None,
            processed: 0,
            quarantined: 0,
            detections: Vec::new(),
            requests: Vec::new(),
            rules: Arc::clone(&self.rules),
            activated: None,
            checkpoint: None,
        }
    }
}
