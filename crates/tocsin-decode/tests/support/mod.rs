//! What the tests of this crate share: decoding lines and looking at what came out.
#![allow(dead_code, reason = "each test binary uses its part of this module")]

use std::sync::Arc;

use tocsin_core::batch::{Event, EventBatch, RawBatch, RecordSpan};
use tocsin_core::decoder::Decoder;
use tocsin_core::field::FieldTable;
use tocsin_core::time::Timestamp;
use tocsin_decode::decoder::RecordDecoder;
use tocsin_decode::format::FormatContext;
use tocsin_decode::taxonomy::Taxonomy;

/// Fields the line formats can fill.
pub const FIELDS: &[&str] = &[
    "event.action",
    "event.category",
    "event.outcome",
    "group.name",
    "host.name",
    "http.request.method",
    "http.request.referrer",
    "http.response.body.bytes",
    "http.response.status_code",
    "http.version",
    "log.syslog.facility.code",
    "log.syslog.facility.name",
    "log.syslog.msgid",
    "log.syslog.priority",
    "log.syslog.procid",
    "log.syslog.severity.code",
    "log.syslog.severity.name",
    "log.syslog.structured_data",
    "logsource.product",
    "logsource.service",
    "message",
    "process.command_line",
    "process.name",
    "process.pid",
    "process.tty.name",
    "process.working_directory",
    "source.domain",
    "source.ip",
    "source.port",
    "url.domain",
    "url.original",
    "url.path",
    "url.query",
    "user.effective.name",
    "user.name",
    "user_agent.original",
];

/// Decodes lines; `format` is a format's name or `auto`.
pub fn decode(format: &str, as_of: &str, fields: &[&str], lines: &[&[u8]]) -> EventBatch {
    let mut table = FieldTable::new();
    for field in fields {
        table.intern(field).expect("the table has room");
    }
    let as_of = Timestamp::parse(as_of.as_bytes()).expect("a time");
    let context = FormatContext { taxonomy: Taxonomy::new(Arc::new(table)), as_of };
    let mut decoder = match format {
        "auto" => RecordDecoder::auto(context),
        name => RecordDecoder::named(name, context).expect("a format"),
    };
    let mut raw = RawBatch::default();
    for line in lines {
        raw.records.push(RecordSpan { start: raw.bytes.len() as u32, len: line.len() as u32 });
        raw.bytes.extend_from_slice(line);
        raw.bytes.push(b'\n');
    }
    decoder.decode(raw)
}

/// The text of a field of an event; empty when it is absent.
pub fn field(batch: &EventBatch, event: &Event, name: &str) -> String {
    let id = batch.table.get(name).expect("a wanted field");
    let value = batch.get(event, id);
    value.and_then(|value| value.as_text().map(str::to_string)).unwrap_or_default()
}

/// All fields of an event that have a value, as `name=value` in the order of their names.
pub fn render(batch: &EventBatch, event: &Event) -> Vec<String> {
    let mut out: Vec<String> = batch
        .table
        .iter()
        .filter_map(|(id, name)| Some((name, batch.get(event, id)?)))
        .map(|(name, value)| format!("{name}={}", value.as_text().unwrap_or_default()))
        .collect();
    out.sort();
    out
}
