//! Which rule set became active where. Rows are written with the commit of their frame, and let go
//! once no frame of the journal was taken in under their sets any more.

use rusqlite::{Connection, OptionalExtension, Row, params};
use tocsin_pipeline::rules::RuleSetId;

/// Notes sets that became active.
pub(crate) fn write(connection: &Connection, activations: &[(u64, RuleSetId)]) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("INSERT OR REPLACE INTO activations (position, rules) VALUES (?1, ?2)")?;
    for (position, rules) in activations {
        statement.execute(params![position.cast_signed(), rules.0])?;
    }
    Ok(())
}

/// The set that was active at a position, if that is known.
pub(crate) fn active_at(connection: &Connection, position: u64) -> rusqlite::Result<Option<RuleSetId>> {
    let ask = "SELECT rules FROM activations WHERE position < ?1 ORDER BY position DESC LIMIT 1";
    connection.query_row(ask, [position.cast_signed()], id).optional()
}

/// Where the newest one stands.
pub(crate) fn newest(connection: &Connection) -> rusqlite::Result<u64> {
    let ask = "SELECT coalesce(max(position), 0) FROM activations";
    connection.query_row(ask, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

/// Lets go of those whose sets were active only below `first`, the journal's begin. Beyond `most` of
/// them the oldest go too, as long as they were active only below `floor`.
pub(crate) fn forget(connection: &Connection, first: u64, floor: u64, most: usize) -> rusqlite::Result<()> {
    let ask = "SELECT coalesce(min(position), 0) FROM
               (SELECT position FROM activations ORDER BY position DESC LIMIT ?1)";
    let kept = connection.query_row(ask, [most as u32], |row| row.get::<_, i64>(0))?.cast_unsigned();
    let from = first.max((kept + 1).min(floor));
    let forget = "DELETE FROM activations WHERE position <
                  (SELECT max(position) FROM activations WHERE position < ?1)";
    connection.execute(forget, [from.cast_signed()]).map(drop)
}

/// All sets that are named.
pub(crate) fn named(connection: &Connection) -> rusqlite::Result<Vec<RuleSetId>> {
    let mut statement = connection.prepare("SELECT DISTINCT rules FROM activations")?;
    statement.query_map([], id)?.collect()
}

fn id(row: &Row<'_>) -> rusqlite::Result<RuleSetId> {
    row.get(0).map(RuleSetId)
}
