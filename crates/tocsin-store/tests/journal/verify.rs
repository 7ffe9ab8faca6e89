//! What `verify` says of a journal, beside a writer too.

use std::fs;

use tocsin_pipeline::journal::Journal;
use tocsin_store::journal::verify::Report;
use tocsin_store::journal::{HoleReason, verify};

use crate::support::{Content, Written, append, open, small, some_frame};

#[test]
fn a_sound_journal_is_counted() {
    let written = Written::of(small(20_000), (0..70).map(some_frame));
    let report = verify(written.path()).unwrap();
    assert!(report.is_sound(), "{report:?}");
    let records: usize = written
        .frames
        .iter()
        .map(|frame| match &frame.content {
            Content::Tick(_) => 0,
            Content::Events(batch) => batch.spans.len(),
        })
        .sum();
    assert_eq!((report.frames, report.records), (70, records as u64));
    assert_eq!(report.segments.len(), written.segments().len());
    assert_eq!(report.segments.iter().map(|segment| segment.frames).sum::<u64>(), 70);
    assert_eq!(report.bytes, written.end);
}

#[test]
fn damage_and_a_torn_tail_are_told_exactly() {
    let written = Written::of(small(20_000), (0..70).map(some_frame));
    let segments = written.segments();
    let (hit, last) = (&written.frames[3], written.frames.last().unwrap());
    let mut bytes = fs::read(&segments[0].1).unwrap();
    bytes[hit.end as usize - 1] ^= 1;
    fs::write(&segments[0].1, bytes).unwrap();
    let (base, path) = segments.last().unwrap();
    let tail = fs::read(path).unwrap();
    fs::write(path, &tail[..(last.end - base) as usize - 3]).unwrap();
    let report = verify(written.path()).unwrap();
    let [hole] = report.holes[..] else { panic!("{report:?}") };
    assert_eq!((hole.from, hole.to, hole.reason), (hit.start, hit.end, HoleReason::Damaged));
    assert_eq!(report.hole_bytes, hit.end - hit.start);
    assert_eq!(report.torn.map(|torn| (torn.from, torn.to)), Some((last.start, last.end - 3)));
    assert_eq!(report.frames, 68);
    assert!(!report.is_sound());
}

#[test]
fn a_journal_that_is_being_written_is_sound_all_the_time() {
    // Many segments, and one whose zeros are written over while they are read.
    for segment_bytes in [50_000, 16 << 20] {
        is_sound_all_the_time(segment_bytes);
    }
}

fn is_sound_all_the_time(segment_bytes: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    let (mut writer, _) = open(&path, small(segment_bytes));
    let done = std::sync::atomic::AtomicBool::new(false);
    let reports: Vec<Report> = std::thread::scope(|scope| {
        let looks = scope.spawn(|| {
            let mut reports = Vec::new();
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                reports.push(verify(&path).unwrap());
            }
            reports
        });
        for k in 0..3_000 {
            append(&mut writer, &some_frame(k));
            if k % 4 == 0 {
                writer.sync().unwrap();
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        looks.join().unwrap()
    });
    assert!(!reports.is_empty());
    for report in &reports {
        assert!(report.is_sound(), "{report:?}");
    }
    let last = verify(&path).unwrap();
    assert_eq!((last.frames, last.segments.last().map(|segment| segment.end)), (3_000, Some(writer.end())));
}

#[test]
fn an_unfinished_write_of_a_running_server_is_no_damage() {
    let written = Written::of(small(1 << 20), (0..3).map(some_frame));
    let (_writer, _) = open(written.path(), small(1 << 20));
    let (_, path) = written.segments().remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(b"\xF7TJ\xC1 the first half of a frame");
    fs::write(&path, bytes).unwrap();
    let report = verify(written.path()).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.being_written.map(|hole| hole.from), Some(written.end));
    drop(_writer);
    let report = verify(written.path()).unwrap();
    assert_eq!(report.torn.map(|hole| hole.from), Some(written.end), "nobody writes there: it is torn");
}
