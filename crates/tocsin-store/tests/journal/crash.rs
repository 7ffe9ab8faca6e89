//! A process that dies at every numbered point of the journal: what it acknowledged is there.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use tocsin_pipeline::journal::Journal;
use tocsin_store::crash::{Point, VARIABLE};
use tocsin_store::journal::{Options, verify};

use crate::support::{Placed, append, open, read, some_frame};

const FOLDER: &str = "TOCSIN_TEST_JOURNAL";
const GROUPS: usize = 60;

fn options() -> Options {
    Options { segment_bytes: 10_000, journal_bytes_max: 60_000, ..Options::default() }
}

/// Writes groups of three frames; after each sync their starts go to a file, as acknowledgements.
fn write(folder: &Path) {
    let (mut writer, _) = open(&folder.join("journal"), options());
    let mut told = OpenOptions::new().append(true).create(true).open(folder.join("told")).unwrap();
    for group in 0..GROUPS {
        let starts: Vec<u64> =
            (0..3).map(|k| append(&mut writer, &some_frame(group * 3 + k)).start).collect();
        writer.sync().unwrap();
        for start in starts {
            writeln!(told, "{start}").unwrap();
        }
        writer.release(writer.end());
    }
}

#[test]
#[ignore = "the process that dies; started by the test below"]
fn dies() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        write(Path::new(&folder));
    }
}

/// Runs the writer until it dies at a pass of a point; the starts it told, and what it left.
fn crash_at(point: Point, pass: usize) -> (tempfile::TempDir, Vec<u64>) {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::dies", "--ignored"])
        .env(VARIABLE, format!("{}:{pass}", point.number()))
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    assert!(!output.status.success(), "{point:?} was not passed {pass} times");
    let told = fs::read_to_string(folder.path().join("told")).unwrap_or_default();
    let told = told.lines().map(|line| line.parse().unwrap()).collect();
    (folder, told)
}

#[test]
fn whatever_was_acknowledged_is_there_after_a_crash_at_any_point() {
    let points = [
        (Point::BeforeWrite, 20),
        (Point::MidWrite, 31),
        (Point::MidWrite, 1),
        (Point::AfterWrite, 32),
        (Point::BeforeSync, 11),
        (Point::AfterSync, 12),
        (Point::SegmentTempWritten, 1),
        (Point::SegmentTempWritten, 4),
        (Point::SegmentRenamed, 5),
        (Point::SegmentFreed, 3),
    ];
    for (point, pass) in points {
        let (folder, told) = crash_at(point, pass);
        let journal = folder.path().join("journal");
        let (mut writer, opened) = open(&journal, options());
        assert_eq!(opened.holes, [], "{point:?}");
        assert_eq!(opened.torn.is_some(), point == Point::MidWrite, "{point:?}");
        let (frames, holes) = read(&journal, opened.first, opened.end);
        assert_eq!(holes, [], "{point:?}");
        let starts: Vec<u64> = frames.iter().map(|frame: &Placed| frame.start).collect();
        let kept: Vec<u64> = told.iter().copied().filter(|start| *start >= opened.first).collect();
        assert!(starts.starts_with(&kept), "{point:?}: {kept:?} in {starts:?}");
        assert!(starts.len() <= kept.len() + 3, "{point:?}: at most one group more");
        writer.release(opened.end);
        append(&mut writer, &some_frame(1));
        writer.sync().unwrap();
        drop(writer);
        assert!(verify(&journal, 0).unwrap().is_sound(), "{point:?}");
    }
}
