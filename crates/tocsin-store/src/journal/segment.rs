//! One segment, read: frames where there are some, and the stretches between where there are none.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::journal::folder::Segment;
use crate::journal::format::{FRAME_MAGIC, HEAD_BYTES, HEADER_BYTES, Head, Seal};

/// Bytes read at once for a walk over everything.
pub const LONG_READ_BYTES: usize = 1 << 20;

/// Bytes read at once for a look at a single place, and to go from head to head.
pub const SHORT_READ_BYTES: usize = 8 << 10;

/// What a disk loses at once.
const PAGE_BYTES: usize = 4_096;

/// What an unwritten page looks like.
const ZEROS: [u8; PAGE_BYTES] = [0; PAGE_BYTES];

/// What stands at a place of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// A whole frame, up to `end`.
    Frame {
        /// One past its last byte.
        end: u64,
    },
    /// No frame begins before `end`.
    Damage {
        /// Where the next frame begins or the segment ends.
        end: u64,
    },
    /// Nothing but zeros up to the limit, as they are written ahead of frames. Where it is known that
    /// frames were written here, they are lost.
    Unwritten {
        /// The limit.
        end: u64,
    },
}

/// A segment open for reading. All places are positions in the journal.
#[derive(Debug)]
pub struct SegmentReader {
    file: File,
    base: u64,
    limit: u64,
    seal: Seal,
    /// Bytes read, from position `chunk_at`; those behind `filled` are of an earlier read.
    chunk: Vec<u8>,
    chunk_at: u64,
    filled: usize,
    read_bytes: usize,
    unreadable: bool,
}

impl SegmentReader {
    /// Opens a segment; nothing at or past `until` is read. `read_bytes` are read at once.
    ///
    /// # Errors
    /// The file is gone or cannot be opened.
    pub fn open(segment: &Segment, until: u64, read_bytes: usize) -> io::Result<SegmentReader> {
        Ok(SegmentReader {
            file: File::open(&segment.path)?,
            base: segment.base,
            limit: segment.limit.min(until),
            seal: segment.seal,
            chunk: Vec::new(),
            chunk_at: segment.base,
            filled: 0,
            read_bytes,
            unreadable: false,
        })
    }

    /// Where its first frame begins.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.base + HEADER_BYTES
    }

    /// One past the last position it is read to.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Whether the disk failed to give some of the bytes asked for.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.unreadable
    }

    /// What stands at a place; `None` at the end.
    pub fn stretch(&mut self, at: u64) -> Option<Stretch> {
        if at >= self.limit {
            return None;
        }
        let seen = self.look(at);
        if !matches!(seen, Stretch::Damage { .. }) || self.unreadable {
            return Some(seen);
        }
        // A writer may have come by since these bytes were read: before what is behind them by now,
        // it has written what belongs here.
        self.filled = 0;
        Some(self.look(at))
    }

    fn look(&mut self, at: u64) -> Stretch {
        match self.head(at) {
            Some(head) if self.is_sound(at, &head) => Stretch::Frame { end: head.end },
            Some(head) => Stretch::Damage { end: self.next_frame(head.end) },
            None if self.is_unwritten(at) => Stretch::Unwritten { end: self.limit },
            None => Stretch::Damage { end: self.next_frame(at + 1) },
        }
    }

    /// Whether nothing but zeros stands from a place on. What the disk does not give is none.
    fn is_unwritten(&mut self, from: u64) -> bool {
        let mut at = from;
        while at < self.limit {
            let step = (self.limit - at).min(PAGE_BYTES as u64) as usize;
            if self.bytes(at, step) != Some(&ZEROS[..step]) {
                return false;
            }
            at += step as u64;
        }
        !self.unreadable
    }

    /// The payload of the frame at a place where [`SegmentReader::stretch`] found one up to `end`.
    pub fn payload(&mut self, at: u64, end: u64) -> &[u8] {
        let bytes = (end - at) as usize;
        self.bytes(at, bytes).and_then(|frame| frame.get(HEAD_BYTES..)).unwrap_or_default()
    }

    /// The head of the frame at a place, the frame being there to its end. Its payload may be
    /// damaged.
    pub fn head(&mut self, at: u64) -> Option<Head> {
        let (seal, limit) = (self.seal, self.limit);
        let bytes = self.bytes(at, HEAD_BYTES)?.first_chunk()?;
        seal.read_head(at, bytes).filter(|head| head.end <= limit)
    }

    /// Where the next whole frame begins at or behind a place; else the limit.
    pub fn next_frame(&mut self, from: u64) -> u64 {
        let mut at = from;
        while let Some(found) = self.next_magic(at) {
            match self.head(found) {
                Some(head) if self.is_sound(found, &head) => return found,
                // The head is proven, so that nothing within can be a frame.
                Some(head) => at = head.end,
                None => at = found + 1,
            }
        }
        self.limit
    }

    fn is_sound(&mut self, at: u64, head: &Head) -> bool {
        let seal = self.seal;
        seal.is_sound(at, head, self.payload(at, head.end))
    }

    /// Where bytes stand that may be a head, at or behind a place.
    fn next_magic(&mut self, from: u64) -> Option<u64> {
        let mut at = from;
        loop {
            // What is in memory is searched to its end before more is read.
            self.bytes(at, HEAD_BYTES)?;
            let here = &self.chunk[(at - self.chunk_at) as usize..self.filled];
            if let Some(index) = here.windows(FRAME_MAGIC.len()).position(|bytes| bytes == FRAME_MAGIC) {
                return Some(at + index as u64);
            }
            at += (here.len() - (FRAME_MAGIC.len() - 1)) as u64;
        }
    }

    /// So many bytes from a place on; `None` if they reach past the limit.
    fn bytes(&mut self, at: u64, bytes: usize) -> Option<&[u8]> {
        if at < self.base || at.checked_add(bytes as u64)? > self.limit {
            return None;
        }
        let is_here = at >= self.chunk_at && at + bytes as u64 <= self.chunk_at + self.filled as u64;
        if !is_here {
            self.load(at, bytes);
        }
        let offset = (at - self.chunk_at) as usize;
        self.chunk.get(offset..offset + bytes)
    }

    /// Reads from a place on, at least so many bytes; what is in memory of them is kept.
    fn load(&mut self, at: u64, bytes: usize) {
        let wanted = (bytes.max(self.read_bytes) as u64).min(self.limit - at) as usize;
        let offset = at.checked_sub(self.chunk_at).map_or(self.filled, |offset| offset as usize);
        let kept = self.filled.saturating_sub(offset);
        if kept > 0 {
            self.chunk.copy_within(offset..self.filled, 0);
        }
        // One huge frame must not hold its memory for ever.
        if self.chunk.len() > 4 * wanted.max(self.read_bytes) {
            self.chunk.truncate(wanted.max(kept));
            self.chunk.shrink_to_fit();
        }
        if self.chunk.len() < wanted {
            self.chunk.resize(wanted, 0);
        }
        let from = at - self.base + kept as u64;
        self.unreadable |= !read_all(&self.file, &mut self.chunk[kept..wanted], from);
        (self.chunk_at, self.filled) = (at, wanted);
    }
}

/// Fills a buffer from a file. What the file does not have or the disk does not give is zero, which
/// is no frame; false if the disk did not give something.
fn read_all(file: &File, buffer: &mut [u8], from: u64) -> bool {
    let mut done = 0;
    let mut all_given = true;
    while done < buffer.len() {
        // After a failure in a long read, page by page: only the pages that fail are lost.
        let step = if all_given { buffer.len() - done } else { PAGE_BYTES.min(buffer.len() - done) };
        match file.read_at(&mut buffer[done..done + step], from + done as u64) {
            Ok(0) => {
                buffer[done..].fill(0);
                return all_given;
            }
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) if all_given => all_given = false,
            Err(_) => {
                buffer[done..done + step].fill(0);
                done += step;
            }
        }
    }
    all_given
}
