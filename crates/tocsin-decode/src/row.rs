//! One event under construction: values arrive in any order, the row keeps what each field gets,
//! then derives what follows from them and closes.

use std::net::IpAddr;

use hashbrown::HashMap;
use tocsin_core::batch::{Event, EventBatch, Notes};
use tocsin_core::field::FieldId;
use tocsin_core::limits::RECORD_WEIGHT_MAX;
use tocsin_core::time::{TimeReader, Timestamp};
use tocsin_core::value::{Kind, Slot};

use crate::address::is_plain_ipv4;
use crate::derive::{Derivation, Sent, derive, names_category};
use crate::names::Names;
use crate::schemas;
use crate::taxonomy::{Target, Taxonomy};
use crate::times::BestTime;

/// Distinct (action, outcome, event id) combinations whose derivation is remembered. Above it the
/// memory is emptied.
const DERIVATIONS_MAX: usize = 4_096;

/// A value and where its bytes stand in the batch.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// How to read the bytes.
    pub kind: Kind,
    /// Offset in the batch's bytes.
    pub start: u32,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// What a text format knows about the event without any value standing for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stated {
    /// `event.category`.
    pub category: Option<&'static str>,
    /// `event.action`.
    pub action: Option<&'static str>,
    /// `event.outcome`.
    pub outcome: Option<&'static str>,
    /// Sigma's log source product.
    pub product: Option<&'static str>,
    /// Sigma's log source service.
    pub service: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Best {
    generation: u32,
    rank: u8,
}

/// Scratch space for one row after the other; one per decoder.
#[derive(Debug)]
pub struct Row {
    best: Vec<Best>,
    generation: u32,
    slots_start: usize,
    time: BestTime,
    times: TimeReader,
    /// A category named where an action could stand.
    category: Option<(u8, Span)>,
    action: Option<(u8, Span)>,
    outcome: Option<(u8, Span)>,
    status_code: Option<(u8, Span)>,
    event_id: Option<Span>,
    /// The marks of schemas that hold, as bits.
    marks: u128,
    /// Marks, and whether they are those of a schema.
    known: (u128, bool),
    /// The time where schemas have it; counts once a schema is recognised.
    schema_time: BestTime,
    /// Name and text of a value that is sent as a pair, until the pair ends.
    pair: (Option<Span>, Option<Span>),
    paired: Option<Names>,
    has_request: bool,
    stated: Stated,
    notes: Notes,
    weight: u32,
    derived: DerivedFields,
    memory: HashMap<Box<[u8]>, Derivation>,
    memory_key: Vec<u8>,
    request_fields: [Option<FieldId>; 2],
}

/// Bytes of a value that others are derived from.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    len: u32,
    kind: Kind,
}

#[derive(Debug)]
struct DerivedFields {
    action: Option<FieldId>,
    category: Option<FieldId>,
    outcome: Option<FieldId>,
    status_code: Option<FieldId>,
    product: Option<FieldId>,
    service: Option<FieldId>,
    any: bool,
}

impl<'a> Found<'a> {
    /// A part of this value, if it is one.
    fn part(&self, part: Span) -> Option<Found<'a>> {
        let start = part.start.checked_sub(self.start)? as usize;
        let bytes = self.bytes.get(start..start + part.len as usize)?;
        Some(Found { kind: part.kind, start: part.start, bytes })
    }
}

impl Row {
    /// Scratch space for rows of a taxonomy.
    #[must_use]
    pub fn new(taxonomy: &Taxonomy) -> Row {
        let field = |name| taxonomy.field(name);
        let mut derived = DerivedFields {
            action: field("event.action"),
            category: field("event.category"),
            outcome: field("event.outcome"),
            status_code: field("http.response.status_code"),
            product: field("logsource.product"),
            service: field("logsource.service"),
            any: false,
        };
        derived.any = [
            derived.action,
            derived.category,
            derived.outcome,
            derived.status_code,
            derived.product,
            derived.service,
        ]
        .iter()
        .any(Option::is_some);
        Row {
            best: vec![Best::default(); taxonomy.table().len()],
            generation: 0,
            slots_start: 0,
            time: BestTime::default(),
            times: TimeReader::default(),
            category: None,
            action: None,
            outcome: None,
            status_code: None,
            event_id: None,
            marks: 0,
            known: (0, false),
            schema_time: BestTime::default(),
            pair: (None, None),
            paired: Some(Names::new(taxonomy, Taxonomy::targets)),
            has_request: false,
            stated: Stated::default(),
            notes: Notes::default(),
            weight: 1,
            derived,
            memory: HashMap::new(),
            memory_key: Vec::new(),
            request_fields: [field("url.path"), field("http.request.method")],
        }
    }

    /// Begins an event.
    pub fn begin(&mut self, batch: &EventBatch) {
        self.generation = self.generation.wrapping_add(1);
        self.slots_start = batch.slots.len();
        self.time = BestTime::default();
        self.category = None;
        self.action = None;
        self.outcome = None;
        self.status_code = None;
        self.event_id = None;
        self.marks = 0;
        self.schema_time = BestTime::default();
        self.pair = (None, None);
        self.has_request = false;
        self.stated = Stated::default();
        self.notes = Notes::default();
        self.weight = 1;
    }

    /// Gives a value to everything that wants it.
    #[inline]
    pub fn put(&mut self, batch: &mut EventBatch, targets: &[Target], found: Found<'_>) {
        for target in targets {
            self.put_one(batch, *target, &found);
        }
    }

    /// Gives a value to one thing that wants it. What each does stands out of line: as part of one
    /// function, whatever any of them may need would be fetched for every value.
    #[inline(never)]
    pub fn put_one(&mut self, batch: &mut EventBatch, target: Target, found: &Found<'_>) {
        match target {
            Target::Named(id) => batch.slots.push(slot(id, found)),
            Target::Alias(id, rank) => self.put_alias(batch, id, rank, found),
            Target::Address(id, rank) => self.put_address(batch, id, rank, found),
            Target::Time(rank) => self.time.offer(rank, found, &mut self.times),
            Target::SchemaTime(rank) => self.schema_time.offer(rank, found, &mut self.times),
            Target::Pair => self.put_pair(batch, found),
            other => self.keep(other, found),
        }
    }

    /// Keeps what others are derived from.
    #[inline(never)]
    fn keep(&mut self, target: Target, found: &Found<'_>) {
        match target {
            Target::Named(_) | Target::Alias(..) | Target::Address(..) | Target::Pair => {}
            Target::Time(_) | Target::SchemaTime(_) => {}
            Target::Mark(mark) => self.marks |= schemas::bit_if_held(mark, found),
            Target::PairName => self.pair.0 = Some(span(found)).filter(|_| found.kind == Kind::Text),
            Target::PairText => self.pair.1 = Some(span(found)),
            Target::Action(rank) if names_category(found.bytes) => {
                keep_best(&mut self.category, rank, found);
            }
            Target::Action(rank) => keep_best(&mut self.action, rank, found),
            Target::Request => {
                let scalar = matches!(found.kind, Kind::Text | Kind::Escaped | Kind::Number);
                self.has_request |= scalar && !found.bytes.is_empty();
            }
            Target::Outcome(rank) => {
                keep_best(&mut self.outcome, rank, found);
                if is_status_code(found.bytes) {
                    keep_best(&mut self.status_code, rank, found);
                }
            }
            Target::WindowsEventId if is_windows_event_id(found.bytes) => {
                self.event_id = Some(span(found));
            }
            Target::WindowsEventId => {}
        }
    }

    /// Gives a value that stands nowhere in the record to the fields that want it.
    pub fn put_computed(&mut self, batch: &mut EventBatch, targets: &[Target], text: &str) {
        for target in targets {
            if let Target::Named(id) | Target::Alias(id, _) = *target {
                push_derived(batch, id, text);
            }
        }
    }

    /// States the event's time, read by the format itself.
    pub fn set_time(&mut self, time: Timestamp) {
        self.time = BestTime::of(time);
    }

    /// States that the event has no time, though it may have what should be one.
    pub fn set_no_time(&mut self, unreadable: bool) {
        self.time = BestTime::none(unreadable);
    }

    /// Notes something unusual.
    pub fn note(&mut self, note: Notes) {
        self.notes.insert(note);
    }

    /// States how many events the record stands for.
    pub fn set_weight(&mut self, weight: u32) {
        self.weight = weight.clamp(1, RECORD_WEIGHT_MAX);
    }

    /// States what the format knows.
    pub fn state(&mut self, stated: Stated) {
        self.stated = stated;
    }

    /// Whether the marks of a schema have all been found.
    #[must_use]
    pub fn is_of(&self, schema: u128) -> bool {
        self.marks & schema == schema
    }

    /// States that the event is of a schema, given by its marks.
    pub fn assume(&mut self, schema: u128) {
        self.marks |= schema;
    }

    /// Takes back everything since [`Row::begin`]: the record cannot be read after all.
    pub fn abandon(&mut self, batch: &mut EventBatch) {
        batch.slots.truncate(self.slots_start);
    }

    /// Derives what follows and closes the event.
    pub fn finish(&mut self, batch: &mut EventBatch, record: u32, bytes: &[u8]) {
        if self.derived.any {
            self.put_derived(batch, bytes);
        }
        if self.marks != 0 && self.is_known() {
            self.time = self.schema_time.or(self.time);
            // Services of the cloud give their name where an address is asked for.
            self.notes.remove(Notes::NOT_AN_ADDRESS);
        }
        let time = self.time.get().unwrap_or_else(|note| {
            self.notes.insert(note);
            Timestamp::MIN
        });
        batch.events.push(Event {
            time,
            record,
            slots_start: self.slots_start as u32,
            slots_len: (batch.slots.len() - self.slots_start) as u32,
            weight: self.weight,
            notes: self.notes,
        });
    }

    /// Whether the marks are those of a schema. Events of one source have the same.
    fn is_known(&mut self) -> bool {
        if self.known.0 != self.marks {
            self.known = (self.marks, schemas::is_known(self.marks));
        }
        self.known.1
    }

    /// Whether a field takes a value of this rank; drops what a worse rank has put there.
    #[inline]
    fn outranks(&mut self, batch: &mut EventBatch, id: FieldId, rank: u8) -> bool {
        let best = &mut self.best[id.index()];
        let before = std::mem::replace(best, Best { generation: self.generation, rank });
        before.generation != self.generation || self.outranks_another(batch, id, before)
    }

    #[inline(never)]
    fn outranks_another(&mut self, batch: &mut EventBatch, id: FieldId, before: Best) -> bool {
        let best = &mut self.best[id.index()];
        if best.rank > before.rank {
            *best = before;
            return false;
        }
        if best.rank < before.rank {
            let mut kept = self.slots_start;
            for read in self.slots_start..batch.slots.len() {
                if batch.slots[read].field != id {
                    batch.slots.swap(kept, read);
                    kept += 1;
                }
            }
            batch.slots.truncate(kept);
        }
        true
    }

    #[inline(never)]
    fn put_alias(&mut self, batch: &mut EventBatch, id: FieldId, rank: u8, found: &Found<'_>) {
        let scalar = !matches!(found.kind, Kind::Null | Kind::NullInList | Kind::Object | Kind::EmptyList);
        if scalar && !found.bytes.is_empty() && self.outranks(batch, id, rank) {
            batch.slots.push(slot(id, found));
            self.has_request |= self.request_fields.contains(&Some(id));
        }
    }

    #[inline(never)]
    fn put_address(&mut self, batch: &mut EventBatch, id: FieldId, rank: u8, found: &Found<'_>) {
        if matches!(found.bytes, b"" | b"-") || matches!(found.kind, Kind::Null) {
            return;
        }
        if found.kind == Kind::Text && is_plain_ipv4(found.bytes) {
            if self.outranks(batch, id, rank) {
                batch.slots.push(slot(id, found));
            }
            return;
        }
        self.put_other_address(batch, id, rank, found);
    }

    #[cold]
    fn put_other_address(&mut self, batch: &mut EventBatch, id: FieldId, rank: u8, found: &Found<'_>) {
        let text = std::str::from_utf8(found.bytes).unwrap_or_default();
        let is_text = matches!(found.kind, Kind::Text | Kind::Derived);
        let parsed = text.parse::<IpAddr>().ok().filter(|_| is_text);
        match parsed.map(|address| address.to_canonical()) {
            None => self.notes.insert(Notes::NOT_AN_ADDRESS),
            Some(address) if self.outranks(batch, id, rank) => {
                let canonical = address.to_string();
                if canonical == text {
                    batch.slots.push(slot(id, found));
                } else {
                    push_derived(batch, id, &canonical);
                }
            }
            Some(_) => {}
        }
    }

    /// Ends a pair, an object `found`: its text goes by its name.
    #[inline(never)]
    fn put_pair(&mut self, batch: &mut EventBatch, found: &Found<'_>) {
        let (Some(name), Some(text)) = std::mem::take(&mut self.pair) else { return };
        // A key with dots in it may look like part of a pair, and lie outside the object.
        let (Some(name), Some(value)) = (found.part(name), found.part(text)) else { return };
        let Some(mut names) = self.paired.take() else { return };
        self.put(batch, names.targets(name.bytes), value);
        self.paired = Some(names);
    }

    fn put_derived(&mut self, batch: &mut EventBatch, bytes: &[u8]) {
        let derivation = self.derivation(bytes);
        let fields = [
            (self.derived.category, derivation.category),
            (self.derived.action, derivation.action),
            (self.derived.outcome, derivation.outcome),
            (self.derived.product, derivation.product),
            (self.derived.service, derivation.service),
        ];
        for (id, value) in fields {
            if let (Some(id), Some(value)) = (id, value)
                && self.best[id.index()].generation != self.generation
            {
                push_derived(batch, id, value);
            }
        }
        if let (Some(id), None, Some((_, sent))) = (self.derived.action, derivation.action, self.action) {
            batch.slots.push(Slot { field: id, kind: sent.kind, start: sent.start, len: sent.len });
        }
        if let (Some(id), Some((rank, sent))) = (self.derived.status_code, self.status_code)
            && self.outranks(batch, id, rank + 1)
        {
            batch.slots.push(Slot { field: id, kind: sent.kind, start: sent.start, len: sent.len });
        }
    }

    fn derivation(&mut self, bytes: &[u8]) -> Derivation {
        let text = |span: Option<Span>| span.map_or(&b""[..], |sent| &bytes[range(&sent)]);
        let sent = Sent {
            category: text(self.category.map(|(_, span)| span)),
            action: text(self.action.map(|(_, span)| span)),
            outcome: text(self.outcome.map(|(_, span)| span)),
            status_code: text(self.status_code.map(|(_, span)| span)),
            windows_event_id: text(self.event_id),
            has_request: self.has_request,
            marks: self.marks,
        };
        if self.stated != Stated::default() {
            return derive(&sent, self.stated);
        }
        self.memory_key.clear();
        for part in [sent.category, sent.action, sent.outcome, sent.status_code, sent.windows_event_id] {
            self.memory_key.extend_from_slice(part);
            self.memory_key.push(0xff);
        }
        self.memory_key.push(u8::from(sent.has_request));
        if sent.marks != 0 {
            self.memory_key.extend_from_slice(&sent.marks.to_le_bytes());
        }
        if let Some(known) = self.memory.get(&*self.memory_key) {
            return *known;
        }
        let fresh = derive(&sent, self.stated);
        if self.memory.len() >= DERIVATIONS_MAX {
            self.memory.clear();
        }
        self.memory.insert(self.memory_key.as_slice().into(), fresh);
        fresh
    }
}

fn slot(field: FieldId, found: &Found<'_>) -> Slot {
    Slot { field, kind: found.kind, start: found.start, len: found.bytes.len() as u32 }
}

fn span(found: &Found<'_>) -> Span {
    Span { start: found.start, len: found.bytes.len() as u32, kind: found.kind }
}

fn range(span: &Span) -> std::ops::Range<usize> {
    span.start as usize..(span.start + span.len) as usize
}

fn keep_best(best: &mut Option<(u8, Span)>, rank: u8, found: &Found<'_>) {
    let scalar = matches!(found.kind, Kind::Text | Kind::Escaped | Kind::Number);
    if scalar && best.is_none_or(|(held, _)| rank < held) {
        *best = Some((rank, span(found)));
    }
}

fn push_derived(batch: &mut EventBatch, field: FieldId, text: &str) {
    let start = batch.arena.len() as u32;
    batch.arena.extend_from_slice(text.as_bytes());
    batch.slots.push(Slot { field, kind: Kind::Derived, start, len: text.len() as u32 });
}

/// Whether bytes are an event id; other senders put anything under the same name.
fn is_windows_event_id(bytes: &[u8]) -> bool {
    (1..=5).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_digit)
}

fn is_status_code(bytes: &[u8]) -> bool {
    matches!(bytes, [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'])
}
