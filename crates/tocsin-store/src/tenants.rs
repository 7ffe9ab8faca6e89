//! Tenants: a name and a number each, made once and never renamed. `default` is number 0.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use thiserror::Error;
use tocsin_core::batch::TenantId;
use tocsin_pipeline::commit::StoreError;

use crate::database::{Database, failed};
use crate::marks;

/// The tenant of a fresh data folder.
pub const DEFAULT_TENANT: &str = "default";

/// Characters of a tenant's name. A longer one is refused.
pub const NAME_CHARACTERS_MAX: usize = 64;

/// Tenants of a data folder. Above it a new one is refused.
pub const TENANTS_MAX: u32 = 10_000;

/// A tenant or key cannot be made.
#[derive(Debug, Error)]
pub enum AdminError {
    /// What was asked for is not possible; the text says what is.
    #[error("{0}")]
    Refused(String),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A tenant that was asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnsuredTenant {
    /// Its number.
    pub id: TenantId,
    /// Whether it was made just now.
    pub made: bool,
}

impl Database {
    /// All tenants, by number.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub fn tenants(&self) -> Result<Vec<(TenantId, String)>, StoreError> {
        all(&self.connection).map_err(failed)
    }

    /// The tenant of this name, made if there is none.
    ///
    /// # Errors
    /// [`AdminError`]: the name is none, there are too many tenants, or the store fails.
    pub fn ensure_tenant(&mut self, name: &str) -> Result<EnsuredTenant, AdminError> {
        check_name(name)?;
        if let Some(id) = by_name(&self.connection, name).map_err(failed)? {
            return Ok(EnsuredTenant { id, made: false });
        }
        let immediate = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(immediate).map_err(failed)?;
        let ensured = ensure(&transaction, name)?;
        transaction.commit().map_err(failed)?;
        Ok(ensured)
    }
}

/// The tenant of a name, made if there is none, within a transaction.
pub(crate) fn ensure(connection: &Connection, name: &str) -> Result<EnsuredTenant, AdminError> {
    check_name(name)?;
    if let Some(id) = by_name(connection, name).map_err(failed)? {
        return Ok(EnsuredTenant { id, made: false });
    }
    let newest = connection.query_row("SELECT max(id) FROM tenants", [], |row| row.get::<_, u32>(0));
    let id = newest.map_err(failed)? + 1;
    if id >= TENANTS_MAX {
        let message = format!("there are {TENANTS_MAX} tenants already, the most a data folder holds");
        return Err(AdminError::Refused(message));
    }
    let insert = "INSERT INTO tenants (id, name) VALUES (?1, ?2)";
    connection.execute(insert, params![id, name]).map_err(failed)?;
    marks::access_changed(connection).map_err(failed)?;
    Ok(EnsuredTenant { id: TenantId(id), made: true })
}

/// All tenants, by number.
pub(crate) fn all(connection: &Connection) -> rusqlite::Result<Vec<(TenantId, String)>> {
    let mut statement = connection.prepare_cached("SELECT id, name FROM tenants ORDER BY id")?;
    statement.query_map([], |row| Ok((TenantId(row.get(0)?), row.get(1)?)))?.collect()
}

fn by_name(connection: &Connection, name: &str) -> rusqlite::Result<Option<TenantId>> {
    let mut statement = connection.prepare_cached("SELECT id FROM tenants WHERE name = ?1")?;
    statement.query_row([name], |row| row.get(0).map(TenantId)).optional()
}

fn check_name(name: &str) -> Result<(), AdminError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=NAME_CHARACTERS_MAX).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(AdminError::Refused(format!(
        "`{}` is no tenant's name: 1 to {NAME_CHARACTERS_MAX} letters, digits, `-`, `_` or `.`",
        name.escape_default()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_stable_and_the_default_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut database = Database::open(folder.path()).unwrap();
        let ensured = |database: &mut Database, name| {
            let EnsuredTenant { id, made } = database.ensure_tenant(name).unwrap();
            (id.0, made)
        };
        assert_eq!(ensured(&mut database, "default"), (0, false));
        assert_eq!(ensured(&mut database, "acme"), (1, true));
        assert_eq!(ensured(&mut database, "b.c-d_1"), (2, true));
        drop(database);
        let mut database = Database::open(folder.path()).unwrap();
        assert_eq!(ensured(&mut database, "acme"), (1, false));
        let names = database.tenants().unwrap().into_iter().map(|(id, name)| (id.0, name));
        let expect = [(0, "default"), (1, "acme"), (2, "b.c-d_1")];
        assert!(names.eq(expect.map(|(id, name)| (id, name.to_string()))));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut database = Database::open(folder.path()).unwrap();
        for name in ["", " ", "a b", "a/b", "é", "a\n", &"a".repeat(65)] {
            let refused = database.ensure_tenant(name);
            assert!(matches!(refused, Err(AdminError::Refused(_))), "{name:?}: {refused:?}");
        }
    }
}
