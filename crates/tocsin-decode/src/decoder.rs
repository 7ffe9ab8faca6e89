//! The decoder: chooses a format per record, remembers what worked, and quarantines the rest.

use tocsin_core::batch::{EventBatch, Quarantined, RawBatch, Reason};
use tocsin_core::decoder::Decoder;
use tocsin_core::limits::RECORD_BYTES_MAX;

use crate::blocks::is_ascii;
use crate::format::{Format, FormatContext, Record, Refusal};
use crate::framing::is_other_json;
use crate::registry::{FORMATS, FormatEntry};
use crate::row::Row;

/// Reads records of one format, or of any.
pub struct RecordDecoder {
    formats: Vec<(&'static FormatEntry, Box<dyn Format>)>,
    /// Index of the format that read the last record.
    last: usize,
    row: Row,
    /// How many slots the last batch had, so that the next has room for as many from the beginning.
    slots: usize,
    context: FormatContext,
}

/// A format name that is not registered.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownFormat;

impl RecordDecoder {
    /// A decoder that recognises the format of each record.
    #[must_use]
    pub fn auto(context: FormatContext) -> RecordDecoder {
        RecordDecoder::with(context, FORMATS.iter())
    }

    /// A decoder for one format by name (`ndjson` is `json`).
    ///
    /// # Errors
    /// [`UnknownFormat`] when no format has this name.
    pub fn named(name: &str, context: FormatContext) -> Result<RecordDecoder, UnknownFormat> {
        let name = if name == "ndjson" { "json" } else { name };
        let entry = FORMATS.iter().find(|entry| entry.name == name).ok_or(UnknownFormat)?;
        Ok(RecordDecoder::with(context, std::iter::once(entry)))
    }

    fn with(context: FormatContext, entries: impl Iterator<Item = &'static FormatEntry>) -> RecordDecoder {
        let formats = entries.map(|entry| (entry, (entry.build)(&context))).collect();
        RecordDecoder { formats, last: 0, row: Row::new(&context.taxonomy), slots: 0, context }
    }

    /// Reads one record into the batch, or quarantines it. `valid` says that it is known to be UTF-8.
    fn record(&mut self, batch: &mut EventBatch, record: Record<'_>, index: u32, valid: bool) {
        let outcome = if record.text().len() > RECORD_BYTES_MAX {
            Err(Refusal::new(Reason::RecordTooLarge, RECORD_BYTES_MAX))
        } else if let Some(at) = (!valid).then(|| invalid_utf8(record.text())).flatten() {
            Err(Refusal::new(Reason::InvalidUtf8, at))
        } else {
            self.read(batch, record)
        };
        match outcome {
            Ok(()) => self.row.finish(batch, index, record.bytes),
            Err(refusal) => batch.quarantined.push(Quarantined {
                record: index,
                reason: refusal.reason,
                at: refusal.at as u32,
                field: refusal.field,
            }),
        }
    }

    /// Tries the format that read the last record, then whichever recognises this one.
    fn read(&mut self, batch: &mut EventBatch, record: Record<'_>) -> Result<(), Refusal> {
        let only = self.formats.len() == 1;
        let mut first = None;
        let text = record.text();
        for turn in 0..self.formats.len() {
            let index = self.last + turn;
            let index = if index < self.formats.len() { index } else { index - self.formats.len() };
            let (entry, format) = &mut self.formats[index];
            if !only && !(entry.recognise)(text) {
                continue;
            }
            self.row.begin(batch);
            match format.read(record, &mut self.row, batch) {
                Ok(()) => {
                    self.last = index;
                    return Ok(());
                }
                Err(refusal) => {
                    self.row.abandon(batch);
                    first.get_or_insert(refusal);
                }
            }
        }
        Err(first.unwrap_or_else(|| {
            let reason = if is_other_json(text) { Reason::NotAnObject } else { Reason::UnknownFormat };
            Refusal::new(reason, 0)
        }))
    }
}

impl Decoder for RecordDecoder {
    fn decode(&mut self, raw: RawBatch) -> EventBatch {
        let mut batch = EventBatch::new(raw, self.context.taxonomy.table().clone());
        batch.slots.reserve(self.slots);
        // The text is read while slots are pushed beside it, so it leaves the batch meanwhile.
        let bytes = std::mem::take(&mut batch.raw.bytes);
        let records = std::mem::take(&mut batch.raw.records);
        let reference = batch.raw.reference.unwrap_or(self.context.as_of);
        let valid = is_ascii(&bytes) || std::str::from_utf8(&bytes).is_ok();
        for (index, span) in records.iter().enumerate().filter(|(_, span)| span.len > 0) {
            let (start, end) = (span.start as usize, (span.start + span.len) as usize);
            let record = Record { bytes: &bytes, start, end, reference };
            // A character cut in two by a record's end is whole in the batch.
            let valid = valid && begins_character(&bytes, start) && begins_character(&bytes, end);
            self.record(&mut batch, record, index as u32, valid);
        }
        batch.raw.bytes = bytes;
        batch.raw.records = records;
        self.slots = batch.slots.len();
        batch
    }
}

/// Whether no character of valid UTF-8 goes on at this byte.
fn begins_character(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_none_or(|byte| byte & 0xc0 != 0x80)
}

fn invalid_utf8(bytes: &[u8]) -> Option<usize> {
    std::str::from_utf8(bytes).err().map(|error| error.valid_up_to())
}
