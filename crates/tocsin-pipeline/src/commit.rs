//! The seam to the relational store: what steps came to, stored in one transaction with the
//! position they reach.
//!
//! ```text
//! for step in group { alerts.apply(step, &mut store)?; }     // reads what is stored, changes it
//! store.commit(&group)?;                                     // all of it or nothing
//! publisher.publish(&group);                                 // seen only once it is stored
//! ```
//!
//! An error changes nothing; the caller tries again with the same group until it succeeds, and
//! everything behind it waits.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tocsin_alert::Alert;
use tocsin_alert::role::MinRole;
use tocsin_core::batch::{RawBatch, TenantId};
use tocsin_core::offset::Position;
use tocsin_core::rule::Level;
use tocsin_core::time::Timestamp;

use crate::journal::RequestMark;
use crate::ledger::LedgerTotals;
use crate::rules::RuleSetId;

/// An alert as it is kept: what everyone may see of it is in `alert`, the rest is for the house.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredAlert {
    /// The tenant.
    pub tenant: TenantId,
    /// The alert. `alert.detections` holds claims of other rules about the same event too; its own
    /// is the one whose `rule_id` is the alert's.
    pub alert: Alert,
    /// Event time of the alert, by which lists are ordered (`alert.timestamp` as a number).
    pub t0: Timestamp,
    /// The event that completed the condition. Alerts that share it know of each other.
    pub completing: Position,
    /// What any of its events asks for; who does not have it does not see the alert.
    pub min_role: MinRole,
    /// What subscribers have been told.
    pub announced: Announced,
}

/// What subscribers have been told of an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Announced {
    /// The severity it had.
    pub severity: Level,
    /// How many entities it had.
    pub entities: u32,
    /// Its status.
    pub status: String,
    /// Whether it had given way to another alert.
    pub superseded: bool,
    /// Ingest time of the step that told the last update; `Timestamp::MIN` if there was none yet.
    pub at: Timestamp,
}

/// Whether an alert is new to subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// `alert`: once per alert id.
    Raised,
    /// `alert_updated`.
    Updated,
}

impl ChangeKind {
    /// The SSE event's name.
    #[must_use]
    pub fn event_name(self) -> &'static str {
        match self {
            ChangeKind::Raised => "alert",
            ChangeKind::Updated => "alert_updated",
        }
    }
}

/// One frame of a live stream other than an event: kept, so that a stream can be resumed.
#[derive(Clone, Debug)]
pub struct Change {
    /// Position of the last record of the step that caused it.
    pub position: u64,
    /// Its place among the changes of that step, from 1.
    pub ordinal: u32,
    /// The tenant.
    pub tenant: TenantId,
    /// What it is.
    pub kind: ChangeKind,
    /// The alert's id.
    pub alert_id: String,
    /// The role it asks for.
    pub min_role: MinRole,
    /// Ingest time of the step.
    pub at: Timestamp,
    /// The alert as JSON, unmasked.
    pub body: Arc<str>,
}

/// What one step gave subscribers.
#[derive(Clone, Debug)]
pub struct PublishedStep {
    /// The tenant.
    pub tenant: TenantId,
    /// Position of the step's last record; of its frame, if it has none.
    pub position: u64,
    /// Its events, in order; `None` for a tick.
    pub raw: Option<Arc<RawBatch>>,
    /// Its changes, in order.
    pub changes: Vec<Change>,
}

/// A checkpoint to write with a commit.
#[derive(Clone, Debug)]
pub struct NewCheckpoint {
    /// The cut: every frame before it is in, none after.
    pub position: u64,
    /// The bytes.
    pub bytes: Arc<[u8]>,
}

/// One transaction.
#[derive(Debug, Default)]
pub struct CommitGroup {
    /// X: every frame before it is in.
    pub end: u64,
    /// Alerts that are new or changed, each once.
    pub alerts: Vec<StoredAlert>,
    /// Their changes.
    pub changes: Vec<Change>,
    /// Counters of the tenants that moved, whole.
    pub ledgers: Vec<(TenantId, LedgerTotals)>,
    /// Requests that may be repeated, with their tenant and ingest time.
    pub requests: Vec<(TenantId, Timestamp, RequestMark)>,
    /// Rule sets that became active, with where their frames begin.
    pub activations: Vec<(u64, RuleSetId)>,
    /// A checkpoint whose cut is at or before `end`.
    pub checkpoint: Option<NewCheckpoint>,
}

/// The store cannot be written or read now.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// The writing end of the relational store. One thread owns it.
pub trait Store: Send {
    /// The alert of this id, if it is stored.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    fn alert(&mut self, tenant: TenantId, id: &str) -> Result<Option<StoredAlert>, StoreError>;

    /// The alerts of a tenant whose condition this event completed and that are neither superseded
    /// nor withdrawn.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn completed_by(&mut self, tenant: TenantId, event: Position) -> Result<Vec<StoredAlert>, StoreError>;

    /// Stores a group: all of it or, on an error, nothing. Alerts are upserted without touching
    /// what people have set (triage); a change that is there already stays as it is.
    ///
    /// # Errors
    /// [`StoreError`]; try again later with the same group.
    fn commit(&mut self, group: &CommitGroup) -> Result<(), StoreError>;
}

/// Who shows things live. Called after the commit, in order; must not block.
pub trait Publish: Send {
    /// Shows what was committed.
    fn publish(&mut self, steps: &[PublishedStep]);

    /// Whether anybody follows the events of a tenant.
    fn is_followed(&self, tenant: TenantId) -> bool;
}
