//! A store in a folder of its own, and alerts to put into it.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::path::Path;

use serde_json::json;
use tempfile::TempDir;
use tocsin_alert::Alert;
use tocsin_alert::alert::{Context, Entity, RuleRef};
use tocsin_alert::role::MinRole;
use tocsin_core::batch::TenantId;
use tocsin_core::offset::{PartitionId, Position};
use tocsin_core::rule::Level;
use tocsin_core::time::Timestamp;
use tocsin_pipeline::commit::{Announced, Change, ChangeKind, CommitGroup, Store, StoredAlert};
use tocsin_store::{AlertFilter, KeptAlert, Page, Reader, Writer};

/// The tenant of a fresh folder.
pub const DEFAULT: TenantId = TenantId(0);

/// A store in a temporary folder.
pub struct House {
    folder: TempDir,
    /// The writing end.
    pub writer: Writer,
    /// The reading end.
    pub reader: Reader,
}

impl House {
    /// A store with nothing in it.
    pub fn new() -> House {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::open(folder.path(), "rules").unwrap();
        let reader = Reader::open(folder.path()).unwrap();
        House { folder, writer, reader }
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        self.folder.path()
    }

    /// Commits alerts.
    pub fn keep(&mut self, alerts: Vec<StoredAlert>) {
        self.writer.commit(&CommitGroup { alerts, ..CommitGroup::default() }).unwrap();
    }

    /// The ids of the newest alerts a filter admits.
    pub fn ids(&self, filter: &AlertFilter) -> Vec<String> {
        let page = Page { after: None, limit: 1_000 };
        let page = self.reader.recent(DEFAULT, filter, &page, |_| true).unwrap();
        page.alerts.iter().map(id).collect()
    }

    /// Runs SQL beside the store, as another process would.
    pub fn sql(&self, sql: &str) {
        rusqlite::Connection::open(self.data().join("tocsin.db")).unwrap().execute_batch(sql).unwrap();
    }
}

/// The id of an alert.
pub fn id(kept: &KeptAlert) -> String {
    kept.stored.alert.alert_id.clone()
}

/// An alert of the default tenant about `10.0.0.1`, with this t0 in nanoseconds.
pub fn alert(id: &str, t0: i64) -> StoredAlert {
    let t0 = Timestamp(t0);
    let key = json!({ "source.ip": "10.0.0.1" });
    let rule = RuleRef {
        id: "rule".to_string(),
        title: "A rule".to_string(),
        hash: "00".to_string(),
        level: Level::High,
        tags: vec![],
    };
    let alert = Alert {
        alert_id: id.to_string(),
        tenant_id: "default".to_string(),
        timestamp: t0.to_string(),
        first_seen: t0.to_string(),
        last_seen: t0.to_string(),
        count: 11,
        kind: "brute_force".to_string(),
        severity: Level::High,
        confidence: 0.9,
        status: "open".to_string(),
        provisional: true,
        superseded_by: None,
        title: "Brute force".to_string(),
        message: "11 failed logins from 10.0.0.1".to_string(),
        rule,
        key: key.as_object().unwrap().clone(),
        detections: vec![],
        event: json!({ "type": "login_failed", "n": 1.5 }),
        evidence: vec![],
        entities: vec![Entity { kind: "address".to_string(), value: "10.0.0.1".to_string() }],
        recommended_actions: vec![],
        context: Context::default(),
        approximate: false,
    };
    let announced = Announced {
        severity: Level::High,
        entities: 1,
        status: "open".to_string(),
        superseded: false,
        at: t0,
    };
    let completing = Position::new(PartitionId(0), 7);
    StoredAlert { tenant: DEFAULT, alert, t0, completing, min_role: MinRole::default(), announced }
}

/// What asks for this word.
pub fn min_role(word: &str) -> MinRole {
    let mut min_role = MinRole::default();
    min_role.add(word);
    min_role
}

/// A change of the default tenant.
pub fn change(position: u64, ordinal: u32, at: Timestamp, body: &str) -> Change {
    Change {
        position,
        ordinal,
        tenant: DEFAULT,
        kind: ChangeKind::Raised,
        alert_id: "a".to_string(),
        min_role: min_role("analyst"),
        at,
        body: body.into(),
    }
}
