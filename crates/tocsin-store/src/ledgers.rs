//! Ledgers: each tenant's counters as of the last commit.

use rusqlite::{Connection, params};
use tocsin_core::batch::TenantId;
use tocsin_pipeline::ledger::LedgerTotals;

use crate::alerts::{json, parsed};

const UPSERT: &str = "
    INSERT INTO ledgers (tenant, totals) VALUES (?1, ?2)
    ON CONFLICT (tenant) DO UPDATE SET totals = excluded.totals";

/// Writes the counters of tenants, whole.
pub(crate) fn write(connection: &Connection, ledgers: &[(TenantId, LedgerTotals)]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(UPSERT)?;
    for (tenant, totals) in ledgers {
        statement.execute(params![tenant.0, json(totals)?])?;
    }
    Ok(())
}

/// The counters of all tenants, by number.
pub(crate) fn all(connection: &Connection) -> rusqlite::Result<Vec<(TenantId, LedgerTotals)>> {
    let mut statement = connection.prepare_cached("SELECT tenant, totals FROM ledgers ORDER BY tenant")?;
    statement.query_map([], |row| Ok((TenantId(row.get(0)?), parsed(row, 1)?)))?.collect()
}
