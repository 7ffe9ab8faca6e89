//! Who may come in: all good keys in memory, and a watch that renews them when they change, whoever
//! changes them.
//!
//! ```text
//! every 500 ms { if watch.refresh()? { tenants.replace(watch.ring().tenants()) } }
//! per request  { watch.ring().check(presented) }
//! ```

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hashbrown::HashMap;
use rusqlite::Connection;
use subtle::ConstantTimeEq;
use tocsin_core::batch::TenantId;
use tocsin_pipeline::commit::StoreError;

use crate::database::{DATABASE_FILE, Database, OpenError, connect_to_read, failed};
use crate::keys::{ID_CHARACTERS, KEY_PREFIX, Scope, hash_of, scope_of};
use crate::marks::{self, ACCESS};
use crate::tenants;

/// Bytes of a key: prefix, id, `_`, and 43 of base64url.
const KEY_BYTES: usize = KEY_PREFIX.len() + ID_CHARACTERS + 1 + 43;

/// What is compared in place of a key that is none, so that both take the same time.
const NO_KEY: &str = "tocsin_00000000_0000000000000000000000000000000000000000000";

/// What a good key grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyGrant {
    /// The key's id.
    pub id: Arc<str>,
    /// Its tenant.
    pub tenant: TenantId,
    /// What it is good for.
    pub scope: Scope,
}

/// All good keys, and all tenants, at one moment.
#[derive(Debug, Default)]
pub struct KeyRing {
    keys: HashMap<Arc<str>, (KeyGrant, [u8; 32])>,
    tenants: Vec<(TenantId, String)>,
}

impl KeyRing {
    /// What the presented text grants, if it is a good key. Takes the same time whether the key is
    /// unknown, revoked, wrong or none at all.
    #[must_use]
    pub fn check(&self, presented: &str) -> Option<KeyGrant> {
        let id = id_of(presented);
        let entry = id.and_then(|id| self.keys.get(id));
        let hash = hash_of(if id.is_some() { presented } else { NO_KEY });
        let kept = entry.map_or(&[0; 32], |(_, kept)| kept);
        let equal = bool::from(hash.ct_eq(kept));
        entry.filter(|_| equal).map(|(grant, _)| grant.clone())
    }

    /// All tenants, by number.
    #[must_use]
    pub fn tenants(&self) -> &[(TenantId, String)] {
        &self.tenants
    }

    fn read(connection: &Connection) -> rusqlite::Result<KeyRing> {
        let mut statement =
            connection.prepare_cached("SELECT id, tenant, scope, hash FROM keys WHERE revoked IS NULL")?;
        let keys = statement.query_map([], |row| {
            let id: Arc<str> = Arc::from(row.get_ref(0)?.as_str()?);
            let grant =
                KeyGrant { id: Arc::clone(&id), tenant: TenantId(row.get(1)?), scope: scope_of(row, 2)? };
            Ok((id, (grant, row.get(3)?)))
        })?;
        Ok(KeyRing { keys: keys.collect::<rusqlite::Result<_>>()?, tenants: tenants::all(connection)? })
    }
}

/// The id within a text that has the form of a key.
fn id_of(presented: &str) -> Option<&str> {
    if presented.len() != KEY_BYTES {
        return None;
    }
    let (id, secret) = presented.strip_prefix(KEY_PREFIX)?.split_at_checked(ID_CHARACTERS)?;
    secret.starts_with('_').then_some(id)
}

/// The key ring as it stands now. Cheap to clone; all clones see the same.
#[derive(Clone, Debug)]
pub struct KeyWatch {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ring: RwLock<Arc<KeyRing>>,
    source: Mutex<Source>,
}

/// Where the ring comes from, and what of it was seen last.
#[derive(Debug)]
struct Source {
    connection: Connection,
    data_version: i64,
    access: u64,
}

impl KeyWatch {
    /// Reads the keys of a data folder.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do.
    pub fn open(folder: &Path) -> Result<KeyWatch, OpenError> {
        drop(Database::open(folder)?);
        let connection = connect_to_read(folder)?;
        let unread = |reason| OpenError::Database { path: folder.join(DATABASE_FILE), reason };
        let source = Source { connection, data_version: 0, access: u64::MAX };
        let shared = Shared { ring: RwLock::default(), source: Mutex::new(source) };
        let watch = KeyWatch { shared: Arc::new(shared) };
        watch.refresh().map_err(unread)?;
        Ok(watch)
    }

    /// The keys as of the last refresh.
    #[must_use]
    pub fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.shared.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the keys again if they or the tenants have changed; says whether they have. Nearly free
    /// when nothing was written, and one look-up when only other things were.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read; the ring stays as it is.
    pub fn refresh(&self) -> Result<bool, StoreError> {
        let mut source = self.shared.source.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ring) = source.changed().map_err(failed)? else { return Ok(false) };
        *self.shared.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        Ok(true)
    }
}

impl Source {
    fn changed(&mut self) -> rusqlite::Result<Option<KeyRing>> {
        let data_version = self.connection.query_row("PRAGMA data_version", [], |row| row.get(0))?;
        if data_version == self.data_version {
            return Ok(None);
        }
        // One transaction, so that the ring is the one the mark speaks of.
        let transaction = self.connection.transaction()?;
        let access = marks::read(&transaction, ACCESS)?;
        let ring = if access == self.access { None } else { Some(KeyRing::read(&transaction)?) };
        drop(transaction);
        (self.data_version, self.access) = (data_version, access);
        Ok(ring)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_the_form_of_a_key_has_an_id() {
        assert_eq!(id_of(NO_KEY), Some("00000000"));
        for text in ["", "tocsin_", &NO_KEY[1..], &NO_KEY.replace("00000000_", "000000000"), &"é".repeat(29)]
        {
            assert_eq!(id_of(text), None, "{text}");
        }
    }
}
