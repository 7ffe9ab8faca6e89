//! The batch cutter: bytes of one input become raw batches of whole records.

use std::io;

use tocsin_core::batch::{RawBatch, TenantId};
use tocsin_core::limits::RECORD_BYTES_MAX;
use tocsin_core::offset::{OffsetRange, PartitionId, SourceId};
use tocsin_core::time::Timestamp;
use tocsin_decode::framing::{BYTE_ORDER_MARK, Framing, JsonCutter, cut_lines, line};

use crate::source::Source;
use crate::unusable;

/// Bytes a batch aims at: small enough to stay in a core's cache, large enough to be worth a trip.
pub const BATCH_BYTES: usize = 256 << 10;

/// Bytes asked of a source at once.
const READ_BYTES: usize = 256 << 10;

const NOT_CLOSED: &str = "the JSON array is not closed; the input may be cut off";

/// Cuts one source into batches.
pub struct Cutter {
    source: Box<dyn Source>,
    tenant: TenantId,
    partition: PartitionId,
    reference: Option<Timestamp>,
    framing: Option<Framing>,
    json: JsonCutter,
    /// Bytes read and not yet part of a batch; of these, `filled` from the beginning. What is behind
    /// them is left over, so that nothing is cleared to be written over.
    pending: Vec<u8>,
    filled: usize,
    /// Offset of the first pending byte in the input.
    offset: u64,
    next_record: u64,
    ended: bool,
    /// A buffer to use for the next batch, so that its memory is warm.
    spare: Vec<u8>,
    /// Inside a record longer than the bound, whose head was handed on already.
    skipping: bool,
    /// Why the source gave out, told once what came before is handed out.
    failed: Option<io::Error>,
}

impl Cutter {
    /// A cutter; `framing` where it is known beforehand.
    #[must_use]
    pub fn new(source: Box<dyn Source>, partition: PartitionId, framing: Option<Framing>) -> Cutter {
        Cutter {
            source,
            tenant: TenantId::default(),
            partition,
            reference: None,
            framing,
            json: JsonCutter::default(),
            pending: Vec::new(),
            filled: 0,
            offset: 0,
            next_record: 0,
            ended: false,
            spare: Vec::new(),
            skipping: false,
            failed: None,
        }
    }

    /// Gives the input's lines without a year a reference time.
    #[must_use]
    pub fn with_reference(mut self, reference: Timestamp) -> Cutter {
        self.reference = Some(reference);
        self
    }

    /// The source.
    #[must_use]
    pub fn source(&self) -> &dyn Source {
        &*self.source
    }

    /// The partition.
    #[must_use]
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// Gives the cutter a buffer nobody needs any more.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        self.spare = buffer;
    }

    /// The next batch, `None` at the end.
    ///
    /// # Errors
    /// What the source says, once what was read before is handed out.
    pub fn next_batch(&mut self) -> io::Result<Option<RawBatch>> {
        loop {
            if let Err(error) = self.fill() {
                self.failed = Some(error);
                self.ended = true;
            }
            if self.framing.is_none()
                && let Some(what) = unusable::what(&self.pending[..self.filled])
            {
                self.filled = 0;
                self.ended = true;
                return Err(io::Error::other(what));
            }
            if let Some(batch) = self.cut() {
                return Ok(Some(batch));
            }
            if self.ended && self.filled == 0 {
                return self.end();
            }
        }
    }

    /// What the end of the input comes to.
    fn end(&mut self) -> io::Result<Option<RawBatch>> {
        let open = std::mem::take(&mut self.json).is_open();
        match self.failed.take() {
            Some(error) => Err(error),
            None if open => Err(io::Error::other(NOT_CLOSED)),
            None => Ok(None),
        }
    }

    /// Reads until a batch's worth is pending or the input ends.
    fn fill(&mut self) -> io::Result<()> {
        let had = self.filled;
        while !self.ended && self.filled < had.max(BATCH_BYTES) + usize::from(had >= BATCH_BYTES) {
            let end = self.filled + READ_BYTES;
            if self.pending.len() < end {
                self.pending.resize(end, 0);
            }
            let outcome = self.source.read(&mut self.pending[self.filled..end]);
            self.filled += outcome.as_ref().map_or(0, |n| *n);
            match outcome {
                Ok(0) => self.ended = true,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.offset == 0
                && self.framing.is_none()
                && self.pending[..self.filled].starts_with(BYTE_ORDER_MARK)
            {
                self.pending.drain(..BYTE_ORDER_MARK.len());
                self.filled -= BYTE_ORDER_MARK.len();
                self.offset = BYTE_ORDER_MARK.len() as u64;
            }
        }
        Ok(())
    }

    /// Cuts the whole records out of what is pending; `None` if there is none yet.
    fn cut(&mut self) -> Option<RawBatch> {
        let pending = &self.pending[..self.filled];
        let framing = *self.framing.get_or_insert_with(|| Framing::recognise(pending));
        let mut records = Vec::with_capacity(pending.len() / 128);
        let mut rest = match framing {
            Framing::Lines => cut_lines(pending, 0, &mut records),
            Framing::JsonStream => self.json.cut(pending, 0, &mut records),
        };
        if self.skipping && !records.is_empty() {
            // The first record is the tail of one that was too long.
            records.remove(0);
            self.skipping = false;
        }
        let unended = pending.len() - rest;
        if self.ended && unended > 0 {
            // Where the source gave out the last record is cut off, and its end might mislead.
            let last = line(pending, rest, pending.len());
            if !self.skipping && last.len > 0 && self.failed.is_none() {
                records.push(last);
            }
            rest = pending.len();
        } else if self.skipping || unended > RECORD_BYTES_MAX {
            if !self.skipping {
                records.push(line(pending, rest, pending.len()));
            }
            self.skipping = true;
            self.json.let_go();
            rest = pending.len();
        }
        if rest == 0 {
            return None;
        }
        let tail = &pending[rest..];
        let mut next = std::mem::take(&mut self.spare);
        if next.len() < tail.len() {
            next.resize(tail.len(), 0);
        }
        next[..tail.len()].copy_from_slice(tail);
        self.filled = tail.len();
        self.pending.truncate(rest);
        let batch = RawBatch {
            source: SourceId::default(),
            tenant: self.tenant,
            partition: self.partition,
            offsets: OffsetRange { from: self.offset, to: self.offset + rest as u64 },
            ingest: None,
            backfill: false,
            reference: self.reference,
            first_record: self.next_record,
            bytes: std::mem::replace(&mut self.pending, next),
            records,
        };
        self.offset += rest as u64;
        self.next_record += batch.records.len() as u64;
        Some(batch)
    }
}
