//! Lists of alerts, newest first: what to leave out, where to go on, and the walk itself.
//!
//! One statement walks the index by time; every filter is a plain function of a row's small columns,
//! so that an alert's body is read only when the alert is wanted.

use std::fmt;
use std::str::FromStr;

use rusqlite::{Connection, Row, params};
use tocsin_alert::Alert;
use tocsin_core::batch::TenantId;
use tocsin_core::rule::Level;
use tocsin_core::time::Timestamp;

use crate::alerts::{self, KeptAlert, WITHDRAWN, column, names_entity, select_alerts, shown_status};

/// Alerts on a page. More are not given: go on from its cursor.
pub const PAGE_ALERTS_MAX: usize = 1_000;

/// Alerts a page looks at. A page that has looked at so many ends there, with a cursor to go on
/// from, so that a filter nothing meets cannot hold a reader for minutes.
pub const LOOKED_AT_ALERTS_MAX: usize = 100_000;

/// Bytes of an alert id in a cursor; a longer one is no cursor of ours.
const CURSOR_ID_BYTES_MAX: usize = 128;

const NEWEST_FIRST: &str = select_alerts!(
    "WHERE tenant = ?1 AND t0 >= ?2 AND (t0, alert_id) < (?3, ?4) ORDER BY t0 DESC, alert_id DESC"
);

/// Sorts after every alert id.
const AFTER_ALL_IDS: &str = "\u{10ffff}";

/// Which alerts to list. An empty list of words asks for nothing; otherwise one of them must fit.
#[derive(Clone, Debug, Default)]
pub struct AlertFilter {
    /// Severities.
    pub severities: Vec<Level>,
    /// Alert types.
    pub types: Vec<String>,
    /// Rule ids.
    pub rules: Vec<String>,
    /// Statuses as shown: `open`, `acknowledged`, `closed`, `withdrawn`.
    pub statuses: Vec<String>,
    /// Entities, whole: `value` or `kind:value`.
    pub entities: Vec<String>,
    /// The earliest t0.
    pub from: Option<Timestamp>,
    /// The latest t0.
    pub to: Option<Timestamp>,
    /// Words to be found as they stand in title, message, type, rule, key or entities, in any case.
    /// Finds what is masked for some callers too: for those match the masked alert yourself.
    pub text: Option<String>,
    /// Which kinds of alerts are listed at all.
    pub among: Among,
}

/// The kinds of alerts to list from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Among {
    /// All, superseded and withdrawn ones too.
    #[default]
    All,
    /// Those that stand.
    Standing,
    /// Those that stand and are about an address.
    StandingWithSource,
}

/// Where a list goes on: after the last alert seen. Text for the outside; opaque to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    t0: Timestamp,
    alert_id: String,
}

/// The part of a list to give.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where the page before ended.
    pub after: Option<Cursor>,
    /// Alerts to give, at most [`PAGE_ALERTS_MAX`].
    pub limit: usize,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertPage {
    /// The alerts, newest first.
    pub alerts: Vec<KeptAlert>,
    /// Where to go on, if there may be more.
    pub next: Option<Cursor>,
}

/// What a filter looks at before the alert's body is read.
#[derive(Debug)]
struct Facts<'a> {
    severity: i64,
    kind: &'a str,
    rule: &'a str,
    status: &'a str,
    entities: &'a str,
    stands: bool,
    has_source: bool,
}

/// A page of a tenant's alerts that the filter admits and the caller may see. Hidden ones cost
/// nothing of the page's length.
pub(crate) fn list(
    connection: &Connection,
    tenant: TenantId,
    filter: &AlertFilter,
    page: &Page,
    visible: &dyn Fn(&KeptAlert) -> bool,
) -> rusqlite::Result<AlertPage> {
    let limit = page.limit.clamp(1, PAGE_ALERTS_MAX);
    let newest = (filter.to.unwrap_or(Timestamp::MAX).0, AFTER_ALL_IDS);
    let after = page.after.as_ref().map_or(newest, |cursor| (cursor.t0.0, cursor.alert_id.as_str()));
    let before = after.min(newest);
    let oldest = filter.from.unwrap_or(Timestamp::MIN).0;
    let wanted = filter.text.as_ref().map(|text| text.to_lowercase());

    let mut statement = connection.prepare_cached(NEWEST_FIRST)?;
    let mut rows = statement.query(params![tenant.0, oldest, before.0, before.1])?;
    let mut alerts: Vec<KeptAlert> = Vec::with_capacity(limit.min(64));
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        looked_at += 1;
        if filter.admits(&Facts::of(row)?) {
            let kept = alerts::read(row)?;
            if wanted.as_deref().is_none_or(|text| mentions(&kept.stored.alert, text)) && visible(&kept) {
                if alerts.len() == limit {
                    let next = alerts.last().map(Cursor::at);
                    return Ok(AlertPage { alerts, next });
                }
                alerts.push(kept);
            }
        }
        if looked_at == LOOKED_AT_ALERTS_MAX {
            return Ok(AlertPage { alerts, next: Some(Cursor::at_row(row)?) });
        }
    }
    Ok(AlertPage { alerts, next: None })
}

impl AlertFilter {
    fn admits(&self, facts: &Facts<'_>) -> bool {
        let one_of = |words: &[String], word: &str| words.is_empty() || words.iter().any(|w| w == word);
        let severe = |level: &Level| *level as i64 == facts.severity;
        let among = match self.among {
            Among::All => true,
            Among::Standing => facts.stands,
            Among::StandingWithSource => facts.stands && facts.has_source,
        };
        among
            && (self.severities.is_empty() || self.severities.iter().any(severe))
            && one_of(&self.types, facts.kind)
            && one_of(&self.rules, facts.rule)
            && one_of(&self.statuses, facts.status)
            && (self.entities.is_empty()
                || self.entities.iter().any(|wanted| names_entity(facts.entities, wanted)))
    }
}

impl<'a> Facts<'a> {
    fn of(row: &'a Row<'_>) -> rusqlite::Result<Facts<'a>> {
        let of_people = row.get_ref(column::TRIAGE_STATUS)?.as_str_or_null()?;
        let status = shown_status(row.get_ref(column::STATUS)?.as_str()?, of_people);
        Ok(Facts {
            severity: row.get(column::SEVERITY)?,
            kind: row.get_ref(column::TYPE)?.as_str()?,
            rule: row.get_ref(column::RULE_ID)?.as_str()?,
            status,
            entities: row.get_ref(column::ENTITIES)?.as_str()?,
            stands: status != WITHDRAWN && !row.get::<_, bool>(column::SUPERSEDED)?,
            has_source: row.get_ref(column::SOURCE_IP)?.as_str_or_null()?.is_some(),
        })
    }
}

/// Whether an alert's words hold this text, which is in lower case.
fn mentions(alert: &Alert, text: &str) -> bool {
    let key = alert.key.values().filter_map(serde_json::Value::as_str);
    let entities = alert.entities.iter().map(|entity| entity.value.as_str());
    let words = [&alert.title, &alert.message, &alert.kind, &alert.rule.id, &alert.rule.title];
    let mut all = words.into_iter().map(String::as_str).chain(key).chain(entities);
    all.any(|words| words.to_lowercase().contains(text))
}

impl Cursor {
    /// The cursor of the last alert seen.
    #[must_use]
    pub fn at(last: &KeptAlert) -> Cursor {
        Cursor { t0: last.stored.t0, alert_id: last.stored.alert.alert_id.clone() }
    }

    fn at_row(row: &Row<'_>) -> rusqlite::Result<Cursor> {
        Ok(Cursor { t0: Timestamp(row.get(column::T0)?), alert_id: row.get(column::ALERT_ID)? })
    }
}

impl fmt::Display for Cursor {
    /// Safe in a URL as it stands, as long as the alert id is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.t0.0, self.alert_id)
    }
}

/// The text is no cursor of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no cursor; take `next` of the page before as it is")]
pub struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Cursor, NoCursor> {
        let (t0, alert_id) = text.split_once('-').ok_or(NoCursor)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let well_formed = t0.len() == 16
            && t0.bytes().all(|byte| byte.is_ascii_hexdigit())
            && (1..=CURSOR_ID_BYTES_MAX).contains(&alert_id.len())
            && alert_id.bytes().all(plain);
        let t0 = u64::from_str_radix(t0, 16).map_err(|_| NoCursor)?;
        let cursor = Cursor { t0: Timestamp(t0.cast_signed()), alert_id: alert_id.to_string() };
        well_formed.then_some(cursor).ok_or(NoCursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for t0 in [0, 1, -1, i64::MAX, i64::MIN] {
            let cursor = Cursor { t0: Timestamp(t0), alert_id: "0f".repeat(16) };
            assert_eq!(cursor.to_string().parse(), Ok(cursor), "{t0}");
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let id = "0f".repeat(16);
        for text in [
            "",
            "x",
            "-",
            "0000000000000000-",
            "0000000000000000",
            &format!("000000000000000-{id}"),
            &format!("+00000000000000f-{id}"),
            &format!("0000000000000000-{id}'"),
            &format!("0000000000000000-{}", "a".repeat(CURSOR_ID_BYTES_MAX + 1)),
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(NoCursor), "{text}");
        }
    }
}
