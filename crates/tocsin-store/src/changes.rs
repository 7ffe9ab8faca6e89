//! Changes: the frames of live streams other than events, kept for a week so that a stream can be
//! resumed. One that is there already stays as it is.

use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tocsin_core::batch::TenantId;
use tocsin_core::time::{Span, Timestamp};
use tocsin_pipeline::commit::{Change, ChangeKind};

use crate::alerts::{json, parsed};
use crate::marks::{self, DROPPED_ORDINAL, DROPPED_POSITION};

/// How long changes are kept, by ingest time. Older ones are let go, and a stream that asks for them
/// is told that there is a gap.
pub const KEPT_SPAN_MAX: Span = Span::seconds(7 * 86_400);

/// Old changes let go with a commit: twice as many as came, and these. Small steps, so that no
/// commit waits for a week's clearing.
const DROPPED_BESIDES_MAX: i64 = 64;

/// Changes read at once. More are not given: go on from the last one.
pub const CHANGES_READ_MAX: usize = 10_000;

const INSERT: &str = "
    INSERT INTO changes (tenant, position, ordinal, kind, alert_id, at, min_role, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (tenant, position, ordinal) DO NOTHING";

const AFTER: &str = "
    SELECT tenant, position, ordinal, kind, alert_id, at, min_role, body FROM changes
    WHERE tenant = ?1 AND (position, ordinal) > (?2, ?3) AND position <= ?4
    ORDER BY position, ordinal LIMIT ?5";

/// The newest of the rows to go; they came in the order of their rows.
const NEWEST_TO_DROP: &str = "
    SELECT row, position, ordinal FROM (SELECT row, position, ordinal, at FROM changes ORDER BY row LIMIT ?1)
    WHERE at < ?2 ORDER BY row DESC LIMIT 1";

const DROP: &str = "DELETE FROM changes WHERE row <= ?1";

/// Where a change stands among all: position and ordinal.
pub type Place = (u64, u32);

/// Writes changes, and lets go of some that are too old by now.
pub(crate) fn insert(connection: &Connection, changes: &[Change]) -> rusqlite::Result<()> {
    let Some(now) = changes.iter().map(|change| change.at).max() else { return Ok(()) };
    let mut statement = connection.prepare_cached(INSERT)?;
    for change in changes {
        statement.execute(params![
            change.tenant.0,
            change.position.cast_signed(),
            change.ordinal,
            change.kind.event_name(),
            change.alert_id,
            change.at.0,
            json(&change.min_role)?,
            &*change.body,
        ])?;
    }
    drop_old(connection, now.minus(KEPT_SPAN_MAX), 2 * changes.len() as i64 + DROPPED_BESIDES_MAX)
}

/// A tenant's changes after a place, up to and with a position, in order.
pub(crate) fn after(
    connection: &Connection,
    tenant: TenantId,
    after: Place,
    up_to: u64,
    limit: usize,
) -> rusqlite::Result<Vec<Change>> {
    let mut statement = connection.prepare_cached(AFTER)?;
    let limit = limit.min(CHANGES_READ_MAX) as i64;
    let (position, ordinal) = (after.0.cast_signed(), after.1);
    let up_to = i64::try_from(up_to).unwrap_or(i64::MAX);
    statement.query_map(params![tenant.0, position, ordinal, up_to, limit], read)?.collect()
}

/// The newest change that was let go: whoever has seen it has missed nothing.
pub(crate) fn dropped(connection: &Connection) -> rusqlite::Result<Place> {
    let position = marks::read(connection, DROPPED_POSITION)?;
    let ordinal = marks::read(connection, DROPPED_ORDINAL)?;
    Ok((position, ordinal as u32))
}

fn drop_old(connection: &Connection, before: Timestamp, limit: i64) -> rusqlite::Result<()> {
    let newest = connection.prepare_cached(NEWEST_TO_DROP)?.query_row(params![limit, before.0], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, u32>(2)?))
    });
    let Some((row, position, ordinal)) = newest.optional()? else { return Ok(()) };
    connection.prepare_cached(DROP)?.execute([row])?;
    marks::write(connection, DROPPED_POSITION, position.cast_unsigned())?;
    marks::write(connection, DROPPED_ORDINAL, u64::from(ordinal))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Change> {
    let kind = match row.get_ref(3)?.as_str()? {
        "alert" => ChangeKind::Raised,
        "alert_updated" => ChangeKind::Updated,
        other => {
            let unknown = format!("unknown kind of change `{other}`");
            return Err(rusqlite::Error::FromSqlConversionFailure(3, Type::Text, unknown.into()));
        }
    };
    Ok(Change {
        tenant: TenantId(row.get(0)?),
        position: row.get::<_, i64>(1)?.cast_unsigned(),
        ordinal: row.get(2)?,
        kind,
        alert_id: row.get(4)?,
        at: Timestamp(row.get(5)?),
        min_role: parsed(row, 6)?,
        body: Arc::from(row.get_ref(7)?.as_str()?),
    })
}
