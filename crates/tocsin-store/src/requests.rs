//! Requests that may be repeated: the answer each got, so that a repeat gets the same.
//!
//! Remembered for a day, and the newest million of each tenant. Forgetting goes in small steps, with
//! the requests that come: as many again as came, and some.

use rusqlite::{Connection, OptionalExtension, Row, params};
use tocsin_core::batch::TenantId;
use tocsin_core::time::{Span, Timestamp};
use tocsin_pipeline::journal::RequestMark;

/// How long a request is remembered, by ingest time. A repeat after that is a request of its own.
pub const REMEMBERED_SPAN_MAX: Span = Span::seconds(86_400);

/// Requests remembered of a tenant. Beyond it the oldest are forgotten before their day is over.
pub const REMEMBERED_REQUESTS_MAX: i64 = 1_000_000;

/// Requests forgotten with a new one, at most.
const FORGOTTEN_EACH_MAX: u32 = 4;

const UPSERT: &str = "
    INSERT INTO requests (tenant, seq, key, body, accepted, at, reply)
    VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM requests WHERE tenant = ?1), ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (tenant, key) DO UPDATE SET
        seq = excluded.seq, body = excluded.body, accepted = excluded.accepted, at = excluded.at,
        reply = excluded.reply";

const FORGET: &str = "
    DELETE FROM requests
    WHERE row IN (SELECT row FROM requests WHERE tenant = ?1 ORDER BY seq LIMIT ?2)
      AND (at < ?3 OR seq <= (SELECT max(seq) FROM requests WHERE tenant = ?1) - ?4)";

const BY_KEY: &str =
    "SELECT key, body, accepted, reply FROM requests WHERE tenant = ?1 AND key = ?2 AND at >= ?3";

/// Writes requests and forgets some of their tenants' oldest.
pub(crate) fn remember(
    connection: &Connection,
    requests: &[(TenantId, Timestamp, RequestMark)],
) -> rusqlite::Result<()> {
    remember_up_to(connection, requests, REMEMBERED_REQUESTS_MAX)
}

/// What a request of this key was answered, if it is remembered at a time.
pub(crate) fn by_key(
    connection: &Connection,
    tenant: TenantId,
    key: &[u8; 16],
    now: Timestamp,
) -> rusqlite::Result<Option<RequestMark>> {
    let oldest = now.minus(REMEMBERED_SPAN_MAX);
    connection.prepare_cached(BY_KEY)?.query_row(params![tenant.0, key, oldest.0], read).optional()
}

fn remember_up_to(
    connection: &Connection,
    requests: &[(TenantId, Timestamp, RequestMark)],
    most: i64,
) -> rusqlite::Result<()> {
    let mut upsert = connection.prepare_cached(UPSERT)?;
    let mut forget = connection.prepare_cached(FORGET)?;
    for (tenant, at, mark) in requests {
        upsert.execute(params![tenant.0, mark.key, mark.body, mark.accepted, at.0, mark.reply])?;
        let oldest = at.minus(REMEMBERED_SPAN_MAX);
        forget.execute(params![tenant.0, FORGOTTEN_EACH_MAX, oldest.0, most])?;
    }
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<RequestMark> {
    let reply: Vec<u8> = row.get(3)?;
    Ok(RequestMark { key: row.get(0)?, body: row.get(1)?, accepted: row.get(2)?, reply: reply.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Database;

    const HOUR: i64 = 3_600_000_000_000;

    fn mark(number: u8) -> RequestMark {
        RequestMark { key: [number; 16], body: [9; 16], accepted: 3, reply: vec![number].into() }
    }

    fn remembered(connection: &Connection, now: i64) -> Vec<u8> {
        let known = |number: &u8| by_key(connection, TenantId(0), &[*number; 16], Timestamp(now)).unwrap();
        (0..10).filter(|number| known(number) == Some(mark(*number))).collect()
    }

    #[test]
    fn a_request_is_remembered_for_a_day_and_then_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).unwrap();
        let connection = &database.connection;
        for number in 0..5 {
            let at = Timestamp(i64::from(number) * HOUR);
            remember(connection, &[(TenantId(0), at, mark(number))]).unwrap();
        }
        assert_eq!(remembered(connection, 24 * HOUR), [0, 1, 2, 3, 4]);
        assert_eq!(remembered(connection, 26 * HOUR), [2, 3, 4]);
        assert_eq!(by_key(connection, TenantId(1), &[1; 16], Timestamp(0)).unwrap(), None);

        remember(connection, &[(TenantId(0), Timestamp(27 * HOUR), mark(7))]).unwrap();
        let rows: u32 = connection.query_row("SELECT count(*) FROM requests", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 3, "the three that are too old are gone");
    }

    #[test]
    fn beyond_the_number_the_oldest_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).unwrap();
        let connection = &database.connection;
        for number in [0, 1, 2, 3, 1, 4] {
            remember_up_to(connection, &[(TenantId(0), Timestamp(0), mark(number))], 3).unwrap();
        }
        assert_eq!(remembered(connection, 0), [1, 3, 4], "one that came again counts as new");
    }
}
