//! Alerts as rows: how one is written and read back.
//!
//! What people set (triage) has columns of its own. The upsert here names none of them, so whatever
//! the detector says later, it stays.

use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tocsin_alert::Alert;
use tocsin_core::batch::TenantId;
use tocsin_core::offset::{PartitionId, Position};
use tocsin_core::time::Timestamp;
use tocsin_pipeline::commit::StoredAlert;

/// The status of an alert the detector has taken back.
pub const WITHDRAWN: &str = "withdrawn";

/// The status of an alert nobody has said anything about.
pub const OPEN: &str = "open";

/// Goes before an entity's kind in the column `entities`.
const ENTITY: char = '\u{1e}';

/// Goes between an entity's kind and its name.
const NAMED: char = '\u{1f}';

/// What people have set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Triage {
    /// `true_positive`, `false_positive` or `benign`.
    pub disposition: Option<String>,
    /// Who looks after it.
    pub assignee: Option<String>,
}

/// An alert as the store has it.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptAlert {
    /// The alert; its status is the one to show: what people set, `withdrawn` where the detector
    /// has taken it back, else `open`.
    pub stored: StoredAlert,
    /// What people have set besides.
    pub triage: Triage,
}

/// The columns every query of alerts selects, in this order.
macro_rules! select_alerts {
    ($rest:literal) => {
        concat!(
            "SELECT alert_id, t0, type, severity, rule_id, source_ip, entities, status, superseded, \
             triage_status, disposition, assignee, tenant, completing, min_role, announced, body \
             FROM alerts ",
            $rest
        )
    };
}
pub(crate) use select_alerts;

/// Where a column stands in [`select_alerts!`].
pub(crate) mod column {
    pub const ALERT_ID: usize = 0;
    pub const T0: usize = 1;
    pub const TYPE: usize = 2;
    pub const SEVERITY: usize = 3;
    pub const RULE_ID: usize = 4;
    pub const SOURCE_IP: usize = 5;
    pub const ENTITIES: usize = 6;
    pub const STATUS: usize = 7;
    pub const SUPERSEDED: usize = 8;
    pub const TRIAGE_STATUS: usize = 9;
    pub const DISPOSITION: usize = 10;
    pub const ASSIGNEE: usize = 11;
    pub const TENANT: usize = 12;
    pub const COMPLETING: usize = 13;
    pub const MIN_ROLE: usize = 14;
    pub const ANNOUNCED: usize = 15;
    pub const BODY: usize = 16;
}

const BY_ID: &str = select_alerts!("WHERE tenant = ?1 AND alert_id = ?2");

const BY_EVENT: &str = select_alerts!(
    "WHERE tenant = ?1 AND completing = ?2 AND status = 'open' AND superseded = 0 ORDER BY alert_id"
);

/// Tenant, id, t0 and rule make the id, so they never change; neither does the type's meaning.
const UPSERT: &str = "
    INSERT INTO alerts (tenant, alert_id, t0, completing, type, severity, rule_id, source_ip, entities,
                        status, superseded, min_role, announced, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
    ON CONFLICT (tenant, alert_id) DO UPDATE SET
        completing = excluded.completing, type = excluded.type, severity = excluded.severity,
        source_ip = excluded.source_ip, entities = excluded.entities, status = excluded.status,
        superseded = excluded.superseded, min_role = excluded.min_role, announced = excluded.announced,
        body = excluded.body";

/// Writes alerts, new or changed.
pub(crate) fn upsert(connection: &Connection, alerts: &[StoredAlert]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(UPSERT)?;
    for stored in alerts {
        let alert = &stored.alert;
        statement.execute(params![
            stored.tenant.0,
            alert.alert_id,
            stored.t0.0,
            packed(stored.completing),
            alert.kind,
            alert.severity as u8,
            alert.rule.id,
            source_ip(alert),
            entities_written(alert),
            if alert.status == WITHDRAWN { WITHDRAWN } else { OPEN },
            alert.superseded_by.is_some(),
            json(&stored.min_role)?,
            json(&stored.announced)?,
            json(alert)?,
        ])?;
    }
    Ok(())
}

/// The alert of an id.
pub(crate) fn by_id(
    connection: &Connection,
    tenant: TenantId,
    id: &str,
) -> rusqlite::Result<Option<KeptAlert>> {
    let mut statement = connection.prepare_cached(BY_ID)?;
    statement.query_map(params![tenant.0, id], read)?.next().transpose()
}

/// The standing alerts whose condition an event completed, by id.
pub(crate) fn by_event(
    connection: &Connection,
    tenant: TenantId,
    event: Position,
) -> rusqlite::Result<Vec<KeptAlert>> {
    let mut statement = connection.prepare_cached(BY_EVENT)?;
    statement.query_map(params![tenant.0, packed(event)], read)?.collect()
}

/// An alert of a row of [`select_alerts!`].
pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<KeptAlert> {
    let mut alert: Alert = parsed(row, column::BODY)?;
    let set_by_people = row.get_ref(column::TRIAGE_STATUS)?.as_str_or_null()?;
    alert.status = shown_status(row.get_ref(column::STATUS)?.as_str()?, set_by_people).to_string();
    let stored = StoredAlert {
        tenant: TenantId(row.get(column::TENANT)?),
        alert,
        t0: Timestamp(row.get(column::T0)?),
        completing: unpacked(row.get(column::COMPLETING)?),
        min_role: parsed(row, column::MIN_ROLE)?,
        announced: parsed(row, column::ANNOUNCED)?,
    };
    let triage = Triage { disposition: row.get(column::DISPOSITION)?, assignee: row.get(column::ASSIGNEE)? };
    Ok(KeptAlert { stored, triage })
}

/// The status to show: the detector alone takes an alert back, all else is up to people.
pub(crate) fn shown_status<'a>(of_detector: &'a str, of_people: Option<&'a str>) -> &'a str {
    if of_detector == WITHDRAWN { WITHDRAWN } else { of_people.unwrap_or(OPEN) }
}

/// Whether the column `entities` names this one, given as `value` or `kind:value`.
pub(crate) fn names_entity(entities: &str, wanted: &str) -> bool {
    let named = |text: &str| entities.contains(&format!("{text}{ENTITY}"));
    let of_kind = wanted.split_once(':').map(|(kind, value)| format!("{ENTITY}{kind}{NAMED}{value}"));
    named(&format!("{NAMED}{wanted}")) || of_kind.is_some_and(|text| named(&text))
}

/// All entities in one text that can be searched for one of them.
fn entities_written(alert: &Alert) -> String {
    let mut written = String::from(ENTITY);
    for entity in &alert.entities {
        for part in [&entity.kind, &String::from(NAMED), &entity.value, &String::from(ENTITY)] {
            written.push_str(part);
        }
    }
    written
}

/// The address an alert is about: its key's, else the first address it names.
#[must_use]
pub fn source_ip(alert: &Alert) -> Option<&str> {
    let of_key = alert.key.get("source.ip").and_then(serde_json::Value::as_str);
    let address = alert.entities.iter().find(|entity| entity.kind == "address");
    of_key.or_else(|| address.map(|entity| entity.value.as_str()))
}

/// JSON of a value.
pub(crate) fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// The value of a column of JSON.
pub(crate) fn parsed<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    let unreadable = |error: serde_json::Error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
    };
    serde_json::from_str(text).map_err(unreadable)
}

/// A position as the number of a column; only ever compared for equality.
fn packed(position: Position) -> i64 {
    (u64::from(position.partition().0) << 48 | position.offset()).cast_signed()
}

fn unpacked(number: i64) -> Position {
    let number = number.cast_unsigned();
    Position::new(PartitionId((number >> 48) as u16), number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_as_they_were_written() {
        for (partition, offset) in [(0, 0), (0, 7), (1, 1 << 40), (u16::MAX, (1 << 48) - 1)] {
            let position = Position::new(PartitionId(partition), offset);
            assert_eq!(unpacked(packed(position)), position);
        }
    }

    #[test]
    fn an_entity_is_found_by_its_whole_name_with_or_without_its_kind() {
        let entities = "\u{1e}address\u{1f}2001:db8::1\u{1e}user\u{1f}ann\u{1e}";
        for (wanted, expect) in [
            ("ann", true),
            ("user:ann", true),
            ("2001:db8::1", true),
            ("address:2001:db8::1", true),
            ("an", false),
            ("nn", false),
            ("address:ann", false),
            ("user", false),
            ("", false),
            ("db8::1", false),
        ] {
            assert_eq!(names_entity(entities, wanted), expect, "{wanted}");
        }
    }

    #[test]
    fn what_the_detector_takes_back_is_withdrawn_whatever_people_said() {
        assert_eq!(shown_status(OPEN, None), "open");
        assert_eq!(shown_status(OPEN, Some("closed")), "closed");
        assert_eq!(shown_status(WITHDRAWN, Some("closed")), "withdrawn");
    }
}
