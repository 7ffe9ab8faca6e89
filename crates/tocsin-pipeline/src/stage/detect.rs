//! Detect: durable frames, in their order, through the engine. One step a frame, so that a replay of
//! the journal makes the same steps.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tocsin_core::batch::{EventBatch, RawBatch, TenantId};
use tocsin_core::checkpoint::{Checkpoint, Failures};
use tocsin_core::detection::Detection;
use tocsin_core::engine::{Correlator, Failure, MatchStage, MatchedBatch};
use tocsin_core::plan::Plan;
use tocsin_core::time::Timestamp;

use crate::channel::{Received, Receiver, Sender};
use crate::commit::NewCheckpoint;
use crate::journal::RequestMark;
use crate::meter::{Measurements, Meter};
use crate::rules::{ActiveRules, ReadyRules, RuleSetId};
use crate::stage::ingest::{Accepted, AcceptedBody};
use crate::telemetry;

/// How long no frame must have come before what came is measured: then whoever asks sees all of it.
const QUIET: Duration = Duration::from_millis(500);

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
    meter: Meter,
    plan: CheckpointPlan,
    kept_at: u64,
    kept: Instant,
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
        let mut meter = Meter::default();
        meter.begin(&active.now());
        Detect {
            matching: matchers(correlator.plan()),
            matchers,
            correlator,
            rules: active.now(),
            active,
            meter,
            plan,
            kept_at: position,
            kept: Instant::now(),
        }
    }

    /// Rules that had failed before, at the cut of the state: those that were off stay off.
    pub fn go_on_from(&mut self, failures: &[Failure]) {
        self.matching.go_on_from(failures);
        self.rules.set_failures(failures);
    }

    /// Where what the engine costs and holds is read.
    #[must_use]
    pub fn measurements(&self) -> Measurements {
        self.meter.measurements()
    }

    /// Runs until the ingest stage has ended, then keeps all state a last time.
    pub fn run(mut self, frames: &Receiver<Accepted>, next: &Sender<Step>) {
        let mut end = self.kept_at;
        self.measure();
        loop {
            let frame = match frames.receive(self.meter.is_stale().then_some(QUIET)) {
                Received::Item(frame) => frame,
                Received::Nothing => {
                    self.measure();
                    continue;
                }
                Received::Ended => break,
            };
            let mut step = self.take(frame);
            if self.meter.is_due() {
                self.measure();
            }
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
        let step = self.step(frame);
        self.meter.pass(step.at);
        step
    }

    fn step(&mut self, frame: Accepted) -> Step {
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
                let begun = Instant::now();
                match self.matched(*batch) {
                    Some(matched) => self.correlated(matched, events, begun),
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
        self.meter.close(&self.matching, &self.rules);
        let failures = self.matching.failures();
        rules.exchange(&mut self.matching, &self.matchers);
        self.matching.go_on_from(&failures);
        self.active.take_over(Arc::clone(rules));
        self.rules = Arc::clone(rules);
        self.meter.begin(rules);
        telemetry::rules_changed(rules.rules.len(), Some(begun.elapsed()));
        detections
    }

    /// Matches a batch. A matcher that panics is a defect: the batch is quarantined where it lies, in
    /// the journal, and the house goes on with a new matcher.
    fn matched(&mut self, batch: EventBatch) -> Option<MatchedBatch> {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.matching.step(batch)));
        if outcome.is_err() {
            telemetry::matcher_failed();
            let failures = self.matching.failures();
            self.meter.close(&self.matching, &self.rules);
            self.matching = (self.matchers)(self.correlator.plan());
            self.matching.go_on_from(&failures);
            self.meter.begin(&self.rules);
        }
        outcome.ok()
    }

    /// Rules that failed on an event are named.
    fn name_failed(&self, matched: &MatchedBatch) {
        if matched.failed.is_empty() {
            return;
        }
        for failed in &matched.failed {
            let rule = &self.correlator.plan().meta(failed.rule).id;
            telemetry::rule_failed(rule);
            tracing::error!(%rule, switched_off = failed.is_off, "a rule failed on an event, which is quarantined");
        }
        self.rules.set_failures(&self.matching.failures());
    }

    fn correlated(&mut self, mut matched: MatchedBatch, events: Step, begun: Instant) -> Step {
        let correlating = Instant::now();
        let output = self.correlator.step(&mut matched);
        self.meter.took(matched.events, correlating - begun, correlating.elapsed());
        self.rules.count(&matched);
        self.name_failed(&matched);
        telemetry::late(output.late_dropped);
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

    /// Measures what there is now.
    pub fn measure(&mut self) {
        self.meter.measure(&self.matching, &self.correlator, &self.rules);
    }

    /// All state, as it is at this position.
    pub fn checkpoint(&mut self, position: u64) -> NewCheckpoint {
        self.kept_at = position;
        self.kept = Instant::now();
        let failures = Failures::now(self.matching.failures());
        let state = Checkpoint { failures, ..self.correlator.checkpoint() };
        NewCheckpoint { position, bytes: state.to_bytes().into() }
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
