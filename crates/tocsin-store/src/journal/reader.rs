//! Frames in order, from a position to a position, over all segments. Damage is a value, not an
//! error: what is before and behind it is read.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use tocsin_pipeline::journal::Frame;

use crate::journal::folder::{Listing, Segment};
use crate::journal::hole::{Hole, HoleReason};
use crate::journal::payload::View;
use crate::journal::segment::{LONG_READ_BYTES, SegmentReader, Stretch};

/// What is read: a frame, or the stretch where there should be some.
#[derive(Debug)]
pub enum Read {
    /// A frame.
    Frame(Frame),
    /// No frame is readable here.
    Hole(Hole),
}

/// The frames of a journal, in order. The writer may go on appending meanwhile.
///
/// ```text
/// for read in Frames::new(folder, checkpoint, writer.end())? {
///     match read { Read::Frame(frame) => …, Read::Hole(hole) => count it, tell people, go on }
/// }
/// ```
#[derive(Debug)]
pub struct Frames {
    segments: VecDeque<Segment>,
    current: Option<SegmentReader>,
    position: u64,
    until: u64,
    /// Whether `until` is where the files end: behind the last frame there may be an unwritten rest.
    is_to_files_end: bool,
    /// The frame behind a hole that was given just now.
    behind: Option<Frame>,
}

/// One step of reading.
enum Step {
    Frame(Frame),
    Hole(Hole),
    Moved,
    End,
}

impl Frames {
    /// The frames between two positions. `from` is a position a frame has or had as start or end;
    /// from any other the stretch to the next frame is a hole. Nothing at or past `until` is read.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn new(folder: &Path, from: u64, until: u64) -> io::Result<Frames> {
        Ok(Frames::of(Listing::of(folder)?, from, until))
    }

    /// All frames that are there, for a journal nobody writes.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn all(folder: &Path) -> io::Result<Frames> {
        let listing = Listing::of(folder)?;
        let first = listing.first();
        Ok(Frames::to_files_end(listing, first))
    }

    /// Where the next read begins.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn of(listing: Listing, from: u64, until: u64) -> Frames {
        let mut segments: VecDeque<Segment> = listing.segments.into();
        while segments.front().is_some_and(|segment| segment.limit <= from) {
            segments.pop_front();
        }
        Frames { segments, current: None, position: from, until, is_to_files_end: false, behind: None }
    }

    /// From a position on, whatever there is.
    pub(super) fn to_files_end(listing: Listing, from: u64) -> Frames {
        let until = listing.end();
        Frames { is_to_files_end: true, ..Frames::of(listing, from, until) }
    }

    fn step(&mut self) -> Step {
        if self.position >= self.until {
            return Step::End;
        }
        match self.current.as_mut().and_then(|segment| segment.stretch(self.position)) {
            None => self.next_segment(),
            Some(Stretch::Frame { end }) => self.frame(end),
            Some(Stretch::Unwritten { end }) if self.is_to_files_end && end == self.until => Step::End,
            Some(Stretch::Damage { end } | Stretch::Unwritten { end }) => {
                let failed = self.current.as_ref().is_some_and(SegmentReader::is_unreadable);
                self.hole(end, if failed { HoleReason::Unreadable } else { HoleReason::Damaged })
            }
        }
    }

    /// The sound frame at the position.
    fn frame(&mut self, end: u64) -> Step {
        let start = self.position;
        let payload = self.current.as_mut().map(|segment| segment.payload(start, end)).unwrap_or_default();
        let Some(body) = View::parse(payload).and_then(|view| view.to_body(end)) else {
            return self.hole(end, HoleReason::Unknown);
        };
        self.position = end;
        Step::Frame(Frame { start, end, body })
    }

    /// The current segment has nothing at the position: goes on with the next.
    fn next_segment(&mut self) -> Step {
        self.current = None;
        let Some(next) = self.segments.front() else { return self.hole(self.until, HoleReason::Missing) };
        if next.base > self.position {
            return self.hole(next.base.min(self.until), HoleReason::Missing);
        }
        let opened = SegmentReader::open(next, self.until, LONG_READ_BYTES);
        let limit = next.limit.min(self.until);
        self.segments.pop_front();
        match opened {
            Ok(segment) => {
                self.position = self.position.max(segment.first());
                self.current = Some(segment);
                Step::Moved
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.hole(limit, HoleReason::Missing),
            Err(_) => self.hole(limit, HoleReason::Unreadable),
        }
    }

    fn hole(&mut self, to: u64, reason: HoleReason) -> Step {
        let from = std::mem::replace(&mut self.position, to);
        Step::Hole(Hole { from, to, reason })
    }
}

impl Iterator for Frames {
    type Item = Read;

    fn next(&mut self) -> Option<Read> {
        if let Some(frame) = self.behind.take() {
            return Some(Read::Frame(frame));
        }
        let mut hole: Option<Hole> = None;
        loop {
            match self.step() {
                Step::Moved => {}
                // Holes without a frame between them are one.
                Step::Hole(next) => hole = Some(Hole { to: next.to, ..hole.unwrap_or(next) }),
                Step::Frame(frame) if hole.is_none() => return Some(Read::Frame(frame)),
                Step::Frame(frame) => {
                    self.behind = Some(frame);
                    return hole.map(Read::Hole);
                }
                Step::End => return hole.map(Read::Hole),
            }
        }
    }
}
