//! An event as people see it: the fields as sent, with its id, severity and ingest time.
//!
//! For alerts and explanations, never on the hot path: the record is read again, whole.

use std::sync::Arc;

use serde_json::{Map, Value};
use tocsin_core::batch::{EventBatch, RawBatch, RecordSpan};
use tocsin_core::decoder::Decoder;
use tocsin_core::field::FieldTable;
use tocsin_core::offset::{OffsetRange, Position};
use tocsin_core::time::Timestamp;

use crate::decoder::RecordDecoder;
use crate::format::FormatContext;
use crate::taxonomy::Taxonomy;

/// Fields that name an event's entities.
const NAMED_FIELDS: [&str; 3] = ["source.ip", "user.name", "host.name"];

/// Fields a line of text is shown by, where it has them.
const TEXT_FIELDS: [&str; 24] = [
    "event.category",
    "event.action",
    "event.outcome",
    "source.ip",
    "source.port",
    "source.domain",
    "user.name",
    "user.effective.name",
    "group.name",
    "host.name",
    "process.name",
    "process.pid",
    "process.command_line",
    "process.working_directory",
    "message",
    "http.request.method",
    "http.request.referrer",
    "http.response.status_code",
    "http.response.body.bytes",
    "url.domain",
    "url.original",
    "url.path",
    "url.query",
    "user_agent.original",
];

/// Severity words of the event contract by type of event; any other type is `info`.
const SEVERITIES: [(&str, &str); 4] = [
    ("brute_force", "critical"),
    ("api_blocked", "high"),
    ("config_change", "medium"),
    ("login_failed", "warning"),
];

/// Reads records for people.
pub struct EventView {
    table: Arc<FieldTable>,
    decoder: RecordDecoder,
}

/// One event for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Viewed {
    /// The event: fields as sent, then `severity`, `processed_at`, `event_id`.
    pub event: Value,
    /// Values of the taxonomy fields that name entities.
    pub named: Map<String, Value>,
}

impl EventView {
    /// A view with the reference time of lines without a year.
    #[must_use]
    pub fn new(as_of: Timestamp) -> EventView {
        let table = Arc::new(FieldTable::of(&TEXT_FIELDS));
        let taxonomy = Taxonomy::new(Arc::clone(&table));
        EventView { table, decoder: RecordDecoder::auto(FormatContext { taxonomy, as_of }) }
    }

    /// Reads a record. A record that cannot be read is shown as its text.
    pub fn view(&mut self, record: &[u8], position: Position, ingest: Timestamp) -> Viewed {
        let batch = self.decode(record);
        let fields = self.fields(&batch);
        let named = NAMED_FIELDS
            .iter()
            .filter_map(|name| Some(((*name).to_string(), fields.get(*name)?.clone())))
            .collect();
        let mut event = match serde_json::from_slice(record) {
            Ok(Value::Object(sent)) => sent,
            _ => {
                let mut shown = fields;
                shown.insert("event.original".to_string(), String::from_utf8_lossy(record).into());
                shown
            }
        };
        let severity = severity(&event);
        event.entry("severity").or_insert_with(|| severity.into());
        event.insert("processed_at".to_string(), ingest.to_string().into());
        event.insert("event_id".to_string(), position.to_string().into());
        Viewed { event: Value::Object(event), named }
    }

    fn decode(&mut self, record: &[u8]) -> EventBatch {
        let len = record.len() as u32;
        self.decoder.decode(RawBatch {
            bytes: record.to_vec(),
            records: vec![RecordSpan { start: 0, len }],
            offsets: OffsetRange { from: 0, to: u64::from(len) },
            ..RawBatch::default()
        })
    }

    fn fields(&self, batch: &EventBatch) -> Map<String, Value> {
        let Some(event) = batch.events.first() else { return Map::new() };
        let value = |name: &str| {
            let value = batch.get(event, self.table.get(name)?)?;
            Some((name.to_string(), Value::from(value.as_text()?)))
        };
        TEXT_FIELDS.iter().filter_map(|name| value(name)).collect()
    }
}

fn severity(event: &Map<String, Value>) -> &'static str {
    let kind = ["type", "event_type", "event.action"].iter().find_map(|name| event.get(*name)?.as_str());
    let known = SEVERITIES.iter().find(|(name, _)| Some(*name) == kind);
    known.map_or("info", |(_, severity)| severity)
}
