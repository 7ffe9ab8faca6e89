//! Records found again by position: the evidence of an alert. Nothing is kept in memory but a few
//! frames and, per segment, where some of its frames begin.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use tocsin_core::offset::{PartitionId, Position};
use tocsin_pipeline::records::Records;

use crate::journal::folder::{Listing, Segment};
use crate::journal::limits::{CACHED_BYTES_MAX, CACHED_FRAMES_MAX, INDEXED_SEGMENTS_MAX};
use crate::journal::payload::View;
use crate::journal::segment::{SHORT_READ_BYTES, SegmentReader, Stretch};

/// Bytes between two frames whose places are remembered.
const MARK_EVERY_BYTES: u64 = 64 << 10;

/// The records of a journal. Only synced positions may be asked for; the writer may go on meanwhile.
#[derive(Debug)]
pub struct JournalRecords {
    folder: PathBuf,
    listing: Listing,
    /// The least recently used first.
    indexes: VecDeque<Index>,
    /// The oldest first.
    cache: VecDeque<CachedFrame>,
}

/// Where some frames of a segment begin.
#[derive(Debug)]
struct Index {
    base: u64,
    marks: Vec<u64>,
    /// Everything before it has been walked.
    walked: u64,
}

#[derive(Debug)]
struct CachedFrame {
    start: u64,
    end: u64,
    payload: Vec<u8>,
}

impl JournalRecords {
    /// The records of the journal in this folder. Nothing is read yet.
    #[must_use]
    pub fn new(folder: &Path) -> JournalRecords {
        JournalRecords {
            folder: folder.to_path_buf(),
            listing: Listing::default(),
            indexes: VecDeque::new(),
            cache: VecDeque::new(),
        }
    }

    /// The record that begins at a position; `None` if there is none, or it was freed or damaged.
    pub fn record(&mut self, position: u64) -> Option<Vec<u8>> {
        let cached = |frame: &CachedFrame| (frame.start..frame.end).contains(&position);
        match self.cache.iter().rposition(cached) {
            Some(index) => self.cache.get(index)?.record(position),
            None => {
                let frame = self.find(position)?;
                let record = frame.record(position);
                self.cache(frame);
                record
            }
        }
    }

    fn cache(&mut self, frame: CachedFrame) {
        self.cache.push_back(frame);
        let bytes =
            |cache: &VecDeque<CachedFrame>| cache.iter().map(|frame| frame.payload.len()).sum::<usize>();
        while self.cache.len() > CACHED_FRAMES_MAX
            || (self.cache.len() > 1 && bytes(&self.cache) > CACHED_BYTES_MAX)
        {
            self.cache.pop_front();
        }
    }

    /// The frame that holds a position.
    fn find(&mut self, position: u64) -> Option<CachedFrame> {
        let segment = self.segment(position)?;
        let mut reader = SegmentReader::open(&segment, u64::MAX, SHORT_READ_BYTES).ok()?;
        let index = self.index(&segment, reader.first());
        let start = index.walk(&mut reader, position)?;
        match reader.stretch(start)? {
            Stretch::Frame { end } => {
                Some(CachedFrame { start, end, payload: reader.payload(start, end).to_vec() })
            }
            Stretch::Damage { .. } | Stretch::Unwritten { .. } => None,
        }
    }

    /// The segment a position lies in. Behind what was walked of the newest one known there may be a
    /// newer one by now.
    fn segment(&mut self, position: u64) -> Option<Segment> {
        let walked = self.listing.segments.last().map_or(0, |newest| {
            self.indexes
                .iter()
                .find(|index| index.base == newest.base)
                .map_or(newest.base, |index| index.walked)
        });
        if position >= walked {
            self.listing = self.listing.renewed(&self.folder).ok()?;
        }
        let after = self.listing.segments.partition_point(|segment| segment.base <= position);
        let segment = self.listing.segments.get(after.checked_sub(1)?)?;
        (position < segment.limit).then(|| segment.clone())
    }

    /// The index of a segment, made the most recently used.
    fn index(&mut self, segment: &Segment, first: u64) -> &mut Index {
        let known = self.indexes.iter().position(|index| index.base == segment.base);
        let index = known.and_then(|at| self.indexes.remove(at));
        let index = index.unwrap_or_else(|| Index { base: segment.base, marks: vec![first], walked: first });
        if self.indexes.len() >= INDEXED_SEGMENTS_MAX {
            self.indexes.pop_front();
        }
        self.indexes.push_back(index);
        let newest = self.indexes.len() - 1;
        &mut self.indexes[newest]
    }
}

impl Index {
    /// Where the frame begins that holds a position. Only heads are read on the way.
    fn walk(&mut self, reader: &mut SegmentReader, position: u64) -> Option<u64> {
        let mut at = if position >= self.walked {
            self.walked
        } else {
            let after = self.marks.partition_point(|mark| *mark <= position);
            *self.marks.get(after.checked_sub(1)?)?
        };
        while at <= position && at < reader.limit() {
            let end = match reader.head(at) {
                Some(head) if position < head.end => return Some(at),
                Some(head) => head.end,
                None => reader.next_frame(at + 1),
            };
            if end == reader.limit() {
                // There may be a frame later: it is walked to from here.
                return None;
            }
            self.note(end);
            at = end;
        }
        None
    }

    fn note(&mut self, end: u64) {
        if end > self.walked {
            self.walked = end;
            if self.marks.last().is_none_or(|mark| end >= mark + MARK_EVERY_BYTES) {
                self.marks.push(end);
            }
        }
    }
}

impl CachedFrame {
    fn record(&self, position: u64) -> Option<Vec<u8>> {
        let View::Events(events) = View::parse(&self.payload)? else { return None };
        let records_at = self.end - events.region_bytes() as u64;
        let start = u32::try_from(position.checked_sub(records_at)?).ok()?;
        events.record_at(start).map(<[u8]>::to_vec)
    }
}

impl Records for JournalRecords {
    /// The journal has them all.
    fn must_keep(&self, _partition: PartitionId) -> bool {
        false
    }

    fn keep(&mut self, _position: Position, _record: &[u8]) {}

    fn read(&mut self, position: Position) -> Option<Vec<u8>> {
        self.record(position.offset())
    }
}
