//! Puts generated events through the engine in every way the properties ask for.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use tocsin_core::batch::{RawBatch, RecordSpan, TenantId};
use tocsin_core::checkpoint::Checkpoint;
use tocsin_core::detection::{Detection, Phase};
use tocsin_core::detector::Emission;
use tocsin_core::engine::{Correlator, EngineConfig, MatchStage};
use tocsin_core::offset::{OffsetRange, PartitionId, Position};
use tocsin_core::time::{Span, Timestamp};
use tocsin_decode::decoder::RecordDecoder;
use tocsin_decode::format::FormatContext;
use tocsin_decode::taxonomy::Taxonomy;
use tocsin_pipeline::finalise::Finaliser;
use tocsin_pipeline::plan::{LoadOptions, Loaded, RuleFile, load};
use tocsin_pipeline::pool::{Pool, Worker};
use tocsin_pipeline::records::Records;

/// 2026-01-15T08:00:00Z in milliseconds.
pub const START_MS: i64 = 1_768_464_000_000;

const RULES: &str = "
title: Failure
name: failure
logsource: {category: authentication}
detection: {sel: {event.outcome: failure}, condition: sel}
level: informational
---
title: Success
name: success
logsource: {category: authentication}
detection: {sel: {event.outcome: success}, condition: sel}
level: informational
---
title: Root is mentioned
logsource: {category: authentication}
detection: {sel: {user.name: root}, condition: sel}
level: low
---
title: Five failures in a minute
name: five
correlation: {type: event_count, rules: [failure], group-by: [source.ip], timespan: 1m, condition: {gte: 5}}
level: high
tocsin: {episode: 3m}
---
title: Three in a row
name: row
correlation: {type: consecutive, rules: [failure], interrupted-by: [success], group-by: [source.ip], timespan: 30s, condition: {gte: 3}}
level: high
---
title: Success after failures
name: after
correlation: {type: consecutive, rules: [failure], followed-by: [success], group-by: [user.name], timespan: 1m, condition: {gte: 2}}
level: critical
";

/// Rules of the other kinds, over those above.
const OTHER_KINDS: &str = "
---
title: Three users of one address
name: users
correlation: {type: value_count, rules: [failure], group-by: [source.ip], timespan: 20s, condition: {field: user.name, gte: 3}}
---
title: Failure and success in any order
name: both
correlation: {type: temporal, rules: [failure, success], group-by: [source.ip], timespan: 10s}
---
title: Failure, then success
name: in_order
correlation: {type: temporal_ordered, rules: [failure, success], group-by: [user.name], timespan: 10s}
---
title: Few failures
name: few
correlation: {type: event_count, rules: [failure], group-by: [source.ip], timespan: 1m, condition: {lt: 3}}
---
title: Bursts after one another
name: bursts
correlation: {type: event_count, rules: [five], group-by: [source.ip], timespan: 8m, condition: {gte: 2}}
---
title: A burst, then three in a row
name: burst_then_row
correlation: {type: temporal_ordered, rules: [five, row], group-by: [source.ip], timespan: 2m}
";

/// One generated event.
#[derive(Clone, Debug)]
pub struct Told {
    /// Milliseconds after the start.
    pub millis: i64,
    /// Which address.
    pub address: u8,
    /// Which user; 0 is root.
    pub user: u8,
    /// Whether it failed.
    pub failed: bool,
    /// Which input.
    pub partition: u16,
}

impl Told {
    /// A failed login of one user.
    pub fn failure(millis: i64, address: u8) -> Told {
        Told { millis, address, user: 1, failed: true, partition: 0 }
    }

    fn record(&self) -> String {
        let time = Timestamp((START_MS + self.millis) * 1_000_000);
        let user = if self.user == 0 { "root".to_string() } else { format!("u{}", self.user) };
        let status = if self.failed { "failure" } else { "success" };
        let address = self.address;
        format!(
            r#"{{"timestamp":"{time}","type":"login","status":"{status}","source_ip":"192.0.2.{address}","user":"{user}"}}"#
        )
    }
}

/// Events over some minutes, dense enough that rules fire, in event-time order.
pub fn events() -> impl Strategy<Value = Vec<Told>> {
    let one = (0..600_000_i64, 0..3_u8, 0..3_u8, prop::bool::weighted(0.8), 0..6_u16).prop_map(
        |(millis, address, user, failed, partition)| Told {
            // Coarse times, so that equal ones are common.
            millis: millis / 500 * 500,
            address,
            user,
            failed,
            partition,
        },
    );
    prop::collection::vec(one, 0..160).prop_map(|mut told| {
        told.sort_by_key(|one| one.millis);
        told
    })
}

/// One way to run them.
#[derive(Clone, Debug)]
pub struct Run {
    /// Events per batch.
    pub cut: usize,
    /// Worker threads.
    pub workers: usize,
    /// Seed of the disorder of arrival, within the lateness.
    pub jitter: Option<u64>,
    /// When the state goes through a snapshot into an empty correlator.
    pub restore: Restore,
    /// Whether detections are told as they arise.
    pub live: bool,
}

/// Between which batches a run begins anew from a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore {
    Never,
    /// After the batch of this number, from 0.
    After(usize),
    AfterEach,
}

impl Default for Run {
    fn default() -> Run {
        Run { cut: 25, workers: 1, jitter: None, restore: Restore::Never, live: false }
    }
}

/// The rules, loaded.
pub struct World {
    /// The plan and its rules.
    pub loaded: Loaded,
}

/// Records by position.
#[derive(Default)]
pub struct Kept(BTreeMap<Position, Vec<u8>>);

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

impl World {
    /// The rules above.
    pub fn new() -> World {
        World::with(RULES)
    }

    /// These and rules of every other kind.
    pub fn of_all_kinds() -> World {
        World::with(&[RULES, OTHER_KINDS].concat())
    }

    /// The same with another logic for the count, under the same name.
    pub fn edited() -> World {
        World::with(&RULES.replace("timespan: 1m, condition: {gte: 5}", "timespan: 2m, condition: {gte: 5}"))
    }

    fn with(rules: &str) -> World {
        let file = RuleFile { path: PathBuf::from("rules.yml"), text: rules.to_string() };
        let loaded = load(&[file], LoadOptions { gate: true, seed: 7, ..LoadOptions::default() });
        assert_eq!(loaded.rules.rules.len(), rules.matches("title:").count(), "{:?}", loaded.diagnostics);
        World { loaded }
    }

    /// How the engine treats time.
    pub fn config(live: bool) -> EngineConfig {
        let emission = if live { Emission::Live } else { Emission::Closed };
        let latest = Timestamp((START_MS + 86_400_000) * 1_000_000);
        EngineConfig { emission, latest, lateness: Span::seconds(60), ..EngineConfig::default() }
    }

    /// One worker's tools.
    pub fn worker(&self, live: bool) -> Worker {
        let plan = &self.loaded.plan;
        let taxonomy = Taxonomy::new(Arc::clone(&plan.table));
        let decoder = RecordDecoder::auto(FormatContext { taxonomy, as_of: Timestamp::MAX });
        let matching = MatchStage::new(Arc::clone(plan), &World::config(live));
        Worker { decoder: Box::new(decoder), matching }
    }

    /// Whether a detection is of the rule of this name.
    pub fn is_rule(&self, found: &Detection, name: &str) -> bool {
        self.loaded.plan.meta(found.rule).name.as_deref() == Some(name)
    }

    /// A correlator that waits for the partitions of these events.
    pub fn correlator(&self, told: &[Told], live: bool) -> Correlator {
        let mut correlator = Correlator::new(Arc::clone(&self.loaded.plan), World::config(live));
        for one in told {
            correlator.expect(TenantId::default(), PartitionId(one.partition));
        }
        correlator
    }

    /// All final detections, and the records behind them.
    fn detections(&self, told: &[Told], run: &Run) -> (Vec<Detection>, Kept) {
        let told = arrivals(told, run.jitter);
        let mut kept = Kept::default();
        let mut correlator = self.correlator(&told, run.live);
        let mut pool = Pool::new((0..run.workers).map(|_| self.worker(run.live)).collect());
        let mut found = Vec::new();
        let mut done = 0;
        let mut take = |correlator: &mut Correlator, pool: &mut Pool, found: &mut Vec<Detection>| {
            let Some(mut batch) = pool.fetch().unwrap() else { return false };
            let output = correlator.step_in_parts(&mut batch, run.workers, |parts| {
                std::thread::scope(|scope| {
                    for part in parts {
                        scope.spawn(|| part.run());
                    }
                });
            });
            found.extend(output.detections);
            if run.restore == Restore::AfterEach || run.restore == Restore::After(done) {
                let bytes = correlator.checkpoint().to_bytes();
                *correlator = self.correlator(&told, run.live);
                correlator.restore(&Checkpoint::from_bytes(&bytes).unwrap()).unwrap();
            }
            done += 1;
            true
        };
        for batch in batches(&told, run.cut, &mut kept) {
            if !pool.has_room() {
                take(&mut correlator, &mut pool, &mut found);
            }
            pool.send(batch).unwrap();
        }
        while take(&mut correlator, &mut pool, &mut found) {}
        let partitions: std::collections::BTreeSet<u16> = told.iter().map(|one| one.partition).collect();
        for partition in partitions {
            found.extend(correlator.leave(TenantId::default(), PartitionId(partition)).detections);
        }
        (found, kept)
    }

    /// (rule, key, t0, count, first, last) of every final detection of the counting rule.
    pub fn summaries(&self, told: &[Told], run: &Run) -> Vec<(u8, i64, u64, i64, i64)> {
        let (detections, _) = self.detections(told, run);
        let millis = |time: Timestamp| time.0 / 1_000_000 - START_MS;
        let mut found: Vec<_> = detections
            .iter()
            .filter(|found| self.is_rule(found, "five"))
            .map(|found| {
                let address = std::str::from_utf8(&found.key[2..]).unwrap().rsplit('.').next().unwrap();
                let address = address.parse().unwrap();
                (address, millis(found.t0), found.count, millis(found.first_seen), millis(found.last_seen))
            })
            .collect();
        found.sort_unstable();
        found
    }

    /// A checkpoint after these events.
    pub fn checkpoint_after(&self, told: &[Told]) -> Vec<u8> {
        let mut correlator = self.correlator(told, false);
        self.feed(&mut correlator, told);
        correlator.checkpoint().to_bytes()
    }

    /// The final alerts of these events, going on from a checkpoint.
    pub fn alerts_from(&self, checkpoint: &[u8], told: &[Told]) -> Vec<String> {
        let mut correlator = self.correlator(told, false);
        correlator.restore(&Checkpoint::from_bytes(checkpoint).unwrap()).unwrap();
        let mut kept = self.feed(&mut correlator, told);
        let last = correlator.leave(TenantId::default(), PartitionId(0)).detections;
        self.alerts(last, &mut kept)
    }

    fn feed(&self, correlator: &mut Correlator, told: &[Told]) -> Kept {
        let mut kept = Kept::default();
        let mut pool = Pool::new(vec![self.worker(false)]);
        for batch in batches(told, usize::MAX, &mut kept) {
            pool.send(batch).unwrap();
            correlator.step(&mut pool.fetch().unwrap().unwrap());
        }
        kept
    }

    fn alerts(&self, detections: Vec<Detection>, kept: &mut Kept) -> Vec<String> {
        let mut finaliser = Finaliser::new(Arc::clone(&self.loaded.plan), "default", Timestamp::MAX);
        finaliser.take(detections);
        let mut alerts = Vec::new();
        finaliser.release(Timestamp::MAX, kept, &mut |alert| {
            alerts.push(canonical(serde_json::to_value(alert).unwrap()));
        });
        alerts
    }
}

/// The final alerts in canonical JSON, in order.
pub fn final_alerts(world: &World, told: &[Told], run: &Run) -> Vec<String> {
    let (detections, mut kept) = world.detections(told, run);
    let finals = if run.live { settled(detections) } else { detections };
    world.alerts(finals, &mut kept)
}

/// What a store that upserts by id holds in the end. Provisional alerts must all have settled.
fn settled(detections: Vec<Detection>) -> Vec<Detection> {
    let mut held: BTreeMap<_, Detection> = BTreeMap::new();
    for detection in detections {
        let id = (detection.rule, detection.key.clone(), detection.t0);
        match detection.phase {
            Phase::Superseded | Phase::Withdrawn => drop(held.remove(&id)),
            Phase::Provisional | Phase::Open | Phase::Closed => drop(held.insert(id, detection)),
        }
    }
    held.into_values().collect()
}

/// Events in order of arrival: each at most a lateness behind any later one, equal times of one
/// partition in their order.
pub fn arrivals(told: &[Told], jitter: Option<u64>) -> Vec<Told> {
    let mut told = told.to_vec();
    if let Some(seed) = jitter {
        let hasher: BuildHasherDefault<DefaultHasher> = BuildHasherDefault::default();
        let delay = |one: &Told| (hasher.hash_one((seed, one.millis, one.partition)) % 59_000) as i64;
        told.sort_by_key(|one| one.millis + delay(one));
    }
    told
}

/// Batches of whole records, each of one partition, in order of arrival.
pub fn batches(told: &[Told], cut: usize, kept: &mut Kept) -> Vec<RawBatch> {
    let mut offsets: BTreeMap<u16, u64> = BTreeMap::new();
    let mut out = Vec::new();
    for same in told.chunk_by(|a, b| a.partition == b.partition) {
        for chunk in same.chunks(cut.min(same.len())) {
            let partition = PartitionId(chunk[0].partition);
            let from = *offsets.entry(partition.0).or_default();
            let mut batch = RawBatch { partition, ..RawBatch::default() };
            for one in chunk {
                let record = one.record();
                let start = batch.bytes.len() as u32;
                batch.records.push(RecordSpan { start, len: record.len() as u32 });
                kept.keep(Position::new(partition, from + u64::from(start)), record.as_bytes());
                batch.bytes.extend_from_slice(record.as_bytes());
                batch.bytes.push(b'\n');
            }
            batch.offsets = OffsetRange { from, to: from + batch.bytes.len() as u64 };
            offsets.insert(partition.0, batch.offsets.to);
            out.push(batch);
        }
    }
    out
}

/// A batch of one event that begins at this offset.
pub fn record_batch(told: &Told, from: u64) -> RawBatch {
    let bytes = told.record().into_bytes();
    let records = vec![RecordSpan { start: 0, len: bytes.len() as u32 }];
    let offsets = OffsetRange { from, to: from + bytes.len() as u64 };
    RawBatch { offsets, bytes, records, ..RawBatch::default() }
}

/// Canonical JSON: keys sorted, without what depends on place and arrival.
pub fn canonical(value: serde_json::Value) -> String {
    use serde_json::Value;
    fn sorted(value: Value) -> Value {
        match value {
            Value::Object(map) => {
                let keep = |key: &String| !matches!(key.as_str(), "event_id" | "processed_at");
                let inner: BTreeMap<String, Value> =
                    map.into_iter().filter(|(key, _)| keep(key)).map(|(k, v)| (k, sorted(v))).collect();
                inner.into_iter().collect::<serde_json::Map<_, _>>().into()
            }
            Value::Array(list) => list.into_iter().map(sorted).collect(),
            other => other,
        }
    }
    sorted(value).to_string()
}
