//! Marks: named numbers of the database.

use rusqlite::{Connection, params};

/// X: every frame of the journal before it is in.
pub const COMMITTED: &str = "committed";

/// Goes up with each change of tenants and keys.
pub const ACCESS: &str = "access";

/// Position of the newest change that was let go.
pub const DROPPED_POSITION: &str = "dropped_position";

/// Ordinal of the newest change that was let go.
pub const DROPPED_ORDINAL: &str = "dropped_ordinal";

/// The value of a mark.
pub(crate) fn read(connection: &Connection, name: &str) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached("SELECT value FROM marks WHERE name = ?1")?;
    statement.query_row([name], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

/// Sets a mark.
pub(crate) fn write(connection: &Connection, name: &str, value: u64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("UPDATE marks SET value = ?2 WHERE name = ?1")?;
    statement.execute(params![name, value.cast_signed()]).map(drop)
}

/// Says that tenants or keys have changed.
pub(crate) fn access_changed(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE marks SET value = value + 1 WHERE name = ?1", [ACCESS]).map(drop)
}
