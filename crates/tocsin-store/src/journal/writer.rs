//! The writing end: frames into the newest segment, one `writev` each, and what follows from a disk
//! that says no.
//!
//! Only what is synced counts. A failed append cuts the segment back to there. A failed sync seals
//! it: the kernel may have dropped the pages it could not write, so that segment is never written
//! again, and the next append begins a new one at the synced end. Segments change only between
//! syncs, so that forgetting never spans two of them.

use std::fs::{self, File};
use std::io::{self, IoSlice, Seek, SeekFrom, Write};

use tocsin_pipeline::journal::{Appended, Journal, JournalError, NewFrame};

use crate::crash::{self, Point};
use crate::journal::folder::Owned;
use crate::journal::format::{HEAD_BYTES, HEADER_BYTES, Seal};
use crate::journal::kept::{Closed, Kept};
use crate::journal::limits::{FRAME_BYTES_MAX, KEPT_BACK_BYTES_MAX};
use crate::journal::payload::encode;

/// How large a segment grows, in bytes, where nobody says otherwise.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// How many bytes the whole journal may take where nobody says otherwise.
pub const JOURNAL_BYTES_MAX: u64 = 10 << 30;

/// How a journal is kept.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes after which, at the next sync, a segment ends. A quarter of `journal_bytes_max` at most.
    pub segment_bytes: u64,
    /// Bytes of all segments together. Above it released segments go, oldest first; with none
    /// released, nothing is appended any more.
    pub journal_bytes_max: u64,
    /// No new frame begins before this position: the newest one known elsewhere. A journal that
    /// lost its end to the disk never gives a position twice.
    pub not_before: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { segment_bytes: SEGMENT_BYTES, journal_bytes_max: JOURNAL_BYTES_MAX, not_before: 0 }
    }
}

/// The journal of one folder, open for writing.
#[derive(Debug)]
pub struct Writer {
    pub(super) folder: Owned,
    pub(super) options: Options,
    /// Closed segments.
    pub(super) kept: Kept,
    pub(super) open: Option<OpenSegment>,
    /// Where the next segment begins when none is open.
    pub(super) next_base: u64,
    pub(super) released: u64,
    /// Whether zeros are written ahead: not since the disk had no room for them or failed, until a
    /// whole segment went well again.
    pub(super) may_write_ahead: bool,
    /// A frame's head and what goes before its records' bytes.
    pub(super) buffer: Vec<u8>,
}

/// The segment that is written. Places are bytes in its file.
#[derive(Debug)]
pub(super) struct OpenSegment {
    pub(super) file: File,
    pub(super) base: u64,
    pub(super) seal: Seal,
    pub(super) written: u64,
    pub(super) synced: u64,
    /// One past the last byte that is known to be there: frames, and zeros ahead of more.
    pub(super) file_end: u64,
}

impl Writer {
    /// Bytes the journal takes, without the zeros ahead of the next frames: those take what is left
    /// below its bound at most.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.kept.bytes() + self.open.as_ref().map_or(0, |segment| segment.written)
    }

    /// Bytes the journal may take; see [`Options`].
    #[must_use]
    pub fn bytes_max(&self) -> u64 {
        self.options.journal_bytes_max
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    fn try_append(&mut self, frame: &NewFrame<'_>) -> Result<Appended, JournalError> {
        self.buffer.clear();
        self.buffer.resize(HEAD_BYTES, 0);
        let records = encode(frame, &mut self.buffer).map_err(JournalError::Full)?;
        let frame_bytes = self.buffer.len() + records.len();
        if frame_bytes > FRAME_BYTES_MAX {
            let message =
                format!("a frame of {frame_bytes} bytes, at most {FRAME_BYTES_MAX}: send smaller requests");
            return Err(JournalError::Full(message));
        }
        self.close_if_full();
        let is_small = matches!(frame, NewFrame::Tick(_) | NewFrame::Rules { .. });
        let kept_back = if is_small { 0 } else { self.kept_back() };
        self.make_room(frame_bytes as u64 + kept_back)?;
        self.open_segment()?;
        self.write(records).map_err(|error| self.told("written", &error))
    }

    /// Ends a segment that is large enough, if all of it is synced.
    fn close_if_full(&mut self) {
        let is_full = |segment: &mut OpenSegment| {
            segment.written >= self.options.segment_bytes && segment.synced == segment.written
        };
        if let Some(segment) = self.open.take_if(is_full) {
            self.may_write_ahead = true;
            self.close(&segment);
        }
    }

    fn close(&mut self, segment: &OpenSegment) {
        self.next_base = segment.base + segment.synced;
        let path = self.folder.segment_path(segment.base);
        self.kept.push(Closed { end: self.next_base, bytes: segment.file_end, path });
    }

    /// What records leave free, so that time can pass in a full journal: with it come the checkpoints
    /// that make room.
    fn kept_back(&self) -> u64 {
        KEPT_BACK_BYTES_MAX.min(self.options.journal_bytes_max / 10)
    }

    /// Frees what may go, as far as so many bytes more need it.
    fn make_room(&mut self, needed: u64) -> Result<(), JournalError> {
        let header = if self.open.is_none() { HEADER_BYTES } else { 0 };
        let max = self.options.journal_bytes_max;
        while self.bytes() + header + needed > max {
            if !self.kept.free_oldest(self.released) {
                return Err(JournalError::Full(format!(
                    "the journal holds {} bytes of at most {max} (store.journal_bytes_max) and none of them may go yet: \
                     wait for the next checkpoint, or raise the bound",
                    self.bytes()
                )));
            }
        }
        Ok(())
    }

    fn open_segment(&mut self) -> Result<(), JournalError> {
        if self.open.is_some() {
            return Ok(());
        }
        let base = self.next_base;
        let (file, seal) = self.folder.new_segment(base).map_err(|error| self.told("extended", &error))?;
        let [written, synced, file_end] = [HEADER_BYTES; 3];
        self.open = Some(OpenSegment { file, base, seal, written, synced, file_end });
        Ok(())
    }

    /// Writes the frame in the buffer and its records.
    fn write(&mut self, records: &[u8]) -> io::Result<Appended> {
        let Some(segment) = &mut self.open else { return Err(io::ErrorKind::NotFound.into()) };
        let start = segment.base + segment.written;
        let (head, payload) = self.buffer.split_at_mut(HEAD_BYTES);
        head.copy_from_slice(&segment.seal.head(start, payload, records));
        crash::point(Point::BeforeWrite);
        if crash::due(Point::MidWrite) {
            tear(&mut segment.file, &self.buffer, records)?;
        }
        write_both(&mut segment.file, &self.buffer, records)?;
        crash::point(Point::AfterWrite);
        segment.written += (self.buffer.len() + records.len()) as u64;
        segment.file_end = segment.file_end.max(segment.written);
        let end = segment.base + segment.written;
        Ok(Appended { start, records_at: end - records.len() as u64, end })
    }

    /// Cuts the newest segment back to what is synced; one that cannot be cut is sealed.
    fn forget(&mut self) {
        let Some(segment) = &mut self.open else { return };
        let cut = segment.cut(segment.synced);
        match cut.and_then(|()| segment.file.seek(SeekFrom::Start(segment.synced))) {
            Ok(_) => segment.written = segment.synced,
            Err(_) => self.seal(),
        }
    }

    /// Never writes the newest segment again. What is behind its synced end is cut off if the disk
    /// lets us; if not, readers stop where the next segment begins.
    fn seal(&mut self) {
        let Some(mut segment) = self.open.take() else { return };
        drop(segment.cut(segment.synced));
        if segment.synced > HEADER_BYTES {
            self.close(&segment);
        } else {
            // The next one takes its name, whether or not it can be deleted.
            drop(fs::remove_file(self.folder.segment_path(segment.base)));
            self.next_base = segment.base;
        }
    }

    /// An error in words, with what to do.
    fn told(&self, done: &str, error: &io::Error) -> JournalError {
        let folder = self.folder.path().display();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                JournalError::Full(format!(
                    "{folder}: no room on the disk ({error}): free some; nothing is taken in until then, and no \
                     restart is needed"
                ))
            }
            io::ErrorKind::ReadOnlyFilesystem => JournalError::Disk(format!(
                "{folder}: the disk is read-only: mount it for writing; nothing is taken in until then, and no \
                 restart is needed"
            )),
            _ => JournalError::Disk(format!(
                "{folder}: the journal cannot be {done} ({error}): look after the disk; every request tries again"
            )),
        }
    }
}

impl Journal for Writer {
    fn append(&mut self, frame: NewFrame<'_>) -> Result<Appended, JournalError> {
        let appended = self.try_append(&frame);
        if appended.is_err() {
            self.forget();
        }
        appended
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        let Some(segment) = self.open.as_mut().filter(|segment| segment.synced < segment.written) else {
            return Ok(());
        };
        let room = self.options.journal_bytes_max.saturating_sub(self.kept.bytes());
        // What could not be written ahead is written when it comes.
        self.may_write_ahead =
            self.may_write_ahead && segment.write_ahead(room.min(self.options.segment_bytes)).is_ok();
        crash::point(Point::BeforeSync);
        match segment.file.sync_data() {
            Ok(()) => {
                segment.synced = segment.written;
                crash::point(Point::AfterSync);
                Ok(())
            }
            Err(error) => {
                self.may_write_ahead = false;
                self.seal();
                Err(self.told("synced", &error))
            }
        }
    }

    fn end(&self) -> u64 {
        self.open.as_ref().map_or(self.next_base, |segment| segment.base + segment.written)
    }

    fn release(&mut self, position: u64) {
        self.released = self.released.max(position);
        while self.bytes() > self.options.journal_bytes_max && self.kept.free_oldest(self.released) {}
    }
}

impl Drop for Writer {
    /// Takes the zeros away while the folder is still this writer's; if the disk does not let it, the
    /// next start does.
    fn drop(&mut self) {
        if let Some(segment) = &mut self.open {
            drop(segment.take_back());
        }
    }
}

/// Writes two parts, one after the other, without copying them together.
fn write_both(file: &mut File, mut first: &[u8], mut second: &[u8]) -> io::Result<()> {
    while !first.is_empty() || !second.is_empty() {
        match file.write_vectored(&[IoSlice::new(first), IoSlice::new(second)]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                let of_first = written.min(first.len());
                first = &first[of_first..];
                second = &second[written - of_first..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes half of a frame and ends the process: [`Point::MidWrite`].
fn tear(file: &mut File, first: &[u8], second: &[u8]) -> io::Result<()> {
    let half = (first.len() + second.len()) / 2;
    let of_first = half.min(first.len());
    write_both(file, &first[..of_first], &second[..half - of_first])?;
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::path::Path;

    use tempfile::TempDir;
    use tocsin_core::time::Timestamp;
    use tocsin_pipeline::journal::FrameBody;

    use super::*;
    use crate::journal::reader::{Frames, Read};

    /// A writer with one synced frame, and one that is not.
    fn writer() -> (TempDir, Writer) {
        let folder = tempfile::tempdir().unwrap();
        let (mut writer, _) = Writer::open(folder.path(), Options::default()).unwrap();
        tick(&mut writer, 1).unwrap();
        writer.sync().unwrap();
        tick(&mut writer, 2).unwrap();
        (folder, writer)
    }

    fn tick(writer: &mut Writer, time: i64) -> Result<Appended, JournalError> {
        writer.append(NewFrame::Tick(Timestamp(time)))
    }

    /// The disk takes writes but can neither sync nor cut: `/dev/null` is such a file.
    fn break_sync(writer: &mut Writer) {
        let null = OpenOptions::new().read(true).write(true).open("/dev/null").unwrap();
        writer.open.as_mut().unwrap().file = null;
    }

    /// The disk can neither write nor cut.
    fn break_write(writer: &mut Writer) {
        writer.open.as_mut().unwrap().file = File::open("/dev/null").unwrap();
    }

    fn ticks(folder: &Path, until: u64) -> Vec<i64> {
        let time = |read| match read {
            Read::Frame(frame) => match frame.body {
                FrameBody::Tick(time) => time.0,
                FrameBody::Events { .. } | FrameBody::Rules { .. } => panic!("nobody wrote that"),
            },
            Read::Hole(hole) => panic!("{hole}"),
        };
        Frames::new(folder, 0, until).unwrap().map(time).collect()
    }

    #[test]
    fn a_failed_sync_seals_the_segment_and_nothing_of_its_group_counts() {
        let (folder, mut writer) = writer();
        let synced = writer.open.as_ref().map(|segment| segment.base + segment.synced).unwrap();
        break_sync(&mut writer);
        let error = writer.sync().expect_err("the disk cannot sync");
        assert!(matches!(error, JournalError::Disk(_)), "{error}");
        assert_eq!(writer.end(), synced);
        assert_eq!(ticks(folder.path(), writer.end()), [1]);
        writer.sync().expect("nothing is left to sync");
        // The frame that failed still stands in the sealed segment: the next segment hides it.
        tick(&mut writer, 3).unwrap();
        writer.sync().unwrap();
        assert_eq!(ticks(folder.path(), writer.end()), [1, 3]);
        drop(writer);
        let (writer, opened) = Writer::open(folder.path(), Options::default()).unwrap();
        assert_eq!((opened.segments, opened.torn), (2, None));
        assert_eq!(ticks(folder.path(), writer.end()), [1, 3]);
    }

    #[test]
    fn a_failed_write_forgets_the_group_and_the_next_append_succeeds() {
        let (folder, mut writer) = writer();
        break_write(&mut writer);
        tick(&mut writer, 3).expect_err("the disk cannot be written");
        assert_eq!(ticks(folder.path(), writer.end()), [1]);
        tick(&mut writer, 4).unwrap();
        writer.sync().unwrap();
        assert_eq!(ticks(folder.path(), writer.end()), [1, 4]);
    }

    #[test]
    fn a_segment_that_fails_before_its_first_sync_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (mut writer, _) = Writer::open(folder.path(), Options::default()).unwrap();
        for time in 0..3 {
            tick(&mut writer, time).unwrap();
            break_sync(&mut writer);
            writer.sync().expect_err("the disk cannot sync");
        }
        tick(&mut writer, 9).unwrap();
        writer.sync().unwrap();
        assert_eq!(ticks(folder.path(), writer.end()), [9]);
        assert_eq!(writer.open.as_ref().map(|segment| segment.base), Some(0));
    }
}
