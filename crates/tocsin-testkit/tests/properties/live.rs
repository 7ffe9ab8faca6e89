//! The stages of a server without their threads: frames through detect and alerts into a store in
//! memory, in groups, with restarts between them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tocsin_core::batch::TenantId;
use tocsin_core::engine::{Correlator, MatchStage};
use tocsin_core::offset::Position;
use tocsin_core::plan::Plan;
use tocsin_core::time::{Span, Timestamp};
use tocsin_pipeline::alerts::{Alerts, Stored};
use tocsin_pipeline::commit::{Change, ChangeKind, StoreError, StoredAlert};
use tocsin_pipeline::rules::{ActiveRules, ReadyRules, RuleSetId};
use tocsin_pipeline::stage::detect::{CheckpointPlan, Detect, Step};
use tocsin_pipeline::stage::ingest::{Accepted, AcceptedBody};
use tocsin_pipeline::teller::Teller;
use tocsin_pipeline::tenants::Tenants;

use crate::harness::{Kept, Run, START_MS, Told, World, arrivals, batches, canonical};

/// A store in memory.
#[derive(Default)]
struct Memory(BTreeMap<String, StoredAlert>);

impl Stored for Memory {
    fn alert(&mut self, _: TenantId, id: &str) -> Result<Option<StoredAlert>, StoreError> {
        Ok(self.0.get(id).cloned())
    }

    fn completed_by(&mut self, _: TenantId, event: Position) -> Result<Vec<StoredAlert>, StoreError> {
        let stands = |alert: &&StoredAlert| {
            alert.completing == event
                && alert.alert.superseded_by.is_none()
                && alert.alert.status != "withdrawn"
        };
        Ok(self.0.values().filter(stands).cloned().collect())
    }
}

/// What a run left behind.
#[derive(Default)]
pub struct Live {
    store: Memory,
    changes: Vec<Change>,
}

impl Live {
    /// Runs events live: groups of so many steps, a restart of the alert stage after so many groups.
    pub fn run(world: &World, told: &[Told], run: &Run, group: usize, restart: usize) -> Live {
        let plan = &world.loaded.plan;
        let tenants = Tenants::of([(TenantId::default(), "default".to_string())]);
        let fresh = || Alerts::new(Teller::new(Arc::clone(plan), Timestamp::MAX), tenants.clone());
        let mut kept = Kept::default();
        let steps = Live::steps(world, &arrivals(told, run.jitter), run.cut, &mut kept);
        let mut live = Live::default();
        let mut alerts = fresh();
        for (number, steps) in steps.chunks(group).enumerate() {
            for step in steps {
                live.changes.extend(alerts.take(step, &mut live.store, &mut kept).unwrap());
            }
            for stored in alerts.flush() {
                live.store.0.insert(stored.alert.alert_id.clone(), stored);
            }
            if number % restart == 0 {
                alerts = fresh();
            }
        }
        live
    }

    /// Stores steps one by one.
    pub fn of_steps(plan: &Arc<Plan>, steps: &[Step], kept: &mut Kept) -> Live {
        let tenants = Tenants::of([(TenantId::default(), "default".to_string())]);
        let mut alerts = Alerts::new(Teller::new(Arc::clone(plan), Timestamp::MAX), tenants);
        let mut live = Live::default();
        for step in steps {
            live.changes.extend(alerts.take(step, &mut live.store, kept).unwrap());
            let stored = alerts.flush().into_iter();
            live.store.0.extend(stored.map(|stored| (stored.alert.alert_id.clone(), stored)));
        }
        live
    }

    fn steps(world: &World, told: &[Told], cut: usize, kept: &mut Kept) -> Vec<Step> {
        let mut worker = world.worker(true);
        let matchers = Box::new(|plan: &Arc<Plan>| MatchStage::new(Arc::clone(plan), &World::config(true)));
        let rules = ReadyRules::new(RuleSetId::default(), &world.loaded, "test");
        let active = ActiveRules::new(Arc::new(rules));
        let correlator = Correlator::new(Arc::clone(&world.loaded.plan), World::config(true));
        let never = CheckpointPlan { bytes: u64::MAX, interval: Duration::MAX };
        let mut detect = Detect::new(matchers, correlator, active, never, 0);
        let start = Timestamp(START_MS * 1_000_000);
        let ingest = start.plus(Span::seconds(3_600));
        let mut end = 0;
        let mut frames: Vec<Accepted> = Vec::new();
        for mut raw in batches(told, cut, kept) {
            raw.ingest = Some(ingest);
            raw.backfill = true;
            end = raw.offsets.to;
            let start = raw.offsets.from;
            let body =
                AcceptedBody::Events { batch: Box::new(worker.decoder.decode(raw)), requests: Vec::new() };
            frames.push(Accepted { start, end, body });
        }
        for hours in [3, 6, 9] {
            let now = start.plus(Span::seconds(hours * 3_600));
            frames.push(Accepted { start: end, end: end + 8, body: AcceptedBody::Tick(now) });
            end += 8;
        }
        frames.into_iter().map(|frame| detect.take(frame)).collect()
    }

    /// The alerts that stand in the end, as a scan would give them.
    pub fn final_alerts(self) -> Vec<String> {
        let stands =
            |stored: &StoredAlert| stored.alert.superseded_by.is_none() && stored.alert.status != "withdrawn";
        let mut standing: Vec<StoredAlert> = self.store.0.into_values().filter(stands).collect();
        standing.sort_by(|a, b| (a.t0, &a.alert.alert_id).cmp(&(b.t0, &b.alert.alert_id)));
        standing.into_iter().map(|stored| canonical(serde_json::to_value(stored.alert).unwrap())).collect()
    }

    /// Subscribers are told of each alert once, and of nothing before it; every alert that took
    /// another's place is known.
    pub fn check_changes(&self) {
        let mut known = BTreeSet::new();
        let mut last = (0, 0);
        for change in &self.changes {
            let place = (change.position, change.ordinal);
            assert!(place > last, "{place:?} after {last:?}");
            last = place;
            let is_new = known.insert(change.alert_id.clone());
            assert_eq!(is_new, change.kind == ChangeKind::Raised, "{}", change.alert_id);
        }
        for stored in self.store.0.values() {
            assert!(known.contains(&stored.alert.alert_id), "{} was never told", stored.alert.alert_id);
            if let Some(by) = &stored.alert.superseded_by {
                assert!(self.store.0.contains_key(by), "{by} is not stored");
            }
        }
    }
}
