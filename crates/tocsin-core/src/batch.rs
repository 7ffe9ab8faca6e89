//! Batches: the unit of work. A batch owns its bytes; records, slots and events are ranges into
//! them. Nothing is allocated per event.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::field::{FieldId, FieldTable};
use crate::offset::{OffsetRange, PartitionId, Position, SourceId};
use crate::time::Timestamp;
use crate::value::{Kind, Slot, Value, unescape};

/// A tenant's number within one process. Part of every key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TenantId(pub u32);

/// One record's bytes within its batch. Length zero is a blank line: it keeps line numbers true
/// and is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSpan {
    /// First byte.
    pub start: u32,
    /// Length in bytes, without the line end.
    pub len: u32,
}

/// Records as they came in.
#[derive(Debug, Default)]
pub struct RawBatch {
    /// Whose records these are.
    pub tenant: TenantId,
    /// The input they came from.
    pub partition: PartitionId,
    /// Who sent them, where several senders share a partition.
    pub source: SourceId,
    /// The bytes they cover there.
    pub offsets: OffsetRange,
    /// When the records were taken in. `None` in scans: then an event's ingest time is the newest
    /// event time so far, its own included.
    pub ingest: Option<Timestamp>,
    /// Whether the records tell of the past on purpose: a record without a time of its own then gets
    /// the newest event time so far, as in scans, although its ingest time is known.
    pub backfill: bool,
    /// Reference time of lines without a year: they get the latest year that puts them at or
    /// before it + 24 h. `None`: the decoder's own.
    pub reference: Option<Timestamp>,
    /// Number of the first record in its partition, from 0 (for lines: line number − 1).
    pub first_record: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The records.
    pub records: Vec<RecordSpan>,
}

impl RawBatch {
    /// The bytes of a record of this batch.
    #[must_use]
    pub fn record(&self, index: u32) -> &[u8] {
        let span = self.records[index as usize];
        &self.bytes[span.start as usize..(span.start + span.len) as usize]
    }

    /// The position of a record of this batch.
    #[must_use]
    pub fn position(&self, index: u32) -> Position {
        let start = u64::from(self.records[index as usize].start);
        Position::new(self.partition, self.offsets.from + start)
    }
}

/// Why a record cannot be read. The closed list of quarantine reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// Not UTF-8.
    InvalidUtf8,
    /// Not JSON where JSON is meant.
    MalformedJson,
    /// JSON, but not an object.
    NotAnObject,
    /// The same key twice in one object.
    DuplicateKey,
    /// More keys in one object than the bound.
    TooManyKeys,
    /// Nested deeper than the bound.
    TooDeep,
    /// Longer than the bound.
    RecordTooLarge,
    /// A byte that text never contains (NUL and other control characters).
    ControlCharacter,
    /// No known format.
    UnknownFormat,
    /// The input ended inside the record.
    Truncated,
    /// The reader failed on it: a defect of Tocsin.
    Unreadable,
}

impl Reason {
    /// The reason's name in counters and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::InvalidUtf8 => "invalid_utf8",
            Reason::MalformedJson => "malformed_json",
            Reason::NotAnObject => "not_an_object",
            Reason::DuplicateKey => "duplicate_key",
            Reason::TooManyKeys => "too_many_keys",
            Reason::TooDeep => "too_deep",
            Reason::RecordTooLarge => "record_too_large",
            Reason::ControlCharacter => "control_character",
            Reason::UnknownFormat => "unknown_format",
            Reason::Truncated => "truncated",
            Reason::Unreadable => "unreadable",
        }
    }

    /// The reason in words, for a person.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Reason::InvalidUtf8 => "the record is not UTF-8",
            Reason::MalformedJson => "this is not valid JSON",
            Reason::NotAnObject => "an event must be a JSON object",
            Reason::DuplicateKey => "the same key occurs twice in one object",
            Reason::TooManyKeys => "more than 1,024 keys in one object",
            Reason::TooDeep => "nested deeper than 64 levels",
            Reason::RecordTooLarge => "longer than 8 MiB",
            Reason::ControlCharacter => "contains a control character",
            Reason::UnknownFormat => "no known log format",
            Reason::Truncated => "the input ends inside this record",
            Reason::Unreadable => "reading it failed; please report this as a defect",
        }
    }
}

/// A record that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Index of the record in its batch.
    pub record: u32,
    /// Why.
    pub reason: Reason,
    /// Byte within the record where reading stopped.
    pub at: u32,
    /// Field being read there, where there is one.
    pub field: Option<Box<str>>,
}

/// What was unusual about an event that was read all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes(pub u8);

impl Notes {
    /// The event carries no time; it gets its ingest time.
    pub const NO_TIME: Notes = Notes(1);
    /// The event's time is beyond ingest + 60 s and was set to ingest time.
    pub const TIME_CLAMPED: Notes = Notes(2);
    /// The line has no year; it was derived from the reference time.
    pub const YEAR_DERIVED: Notes = Notes(4);
    /// The time is there but cannot be read; the event gets its ingest time.
    pub const UNREADABLE_TIME: Notes = Notes(8);
    /// A field that must hold an address holds something else; the taxonomy field stays absent.
    pub const NOT_AN_ADDRESS: Notes = Notes(16);

    /// All notes with their names in counters.
    pub const ALL: [(Notes, &'static str); 5] = [
        (Notes::NO_TIME, "no_time"),
        (Notes::TIME_CLAMPED, "time_clamped"),
        (Notes::YEAR_DERIVED, "year_derived"),
        (Notes::UNREADABLE_TIME, "unreadable_time"),
        (Notes::NOT_AN_ADDRESS, "not_an_address"),
    ];

    /// Whether this set holds all of the other.
    #[must_use]
    pub fn contains(self, other: Notes) -> bool {
        self.0 & other.0 == other.0
    }

    /// The name of a single note, as in counters.
    #[must_use]
    pub fn name(self) -> &'static str {
        Notes::ALL.iter().find(|(note, _)| *note == self).map_or("several", |(_, name)| name)
    }

    /// Adds the notes of the other set.
    pub fn insert(&mut self, other: Notes) {
        self.0 |= other.0;
    }

    /// Takes the notes of the other set away.
    pub fn remove(&mut self, other: Notes) {
        self.0 &= !other.0;
    }

    /// Whether a value of the event could not be taken as sent.
    #[must_use]
    pub fn about_values(self) -> bool {
        self.0 & (Notes::TIME_CLAMPED.0 | Notes::UNREADABLE_TIME.0 | Notes::NOT_AN_ADDRESS.0) != 0
    }

    /// Whether the event's time must be taken from its ingest.
    #[must_use]
    pub fn time_from_ingest(self) -> bool {
        self.0 & (Notes::NO_TIME.0 | Notes::TIME_CLAMPED.0 | Notes::UNREADABLE_TIME.0) != 0
    }
}

/// One decoded event: its time and its range of slots.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Event time; meaningless when [`Notes::time_from_ingest`].
    pub time: Timestamp,
    /// Index of its record.
    pub record: u32,
    /// First slot.
    pub slots_start: u32,
    /// Number of slots.
    pub slots_len: u32,
    /// How many events the record stands for (`message repeated N times`).
    pub weight: u32,
    /// What was unusual.
    pub notes: Notes,
}

/// Decoded events over the raw batch they came from.
#[derive(Debug)]
pub struct EventBatch {
    /// The raw records.
    pub raw: RawBatch,
    /// The table the slots' field ids belong to.
    pub table: Arc<FieldTable>,
    /// The events, in record order.
    pub events: Vec<Event>,
    /// The slots of all events.
    pub slots: Vec<Slot>,
    /// Bytes of derived values.
    pub arena: Vec<u8>,
    /// The records that could not be read, in record order.
    pub quarantined: Vec<Quarantined>,
}

impl EventBatch {
    /// A batch without events yet, ready for a decoder to fill.
    #[must_use]
    pub fn new(raw: RawBatch, table: Arc<FieldTable>) -> EventBatch {
        let expected = raw.records.len();
        EventBatch {
            raw,
            table,
            events: Vec::with_capacity(expected),
            slots: Vec::with_capacity(expected * 8),
            arena: Vec::new(),
            quarantined: Vec::new(),
        }
    }

    /// The slots of an event.
    #[must_use]
    pub fn slots(&self, event: &Event) -> &[Slot] {
        let start = event.slots_start as usize;
        &self.slots[start..start + event.slots_len as usize]
    }

    /// The bytes a slot refers to.
    #[must_use]
    pub fn bytes(&self, slot: &Slot) -> &[u8] {
        let range = slot.start as usize..(slot.start + slot.len) as usize;
        match slot.kind {
            Kind::Derived => &self.arena[range],
            _ => &self.raw.bytes[range],
        }
    }

    /// The value a slot refers to.
    #[must_use]
    pub fn value(&self, slot: &Slot) -> Value<'_> {
        match slot.kind {
            Kind::Null | Kind::NullInList => Value::Null,
            Kind::False => Value::Bool(false),
            Kind::True => Value::Bool(true),
            Kind::EmptyList => Value::EmptyList,
            Kind::Number => Value::Number(self.text(slot)),
            Kind::Object => Value::Object(self.text(slot)),
            Kind::Text | Kind::Derived => Value::Text(Cow::Borrowed(self.text(slot))),
            Kind::Escaped => Value::Text(unescape(self.text(slot))),
        }
    }

    /// The first value of a field of an event, if it has one.
    #[must_use]
    pub fn get(&self, event: &Event, field: FieldId) -> Option<Value<'_>> {
        self.slots(event).iter().find(|slot| slot.field == field).map(|slot| self.value(slot))
    }

    /// Decoders put only UTF-8 behind slots; anything else reads as empty.
    fn text(&self, slot: &Slot) -> &str {
        std::str::from_utf8(self.bytes(slot)).unwrap_or_default()
    }
}
