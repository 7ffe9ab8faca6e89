//! Opening a journal after whatever happened to it. Only the newest segment is scanned: a tail cut
//! short by a crash is taken away, damage before it stays where it is and is told. Opening fails
//! only if the folder cannot be had at all.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::journal::folder::{Listing, NotOwned, Owned, Segment};
use crate::journal::format::HEADER_BYTES;
use crate::journal::hole::{Hole, HoleReason};
use crate::journal::kept::Kept;
use crate::journal::limits::HOLES_LISTED_MAX;
use crate::journal::segment::{LONG_READ_BYTES, SegmentReader, Stretch};
use crate::journal::writer::{OpenSegment, Options, Writer};

/// What opening found.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// Where the oldest frame may begin.
    pub first: u64,
    /// Where the journal ends.
    pub end: u64,
    /// Segments there are.
    pub segments: usize,
    /// Bytes they take.
    pub bytes: u64,
    /// The tail that was taken away: a write that a crash cut short.
    pub torn: Option<Hole>,
    /// What is lost, in order, the first 1,000: stretches between segments, holes in the newest one,
    /// and what was known elsewhere ([`Options::not_before`]) behind its last frame. Holes in older
    /// segments are told as they are read.
    pub holes: Vec<Hole>,
    /// Files with the name of a segment that are none: they are left alone and not read.
    pub strays: Vec<PathBuf>,
}

/// Why a journal cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process writes it.
    #[error("{}: another Tocsin uses this journal: stop it, or give another data folder", .0.display())]
    InUse(PathBuf),
    /// A newer version wrote a part of it.
    #[error("{}: written by a newer version of Tocsin: start that version", .0.display())]
    Newer(PathBuf),
    /// The folder cannot be read or made.
    #[error("{}: the journal's folder cannot be used ({cause}): check that it exists and is yours", .folder.display())]
    Disk {
        /// The folder.
        folder: PathBuf,
        /// What the disk says.
        cause: io::Error,
    },
}

impl Writer {
    /// Opens the journal of a folder, which is made if it is not there. Nothing is released yet: a
    /// journal that was at its bound takes nothing until [`release`] is called.
    ///
    /// [`release`]: tocsin_pipeline::journal::Journal::release
    ///
    /// # Errors
    /// [`OpenError`]: never because of damaged bytes.
    pub fn open(folder: &Path, options: Options) -> Result<(Writer, Opened), OpenError> {
        let disk = |cause| OpenError::Disk { folder: folder.to_path_buf(), cause };
        let owned = Owned::take(folder).map_err(|reason| match reason {
            NotOwned::InUse => OpenError::InUse(folder.to_path_buf()),
            NotOwned::Disk(error) => disk(error),
        })?;
        let listing = Listing::of(folder).map_err(disk)?;
        if let Some(newer) = listing.strays.iter().find(|stray| stray.newer) {
            return Err(OpenError::Newer(newer.path.clone()));
        }
        let options =
            Options { segment_bytes: options.segment_bytes.min(options.journal_bytes_max / 4), ..options };
        let mut kept = Kept::of(&listing);
        let scan = listing.segments.last().map(scan).unwrap_or_default();
        let end = scan.end.max(listing.end_behind(&scan)).max(options.not_before);
        let missing = Hole { from: listing.reached(&scan), to: end, reason: HoleReason::Missing };
        let at_end = Some(missing).filter(|hole| hole.from < hole.to);
        let holes = listing.gaps().chain(scan.holes.iter().copied()).chain(at_end);
        let holes = holes.take(HOLES_LISTED_MAX).collect();
        let newest = listing.segments.last().filter(|_| scan.is_whole);
        let mended = newest.and_then(|segment| go_on(segment, &scan).ok());
        let open = mended.filter(|_| end == scan.end);
        if let (Some(segment), Some(_)) = (newest, &open) {
            kept.take(&segment.path);
        }
        let buffer = Vec::new();
        let (next_base, released, may_write_ahead) = (end, 0, true);
        let writer =
            Writer { folder: owned, options, kept, open, next_base, released, may_write_ahead, buffer };
        let opened = Opened {
            first: if listing.segments.is_empty() { end } else { listing.first() },
            end,
            segments: listing.segments.len(),
            bytes: writer.bytes(),
            torn: scan.torn,
            holes,
            strays: listing.strays.into_iter().map(|stray| stray.path).collect(),
        };
        Ok((writer, opened))
    }
}

impl Listing {
    /// Where the files end that follow the newest segment without a header of their own.
    fn end_behind(&self, scan: &Scan) -> u64 {
        let file_end = self.segments.last().map_or(0, |segment| segment.limit);
        if self.end() > file_end || !scan.is_whole { self.end() } else { 0 }
    }

    /// Where that of the newest segment ends that is kept: its frames, or all of it if the disk does
    /// not give them.
    fn reached(&self, scan: &Scan) -> u64 {
        self.segments.last().filter(|_| !scan.is_whole).map_or(scan.end, |segment| segment.limit)
    }
}

/// What a look at every frame of a segment found.
#[derive(Clone, Debug, Default)]
struct Scan {
    /// One past the last sound frame.
    end: u64,
    holes: Vec<Hole>,
    torn: Option<Hole>,
    /// Whether the disk gave all of its bytes: only then is a tail without frames known to be none.
    is_whole: bool,
}

/// Looks at every frame of the newest segment.
fn scan(segment: &Segment) -> Scan {
    let mut scan = Scan { end: segment.base + HEADER_BYTES, ..Scan::default() };
    let Ok(mut reader) = SegmentReader::open(segment, u64::MAX, LONG_READ_BYTES) else { return scan };
    let mut at = reader.first();
    while let Some(stretch) = reader.stretch(at) {
        let (Stretch::Frame { end } | Stretch::Damage { end } | Stretch::Unwritten { end }) = stretch;
        match stretch {
            Stretch::Frame { end } => scan.end = end,
            Stretch::Unwritten { .. } => {}
            Stretch::Damage { end } => {
                let hole = Hole { from: at, to: end, reason: HoleReason::Damaged };
                if end == reader.limit() {
                    scan.torn = Some(hole);
                } else if scan.holes.len() < HOLES_LISTED_MAX {
                    scan.holes.push(hole);
                }
            }
        }
        at = end;
    }
    scan.is_whole = !reader.is_unreadable();
    scan
}

/// Makes the newest segment ready for more: cut behind its last frame, and durable, so that nothing
/// read from it now can be lost later.
fn go_on(segment: &Segment, scan: &Scan) -> io::Result<OpenSegment> {
    let mut file: File = OpenOptions::new().read(true).write(true).open(&segment.path)?;
    let written = scan.end - segment.base;
    file.set_len(written)?;
    file.seek(SeekFrom::Start(written))?;
    file.sync_all()?;
    Ok(OpenSegment {
        file,
        base: segment.base,
        seal: segment.seal,
        written,
        synced: written,
        file_end: written,
    })
}
