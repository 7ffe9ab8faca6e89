//! A disk that is full or read-only, and then is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tocsin_pipeline::journal::{Journal, JournalError};

use crate::support::{append, open, read, record_of, small, try_append};

/// A file system of its own, of 2 MiB; needs root.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    fn mount() -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let options = ["-t", "tmpfs", "-o", "size=2m", "none"];
        let mounted = Command::new("mount").args(options).arg(folder.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(SmallDisk { folder })
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    fn remount(&self, how: &str) {
        let how = format!("remount,{how}");
        let status = Command::new("mount").args(["-o", &how]).arg(self.folder.path()).status().unwrap();
        assert!(status.success(), "{how}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.folder.path()).status().unwrap();
    }
}

/// Appends and syncs records of so many bytes until the disk says no.
fn fill(
    writer: &mut tocsin_store::journal::Writer,
    bytes: usize,
    acknowledged: &mut Vec<u64>,
) -> JournalError {
    loop {
        let appended = match try_append(writer, &record_of(bytes, acknowledged.len())) {
            Ok(appended) => appended,
            Err(error) => return error,
        };
        match writer.sync() {
            Ok(()) => acknowledged.push(appended.start),
            Err(error) => return error,
        }
    }
}

fn starts(folder: &Path, until: u64) -> Vec<u64> {
    let (frames, holes) = read(folder, 0, until);
    assert_eq!(holes, []);
    frames.into_iter().map(|frame| frame.start).collect()
}

#[test]
fn a_full_disk_is_told_and_writing_goes_on_when_there_is_room() {
    for segment_bytes in [200_000, 100 << 20] {
        let Some(disk) = SmallDisk::mount() else {
            eprintln!("skipped: mounting a small disk needs root");
            return;
        };
        let ballast = disk.folder.path().join("ballast");
        fs::write(&ballast, vec![1; 1 << 20]).unwrap();
        let (mut writer, _) = open(&disk.journal(), small(segment_bytes));
        let mut acknowledged = Vec::new();
        for round in 0..3 {
            let error = fill(&mut writer, 30_000, &mut acknowledged);
            assert!(matches!(error, JournalError::Full(_)), "{error:?}");
            assert!(error.to_string().contains("no room on the disk"), "{error}");
            assert_eq!(starts(&disk.journal(), writer.end()), acknowledged, "round {round}");
        }
        fs::remove_file(&ballast).unwrap();
        let before = acknowledged.len();
        acknowledged.push(append(&mut writer, &record_of(30_000, 0)).start);
        writer.sync().unwrap();
        fill(&mut writer, 30_000, &mut acknowledged);
        assert!(acknowledged.len() > before + 10, "{} frames more", acknowledged.len() - before);
        assert_eq!(starts(&disk.journal(), writer.end()), acknowledged);
        drop(writer);
        let (writer, opened) = open(&disk.journal(), small(segment_bytes));
        assert_eq!((opened.torn, opened.holes.len()), (None, 0));
        assert_eq!(starts(&disk.journal(), writer.end()), acknowledged, "after a restart");
    }
}

#[test]
fn zeros_that_find_no_room_ahead_leave_all_of_it_to_frames() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: mounting a small disk needs root");
        return;
    };
    fs::write(disk.folder.path().join("ballast"), vec![1; 3 << 19]).unwrap();
    let (mut writer, _) = open(&disk.journal(), small(100 << 20));
    let mut acknowledged = Vec::new();
    fill(&mut writer, 3_000, &mut acknowledged);
    assert!(acknowledged.len() * 3_000 > 450_000, "{} frames", acknowledged.len());
    assert_eq!(starts(&disk.journal(), writer.end()), acknowledged);
}

#[test]
fn a_read_only_disk_is_told_and_writing_goes_on_when_it_is_not() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: mounting a small disk needs root");
        return;
    };
    let (mut writer, _) = open(&disk.journal(), small(40_000));
    append(&mut writer, &record_of(50_000, 0));
    writer.sync().unwrap();
    drop(writer);
    disk.remount("ro");
    let (mut writer, _) = open(&disk.journal(), small(40_000));
    for _ in 0..3 {
        let error = try_append(&mut writer, &record_of(100, 1)).expect_err("read-only");
        assert!(matches!(error, JournalError::Disk(_)), "{error:?}");
        assert!(error.to_string().contains("mount it for writing"), "{error}");
    }
    disk.remount("rw");
    append(&mut writer, &record_of(100, 2));
    writer.sync().unwrap();
    assert_eq!(starts(&disk.journal(), writer.end()).len(), 2);
}
