//! CEF, ArcSight's Common Event Format: `CEF:0|vendor|product|version|id|name|severity|key=value …`,
//! by itself or as the message of a syslog line.
//!
//! A value goes on to the space before the next `key=`. Escapes are undone; what senders forget to
//! escape is kept. A key that occurs twice has both values, as a list has.

use std::ops::Range;

use tocsin_core::batch::{EventBatch, Notes, Reason};
use tocsin_core::limits::OBJECT_KEYS_MAX;
use tocsin_core::time::Timestamp;

use crate::cef_parts::{Pair, read_headers, read_time, syslog_before, unescape};
use crate::format::{Format, FormatContext, Record, Refusal};
use crate::names::{NameTable, Names, by_table};
use crate::registry::FormatEntry;
use crate::row::Row;
use crate::syslog_header::{Header, YEARLESS_AHEAD_MAX};
use crate::taxonomy::{Target, Taxonomy};
use crate::text::{Fill, targets};

/// The registration of this format.
pub const ENTRY: FormatEntry = FormatEntry {
    name: "cef",
    summary: "CEF, the Common Event Format, with or without a syslog header",
    build: |context| Box::new(Cef::new(context)),
    recognise: |text| syslog_before(text, Timestamp::MAX).is_some(),
};

/// Keys of the CEF dictionary and the common names. A key that is not here is the sender's own.
pub(crate) const NAMES: NameTable = &[
    ("act", &["event.action"]),
    ("app", &["network.protocol"]),
    ("deviceProcessName", &["process.name"]),
    ("dhost", &["destination.domain"]),
    ("dpt", &["destination.port"]),
    ("dst", &["destination.ip"]),
    ("duser", &["destination.user.name", "username"]),
    ("dvc", &["observer.ip"]),
    ("dvchost", &["host.name"]),
    ("end", &["event.end"]),
    ("externalId", &["event.id"]),
    ("fileHash", &["file.hash"]),
    ("filePath", &["file.path"]),
    ("fname", &["file.name"]),
    ("fsize", &["file.size"]),
    ("in", &["source.bytes"]),
    ("msg", &["message"]),
    ("out", &["destination.bytes"]),
    ("proto", &["network.transport"]),
    ("reason", &["event.reason"]),
    ("request", &["url.original"]),
    ("requestClientApplication", &["user_agent.original"]),
    ("requestContext", &["http.request.referrer"]),
    ("requestMethod", &["http.request.method"]),
    ("rt", &[]),
    ("shost", &["source.domain"]),
    ("spid", &["process.pid"]),
    ("sproc", &["process.name"]),
    ("spt", &["source.port"]),
    ("src", &["source.ip"]),
    ("start", &["event.start"]),
    ("suid", &["user.id"]),
    ("suser", &["user.name", "source.user.name"]),
    ("type", &[]),
];

/// Keys that hold the event's time, the first readable counts.
const TIME_KEYS: [&[u8]; 3] = [b"rt", b"end", b"start"];

/// Reads CEF lines.
struct Cef {
    names: Names,
    /// Names that senders give to the keys of their choice: `cs1Label=Rule cs1=7`.
    labels: Names,
    fields: [Vec<Target>; 6],
    message: Vec<Target>,
    host: Vec<Target>,
    scratch: Scratch,
}

/// Memory that is used anew for every event.
#[derive(Default)]
struct Scratch {
    /// Where the keys and values of the extension stand in it.
    pairs: Vec<(Range<usize>, Range<usize>)>,
    unescaped: Vec<u8>,
}

impl Cef {
    fn new(context: &FormatContext) -> Cef {
        let taxonomy = &context.taxonomy;
        let of = |names: &[&str]| targets(taxonomy, names);
        Cef {
            names: Names::new(taxonomy, |taxonomy, name| by_table(NAMES, taxonomy, name)),
            labels: Names::new(taxonomy, label_targets),
            fields: [
                of(&["DeviceVendor", "observer.vendor"]),
                of(&["DeviceProduct", "observer.product"]),
                of(&["DeviceVersion", "observer.version"]),
                of(&["DeviceEventClassID", "event.code"]),
                of(&["Name"]),
                of(&["Severity", "event.severity"]),
            ],
            message: of(&["message"]),
            host: of(&["hostname"]),
            scratch: Scratch::default(),
        }
    }

    /// Puts every pair of the extension, and what it is a label of.
    fn put_pairs(&mut self, fill: &mut Fill<'_, '_>, extension: &[u8]) {
        let Scratch { pairs, unescaped } = &mut self.scratch;
        for (key, value) in pairs.iter() {
            let (key, value) = (&extension[key.clone()], &extension[value.clone()]);
            put(fill, unescaped, self.names.targets(key), value);
            let of = key.strip_suffix(b"Label").filter(|of| !of.is_empty());
            if let Some(of) = of
                && let Some((_, named)) = pairs.iter().find(|(key, _)| extension[key.clone()] == *of)
            {
                put(fill, unescaped, self.labels.targets(value), &extension[named.clone()]);
            }
        }
    }
}

impl Format for Cef {
    fn read(&mut self, record: Record<'_>, row: &mut Row, batch: &mut EventBatch) -> Result<(), Refusal> {
        let limit = record.reference.plus(YEARLESS_AHEAD_MAX);
        let (syslog, cef) =
            syslog_before(record.text(), limit).ok_or(Refusal::new(Reason::UnknownFormat, 0))?;
        let headers = read_headers(cef).ok_or(Refusal::new(Reason::Truncated, record.text().len()))?;
        let extension = headers.extension;
        self.scratch.find_pairs(extension)?;
        set_time(row, |key| self.scratch.get(extension, key), &syslog, limit);
        let mut fill = Fill { row, batch, record };
        fill.text(&self.host, syslog.host);
        for (targets, part) in self.fields.iter().zip(headers.fields) {
            put(&mut fill, &mut self.scratch.unescaped, targets, part);
        }
        let message = self.scratch.get(extension, b"msg").is_none().then_some(headers.name());
        put(&mut fill, &mut self.scratch.unescaped, &self.message, message.unwrap_or_default());
        self.put_pairs(&mut fill, extension);
        Ok(())
    }
}

impl Scratch {
    fn find_pairs(&mut self, extension: &[u8]) -> Result<(), Refusal> {
        self.pairs.clear();
        for pair in Pair::all(extension) {
            if self.pairs.len() == OBJECT_KEYS_MAX as usize {
                return Err(Refusal::new(Reason::TooManyKeys, 0));
            }
            self.pairs.push((pair.key, pair.value));
        }
        Ok(())
    }

    fn get<'a>(&self, extension: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
        let (_, value) = self.pairs.iter().find(|(key, _)| extension[key.clone()] == *name)?;
        extension.get(value.clone())
    }
}

/// Labels fill the fields of their own name alone, as written and without spaces.
fn label_targets(taxonomy: &Taxonomy, label: &str) -> Vec<Target> {
    let mut targets: Vec<Target> = taxonomy.named(label).into_iter().collect();
    targets.extend(taxonomy.named(&label.replace(' ', "")).filter(|named| !targets.contains(named)));
    targets
}

/// Gives a value to its targets, its escapes undone.
fn put(fill: &mut Fill<'_, '_>, unescaped: &mut Vec<u8>, targets: &[Target], part: &[u8]) {
    if targets.is_empty() || part.is_empty() {
        return;
    }
    if memchr::memchr(b'\\', part).is_none() {
        fill.word(targets, part);
    } else {
        unescape(part, unescaped);
        fill.made(targets, unescaped);
    }
}

/// The event's time: that of the extension, else that of the syslog header.
fn set_time<'a>(
    row: &mut Row,
    get: impl Fn(&[u8]) -> Option<&'a [u8]>,
    syslog: &Header<'_>,
    limit: Timestamp,
) {
    let sent = TIME_KEYS.iter().filter_map(|key| get(key)).find_map(|stamp| read_time(stamp, limit));
    match sent.or(syslog.time.map(|time| (time, syslog.year_derived))) {
        Some((time, year_derived)) => {
            row.set_time(time);
            if year_derived {
                row.note(Notes::YEAR_DERIVED);
            }
        }
        None => row.set_no_time(TIME_KEYS.iter().any(|key| get(key).is_some())),
    }
}
