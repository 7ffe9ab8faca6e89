//! The engine: batches in, detections out. Pure, deterministic, the same for the daemon, `scan`,
//! `replay`, tests and benches.
//!
//! It has two halves. [`MatchStage`] is data-parallel: any number of workers, each with its own,
//! turn event batches into [`MatchedBatch`]es. [`Correlator`] takes those in order and owns all
//! state. [`Engine::step`] is both in a row.

use std::sync::Arc;

use crate::batch::{Event, EventBatch, Notes, RawBatch, TenantId};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::detection::Detection;
use crate::detector::{Emission, StepContext, Usage};
use crate::key;
use crate::matcher::{Matcher, RuleMatch};
use crate::offset::{PartitionId, Position};
use crate::plan::Plan;
use crate::shard::{SHARDS, Shard, rule_hash, shard_of};
use crate::signal::{Signal, Signals};
use crate::time::{Span, Timestamp};
use crate::times::Times;
use crate::watermark::{PartitionClock, Watermarks};

/// How the engine treats time.
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    /// How far behind the newest event of its partition an event may come and still count fully.
    pub lateness: Span,
    /// How far behind the watermark an event may still add or revise.
    pub grace: Span,
    /// When detections are handed out.
    pub emission: Emission,
    /// Latest time an event may claim where nothing says when it was taken in; beyond it the event
    /// gets its ingest time.
    pub latest: Timestamp,
    /// How long nothing must have come from a tenant for its watermark to follow the clock.
    pub idle: Span,
}

impl Default for EngineConfig {
    fn default() -> EngineConfig {
        EngineConfig {
            lateness: Span::seconds(60),
            grace: Span::seconds(300),
            emission: Emission::Live,
            latest: Timestamp::MAX,
            idle: Span::seconds(60),
        }
    }
}

/// A signal and what its worker could not know yet.
#[derive(Clone, Copy, Debug)]
struct Unplaced {
    signal: Signal,
    /// Newest event time of the batch up to and with this event.
    newest_in_batch: Timestamp,
    time_from_ingest: bool,
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
    /// Records that could not be read.
    pub quarantined: Vec<crate::batch::Quarantined>,
    signals: Vec<Unplaced>,
    keys: Vec<u8>,
    newest: Timestamp,
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

/// The data-parallel half: matching and keys. One per worker.
pub struct MatchStage {
    plan: Arc<Plan>,
    matcher: Box<dyn Matcher>,
    latest: Timestamp,
}

impl MatchStage {
    /// A stage for one worker.
    #[must_use]
    pub fn new(plan: Arc<Plan>, config: &EngineConfig) -> MatchStage {
        let matcher = (plan.matcher)();
        MatchStage { plan, matcher, latest: config.latest }
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
        self.matcher.matches(&batch, &mut matches);
        let mut out = MatchedBatch {
            matches: Vec::new(),
            events: batch.events.len() as u64,
            notes,
            noted,
            without_key: 0,
            quarantined: std::mem::take(&mut batch.quarantined),
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

    /// How often so far something seen before did not have to be judged again.
    #[must_use]
    pub fn memo_hits(&self) -> u64 {
        self.matcher.memo_hits()
    }

    fn form_signals(&self, batch: &EventBatch, matches: &[RuleMatch], times: Times, out: &mut MatchedBatch) {
        let has_time = |event: &Event| times.stand_in.is_some() || !event.notes.time_from_ingest();
        let mut newest = Timestamp::MIN;
        let mut next_event = 0;
        for found in matches {
            let upto = found.event as usize + 1;
            newest = newest_of(&batch.events[next_event..upto], has_time, newest);
            next_event = upto;
            let event = &batch.events[found.event as usize];
            for route in &self.plan.rules[found.rule.index()].routes {
                let key_start = out.keys.len() as u32;
                if !key::append(batch, event, &route.key, route.missing, &mut out.keys) {
                    out.without_key += 1;
                    continue;
                }
                let signal = Signal {
                    rule: route.rule,
                    role: route.role,
                    late_behind: None,
                    time: event.time,
                    ingest: batch.raw.ingest.unwrap_or(Timestamp::MIN),
                    position: batch.raw.position(event.record),
                    weight: event.weight,
                    key_start,
                    key_len: out.keys.len() as u32 - key_start,
                };
                let time_from_ingest = !has_time(event);
                out.signals.push(Unplaced { signal, newest_in_batch: newest, time_from_ingest });
            }
        }
        out.newest = newest_of(&batch.events[next_event..], has_time, newest);
    }
}

fn newest_of(events: &[Event], has_time: impl Fn(&Event) -> bool, so_far: Timestamp) -> Timestamp {
    let timed = events.iter().filter(|event| has_time(event));
    timed.map(|event| event.time).fold(so_far, Timestamp::max)
}

/// The stateful half: watermarks and shards. It sees batches in order, one at a time.
pub struct Correlator {
    plan: Arc<Plan>,
    config: EngineConfig,
    tenants: Vec<Watermarks>,
    shards: Vec<Shard>,
    routed: Vec<Vec<u32>>,
    rule_hashes: Vec<u64>,
}

/// The work of some shards in one step.
pub struct ShardsPart<'a> {
    plan: &'a Plan,
    context: StepContext,
    signals: &'a Signals,
    shards: &'a mut [Shard],
    routed: &'a mut [Vec<u32>],
    tick: bool,
    out: &'a mut Vec<Detection>,
}

impl ShardsPart<'_> {
    /// Does it.
    pub fn run(self) {
        for (shard, mine) in self.shards.iter_mut().zip(self.routed) {
            if !mine.is_empty() {
                shard.step(self.plan, &self.context, self.signals, mine, self.out);
                mine.clear();
            }
            if self.tick {
                shard.tick(self.signals.tenant, &self.context, self.out);
            }
        }
    }
}

/// What one step gave.
#[derive(Debug, Default)]
pub struct Output {
    /// Detections that arose or changed.
    pub detections: Vec<Detection>,
    /// Events too far behind the watermark for some window.
    pub late_dropped: u64,
}

impl Correlator {
    /// An empty correlator.
    #[must_use]
    pub fn new(plan: Arc<Plan>, config: EngineConfig) -> Correlator {
        let rule_hashes = plan.rules.iter().map(|rule| rule_hash(&rule.meta)).collect();
        Correlator {
            plan,
            rule_hashes,
            config,
            tenants: Vec::new(),
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            routed: vec![Vec::new(); SHARDS],
        }
    }

    /// Makes a partition known, so that the watermark waits for its first event.
    pub fn expect(&mut self, tenant: TenantId, partition: PartitionId) {
        self.watermarks(tenant).expect(partition);
    }

    /// Takes in one batch.
    pub fn step(&mut self, batch: &mut MatchedBatch) -> Output {
        self.step_in_parts(batch, 1, |parts| parts.into_iter().for_each(ShardsPart::run))
    }

    /// Takes in one batch, its shards' work cut into parts that `run` may do at the same time: a
    /// shard owns its state, so nothing is shared. `run` must run every part.
    pub fn step_in_parts(
        &mut self,
        batch: &mut MatchedBatch,
        parts: usize,
        run: impl FnOnce(Vec<ShardsPart<'_>>),
    ) -> Output {
        let (tenant, partition) = (batch.raw.tenant, batch.raw.partition);
        let mut output = Output::default();
        let lateness = self.config.lateness;
        let mut clock = self.watermarks(tenant).clock(partition, lateness, batch.raw.ingest);
        let signals = self.place_all(batch, &mut clock, &mut output);
        let watermark = clock.observe(batch.newest);
        let watermarks = self.watermarks(tenant);
        watermarks.accept(partition, clock);
        let tick = watermarks.tick(watermark);
        self.route(tenant, &signals);
        let context = self.context(watermark);
        let size = SHARDS.div_ceil(parts.clamp(1, SHARDS));
        let mut found: Vec<Vec<Detection>> = vec![Vec::new(); SHARDS.div_ceil(size)];
        let shards = self.shards.chunks_mut(size).zip(self.routed.chunks_mut(size));
        let parts = shards.zip(&mut found).map(|((shards, routed), out)| ShardsPart {
            plan: &self.plan,
            context,
            signals: &signals,
            shards,
            routed,
            tick,
            out,
        });
        run(parts.collect());
        output.detections = found.into_iter().flatten().collect();
        output
    }

    /// A partition has ended.
    pub fn leave(&mut self, tenant: TenantId, partition: PartitionId) -> Output {
        let mut output = Output::default();
        let lateness = self.config.lateness;
        let watermarks = self.watermarks(tenant);
        watermarks.leave(partition);
        let watermark = watermarks.advance(lateness);
        if watermarks.tick(watermark) {
            let context = self.context(watermark);
            for shard in &mut self.shards {
                shard.tick(tenant, &context, &mut output.detections);
            }
        }
        output
    }

    /// Time has passed without events: tenants from whom nothing came for long get a watermark all
    /// the same. `now` is journalled, so that this happens again in the same way.
    pub fn pass(&mut self, now: Timestamp) -> Output {
        let mut output = Output::default();
        let (idle, lateness) = (self.config.idle, self.config.lateness);
        for index in 0..self.tenants.len() {
            if let Some(watermark) = self.tenants[index].pass(now, idle, lateness) {
                let context = self.context(watermark);
                for shard in &mut self.shards {
                    shard.tick(TenantId(index as u32), &context, &mut output.detections);
                }
            }
        }
        output
    }

    /// The watermark of a tenant.
    #[must_use]
    pub fn watermark(&self, tenant: TenantId) -> Timestamp {
        self.tenants.get(tenant.0 as usize).map_or(Timestamp::MIN, Watermarks::reached)
    }

    /// How much state there is.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.shards.iter().map(Shard::usage).fold(Usage::default(), |sum, one| Usage {
            keys: sum.keys + one.keys,
            evicted: sum.evicted + one.evicted,
        })
    }

    /// Bytes of memory all state takes, about.
    #[must_use]
    pub fn state_bytes(&self) -> usize {
        self.shards.iter().map(Shard::bytes).sum()
    }

    /// All state as one cut.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            tenants: self.tenants.clone(),
            shards: self.shards.iter().map(|shard| shard.snapshot(&self.plan)).collect(),
        }
    }

    /// Replaces all state by a checkpoint's.
    ///
    /// # Errors
    /// [`CheckpointError`] when it does not fit this rule set; the state is then unchanged.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        if checkpoint.shards.len() != SHARDS {
            return Err(CheckpointError::Shards(checkpoint.shards.len()));
        }
        let mut shards = Vec::with_capacity(SHARDS);
        for snapshot in &checkpoint.shards {
            let mut shard = Shard::default();
            shard.restore(&self.plan, snapshot)?;
            shards.push(shard);
        }
        self.shards = shards;
        self.tenants.clone_from(&checkpoint.tenants);
        Ok(())
    }

    fn place_all(
        &self,
        batch: &mut MatchedBatch,
        clock: &mut PartitionClock,
        output: &mut Output,
    ) -> Signals {
        let first = Times::of(&batch.raw, self.config.latest).first;
        let mut signals = Signals {
            tenant: batch.raw.tenant,
            list: Vec::with_capacity(batch.signals.len()),
            keys: std::mem::take(&mut batch.keys),
        };
        let mut dropped = None;
        for unplaced in std::mem::take(&mut batch.signals) {
            match self.place(clock, first, unplaced) {
                Some(signal) => signals.list.push(signal),
                None => {
                    let again = dropped.replace(unplaced.signal.position) == Some(unplaced.signal.position);
                    output.late_dropped += u64::from(!again);
                }
            }
        }
        signals
    }

    /// Gives a signal its time and tells whether it is late; `None` when it is too late to count.
    fn place(&self, clock: &mut PartitionClock, first: Timestamp, unplaced: Unplaced) -> Option<Signal> {
        let watermark = clock.observe(unplaced.newest_in_batch);
        let mut signal = unplaced.signal;
        let newest = if clock.newest() == Timestamp::MIN { first } else { clock.newest() };
        if signal.ingest == Timestamp::MIN {
            signal.ingest = newest;
        }
        if unplaced.time_from_ingest {
            signal.time = newest;
        }
        if signal.time <= watermark {
            signal.late_behind = Some(watermark);
            // A stateless rule needs no window: its match counts however late it comes.
            let needs_window = self.plan.meta(signal.rule).window.is_some();
            if needs_window && signal.time < watermark.minus(self.config.grace) {
                return None;
            }
        }
        Some(signal)
    }

    fn route(&mut self, tenant: TenantId, signals: &Signals) {
        for (index, signal) in signals.list.iter().enumerate() {
            let shard = shard_of(tenant, self.rule_hashes[signal.rule.index()], signals.key(signal));
            self.routed[shard].push(index as u32);
        }
    }

    fn context(&self, watermark: Timestamp) -> StepContext {
        StepContext { watermark, grace: self.config.grace, emission: self.config.emission }
    }

    fn watermarks(&mut self, tenant: TenantId) -> &mut Watermarks {
        let index = tenant.0 as usize;
        if self.tenants.len() <= index {
            self.tenants.resize_with(index + 1, Watermarks::default);
        }
        &mut self.tenants[index]
    }
}

/// Both halves in a row, for one thread.
pub struct Engine {
    matching: MatchStage,
    correlator: Correlator,
}

impl Engine {
    /// An engine without state.
    #[must_use]
    pub fn new(plan: Arc<Plan>, config: EngineConfig) -> Engine {
        let matching = MatchStage::new(Arc::clone(&plan), &config);
        Engine { matching, correlator: Correlator::new(plan, config) }
    }

    /// Takes in one batch of events.
    pub fn step(&mut self, batch: EventBatch) -> Output {
        let mut matched = self.matching.step(batch);
        self.correlator.step(&mut matched)
    }

    /// The stateful half.
    pub fn correlator(&mut self) -> &mut Correlator {
        &mut self.correlator
    }
}
