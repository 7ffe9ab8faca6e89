//! Commit: steps become alerts, and a group of steps one transaction, with the position it reaches.
//! What was committed is then shown to whoever follows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tocsin_alert::Alert;
use tocsin_core::batch::TenantId;
use tocsin_core::offset::Position;
use tocsin_core::time::Timestamp;

use crate::alerts::{Alerts, Stored};
use crate::channel::{Received, Receiver};
use crate::clock::Clock;
use crate::commit::{Change, CommitGroup, Publish, PublishedStep, Store, StoreError, StoredAlert};
use crate::ledger::Ledger;
use crate::live_records::LiveRecords;
use crate::readiness::{Part, Readiness};
use crate::rules::ActiveRules;
use crate::stage::detect::Step;
use crate::telemetry;

/// How long a group is gathered that somebody waits for.
const LINGER: Duration = Duration::from_millis(10);

/// How long a group is gathered that changes nothing anybody could see: counters, and counts of
/// alerts that are known.
const QUIET_LINGER: Duration = Duration::from_millis(250);

/// Events in one group. Above it the group is committed.
const GROUP_EVENTS_MAX: u64 = 65_536;

/// How long to wait before asking a store again that failed, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The stage.
pub struct Commit {
    /// What the detect stage hands on.
    pub steps: Receiver<Step>,
    /// The alerts as they live.
    pub alerts: Alerts,
    /// The rules that are active, whose alerts are counted.
    pub active: ActiveRules,
    /// Their evidence.
    pub records: LiveRecords,
    /// The relational store.
    pub store: Box<dyn Store>,
    /// Who shows things live.
    pub publisher: Box<dyn Publish>,
    /// Is told of each alert that arises, once it is stored.
    pub on_alert: Box<dyn FnMut(&Alert) + Send>,
    /// The clock by which latencies are told.
    pub clock: Arc<dyn Clock>,
    /// What became of records.
    pub ledger: Ledger,
    /// X: results of frames before it are stored.
    pub end: u64,
    /// Where the newest checkpoint was cut.
    pub cut: u64,
    /// Set to the cut of the checkpoint before the newest: should the newest not read, a restart
    /// begins there.
    pub released: Arc<AtomicU64>,
    /// Whether the store can be written.
    pub readiness: Readiness,
    /// Set when the house is being left: then a store that fails is given up.
    pub leaving: Arc<AtomicBool>,
}

struct Group {
    begun: Instant,
    steps: Vec<Step>,
    changes: Vec<Vec<Change>>,
    events: u64,
    /// Alerts that arose, and when what raised them was taken in.
    raised: Vec<(Alert, Timestamp)>,
}

impl Group {
    fn new() -> Group {
        Group { begun: Instant::now(), steps: Vec::new(), changes: Vec::new(), events: 0, raised: Vec::new() }
    }
}

impl Commit {
    /// Runs until the detect stage has ended.
    pub fn run(mut self) {
        loop {
            let mut group = Group::new();
            let received = self.steps.receive(Some(QUIET_LINGER));
            let has_ended = matches!(received, Received::Ended);
            let outcome = match received {
                Received::Item(first) => self.fill(first, &mut group).and_then(|()| self.commit(group)),
                Received::Nothing | Received::Ended => self.commit(group),
            };
            if let Err(error) = outcome {
                tracing::error!(reason = %error, "alerts are left to the next start");
                return;
            }
            if has_ended {
                return;
            }
        }
    }

    /// Gathers steps until the group is large or old enough.
    fn fill(&mut self, first: Step, group: &mut Group) -> Result<(), StoreError> {
        let mut next = Some(first);
        while let Some(step) = next {
            self.gather(step, group)?;
            next = self.more(group);
        }
        Ok(())
    }

    /// The next step of this group, if it is to have one.
    fn more(&self, group: &Group) -> Option<Step> {
        if group.events >= GROUP_EVENTS_MAX {
            return None;
        }
        let followed = |step: &Step| step.raw.is_some() && self.publisher.is_followed(step.tenant);
        let awaited = group.changes.iter().any(|changes| !changes.is_empty())
            || group.steps.iter().any(|step| step.checkpoint.is_some() || followed(step));
        let left = if awaited { LINGER } else { QUIET_LINGER }.saturating_sub(group.begun.elapsed());
        if awaited || left.is_zero() {
            return if left.is_zero() { None } else { self.steps.take() };
        }
        match self.steps.receive(Some(left)) {
            Received::Item(step) => Some(step),
            Received::Nothing | Received::Ended => None,
        }
    }

    fn gather(&mut self, step: Step, group: &mut Group) -> Result<(), StoreError> {
        if let Some(raw) = &step.raw {
            self.records.hold(raw);
        }
        let mut patient =
            Patient { store: &mut *self.store, readiness: &self.readiness, leaving: &self.leaving };
        let changes = self.alerts.take(&step, &mut patient, &mut self.records)?;
        group.events += step.processed;
        group.raised.extend(self.alerts.raised(&changes).into_iter().map(|alert| (alert, step.at)));
        group.changes.push(changes);
        group.steps.push(step);
        Ok(())
    }

    fn commit(&mut self, mut group: Group) -> Result<(), StoreError> {
        let mut counts: BTreeMap<TenantId, (u64, u64)> = BTreeMap::new();
        for tenant in self.ledger.take_unsaved() {
            counts.entry(tenant).or_default();
        }
        if group.steps.is_empty() && counts.is_empty() {
            return Ok(());
        }
        let mut stored = CommitGroup { end: self.end, ..CommitGroup::default() };
        for step in &mut group.steps {
            stored.end = step.end;
            if step.processed + step.quarantined > 0 {
                let count = counts.entry(step.tenant).or_default();
                *count = (count.0 + step.processed, count.1 + step.quarantined);
            }
            let requests = std::mem::take(&mut step.requests).into_iter();
            stored.requests.extend(requests.map(|mark| (step.tenant, step.at, mark)));
            stored.activations.extend(step.activated.map(|id| (step.position, id)));
            stored.checkpoint = step.checkpoint.take().or(stored.checkpoint);
        }
        stored.alerts = self.alerts.flush();
        stored.changes = group.changes.iter().flatten().cloned().collect();
        let ahead = |(tenant, (processed, quarantined)): (&TenantId, &(u64, u64))| {
            (*tenant, self.ledger.ahead(*tenant, *processed, *quarantined))
        };
        stored.ledgers = counts.iter().map(ahead).collect();
        let mut patient =
            Patient { store: &mut *self.store, readiness: &self.readiness, leaving: &self.leaving };
        patient.insist(|store| store.commit(&stored))?;
        self.end = stored.end;
        for (tenant, (processed, quarantined)) in counts {
            self.ledger.settle(tenant, processed, quarantined);
        }
        if let Some(checkpoint) = &stored.checkpoint {
            self.released.store(self.cut, Ordering::Relaxed);
            self.cut = checkpoint.position;
        }
        let (now, active) = (self.clock.now(), self.active.now());
        for (alert, taken_in) in &group.raised {
            active.count_alert(&alert.rule.id);
            telemetry::raised(Duration::from_nanos(now.0.saturating_sub(taken_in.0).max(0) as u64));
            (self.on_alert)(alert);
        }
        telemetry::committed(group.events, group.begun.elapsed());
        let shown: Vec<PublishedStep> = group
            .steps
            .into_iter()
            .zip(group.changes)
            .flat_map(|(step, changes)| shown(step, changes))
            .collect();
        self.publisher.publish(&shown);
        Ok(())
    }
}

/// A step as its tenant's followers see it. A tick may concern several tenants.
fn shown(step: Step, changes: Vec<Change>) -> Vec<PublishedStep> {
    let position = step.position;
    if step.raw.is_some() {
        return vec![PublishedStep { tenant: step.tenant, position, raw: step.raw, changes }];
    }
    let mut by_tenant: BTreeMap<TenantId, Vec<Change>> = BTreeMap::new();
    for change in changes {
        by_tenant.entry(change.tenant).or_default().push(change);
    }
    let of_tenant = |(tenant, changes)| PublishedStep { tenant, position, raw: None, changes };
    by_tenant.into_iter().map(of_tenant).collect()
}

/// A store that is asked until it answers, or until the house is being left.
struct Patient<'a> {
    store: &'a mut dyn Store,
    readiness: &'a Readiness,
    leaving: &'a AtomicBool,
}

impl Patient<'_> {
    fn insist<T>(
        &mut self,
        mut ask: impl FnMut(&mut dyn Store) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut wait = RETRY.0;
        let mut failed = false;
        loop {
            match ask(self.store) {
                Ok(answer) => {
                    if failed {
                        self.readiness.set(Part::Store, None);
                        tracing::info!("the store can be used again");
                    }
                    return Ok(answer);
                }
                Err(error) if self.leaving.load(Ordering::Relaxed) => return Err(error),
                Err(error) => {
                    if !failed {
                        tracing::warn!(reason = %error, "the store fails; everything behind it waits");
                    }
                    failed = true;
                    self.readiness.set(Part::Store, Some(error.to_string()));
                    std::thread::sleep(wait);
                    wait = (wait * 2).min(RETRY.1);
                }
            }
        }
    }
}

impl Stored for Patient<'_> {
    fn alert(&mut self, tenant: TenantId, id: &str) -> Result<Option<StoredAlert>, StoreError> {
        self.insist(|store| store.alert(tenant, id))
    }

    fn completed_by(&mut self, tenant: TenantId, event: Position) -> Result<Vec<StoredAlert>, StoreError> {
        self.insist(|store| store.completed_by(tenant, event))
    }
}
