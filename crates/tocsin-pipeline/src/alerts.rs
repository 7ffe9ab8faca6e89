//! Alerts as they live: what each step's detections make of the alerts that are stored, and what
//! subscribers are to be told.
//!
//! The store is the truth; what is held here is a cache of it, ahead of it by the steps of the
//! group that is being gathered. So a restart needs nothing from here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;
use tocsin_alert::Alert;
use tocsin_alert::alert::Claim;
use tocsin_core::batch::TenantId;
use tocsin_core::detection::{Detection, Phase};
use tocsin_core::offset::Position;
use tocsin_core::rule::Level;
use tocsin_core::time::{Span, Timestamp};

use crate::commit::{Announced, Change, ChangeKind, StoreError, StoredAlert};
use crate::records::Records;
use crate::stage::detect::Step;
use crate::teller::Teller;
use crate::tenants::Tenants;

/// Alerts held in memory between groups. Above it those the last group did not touch are let go,
/// and read from the store when they are needed.
const HELD_ALERTS_MAX: usize = 8_192;

/// How long subscribers are not told of the same alert again.
const ANNOUNCE_EVERY: Span = Span::seconds(1);

/// What is read of the store while a group is gathered.
pub trait Stored {
    /// See [`crate::commit::Store::alert`].
    ///
    /// # Errors
    /// [`StoreError`] when reading was given up.
    fn alert(&mut self, tenant: TenantId, id: &str) -> Result<Option<StoredAlert>, StoreError>;

    /// See [`crate::commit::Store::completed_by`].
    ///
    /// # Errors
    /// [`StoreError`] when reading was given up.
    fn completed_by(&mut self, tenant: TenantId, event: Position) -> Result<Vec<StoredAlert>, StoreError>;
}

type Owner = (TenantId, String);

struct Held {
    stored: StoredAlert,
    /// Whether subscribers know of it.
    is_known: bool,
    /// Whether the store has it as it is here.
    is_dirty: bool,
}

/// The alerts of all tenants.
pub struct Alerts {
    teller: Teller,
    tenants: Tenants,
    held: HashMap<Owner, Held>,
    by_event: HashMap<(TenantId, Position), BTreeSet<String>>,
    touched: BTreeSet<Owner>,
    /// Alerts that changed sooner than subscribers may be told again, by when they may.
    postponed: BTreeSet<(Timestamp, Owner)>,
    /// Alerts of the last step that took the place of another.
    successors: BTreeSet<Owner>,
}

impl Alerts {
    /// No alerts held.
    #[must_use]
    pub fn new(teller: Teller, tenants: Tenants) -> Alerts {
        Alerts {
            teller,
            tenants,
            held: HashMap::new(),
            by_event: HashMap::new(),
            touched: BTreeSet::new(),
            postponed: BTreeSet::new(),
            successors: BTreeSet::new(),
        }
    }

    /// Takes in a step's detections; gives what subscribers are to be told, in order.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read and nobody waits for it any more.
    pub fn take(
        &mut self,
        step: &Step,
        store: &mut dyn Stored,
        records: &mut dyn Records,
    ) -> Result<Vec<Change>, StoreError> {
        let mut moved: Vec<Owner> = Vec::new();
        self.successors.clear();
        self.teller.change_rules(&step.rules.plan);
        for (index, detection) in step.detections.iter().enumerate() {
            if !self.teller.plan().meta(detection.rule).alerts {
                continue;
            }
            let owner = self.owner(detection);
            self.load(&owner, store)?;
            match detection.phase {
                Phase::Superseded => {
                    let successor = successor(detection, &step.detections[index + 1..]);
                    let by = successor.map(|successor| self.owner(successor));
                    let id = by.as_ref().map(|(_, id)| id.clone());
                    self.give_way(&owner, |alert| alert.superseded_by = id, &mut moved);
                    self.successors.extend(by);
                }
                Phase::Withdrawn => {
                    self.give_way(&owner, |alert| alert.status = WITHDRAWN.to_string(), &mut moved);
                }
                Phase::Provisional | Phase::Open | Phase::Closed => {
                    self.put(&owner, detection, store, records, &mut moved)?;
                }
            }
            self.touched.insert(owner);
        }
        Ok(self.announce(step, moved))
    }

    /// The alerts that arose with the changes of the last step, as they are now. One that only took
    /// the place of another is not among them: whoever was notified is not notified again.
    pub fn raised(&self, changes: &[Change]) -> Vec<Alert> {
        let raised = changes.iter().filter(|change| change.kind == ChangeKind::Raised);
        let owners = raised.map(|change| (change.tenant, change.alert_id.clone()));
        let new = owners.filter(|owner| !self.successors.contains(owner));
        new.filter_map(|owner| Some(self.held.get(&owner)?.stored.alert.clone())).collect()
    }

    /// Alerts the store does not have as they are here, each once; then they count as stored.
    pub fn flush(&mut self) -> Vec<StoredAlert> {
        let mut dirty = Vec::new();
        for owner in std::mem::take(&mut self.touched) {
            if let Some(held) = self.held.get_mut(&owner).filter(|held| held.is_dirty) {
                held.is_dirty = false;
                dirty.push(held.stored.clone());
            }
        }
        if self.held.len() > HELD_ALERTS_MAX {
            let waiting: BTreeSet<&Owner> = self.postponed.iter().map(|(_, owner)| owner).collect();
            self.held.retain(|owner, _| waiting.contains(owner));
            self.by_event.clear();
        }
        dirty
    }

    fn owner(&self, detection: &Detection) -> Owner {
        let name = self.tenants.name(detection.tenant).unwrap_or_default();
        (detection.tenant, self.teller.source(&name, detection).id().to_string())
    }

    fn load(&mut self, owner: &Owner, store: &mut dyn Stored) -> Result<(), StoreError> {
        if !self.held.contains_key(owner)
            && let Some(stored) = store.alert(owner.0, &owner.1)?
        {
            self.hold(owner.clone(), stored, true, false);
        }
        Ok(())
    }

    fn hold(&mut self, owner: Owner, stored: StoredAlert, is_known: bool, is_dirty: bool) {
        let sharing = self.by_event.entry((owner.0, stored.completing)).or_default();
        sharing.insert(owner.1.clone());
        self.held.insert(owner, Held { stored, is_known, is_dirty });
    }

    /// An alert that holds no longer leaves the others of its event.
    fn give_way(&mut self, owner: &Owner, mark: impl FnOnce(&mut Alert), moved: &mut Vec<Owner>) {
        let Some(held) = self.held.get_mut(owner) else { return };
        held.is_dirty = true;
        let alert = &mut held.stored.alert;
        alert.provisional = false;
        mark(alert);
        let own: Vec<Claim> =
            alert.detections.iter().filter(|claim| claim.rule_id == alert.rule.id).cloned().collect();
        set_claims(alert, own);
        let event = (owner.0, held.stored.completing);
        moved.push(owner.clone());
        self.join(event, moved);
    }

    /// An alert arises, or goes on.
    fn put(
        &mut self,
        owner: &Owner,
        detection: &Detection,
        store: &mut dyn Stored,
        records: &mut dyn Records,
        moved: &mut Vec<Owner>,
    ) -> Result<(), StoreError> {
        let words = &self.teller.plan().meta(detection.rule).hash;
        if let Some(held) = self.held.get_mut(owner)
            && goes_on(held, detection)
            && held.stored.alert.rule.hash == *words
        {
            update(&mut held.stored.alert, detection);
            held.is_dirty = true;
            return Ok(());
        }
        let name = self.tenants.name(owner.0).unwrap_or_default();
        let mut told = self.teller.tell(&name, detection, records);
        let before = self.held.remove(owner);
        let event = (owner.0, detection.completing);
        for other in store.completed_by(owner.0, detection.completing)? {
            let other_owner = (owner.0, other.alert.alert_id.clone());
            if !self.held.contains_key(&other_owner) && other_owner != *owner {
                self.hold(other_owner, other, true, false);
            }
        }
        let is_known = before.as_ref().is_some_and(|before| before.is_known);
        let announced = before.map(|before| {
            keep_events(&mut told.alert, before.stored.alert);
            before.stored.announced
        });
        let stored = StoredAlert {
            tenant: owner.0,
            t0: detection.t0,
            completing: detection.completing,
            min_role: told.min_role,
            announced: announced.unwrap_or_else(|| announcement(&told.alert, Timestamp::MIN)),
            alert: told.alert,
        };
        self.hold(owner.clone(), stored, is_known, true);
        moved.push(owner.clone());
        self.join(event, moved);
        Ok(())
    }

    /// Lets the alerts of one event know of each other.
    fn join(&mut self, event: (TenantId, Position), moved: &mut Vec<Owner>) {
        let Some(ids) = self.by_event.get(&event) else { return };
        let stands = |held: &&Held| {
            let alert = &held.stored.alert;
            let here = held.stored.completing == event.1;
            here && alert.superseded_by.is_none() && alert.status != WITHDRAWN
        };
        let owners: Vec<Owner> = ids
            .iter()
            .map(|id| (event.0, id.clone()))
            .filter(|owner| self.held.get(owner).filter(stands).is_some())
            .collect();
        let own = |owner: &Owner| {
            let alert = &self.held.get(owner)?.stored.alert;
            alert.detections.iter().find(|claim| claim.rule_id == alert.rule.id).cloned()
        };
        let mut claims: Vec<Claim> = owners.iter().filter_map(own).collect();
        claims.sort_by(|a, b| a.rule_id.cmp(&b.rule_id));
        for owner in owners {
            let Some(held) = self.held.get_mut(&owner) else { continue };
            if held.stored.alert.detections != claims {
                set_claims(&mut held.stored.alert, claims.clone());
                held.is_dirty = true;
                self.touched.insert(owner.clone());
                moved.push(owner);
            }
        }
    }

    /// What subscribers are to be told of the alerts that moved, and of those they may be told of
    /// again by now.
    fn announce(&mut self, step: &Step, moved: Vec<Owner>) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut due: Vec<Owner> = Vec::new();
        while self.postponed.first().is_some_and(|(at, _)| *at <= step.at) {
            due.extend(self.postponed.pop_first().map(|(_, owner)| owner));
        }
        let mut seen = BTreeSet::new();
        for owner in due.into_iter().chain(moved) {
            if seen.insert(owner.clone()) {
                let ordinal = changes.len() as u32 + 1;
                changes.extend(self.announce_one(step, owner, ordinal));
            }
        }
        changes
    }

    fn announce_one(&mut self, step: &Step, owner: Owner, ordinal: u32) -> Option<Change> {
        let held = self.held.get_mut(&owner)?;
        let now = announcement(&held.stored.alert, step.at);
        let before = &held.stored.announced;
        let same = Announced { at: before.at, ..now.clone() } == *before;
        let kind = if held.is_known { ChangeKind::Updated } else { ChangeKind::Raised };
        if held.is_known && same {
            return None;
        }
        let due = before.at.plus(ANNOUNCE_EVERY);
        // What gives way to another says nothing more after it.
        if held.is_known && step.at < due && !now.superseded {
            self.postponed.insert((due, owner));
            return None;
        }
        // That it arose is no update: the first of those may follow at once.
        let at = if held.is_known { step.at } else { Timestamp::MIN };
        held.stored.announced = Announced { at, ..now };
        held.is_known = true;
        held.is_dirty = true;
        self.touched.insert(owner.clone());
        let body = serde_json::to_string(&held.stored.alert).unwrap_or_default();
        Some(Change {
            position: step.position,
            ordinal,
            tenant: owner.0,
            kind,
            alert_id: owner.1,
            min_role: held.stored.min_role.clone(),
            at: step.at,
            body: Arc::from(body),
        })
    }
}

/// The status of an alert whose condition a late event removed.
const WITHDRAWN: &str = "withdrawn";

/// The detection that takes the place of one that gives way: of the same key, and nearest in time.
fn successor<'a>(gone: &Detection, later: &'a [Detection]) -> Option<&'a Detection> {
    let same = |other: &&Detection| {
        let stands = matches!(other.phase, Phase::Provisional | Phase::Open | Phase::Closed);
        stands && (other.tenant, other.rule, &other.key) == (gone.tenant, gone.rule, &gone.key)
    };
    later.iter().filter(same).min_by_key(|other| other.t0.0.abs_diff(gone.t0.0))
}

/// Whether a detection only carries on what an alert says already.
fn goes_on(held: &Held, detection: &Detection) -> bool {
    let alert = &held.stored.alert;
    let settled = !alert.provisional && alert.status != WITHDRAWN && alert.superseded_by.is_none();
    let known = alert.evidence.iter().zip(&detection.evidence);
    settled
        && detection.phase != Phase::Provisional
        && held.stored.completing == detection.completing
        && alert.evidence.len() == detection.evidence.len()
        && known.rev().take(1).all(|(told, event)| told.event_id == event.position.to_string())
        && !detection.late
}

/// Carries on what an alert says.
fn update(alert: &mut Alert, detection: &Detection) {
    alert.count = detection.count;
    alert.first_seen = detection.first_seen.to_string();
    alert.last_seen = detection.last_seen.to_string();
}

/// Events that cannot be read any more stay as they were told.
fn keep_events(alert: &mut Alert, before: Alert) {
    let mut known: BTreeMap<String, serde_json::Value> =
        before.evidence.into_iter().filter_map(|event| Some((event.event_id, event.event?))).collect();
    for event in alert.evidence.iter_mut().take(tocsin_core::limits::EVIDENCE_EVENTS_MAX) {
        if event.event.is_none() {
            event.event = known.remove(&event.event_id);
        }
    }
    if alert.event.is_null() {
        alert.event = before.event;
        alert.entities = before.entities;
        alert.context = before.context;
    }
}

fn set_claims(alert: &mut Alert, claims: Vec<Claim>) {
    alert.severity = claims.iter().map(|claim| claim.severity).max().unwrap_or(Level::Medium);
    alert.confidence = claims.iter().map(|claim| claim.confidence).fold(0.0, f64::max);
    alert.detections = claims;
}

fn announcement(alert: &Alert, at: Timestamp) -> Announced {
    Announced {
        severity: alert.severity,
        entities: alert.entities.len() as u32,
        status: alert.status.clone(),
        superseded: alert.superseded_by.is_some(),
        at,
    }
}
