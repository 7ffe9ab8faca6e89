//! The schema: numbered migrations, each applied in a transaction of its own and written down in
//! the table `migrations`. A migration that has been released is never edited; a new one follows it.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

/// All migrations, from 1.
const MIGRATIONS: &[&str] = &[include_str!("schema/0001.sql"), include_str!("schema/0002.sql")];

/// Marks the file as ours: `tocs` in ASCII.
const APPLICATION_ID: i32 = 0x746f_6373;

/// Random values every folder has, with their length in bytes.
const RANDOM_VALUES: [(&str, usize); 2] = [(HASH_SEED, 32), (MAC_KEY, 32)];

/// Name of the seed for tables whose keys come from strangers.
pub const HASH_SEED: &str = "hash_seed";

/// Name of the key under which resume ids are signed.
pub const MAC_KEY: &str = "mac_key";

/// The newest schema this program knows.
#[must_use]
pub fn known() -> u32 {
    MIGRATIONS.len() as u32
}

/// What kind of file this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nothing in it yet.
    Fresh,
    /// Ours, at this schema.
    Ours(u32),
    /// Somebody else's database.
    Foreign,
}

/// Says whose database this is.
///
/// # Errors
/// What SQLite says.
pub fn origin(connection: &mut Connection) -> rusqlite::Result<Origin> {
    // One transaction: another process may be making the schema now.
    let transaction = connection.transaction()?;
    let application: i32 = transaction.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if application == APPLICATION_ID {
        return version(&transaction).map(Origin::Ours);
    }
    let tables: u32 = transaction.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    Ok(if application == 0 && tables == 0 { Origin::Fresh } else { Origin::Foreign })
}

/// Applies what is missing. Several processes may do so at once.
///
/// # Errors
/// What SQLite says; the migrations before the failed one stay.
pub fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    loop {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction
            .execute_batch("CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY) STRICT")?;
        let done = version(&transaction)?;
        let Some(next) = MIGRATIONS.get(done as usize) else { return Ok(()) };
        transaction.execute_batch(next)?;
        if done == 0 {
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            add_random_values(&transaction)?;
        }
        transaction.execute("INSERT INTO migrations (number) VALUES (?1)", [done + 1])?;
        transaction.commit()?;
    }
}

/// A random value of this folder.
///
/// # Errors
/// What SQLite says.
pub fn random_value(connection: &Connection, name: &str) -> rusqlite::Result<[u8; 32]> {
    connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
}

fn version(connection: &Connection) -> rusqlite::Result<u32> {
    let newest = connection.query_row("SELECT max(number) FROM migrations", [], |row| row.get(0));
    Ok(newest.optional()?.flatten().unwrap_or(0))
}

fn add_random_values(connection: &Connection) -> rusqlite::Result<()> {
    for (name, bytes) in RANDOM_VALUES {
        let value = format!("INSERT INTO meta (name, value) VALUES (?1, randomblob({bytes}))");
        connection.execute(&value, params![name])?;
    }
    Ok(())
}
