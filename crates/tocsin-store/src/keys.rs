//! API keys: made once, shown once, revoked for good. Only a hash is kept.
//!
//! A key is `tocsin_<id>_<secret>`: eight hexadecimal digits that name it and 256 random bits as
//! base64url. With so many bits a plain hash is enough: there is nothing to guess.

use std::fmt;

use rusqlite::{Connection, ErrorCode, TransactionBehavior, params};
use tocsin_core::batch::TenantId;
use tocsin_core::time::Timestamp;
use tocsin_pipeline::commit::StoreError;

use crate::database::{Database, failed};
use crate::encoding::{base64url, hex};
use crate::marks;
use crate::random::random;
use crate::tenants::{self, AdminError, EnsuredTenant};

/// How a key begins.
pub const KEY_PREFIX: &str = "tocsin_";

/// Characters of a key's id.
pub const ID_CHARACTERS: usize = 8;

/// Random bytes of a key.
const SECRET_BYTES: usize = 32;

/// Keys of a data folder, revoked ones too. Above it a new one is refused.
pub const KEYS_MAX: u32 = 100_000;

/// Characters of a key's name. A longer one is refused.
pub const KEY_NAME_CHARACTERS_MAX: usize = 200;

/// Ids tried for a new key; with all of them taken the random source is broken.
const IDS_TRIED_MAX: usize = 16;

/// What a key is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Sending events.
    Ingest,
    /// Reading alerts, as an analyst sees them.
    Read,
    /// Fetching decisions.
    Bouncer,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Scope; 3] = [Scope::Ingest, Scope::Read, Scope::Bouncer];

    /// The scope's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Ingest => "ingest",
            Scope::Read => "read",
            Scope::Bouncer => "bouncer",
        }
    }

    /// The scope of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// A key to make.
#[derive(Clone, Copy, Debug)]
pub struct NewKey<'a> {
    /// Name of its tenant, made if there is none.
    pub tenant: &'a str,
    /// What it is good for.
    pub scope: Scope,
    /// What people call it.
    pub name: &'a str,
    /// Now.
    pub created: Timestamp,
}

/// A key just made.
pub struct CreatedKey {
    /// Its id.
    pub id: String,
    /// The key itself: show it once, keep it nowhere.
    pub key: String,
    /// Its tenant.
    pub tenant: EnsuredTenant,
}

impl fmt::Debug for CreatedKey {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedKey")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its id.
    pub id: String,
    /// Its tenant.
    pub tenant: TenantId,
    /// Name of its tenant.
    pub tenant_name: String,
    /// What it is good for.
    pub scope: Scope,
    /// What people call it; may be empty.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

/// What revoking came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// It was good until now.
    Now,
    /// It had been revoked before.
    Before,
    /// There is no such key.
    Unknown,
}

impl Database {
    /// Makes a key, and its tenant if there is none.
    ///
    /// # Errors
    /// [`AdminError`]: a name is none, there are too many, or the store fails.
    pub fn create_key(&mut self, new: &NewKey<'_>) -> Result<CreatedKey, AdminError> {
        check_name(new.name)?;
        let immediate = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(immediate).map_err(failed)?;
        let tenant = tenants::ensure(&transaction, new.tenant)?;
        let count = transaction.query_row("SELECT count(*) FROM keys", [], |row| row.get::<_, u32>(0));
        if count.map_err(failed)? >= KEYS_MAX {
            let message = format!("there are {KEYS_MAX} keys already, the most a data folder holds");
            return Err(AdminError::Refused(message));
        }
        let (id, key) = insert(&transaction, tenant.id, new)?;
        marks::access_changed(&transaction).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(CreatedKey { id, key, tenant })
    }

    /// All keys, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let read = || -> rusqlite::Result<Vec<KeyRecord>> {
            let mut statement = self.connection.prepare_cached(
                "SELECT keys.id, tenant, tenants.name, scope, keys.name, created, revoked
                 FROM keys JOIN tenants ON tenants.id = tenant ORDER BY created, keys.id",
            )?;
            statement.query_map([], record)?.collect()
        };
        read().map_err(failed)
    }

    /// Revokes a key for good.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub fn revoke_key(&mut self, id: &str, now: Timestamp) -> Result<Revoked, StoreError> {
        let mut revoke = || -> rusqlite::Result<Revoked> {
            let immediate = TransactionBehavior::Immediate;
            let transaction = self.connection.transaction_with_behavior(immediate)?;
            let known: u32 =
                transaction.query_row("SELECT count(*) FROM keys WHERE id = ?1", [id], |row| row.get(0))?;
            let revoke = "UPDATE keys SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL";
            let revoked = match (transaction.execute(revoke, params![id, now.0])?, known) {
                (1.., _) => Revoked::Now,
                (0, 0) => Revoked::Unknown,
                (0, _) => Revoked::Before,
            };
            marks::access_changed(&transaction)?;
            transaction.commit()?;
            Ok(revoked)
        };
        revoke().map_err(failed)
    }
}

/// The hash under which a key is kept.
pub(crate) fn hash_of(key: &str) -> [u8; 32] {
    *blake3::hash(key.as_bytes()).as_bytes()
}

/// The scope in a column.
pub(crate) fn scope_of(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Scope> {
    let name = row.get_ref(column)?.as_str()?;
    Scope::parse(name).ok_or_else(|| {
        let unknown = format!("unknown scope `{name}`");
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, unknown.into())
    })
}

fn no_random(error: std::io::Error) -> StoreError {
    StoreError(error.to_string())
}

fn insert(
    connection: &Connection,
    tenant: TenantId,
    new: &NewKey<'_>,
) -> Result<(String, String), AdminError> {
    for _ in 0..IDS_TRIED_MAX {
        let id = hex(&random::<{ ID_CHARACTERS / 2 }>().map_err(no_random)?);
        let key = format!("{KEY_PREFIX}{id}_{}", base64url(&random::<SECRET_BYTES>().map_err(no_random)?));
        let inserted = connection.execute(
            "INSERT INTO keys (id, tenant, scope, name, hash, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![id, tenant.0, new.scope.as_str(), new.name, hash_of(&key), new.created.0],
        );
        match inserted {
            Ok(_) => return Ok((id, key)),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {}
            Err(error) => return Err(failed(error).into()),
        }
    }
    Err(StoreError("no id for the key is free: the random source of this system is broken".to_string())
        .into())
}

fn record(row: &rusqlite::Row<'_>) -> rusqlite::Result<KeyRecord> {
    Ok(KeyRecord {
        id: row.get(0)?,
        tenant: TenantId(row.get(1)?),
        tenant_name: row.get(2)?,
        scope: scope_of(row, 3)?,
        name: row.get(4)?,
        created: Timestamp(row.get(5)?),
        revoked: row.get::<_, Option<i64>>(6)?.map(Timestamp),
    })
}

fn check_name(name: &str) -> Result<(), AdminError> {
    if name.chars().count() <= KEY_NAME_CHARACTERS_MAX && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let message = format!(
        "a key's name has at most {KEY_NAME_CHARACTERS_MAX} characters, none of them a control character"
    );
    Err(AdminError::Refused(message))
}
