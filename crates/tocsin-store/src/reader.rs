//! The reading end, for whoever answers questions: connections of its own that only read, so that a
//! long list never holds up a commit.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rusqlite::Connection;
use tocsin_core::batch::TenantId;
use tocsin_core::time::Timestamp;
use tocsin_pipeline::commit::{Change, StoreError};
use tocsin_pipeline::journal::RequestMark;
use tocsin_pipeline::ledger::LedgerTotals;
use tocsin_pipeline::rules::RuleSetId;
use tocsin_pipeline::stage::ingest::Remembered;

use crate::alerts::{self, KeptAlert};
use crate::changes::{self, Place};
use crate::database::{Database, OpenError, connect_to_read, failed};
use crate::listing::{self, AlertFilter, AlertPage, Page};
use crate::marks::{self, COMMITTED};
use crate::{activations, ledgers, requests};

/// Connections of a reader. Above it a question waits for another one's end.
pub const CONNECTIONS_MAX: usize = 8;

/// Answers questions about what is committed. Cheap to clone; all clones share the connections. A
/// question blocks the thread that asks: ask from one that may be blocked.
#[derive(Clone, Debug)]
pub struct Reader {
    pool: Arc<Pool>,
}

impl Reader {
    /// Opens the store of a data folder, made if there is none.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do.
    pub fn open(folder: &Path) -> Result<Reader, OpenError> {
        drop(Database::open(folder)?);
        let first = connect_to_read(folder)?;
        let free = Free { idle: vec![first], unopened: CONNECTIONS_MAX - 1 };
        let pool = Pool { folder: folder.to_path_buf(), free: Mutex::new(free), returned: Condvar::new() };
        Ok(Reader { pool: Arc::new(pool) })
    }

    /// A page of a tenant's alerts, newest first: those the filter admits and `visible` says yes to.
    /// Hidden ones take no place on it. It is shorter than asked for at the end of the list, and
    /// where very many alerts were looked at in vain; then `next` goes on from there.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub fn recent(
        &self,
        tenant: TenantId,
        filter: &AlertFilter,
        page: &Page,
        visible: impl Fn(&KeptAlert) -> bool,
    ) -> Result<AlertPage, StoreError> {
        self.ask(|connection| listing::list(connection, tenant, filter, page, &visible))
    }

    /// The alert of an id. Whether the caller may see it is for you to ask of its `min_role`.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn alert(&self, tenant: TenantId, id: &str) -> Result<Option<KeptAlert>, StoreError> {
        self.ask(|connection| alerts::by_id(connection, tenant, id))
    }

    /// A tenant's changes after a place, up to and with the position `up_to`, in order; at most
    /// `limit`, and never more than [`changes::CHANGES_READ_MAX`].
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub fn changes_after(
        &self,
        tenant: TenantId,
        after: Place,
        up_to: u64,
        limit: usize,
    ) -> Result<Vec<Change>, StoreError> {
        self.ask(|connection| changes::after(connection, tenant, after, up_to, limit))
    }

    /// The newest change that was let go of for its age; (0, 0) if none was. A stream that resumes
    /// after a place before it has a gap, one that resumes after it or later has none.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn dropped_change(&self) -> Result<Place, StoreError> {
        self.ask(changes::dropped)
    }

    /// The counters of all tenants as of the last commit.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub fn ledgers(&self) -> Result<Vec<(TenantId, LedgerTotals)>, StoreError> {
        self.ask(ledgers::all)
    }

    /// X: every frame of the journal before it is in.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn committed(&self) -> Result<u64, StoreError> {
        self.ask(|connection| marks::read(connection, COMMITTED))
    }

    /// The rule set that was active at a position of the journal, if that is known.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn rules_at(&self, position: u64) -> Result<Option<RuleSetId>, StoreError> {
        self.ask(|connection| activations::active_at(connection, position))
    }

    fn ask<T>(&self, question: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let lent = self.pool.lend()?;
        question(lent.connection()?).map_err(failed)
    }
}

impl Remembered for Reader {
    fn request(
        &self,
        tenant: TenantId,
        key: &[u8; 16],
        now: Timestamp,
    ) -> Result<Option<RequestMark>, StoreError> {
        self.ask(|connection| requests::by_key(connection, tenant, key, now))
    }
}

/// The connections of a reader.
#[derive(Debug)]
struct Pool {
    folder: PathBuf,
    free: Mutex<Free>,
    returned: Condvar,
}

#[derive(Debug)]
struct Free {
    idle: Vec<Connection>,
    unopened: usize,
}

/// A connection in use; it goes back when this is dropped, however its use ended.
struct Lent<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
}

impl Pool {
    /// An idle connection, a new one, or the next that comes back.
    fn lend(&self) -> Result<Lent<'_>, StoreError> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = loop {
            if let Some(idle) = free.idle.pop() {
                break Some(idle);
            }
            if free.unopened > 0 {
                free.unopened -= 1;
                break None;
            }
            free = self.returned.wait(free).unwrap_or_else(PoisonError::into_inner);
        };
        drop(free);
        let mut lent = Lent { pool: self, connection: taken };
        if lent.connection.is_none() {
            let opened = connect_to_read(&self.folder).map_err(|error| StoreError(error.to_string()))?;
            lent.connection = Some(opened);
        }
        Ok(lent)
    }
}

impl Lent<'_> {
    fn connection(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or_else(|| StoreError("the connection is gone".to_string()))
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut free = self.pool.free.lock().unwrap_or_else(PoisonError::into_inner);
        match self.connection.take() {
            Some(connection) => free.idle.push(connection),
            None => free.unopened += 1,
        }
        self.pool.returned.notify_one();
    }
}
