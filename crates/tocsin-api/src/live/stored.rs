//! History as a data folder holds it: events in the journal, changes in the store.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tocsin_core::batch::{RawBatch, TenantId};
use tocsin_pipeline::commit::StoreError;
use tocsin_pipeline::journal::{Frame, FrameBody};
use tocsin_pipeline::tenants::Tenants;
use tocsin_store::Reader;
use tocsin_store::journal::folder::Listing;
use tocsin_store::journal::segment::{SHORT_READ_BYTES, SegmentReader};
use tocsin_store::journal::{Frames, Hole, Read};

use super::catch_up::{ChangePage, History, RecordPage};
use super::frame::Cursor;
use super::limits::{KNOWN_FRAMES_MAX, SCANNED_BYTES_MAX};

/// The history of a data folder. Safe to read while it is written.
#[derive(Debug)]
pub struct Stored {
    journal: PathBuf,
    reader: Reader,
    tenants: Tenants,
    /// Places where frames begin, so that a page is found where the one before it ended.
    known: Mutex<BTreeSet<u64>>,
}

/// A page in the making.
struct Filling<'a> {
    tenant: TenantId,
    name: &'a str,
    until: u64,
    bytes_max: usize,
    taken_bytes: usize,
    scanned_bytes: u64,
    /// The last place seen where a frame begins.
    boundary: Option<u64>,
    page: RecordPage,
}

impl Stored {
    /// The history in the journal of this folder and this store.
    #[must_use]
    pub fn new(journal: &Path, reader: Reader, tenants: Tenants) -> Stored {
        Stored { journal: journal.to_path_buf(), reader, tenants, known: Mutex::default() }
    }

    /// Where the frame begins that holds a position; else where the next one begins.
    fn frame_at(&self, listing: &Listing, position: u64) -> io::Result<u64> {
        let after = listing.segments.partition_point(|segment| segment.base <= position);
        let Some(segment) = after.checked_sub(1).and_then(|index| listing.segments.get(index)) else {
            return Ok(position.max(listing.first()));
        };
        let mut reader = SegmentReader::open(segment, u64::MAX, SHORT_READ_BYTES)?;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let nearest = known.range(..=position).next_back().copied();
        drop(known);
        let mut at = nearest.map_or(reader.first(), |known| known.max(reader.first()));
        while at < reader.limit() {
            let end = match reader.head(at) {
                Some(head) => head.end,
                None => reader.next_frame(at + 1),
            };
            if end > position {
                break;
            }
            at = end;
        }
        Ok(at)
    }

    /// Remembers where a frame begins, and forgets the oldest of them.
    fn remember(&self, start: u64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(start);
        while known.len() > KNOWN_FRAMES_MAX {
            known.pop_first();
        }
    }

    fn read(&self, after: u64, filling: &mut Filling<'_>) -> io::Result<()> {
        let listing = Listing::of(&self.journal)?;
        // The journal begins at 0: a first segment that does not is not the first there was.
        let is_whole = listing.segments.first().is_none_or(|segment| segment.base == 0);
        filling.page.kept_from = if is_whole { 0 } else { listing.first() };
        let start = self.frame_at(&listing, after)?;
        // The frame that holds `until` is read to its end; nothing behind it is.
        for read in Frames::new(&self.journal, start, u64::MAX)? {
            let is_over = match read {
                Read::Frame(frame) => filling.frame(frame),
                Read::Hole(hole) => filling.hole(&hole),
            };
            if is_over {
                break;
            }
        }
        if let Some(boundary) = filling.boundary {
            self.remember(boundary);
        }
        filling.page.covered = filling.page.covered.min(filling.until);
        Ok(())
    }
}

impl Filling<'_> {
    /// Takes a frame in; whether the page is full or complete.
    fn frame(&mut self, frame: Frame) -> bool {
        if frame.start > self.until {
            self.boundary = Some(frame.start);
            self.page.covered = self.until;
            return true;
        }
        self.boundary = Some(frame.end);
        self.page.covered = frame.end - 1;
        self.scanned_bytes += frame.end - frame.start;
        if let FrameBody::Events { tenant, raw, .. } = frame.body
            && tenant == self.name
        {
            self.taken_bytes += raw.bytes.len();
            self.page.batches.push(RawBatch { tenant: self.tenant, ..raw });
        }
        let is_full = self.taken_bytes >= self.bytes_max || self.scanned_bytes >= SCANNED_BYTES_MAX;
        is_full || frame.end > self.until
    }

    /// Passes over a stretch without frames; whether the page is complete.
    fn hole(&mut self, hole: &Hole) -> bool {
        let is_over = hole.to >= self.until;
        self.page.covered = if is_over { self.until } else { hole.to - 1 };
        if hole.from < self.until {
            // What should stand here is gone, like what was let go of for its age.
            self.page.kept_from = self.page.kept_from.max(hole.to.min(self.until));
        }
        is_over
    }
}

impl History for Stored {
    fn records(
        &self,
        tenant: TenantId,
        after: u64,
        until: u64,
        bytes_max: usize,
    ) -> Result<RecordPage, StoreError> {
        let name = self.tenants.name(tenant).ok_or_else(|| StoreError(format!("no tenant {}", tenant.0)))?;
        let page = RecordPage { covered: until, ..RecordPage::default() };
        let mut filling = Filling {
            tenant,
            name: &name,
            until,
            bytes_max,
            taken_bytes: 0,
            scanned_bytes: 0,
            boundary: None,
            page,
        };
        self.read(after, &mut filling).map_err(|error| StoreError(format!("the journal: {error}")))?;
        Ok(filling.page)
    }

    fn changes(
        &self,
        tenant: TenantId,
        after: Cursor,
        until: Cursor,
        limit: usize,
    ) -> Result<ChangePage, StoreError> {
        let place = (after.position, after.ordinal);
        let changes = self.reader.changes_after(tenant, place, until.position, limit)?;
        // Asked second: what was let go of meanwhile is told as gone.
        let (position, ordinal) = self.reader.dropped_change()?;
        Ok(ChangePage { changes, dropped: Cursor { position, ordinal } })
    }
}
