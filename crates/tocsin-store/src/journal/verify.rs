//! A look at every frame of every segment, as `tocsin verify` and people after an accident need it:
//! what is there and what is not, exactly. Nothing is changed, and a server may be running.

use std::io;
use std::ops::Range;
use std::path::Path;

use serde::Serialize;
use tocsin_pipeline::journal::{Frame, FrameBody};

use crate::journal::folder::{Listing, Segment, header_block, is_in_use};
use crate::journal::format::{HEADER_COPY_BYTES, damaged_copies};
use crate::journal::hole::{Hole, HoleReason};
use crate::journal::limits::{HOLES_LISTED_MAX, LOOKS_MAX};
use crate::journal::reader::{Frames, Read};

/// What a journal holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Its segments, in order.
    pub segments: Vec<SegmentReport>,
    /// Frames in all.
    pub frames: u64,
    /// Records in all.
    pub records: u64,
    /// Bytes of the segments' files.
    pub bytes: u64,
    /// Stretches without frames, in order, the first 1,000.
    pub holes: Vec<Hole>,
    /// Holes beyond those listed.
    pub holes_not_listed: u64,
    /// Bytes in holes.
    pub hole_bytes: u64,
    /// What should follow behind the last segment: positions that were reached, as is known
    /// elsewhere.
    pub missing_end: Option<Hole>,
    /// Copies of headers that are damaged. The other one is read, so that no frame is lost.
    pub headers: Vec<DamagedHeader>,
    /// The end of the newest segment is no whole frame: a write that a crash cut short, which the
    /// next start takes away, or damage to the last frame.
    pub torn: Option<Hole>,
    /// Likewise, but a server is writing there.
    pub being_written: Option<Hole>,
    /// Files with the name of a segment that are none.
    pub strays: Vec<String>,
}

/// A copy of a segment's header that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DamagedHeader {
    /// Name of the segment's file.
    pub file: String,
    /// Which of the two copies, counted from 1.
    pub copy: usize,
    /// Its first byte in the file.
    pub from: usize,
    /// One past its last byte in the file.
    pub to: usize,
}

/// What a segment holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SegmentReport {
    /// Name of its file.
    pub file: String,
    /// The position it begins at.
    pub base: u64,
    /// One past its last position.
    pub end: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Its frames.
    pub frames: u64,
    /// Their records.
    pub records: u64,
}

impl Report {
    /// Whether everything that should be there is.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.holes.is_empty()
            && self.missing_end.is_none()
            && self.headers.is_empty()
            && self.torn.is_none()
            && self.strays.is_empty()
    }

    fn push(&mut self, hole: Hole) {
        self.hole_bytes += hole.bytes();
        if self.holes.len() < HOLES_LISTED_MAX {
            self.holes.push(hole);
        } else {
            self.holes_not_listed += 1;
        }
    }
}

/// Checks the journal in this folder. Every frame before `reached` was in it, as is known elsewhere
/// (ask before: a server may be writing); 0 if nothing is known.
///
/// # Errors
/// The folder cannot be read.
pub fn verify(folder: &Path, reached: u64) -> io::Result<Report> {
    let listing = Listing::of(folder)?;
    let oldest = |listing: &Listing| listing.segments.first().map_or(0, |segment| segment.base);
    let newest = listing.segments.last().map_or(0, |segment| segment.base);
    let first = oldest(&listing);
    let older = Seen::read(&listing, first..newest, Frames::of(listing.clone(), first, newest));
    let (listing, newer) = look_at_newest(folder, listing, newest)?;
    // What a running server has freed meanwhile was no damage.
    let oldest = oldest(&listing);
    let mut report = Report::default();
    for hole in older.holes.into_iter().chain(newer.holes).filter(|hole| hole.to > oldest) {
        report.push(hole);
    }
    settle_tail(&mut report, &listing, reached, is_in_use(folder));
    let missing = Hole { from: newer.end, to: reached, reason: HoleReason::Missing };
    report.missing_end = Some(missing).filter(|hole| hole.from < hole.to);
    report.headers = listing.segments.iter().flat_map(damaged_headers).collect();
    report.segments = older.segments.into_iter().chain(newer.segments).collect();
    report.segments.retain(|segment| segment.base >= oldest);
    report.frames = report.segments.iter().map(|segment| segment.frames).sum();
    report.records = report.segments.iter().map(|segment| segment.records).sum();
    report.bytes = report.segments.iter().map(|segment| segment.bytes).sum();
    report.strays =
        listing.strays.iter().filter(|stray| stray.bytes > 0).map(|stray| name(&stray.path)).collect();
    Ok(report)
}

/// Looks at the newest segment and what follows it. A server that takes back a failed write there,
/// or is in the middle of one, must not look like damage: then it is looked at again.
fn look_at_newest(folder: &Path, mut listing: Listing, newest: u64) -> io::Result<(Listing, Seen)> {
    let mut looks = 1;
    loop {
        let seen = Seen::read(&listing, newest..u64::MAX, Frames::to_files_end(listing.clone(), newest));
        if seen.holes.is_empty() || looks == LOOKS_MAX || !is_in_use(folder) {
            return Ok((listing, seen));
        }
        listing = Listing::of(folder)?;
        looks += 1;
    }
}

/// A hole that reaches the end of the newest segment is its tail, unless its frames were there once.
fn settle_tail(report: &mut Report, listing: &Listing, reached: u64, in_use: bool) {
    let Some(newest) = listing.segments.last() else { return };
    let first = newest.base.max(reached);
    let is_tail = |hole: &mut Hole| hole.to == newest.limit && hole.from >= first;
    if newest.limit != listing.end() || report.holes_not_listed > 0 {
        return;
    }
    if let Some(tail) = report.holes.pop_if(is_tail) {
        report.hole_bytes -= tail.bytes();
        *(if in_use { &mut report.being_written } else { &mut report.torn }) = Some(tail);
    }
}

/// The copies of a segment's header that are damaged. A file that is gone has none: a server freed
/// it just now.
fn damaged_headers(segment: &Segment) -> Vec<DamagedHeader> {
    let block = header_block(&segment.path).unwrap_or_default();
    let damaged = |index: usize| DamagedHeader {
        file: name(&segment.path),
        copy: index + 1,
        from: index * HEADER_COPY_BYTES,
        to: (index + 1) * HEADER_COPY_BYTES,
    };
    damaged_copies(&block, segment.base).into_iter().map(damaged).collect()
}

/// What reading a range of segments gave.
#[derive(Default)]
struct Seen {
    segments: Vec<SegmentReport>,
    holes: Vec<Hole>,
    /// Where reading ended: what is behind it is unwritten, or not there.
    end: u64,
}

impl Seen {
    /// What the frames give of the segments whose bases lie in a range.
    fn read(listing: &Listing, bases: Range<u64>, mut frames: Frames) -> Seen {
        let within = |segment: &&Segment| bases.contains(&segment.base);
        let segments = listing.segments.iter().filter(within).map(SegmentReport::of).collect();
        let mut seen = Seen { segments, ..Seen::default() };
        for read in &mut frames {
            match read {
                Read::Frame(frame) => seen.count(&frame),
                Read::Hole(hole) => seen.holes.push(hole),
            }
        }
        seen.end = frames.position();
        // The unwritten rest of a file holds no positions yet.
        if let Some(last) = seen.segments.last_mut() {
            last.end = last.end.min(seen.end);
        }
        seen
    }

    fn count(&mut self, frame: &Frame) {
        let after = self.segments.partition_point(|segment| segment.base <= frame.start);
        let Some(segment) = after.checked_sub(1).and_then(|index| self.segments.get_mut(index)) else {
            return;
        };
        segment.frames += 1;
        if let FrameBody::Events { raw, .. } = &frame.body {
            segment.records += raw.records.len() as u64;
        }
    }
}

impl SegmentReport {
    fn of(segment: &Segment) -> SegmentReport {
        SegmentReport {
            file: name(&segment.path),
            base: segment.base,
            end: segment.limit,
            bytes: segment.bytes,
            ..SegmentReport::default()
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
