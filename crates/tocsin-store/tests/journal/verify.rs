//! What `verify` says of a journal, beside a writer too.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tocsin_pipeline::journal::Journal;
use tocsin_store::journal::format::HEADER_BYTES;
use tocsin_store::journal::verify::{DamagedHeader, Report};
use tocsin_store::journal::{Hole, HoleReason, Options, verify};

use crate::support::{Content, Written, append, open, read, small, some_frame};

#[test]
fn a_sound_journal_is_counted() {
    let written = Written::of(small(20_000), (0..70).map(some_frame));
    let report = verify(written.path(), 0).unwrap();
    assert!(report.is_sound(), "{report:?}");
    let records: usize = written
        .frames
        .iter()
        .map(|frame| match &frame.content {
            Content::Tick(_) => 0,
            Content::Events(batch) => batch.spans.len(),
            Content::Rules { .. } => 0,
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
    let report = verify(written.path(), 0).unwrap();
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
    let done = AtomicBool::new(false);
    let synced = AtomicU64::new(0);
    let reports: Vec<Report> = std::thread::scope(|scope| {
        let looks = scope.spawn(|| {
            let mut reports = Vec::new();
            while !done.load(Ordering::Relaxed) {
                reports.push(verify(&path, synced.load(Ordering::Acquire)).unwrap());
            }
            reports
        });
        for k in 0..3_000 {
            append(&mut writer, &some_frame(k));
            if k % 4 == 0 {
                writer.sync().unwrap();
                synced.store(writer.end(), Ordering::Release);
            }
        }
        done.store(true, Ordering::Relaxed);
        looks.join().unwrap()
    });
    assert!(!reports.is_empty());
    for report in &reports {
        assert!(report.is_sound(), "{report:?}");
    }
    let last = verify(&path, 0).unwrap();
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
    let report = verify(written.path(), 0).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.being_written.map(|hole| hole.from), Some(written.end));
    drop(_writer);
    let report = verify(written.path(), 0).unwrap();
    assert_eq!(report.torn.map(|hole| hole.from), Some(written.end), "nobody writes there: it is torn");
}

#[test]
fn any_damaged_byte_of_a_header_is_told_with_its_copy_and_costs_no_frame() {
    let written = Written::of(small(20_000), (0..70).map(some_frame));
    let (_, path) = written.segments().remove(1);
    let file = path.file_name().unwrap().to_str().unwrap();
    let sound = fs::read(&path).unwrap();
    let first = [0, 3, 8, 20, 39, 40, 60, 100, 4_095].map(|at| (at, 1, 0, 4_096));
    let second = [4_096, 4_099, 4_135, 4_136, 8_000, 8_191].map(|at| (at, 2, 4_096, 8_192));
    for (at, copy, from, to) in first.into_iter().chain(second) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x40;
        fs::write(&path, bytes).unwrap();
        let report = verify(written.path(), written.end).unwrap();
        assert_eq!(report.headers, [DamagedHeader { file: file.to_string(), copy, from, to }], "byte {at}");
        assert_eq!((report.frames, report.is_sound(), report.holes), (70, false, vec![]), "byte {at}");
    }
}

/// Where segments begin, and where the last one ends.
fn bounds(written: &Written) -> Vec<u64> {
    written.segments().into_iter().map(|(base, _)| base).chain([written.end]).collect()
}

fn missing(from: u64, to: u64) -> Hole {
    Hole { from, to, reason: HoleReason::Missing }
}

#[test]
fn segments_that_are_gone_are_missing_and_a_start_says_so() {
    let count = Written::of(small(20_000), (0..70).map(some_frame)).segments().len();
    assert!(count >= 4);
    let cases = [
        ("the middle", 1..2, false),
        ("two of the middle", 1..3, false),
        ("the newest", count - 1..count, true),
        ("the two newest", count - 2..count, true),
        ("all", 0..count, true),
    ];
    for (name, gone, is_end) in cases {
        let written = Written::of(small(20_000), (0..70).map(some_frame));
        let bounds = bounds(&written);
        let lost = missing(bounds[gone.start], bounds[gone.end]);
        for (_, path) in &written.segments()[gone] {
            fs::remove_file(path).unwrap();
        }
        let report = verify(written.path(), written.end).unwrap();
        let expected = if is_end { (vec![], Some(lost)) } else { (vec![lost], None) };
        assert_eq!((report.holes.clone(), report.missing_end), expected, "{name}");
        assert!(!report.is_sound(), "{name}");
        let known = Options { not_before: written.end, ..small(20_000) };
        let (writer, opened) = open(written.path(), known);
        assert_eq!((opened.holes, opened.end), (vec![lost], written.end), "{name}");
        assert_eq!(read(written.path(), opened.first.min(lost.from), writer.end()).1, [lost], "{name}");
    }
}

#[test]
fn a_newest_segment_cut_short_of_what_is_known_ends_too_early() {
    let written = Written::of(small(1 << 20), (0..20).map(some_frame));
    let (_, path) = written.segments().remove(0);
    let sound = fs::read(&path).unwrap();
    let last = written.frames.last().unwrap();
    let damaged = |to| Hole { from: last.start, to, reason: HoleReason::Damaged };
    let cases = [
        ("between frames", last.start, vec![], missing(last.start, written.end)),
        ("within a frame", last.end - 3, vec![damaged(last.end - 3)], missing(last.end - 3, written.end)),
        ("to its header", HEADER_BYTES, vec![], missing(HEADER_BYTES, written.end)),
    ];
    for (name, length, holes, lost) in cases {
        fs::write(&path, &sound[..length as usize]).unwrap();
        let report = verify(written.path(), written.end).unwrap();
        assert_eq!((report.holes, report.missing_end, report.torn), (holes, Some(lost), None), "{name}");
    }
    // Frames that zeros took the place of are as missing as if they were cut off.
    let mut zeros = sound.clone();
    zeros[last.start as usize..].fill(0);
    fs::write(&path, zeros).unwrap();
    let report = verify(written.path(), written.end).unwrap();
    assert_eq!(report.missing_end, Some(missing(last.start, written.end)));
    assert!(verify(written.path(), last.start).unwrap().is_sound(), "nothing is known of it");
    let known = Options { not_before: written.end, ..small(1 << 20) };
    assert_eq!(open(written.path(), known).1.holes, [missing(last.start, written.end)]);
}
