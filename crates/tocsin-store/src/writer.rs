//! The writing end: each commit group is one transaction, its position with it.

use std::path::Path;

use rusqlite::TransactionBehavior;
use tocsin_core::batch::TenantId;
use tocsin_core::offset::Position;
use tocsin_pipeline::commit::{CommitGroup, Store, StoreError, StoredAlert};

use crate::checkpoints::{self, Latest, Written};
use crate::crash::{Point, point};
use crate::database::{Database, OpenError, failed};
use crate::marks::{self, COMMITTED};
use crate::tenants::{AdminError, EnsuredTenant};
use crate::{activations, alerts, changes, ledgers, requests};

/// The one who writes what the detector finds. Others may write tenants and keys beside it.
#[derive(Debug)]
pub struct Writer {
    database: Database,
    rules: String,
}

impl Writer {
    /// Opens the store of a data folder, made if there is none. `rules` names the rule set;
    /// checkpoints say under which one they were made.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do.
    pub fn open(folder: &Path, rules: &str) -> Result<Writer, OpenError> {
        Ok(Writer { database: Database::open(folder)?, rules: rules.to_string() })
    }

    /// Another rule set is active from now on.
    pub fn set_rules(&mut self, rules: &str) {
        self.rules = rules.to_string();
    }

    /// The database, for seeds and tenants.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The tenant of this name, made if there is none: alerts need their tenant to be there.
    ///
    /// # Errors
    /// [`AdminError`]: the name is none, there are too many tenants, or the store fails.
    pub fn ensure_tenant(&mut self, name: &str) -> Result<EnsuredTenant, AdminError> {
        self.database.ensure_tenant(name)
    }

    /// The newest checkpoint that reads whole.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn latest_checkpoint(&self) -> Result<Latest, StoreError> {
        checkpoints::latest(&self.database.connection, self.database.folder()).map_err(failed)
    }

    /// Below this position nothing is needed for a restart, even if the newest checkpoint turns out
    /// to be damaged: what `Journal::release` may be told.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn journal_floor(&self) -> Result<u64, StoreError> {
        checkpoints::floor(&self.database.connection).map_err(failed)
    }

    fn store(&mut self, group: &CommitGroup, checkpoint: Option<&Written>) -> rusqlite::Result<()> {
        let connection = &mut self.database.connection;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        alerts::upsert(&transaction, &group.alerts)?;
        changes::insert(&transaction, &group.changes)?;
        ledgers::write(&transaction, &group.ledgers)?;
        requests::remember(&transaction, &group.requests)?;
        activations::write(&transaction, &group.activations)?;
        if let Some(written) = checkpoint {
            checkpoints::point_at(&transaction, written)?;
        }
        marks::write(&transaction, COMMITTED, group.end)?;
        point(Point::BeforeCommit);
        transaction.commit()?;
        point(Point::AfterCommit);
        Ok(())
    }
}

impl Store for Writer {
    fn alert(&mut self, tenant: TenantId, id: &str) -> Result<Option<StoredAlert>, StoreError> {
        let kept = alerts::by_id(&self.database.connection, tenant, id).map_err(failed)?;
        Ok(kept.map(|kept| kept.stored))
    }

    fn completed_by(&mut self, tenant: TenantId, event: Position) -> Result<Vec<StoredAlert>, StoreError> {
        let kept = alerts::by_event(&self.database.connection, tenant, event).map_err(failed)?;
        Ok(kept.into_iter().map(|kept| kept.stored).collect())
    }

    fn commit(&mut self, group: &CommitGroup) -> Result<(), StoreError> {
        let folder = self.database.folder();
        let new = group.checkpoint.as_ref();
        let written = new.map(|new| checkpoints::write_file(folder, new, &self.rules)).transpose()?;
        self.store(group, written.as_ref()).map_err(failed)?;
        if written.is_some() {
            point(Point::CheckpointRecorded);
            checkpoints::tidy(&self.database.connection, self.database.folder());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tocsin_alert::role::MinRole;
    use tocsin_core::time::Timestamp;
    use tocsin_pipeline::commit::{Change, ChangeKind};

    use super::*;

    fn change(position: u64) -> Change {
        Change {
            position,
            ordinal: 1,
            tenant: TenantId(0),
            kind: ChangeKind::Raised,
            alert_id: "a".to_string(),
            min_role: MinRole::default(),
            at: Timestamp(0),
            body: "x".repeat(10_000).into(),
        }
    }

    fn stored(writer: &Writer) -> (u64, usize) {
        let connection = &writer.database.connection;
        let changes = changes::after(connection, TenantId(0), (0, 0), u64::MAX, 1_000).unwrap();
        (marks::read(connection, COMMITTED).unwrap(), changes.len())
    }

    #[test]
    fn a_full_disk_changes_nothing_and_says_what_to_do_until_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(folder.path(), "").unwrap();
        let small = CommitGroup { end: 7, changes: vec![change(1)], ..CommitGroup::default() };
        writer.commit(&small).unwrap();
        let pages: i64 =
            writer.database.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let bound = |writer: &Writer, pages: i64| {
            let set = format!("PRAGMA max_page_count = {pages}");
            writer.database.connection.query_row(&set, [], |row| row.get::<_, i64>(0)).unwrap();
        };
        bound(&writer, pages + 10);
        let large = CommitGroup { end: 9, changes: (2..100).map(change).collect(), ..CommitGroup::default() };
        for _ in 0..2 {
            let error = writer.commit(&large).unwrap_err().to_string();
            assert!(error.contains("the disk is full: free some room"), "{error}");
            assert_eq!(stored(&writer), (7, 1));
        }
        bound(&writer, 1 << 20);
        writer.commit(&large).unwrap();
        assert_eq!(stored(&writer), (9, 99));
    }
}
