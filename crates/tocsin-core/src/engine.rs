//! The engine: batches in, detections out. Pure, deterministic, the same for the daemon, `scan`,
//! `replay`, tests and benches.
//!
//! It has two halves. [`MatchStage`] is data-parallel: any number of workers, each with its own,
//! turn event batches into [`MatchedBatch`]es. [`Correlator`] takes those in order and owns all
//! state. [`Engine::step`] is both in a row.

use std::sync::Arc;

use crate::batch::{EventBatch, TenantId};
use crate::chain;
use crate::checkpoint::{Checkpoint, CheckpointError, Failures};
use crate::detection::Detection;
use crate::detector::{Emission, Found, StateRoom, StepContext, Usage};
pub use crate::guard::Failure;
use crate::key;
use crate::limits::STATE_BYTES_PER_TENANT_MAX;
use crate::machine::Entry;
use crate::matcher::RuleIdx;
use crate::matching::Unplaced;
pub use crate::matching::{Failed, MatchStage, MatchedBatch};
use crate::offset::PartitionId;
use crate::plan::Plan;
use crate::shard::{SHARDS, Shard, room_of_one, rule_hash, shard_of};
use crate::signal::{Signal, Signals};
use crate::time::{Span, Timestamp};
use crate::times::Times;
use crate::value_hash::ValueHasher;
use crate::watermark::{Patience, SourceClock, Watermarks};

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
    /// Bytes of state one tenant's rules may hold, about.
    pub state_bytes_max: usize,
}

impl Default for EngineConfig {
    fn default() -> EngineConfig {
        EngineConfig {
            lateness: Span::seconds(60),
            grace: Span::seconds(300),
            emission: Emission::Live,
            latest: Timestamp::MAX,
            idle: Span::seconds(60),
            state_bytes_max: STATE_BYTES_PER_TENANT_MAX,
        }
    }
}

/// The part of the tenant's unused room that a shard may have beyond its own share.
const LENT_PART: usize = 16;

/// The stateful half: watermarks and shards. It sees batches in order, one at a time.
pub struct Correlator {
    pub(crate) plan: Arc<Plan>,
    config: EngineConfig,
    pub(crate) tenants: Vec<Watermarks>,
    pub(crate) shards: Vec<Shard>,
    routed: Vec<Vec<u32>>,
    pub(crate) rule_hashes: Vec<u64>,
    /// When the last batch or tick was taken in.
    now: Timestamp,
    /// The highest level of any rule.
    pub(crate) levels: u8,
    pub(crate) hasher: ValueHasher,
}

/// The work of some shards in one step.
pub struct ShardsPart<'a> {
    plan: &'a Plan,
    context: StepContext,
    signals: &'a Signals,
    shards: &'a mut [Shard],
    routed: &'a mut [Vec<u32>],
    tick: bool,
    out: &'a mut Found,
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
                shard.tick(self.plan, self.signals.tenant, 0, &self.context, self.out);
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
            levels: plan.rules.iter().map(|rule| rule.level).max().unwrap_or(0),
            hasher: ValueHasher::new(plan.seed),
            now: Timestamp::MIN,
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
        let source = (partition, batch.raw.source);
        let patience = self.patience();
        self.now = self.now.max(batch.raw.ingest.unwrap_or(Timestamp::MIN));
        let mut clock = self.watermarks(tenant).clock(source, patience, batch.raw.ingest);
        let signals = self.place_all(batch, &mut clock, &mut output);
        let watermark = clock.observe(batch.newest);
        let watermarks = self.watermarks(tenant);
        watermarks.accept(source, clock);
        let tick = watermarks.tick(watermark);
        let above = self.route(tenant, &signals);
        let context = self.context(tenant, watermark);
        let size = SHARDS.div_ceil(parts.clamp(1, SHARDS));
        let mut found: Vec<Found> = Vec::new();
        found.resize_with(SHARDS.div_ceil(size), Found::default);
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
        let mut all = Found::default();
        found.into_iter().for_each(|part| all.append(part));
        self.climb(&signals, &above, tick, &mut all);
        let pressed = std::mem::take(&mut all.pressed);
        self.tell_of_rules(self.plan.state_pressure, tenant, pressed, watermark, &mut all);
        // Workers of a scan each fail on their own, so what is off depends on how many there are.
        let off = batch.failed.iter().filter(|failed| failed.is_off && batch.raw.ingest.is_some());
        let off = off.map(|failed| (failed.rule, failed.entry)).collect();
        self.tell_of_rules(self.plan.rule_disabled, tenant, off, watermark, &mut all);
        output.detections = all.detections;
        output
    }

    /// Rules over rules, level by level: `direct` are the signals of events for them.
    pub(crate) fn climb(&mut self, signals: &Signals, direct: &[u32], tick: bool, found: &mut Found) {
        let tenant = signals.tenant;
        for level in 1..=self.levels {
            let before = self.watermarks(tenant).of_level(level);
            let mut own = chain::none(tenant);
            for index in direct {
                let signal = &signals.list[*index as usize];
                if self.plan.rules[signal.rule.index()].level == level {
                    let key_start = own.keys.len() as u32;
                    own.keys.extend_from_slice(signals.key(signal));
                    own.list.push(Signal { key_start, ..*signal });
                }
            }
            chain::append(&self.plan, level, &found.holds, before, &self.hasher, &mut own);
            let watermark = if tick { self.watermarks(tenant).raise_level(level) } else { before };
            if own.list.is_empty() && !tick {
                continue;
            }
            let context = self.context(tenant, watermark);
            self.deliver(&own, &context, found);
            for shard in self.shards.iter_mut().filter(|_| tick) {
                shard.tick(&self.plan, tenant, level, &context, found);
            }
        }
    }

    /// What befell rules becomes an alert of each, of a rule about rules: the event it befell them at.
    fn tell_of_rules(
        &mut self,
        rule: Option<RuleIdx>,
        tenant: TenantId,
        mut befallen: Vec<(RuleIdx, Entry)>,
        watermark: Timestamp,
        found: &mut Found,
    ) {
        let Some(rule) = rule.filter(|_| !befallen.is_empty()) else { return };
        befallen.sort_unstable();
        befallen.dedup_by_key(|(whom, _)| *whom);
        let mut signals = chain::none(tenant);
        for (whom, entry) in befallen {
            let key_start = signals.keys.len() as u32;
            key::append_part(&self.plan.meta(whom).id, &mut signals.keys);
            let key_len = signals.keys.len() as u32 - key_start;
            let late_behind = (entry.time <= watermark).then_some(watermark);
            signals.list.push(entry.signal(rule, late_behind, key_start, key_len));
        }
        let context = self.context(tenant, watermark);
        self.deliver(&signals, &context, found);
    }

    /// Hands signals to their shards, one after the other.
    fn deliver(&mut self, signals: &Signals, context: &StepContext, found: &mut Found) {
        for (index, signal) in signals.list.iter().enumerate() {
            let rule = self.rule_hashes[signal.rule.index()];
            self.routed[shard_of(signals.tenant, rule, signals.key(signal))].push(index as u32);
        }
        for (shard, mine) in self.shards.iter_mut().zip(&mut self.routed) {
            if !mine.is_empty() {
                shard.step(&self.plan, context, signals, mine, found);
                mine.clear();
            }
        }
    }

    /// Time passes in all shards of a tenant.
    fn tick(&mut self, tenant: TenantId, watermark: Timestamp) -> Vec<Detection> {
        let context = self.context(tenant, watermark);
        let mut found = Found::default();
        for shard in &mut self.shards {
            shard.tick(&self.plan, tenant, 0, &context, &mut found);
        }
        self.climb(&chain::none(tenant), &[], true, &mut found);
        found.detections
    }

    /// A partition has ended.
    pub fn leave(&mut self, tenant: TenantId, partition: PartitionId) -> Output {
        let mut output = Output::default();
        let lateness = self.config.lateness;
        let watermarks = self.watermarks(tenant);
        watermarks.leave(partition);
        let watermark = watermarks.advance(lateness);
        if watermarks.tick(watermark) {
            output.detections = self.tick(tenant, watermark);
        }
        output
    }

    /// Time has passed without events: tenants from whom nothing came for long get a watermark all
    /// the same. `now` is journalled, so that this happens again in the same way.
    pub fn pass(&mut self, now: Timestamp) -> Output {
        let mut output = Output::default();
        self.now = self.now.max(now);
        let patience = self.patience();
        for index in 0..self.tenants.len() {
            if let Some(watermark) = self.tenants[index].pass(now, patience) {
                output.detections.extend(self.tick(TenantId(index as u32), watermark));
            }
        }
        output
    }

    /// The watermark of a tenant.
    #[must_use]
    pub fn watermark(&self, tenant: TenantId) -> Timestamp {
        self.tenants.get(tenant.0 as usize).map_or(Timestamp::MIN, Watermarks::reached)
    }

    /// The watermarks of all tenants, by number.
    #[must_use]
    pub fn watermarks_by_tenant(&self) -> Vec<Timestamp> {
        self.tenants.iter().map(Watermarks::reached).collect()
    }

    /// How much state there is.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.shards.iter().map(Shard::usage).fold(Usage::default(), Usage::and)
    }

    /// How much state there is of each tenant and rule, shard by shard: several times the same, in no
    /// order.
    pub fn each_usage(&self, mut tell: impl FnMut(TenantId, RuleIdx, Usage)) {
        self.shards.iter().for_each(|shard| shard.each_usage(&mut tell));
    }

    /// Bytes of state one tenant's rules may hold.
    #[must_use]
    pub fn state_bytes_max(&self) -> usize {
        self.config.state_bytes_max
    }

    /// All state as one cut. What rules failed on is not known here.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            tenants: self.tenants.clone(),
            shards: self.shards.iter().map(|shard| shard.snapshot(&self.plan)).collect(),
            failures: Failures::default(),
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

    fn place_all(&self, batch: &mut MatchedBatch, clock: &mut SourceClock, output: &mut Output) -> Signals {
        let first = Times::of(&batch.raw, self.config.latest).first;
        let mut signals = Signals {
            tenant: batch.raw.tenant,
            live: batch.raw.ingest.is_some() && !batch.raw.backfill,
            list: Vec::with_capacity(batch.signals.len()),
            keys: std::mem::take(&mut batch.keys),
        };
        let mut dropped = None;
        for unplaced in std::mem::take(&mut batch.signals) {
            match self.place(&signals, clock, first, unplaced) {
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
    fn place(
        &self,
        among: &Signals,
        clock: &mut SourceClock,
        first: Timestamp,
        unplaced: Unplaced,
    ) -> Option<Signal> {
        let reached = clock.observe(unplaced.newest_in_batch);
        let watermark = match self.plan.rules[unplaced.signal.rule.index()].level {
            0 => reached,
            level => self
                .tenants
                .get(among.tenant.0 as usize)
                .map_or(Timestamp::MIN, |marks| marks.of_level(level)),
        };
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
            // A stateless rule needs no window: its match counts however late it comes. What comes too
            // late for every other still counts by when it came, where that says something.
            let rule = &self.plan.rules[signal.rule.index()];
            if rule.meta.window.is_some() && signal.time < watermark.minus(self.config.grace) {
                let counts = rule.detector.as_ref().is_some_and(|detector| detector.counts_on_ingest());
                signal.beyond = true;
                return Some(signal).filter(|_| among.live && counts);
            }
        }
        Some(signal)
    }

    /// Sends signals to their shards; gives those for rules over rules.
    fn route(&mut self, tenant: TenantId, signals: &Signals) -> Vec<u32> {
        let mut above = Vec::new();
        for (index, signal) in signals.list.iter().enumerate() {
            if self.plan.rules[signal.rule.index()].level > 0 {
                above.push(index as u32);
                continue;
            }
            let shard = shard_of(tenant, self.rule_hashes[signal.rule.index()], signals.key(signal));
            self.routed[shard].push(index as u32);
        }
        above
    }

    pub(crate) fn context(&self, tenant: TenantId, watermark: Timestamp) -> StepContext {
        let bytes_max = self.config.state_bytes_max / SHARDS;
        // One key with very much state is in one shard, whose share is small: as long as little is used
        // altogether, each may have a part of what is left for new keys.
        let used: usize = self.shards.iter().map(|shard| shard.bytes(tenant)).sum();
        let lent = (room_of_one(bytes_max).for_all * SHARDS).saturating_sub(used) / LENT_PART;
        let (now, grace, emission) = (self.now, self.config.grace, self.config.emission);
        StepContext { watermark, now, grace, emission, bytes_max, lent, room: StateRoom::default() }
    }

    fn patience(&self) -> Patience {
        Patience { lateness: self.config.lateness, idle: self.config.idle }
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
