//! The payload of a frame: what is written is what is read. The records' bytes stand last, so that
//! they are written from where they are and a record's position is plain arithmetic.

use tocsin_core::batch::{RawBatch, RecordSpan, TenantId};
use tocsin_core::offset::{OffsetRange, PartitionId, SourceId};
use tocsin_core::time::Timestamp;
use tocsin_pipeline::journal::{FrameBody, NewFrame, RequestMark};
use tocsin_pipeline::rules::RuleSetId;

use crate::journal::limits::{FRAME_BYTES_MAX, NAME_BYTES_MAX};

const EVENTS: u8 = 1;
const TICK: u8 = 2;
const RULES: u8 = 3;

const HAS_INGEST: u8 = 1;
const HAS_REFERENCE: u8 = 2;
const BACKFILL: u8 = 4;

const SPAN_BYTES: usize = 8;
const HASH_BYTES: usize = 16;

/// Appends the payload of a frame to `out`, all but the part returned, which follows it.
///
/// # Errors
/// A frame that could not be read again, and why.
pub fn encode<'a>(frame: &NewFrame<'a>, out: &mut Vec<u8>) -> Result<&'a [u8], String> {
    match frame {
        NewFrame::Tick(time) => {
            out.push(TICK);
            out.extend_from_slice(&time.0.to_le_bytes());
            Ok(&[])
        }
        NewFrame::Rules { id, at, by } => {
            out.push(RULES);
            out.extend_from_slice(&at.0.to_le_bytes());
            out.extend_from_slice(&id.0);
            encode_name(by, out)?;
            Ok(&[])
        }
        NewFrame::Events { tenant, source, raw, requests } => {
            check(raw)?;
            out.push(EVENTS);
            encode_batch(raw, out);
            encode_name(tenant, out)?;
            encode_name(source, out)?;
            encode_count(requests.len(), out)?;
            for request in *requests {
                encode_request(request, out)?;
            }
            encode_spans(&raw.records, out)?;
            Ok(&raw.bytes)
        }
    }
}

/// Every record must lie within the batch: otherwise nobody could read the frame again.
fn check(raw: &RawBatch) -> Result<(), String> {
    let lies_within =
        |span: &RecordSpan| u64::from(span.start) + u64::from(span.len) <= raw.bytes.len() as u64;
    match raw.records.iter().position(|span| !lies_within(span)) {
        None => Ok(()),
        Some(record) => Err(format!("record {record} lies outside of its batch: please report this")),
    }
}

fn encode_batch(raw: &RawBatch, out: &mut Vec<u8>) {
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    out.push(
        flag(raw.ingest.is_some(), HAS_INGEST)
            | flag(raw.reference.is_some(), HAS_REFERENCE)
            | flag(raw.backfill, BACKFILL),
    );
    out.extend_from_slice(&raw.ingest.unwrap_or(Timestamp(0)).0.to_le_bytes());
    out.extend_from_slice(&raw.reference.unwrap_or(Timestamp(0)).0.to_le_bytes());
    out.extend_from_slice(&raw.first_record.to_le_bytes());
}

fn encode_name(name: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let bytes = u16::try_from(name.len()).map_err(|_| {
        format!("a tenant, source or user has a name of {} bytes, at most {NAME_BYTES_MAX}", name.len())
    })?;
    out.extend_from_slice(&bytes.to_le_bytes());
    out.extend_from_slice(name.as_bytes());
    Ok(())
}

fn encode_request(request: &RequestMark, out: &mut Vec<u8>) -> Result<(), String> {
    out.extend_from_slice(&request.key);
    out.extend_from_slice(&request.body);
    out.extend_from_slice(&request.accepted.to_le_bytes());
    encode_count(request.reply.len(), out)?;
    out.extend_from_slice(&request.reply);
    Ok(())
}

fn encode_spans(spans: &[RecordSpan], out: &mut Vec<u8>) -> Result<(), String> {
    encode_count(spans.len(), out)?;
    out.reserve(spans.len() * SPAN_BYTES);
    for span in spans {
        out.extend_from_slice(&span.start.to_le_bytes());
        out.extend_from_slice(&span.len.to_le_bytes());
    }
    Ok(())
}

fn encode_count(count: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let count = u32::try_from(count)
        .map_err(|_| format!("a frame of more than {FRAME_BYTES_MAX} bytes: send smaller requests"))?;
    out.extend_from_slice(&count.to_le_bytes());
    Ok(())
}

/// A payload, read where it lies.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    /// Accepted records.
    Events(Events<'a>),
    /// Time passed without events.
    Tick(Timestamp),
    /// A rule set became active.
    Rules {
        /// Names the set.
        id: RuleSetId,
        /// When.
        at: Timestamp,
        /// On whose behalf.
        by: &'a str,
    },
}

/// Accepted records, read where they lie.
#[derive(Clone, Copy, Debug)]
pub struct Events<'a> {
    flags: u8,
    ingest: i64,
    reference: i64,
    first_record: u64,
    tenant: &'a str,
    source: &'a str,
    requests: Requests<'a>,
    spans: &'a [u8],
    bytes: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
struct Requests<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> View<'a> {
    /// Reads a payload; `None` for bytes that are none. Never panics, whatever they are.
    #[must_use]
    pub fn parse(payload: &'a [u8]) -> Option<View<'a>> {
        let mut rest = Rest(payload);
        match rest.byte()? {
            TICK => Some(View::Tick(Timestamp(rest.i64()?))).filter(|_| rest.0.is_empty()),
            RULES => {
                let (at, id, by) = (Timestamp(rest.i64()?), RuleSetId(rest.array()?), rest.name()?);
                Some(View::Rules { id, at, by }).filter(|_| rest.0.is_empty())
            }
            EVENTS => Events::parse(rest).map(View::Events),
            _ => None,
        }
    }

    /// How many records it holds.
    #[must_use]
    pub fn records(&self) -> usize {
        match self {
            View::Events(events) => events.spans.len() / SPAN_BYTES,
            View::Tick(_) | View::Rules { .. } => 0,
        }
    }

    /// The body of the frame that ends at `end`, on its own; `None` if a record lies outside of it.
    #[must_use]
    pub fn to_body(&self, end: u64) -> Option<FrameBody> {
        match self {
            View::Events(events) => events.to_body(end),
            View::Tick(time) => Some(FrameBody::Tick(*time)),
            View::Rules { id, at, by } => Some(FrameBody::Rules { id: *id, at: *at, by: (*by).to_string() }),
        }
    }
}

impl<'a> Events<'a> {
    fn parse(mut rest: Rest<'a>) -> Option<Events<'a>> {
        let flags = rest.byte()?;
        let (ingest, reference) = (rest.i64()?, rest.i64()?);
        let first_record = rest.u64()?;
        let (tenant, source) = (rest.name()?, rest.name()?);
        let requests = Requests { count: rest.u32()?, bytes: rest.0 };
        for _ in 0..requests.count {
            rest.request()?;
        }
        let records = rest.u32()? as usize;
        let spans = rest.take(records.checked_mul(SPAN_BYTES)?)?;
        Some(Events {
            flags,
            ingest,
            reference,
            first_record,
            tenant,
            source,
            requests,
            spans,
            bytes: rest.0,
        })
    }

    /// How many bytes the records' region has: the last ones of the frame.
    #[must_use]
    pub fn region_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The record that begins at this byte of the region.
    #[must_use]
    pub fn record_at(&self, start: u32) -> Option<&'a [u8]> {
        let spans = self.spans.as_chunks::<SPAN_BYTES>().0;
        let begins = |bytes: &[u8; SPAN_BYTES]| span(bytes).start;
        // Records come in order; should they not, looking at each finds them too.
        let index = spans
            .binary_search_by_key(&start, begins)
            .ok()
            .or_else(|| spans.iter().position(|bytes| begins(bytes) == start))?;
        let span = span(&spans[index]);
        let start = span.start as usize;
        self.bytes.get(start..start.checked_add(span.len as usize)?)
    }

    fn to_body(self, end: u64) -> Option<FrameBody> {
        let has = |flag: u8| self.flags & flag != 0;
        let raw = RawBatch {
            tenant: TenantId::default(),
            partition: PartitionId::default(),
            source: SourceId::default(),
            offsets: OffsetRange { from: end.checked_sub(self.bytes.len() as u64)?, to: end },
            ingest: has(HAS_INGEST).then_some(Timestamp(self.ingest)),
            backfill: has(BACKFILL),
            reference: has(HAS_REFERENCE).then_some(Timestamp(self.reference)),
            first_record: self.first_record,
            bytes: self.bytes.to_vec(),
            records: self.spans.as_chunks::<SPAN_BYTES>().0.iter().map(span).collect(),
        };
        check(&raw).ok()?;
        let requests = self.requests.to_vec()?;
        Some(FrameBody::Events {
            tenant: self.tenant.to_string(),
            source: self.source.to_string(),
            raw,
            requests,
        })
    }
}

fn span(bytes: &[u8; SPAN_BYTES]) -> RecordSpan {
    let [a, b, c, d, e, f, g, h] = *bytes;
    RecordSpan { start: u32::from_le_bytes([a, b, c, d]), len: u32::from_le_bytes([e, f, g, h]) }
}

impl Requests<'_> {
    fn to_vec(self) -> Option<Vec<RequestMark>> {
        let mut rest = Rest(self.bytes);
        let request = |_| {
            let Request { key, body, accepted, reply } = rest.request()?;
            Some(RequestMark { key, body, accepted, reply: reply.into() })
        };
        (0..self.count).map(request).collect()
    }
}

/// A [`RequestMark`], read where it lies.
struct Request<'a> {
    key: [u8; HASH_BYTES],
    body: [u8; HASH_BYTES],
    accepted: u32,
    reply: &'a [u8],
}

/// What is left to read.
#[derive(Clone, Copy)]
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    fn name(&mut self) -> Option<&'a str> {
        let bytes = self.array().map(u16::from_le_bytes)?;
        std::str::from_utf8(self.take(usize::from(bytes))?).ok()
    }

    fn request(&mut self) -> Option<Request<'a>> {
        let (key, body) = (self.array()?, self.array()?);
        let (accepted, reply) = (self.u32()?, self.u32()?);
        Some(Request { key, body, accepted, reply: self.take(reply as usize)? })
    }
}
