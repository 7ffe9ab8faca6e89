//! Zeros ahead of small groups. To sync bytes that make a file longer costs the file system a
//! transaction of its own; to sync bytes written over others costs it none. So the stretch that the
//! next small groups will need is written once, as zeros, and their frames are written over it. A
//! large group would only be written twice.
//!
//! Zeros are no frame: readers take those that reach to the end of the file for its unwritten rest.

use std::io;
use std::os::unix::fs::FileExt;

use crate::journal::limits::{AHEAD_BYTES_MAX, SMALL_GROUP_BYTES_MAX};
use crate::journal::writer::OpenSegment;

/// What is written at once.
const ZEROS: &[u8] = &[0; 64 << 10];

impl OpenSegment {
    /// Writes zeros behind a small group that is about to be synced, if another one like it would
    /// not find enough of them; none at or past `limit`, a place in the file.
    ///
    /// # Errors
    /// The disk is full or cannot be written. What is written of the zeros is taken back.
    pub(super) fn write_ahead(&mut self, limit: u64) -> io::Result<()> {
        let group = self.written - self.synced;
        let end = (self.written + AHEAD_BYTES_MAX).min(limit);
        if group > SMALL_GROUP_BYTES_MAX || self.file_end >= end.min(self.written + group) {
            return Ok(());
        }
        let mut at = self.file_end;
        self.file_end = end;
        while at < end {
            let step = (end - at).min(ZEROS.len() as u64);
            if let Err(error) = self.file.write_all_at(&ZEROS[..step as usize], at) {
                self.cut(self.written)?;
                return Err(error);
            }
            at += step;
        }
        Ok(())
    }

    /// Cuts the file off at a place.
    pub(super) fn cut(&mut self, at: u64) -> io::Result<()> {
        self.file.set_len(at)?;
        self.file_end = at;
        Ok(())
    }

    /// Cuts off the zeros that are left. A file that others have made shorter stays as short.
    pub(super) fn take_back(&mut self) -> io::Result<()> {
        let is_left = self.file_end > self.written && self.file.metadata()?.len() > self.written;
        if is_left { self.cut(self.written) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use tocsin_core::batch::{RawBatch, RecordSpan};
    use tocsin_pipeline::journal::{Journal, NewFrame};

    use crate::journal::{Options, Writer};

    use super::*;

    /// Appends and syncs a group of about so many bytes; how far the zeros reach behind it.
    fn group(writer: &mut Writer, bytes: u64) -> u64 {
        let records = vec![RecordSpan { start: 0, len: bytes as u32 }];
        let raw = RawBatch { bytes: vec![b'x'; bytes as usize], records, ..RawBatch::default() };
        let frame = NewFrame::Events { tenant: "default", source: "key", raw: &raw, requests: &[] };
        writer.append(frame).unwrap();
        writer.sync().unwrap();
        let segment = writer.open.as_ref().unwrap();
        assert_eq!(segment.file.metadata().unwrap().len(), segment.file_end);
        segment.file_end - segment.written
    }

    #[test]
    fn zeros_are_written_behind_small_groups_only_and_within_the_segment() {
        let small = 4_500;
        let cases = [
            ("a small group", Options::default(), small, AHEAD_BYTES_MAX),
            ("a large group", Options::default(), SMALL_GROUP_BYTES_MAX + 1, 0),
            ("to the segment's end", Options { segment_bytes: 20_000, ..Options::default() }, small, 20_000),
            (
                "to a quarter of the bound",
                Options { journal_bytes_max: 100_000, ..Options::default() },
                small,
                25_000,
            ),
        ];
        for (name, options, bytes, expected) in cases {
            let folder = tempfile::tempdir().unwrap();
            let (mut writer, _) = Writer::open(folder.path(), options).unwrap();
            let ahead = group(&mut writer, bytes);
            let written = writer.bytes();
            let expected =
                if expected == 0 || expected == AHEAD_BYTES_MAX { expected } else { expected - written };
            assert_eq!(ahead, expected, "{name}");
        }
    }

    #[test]
    fn the_zeros_stay_within_the_bound_of_the_journal() {
        let folder = tempfile::tempdir().unwrap();
        let bound = 120_000;
        let options = Options { journal_bytes_max: bound, ..Options::default() };
        let (mut writer, _) = Writer::open(folder.path(), options).unwrap();
        let mut least_left = bound;
        let for_records = bound - bound / 10;
        while writer.bytes() + 5_000 <= for_records {
            let on_disk = group(&mut writer, 4_500) + writer.bytes();
            assert!(on_disk <= bound, "{on_disk} bytes");
            least_left = least_left.min(bound - on_disk);
        }
        assert_eq!(least_left, 0, "up to the bound");
    }

    #[test]
    fn the_zeros_are_used_up_before_there_are_more_and_go_with_the_writer() {
        let folder = tempfile::tempdir().unwrap();
        let (mut writer, _) = Writer::open(folder.path(), Options::default()).unwrap();
        let mut left = group(&mut writer, 4_500);
        let mut written_ahead = 1;
        for _ in 0..1_000 {
            let now = group(&mut writer, 4_500);
            written_ahead += u64::from(now > left);
            left = now;
        }
        let bytes = writer.bytes();
        assert!(written_ahead <= bytes / AHEAD_BYTES_MAX + 1, "{written_ahead} times for {bytes} bytes");
        let path = writer.folder().join("00000000000000000000.log");
        drop(writer);
        assert_eq!(std::fs::metadata(path).unwrap().len(), bytes);
    }
}
