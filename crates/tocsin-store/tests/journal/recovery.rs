//! What a start finds after a crash: a torn tail goes, everything before it stays.

use std::fs::{self, OpenOptions};

use tocsin_pipeline::journal::Journal;
use tocsin_store::journal::format::HEADER_BYTES;
use tocsin_store::journal::{Frames, OpenError, Options, Writer, verify};

use crate::support::{
    Content, Written, append, copy, events, open, read, record_of, small, some_frame, split,
};

#[test]
fn a_tail_torn_at_any_byte_loses_the_last_frame_only() {
    let written =
        Written::of(small(1 << 20), [record_of(50, 1), Content::Tick(4), events(&[b"one", b"two"])]);
    let last = written.frames.last().unwrap();
    let zeros = [0, 1, 20_000];
    for (cut, zeros) in (last.start..last.end).flat_map(|cut| zeros.map(|zeros| (cut, zeros))) {
        let folder = copy(written.path());
        let file =
            OpenOptions::new().write(true).open(folder.path().join("00000000000000000000.log")).unwrap();
        file.set_len(cut).unwrap();
        file.set_len(cut + zeros).unwrap();
        let (mut writer, opened) = open(folder.path(), small(1 << 20));
        assert_eq!(opened.end, last.start, "cut at {cut}");
        let torn = opened.torn.map(|hole| (hole.from, hole.to));
        assert_eq!(torn, (cut > last.start).then_some((last.start, cut + zeros)), "cut at {cut}, {zeros}");
        let again = append(&mut writer, &last.content);
        writer.sync().unwrap();
        assert_eq!((again.start, again.end), (last.start, last.end), "cut at {cut}");
        assert_eq!(read(folder.path(), 0, writer.end()), (written.frames.clone(), vec![]), "cut at {cut}");
    }
}

#[test]
fn a_tail_of_other_bytes_is_taken_away() {
    let mut late = vec![0; 70_000];
    late.push(1);
    let tails = [
        (vec![0; 70_000], false),
        (late, true),
        (vec![0xF7; 33], true),
        (b"\xF7TJ\xC1 and so on, and so on".to_vec(), true),
    ];
    for (tail, is_torn) in tails {
        let written = Written::of(small(1 << 20), (0..5).map(some_frame));
        let (base, path) = written.segments().remove(0);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend_from_slice(&tail);
        fs::write(&path, bytes).unwrap();
        assert_eq!(
            verify(written.path(), 0).unwrap().is_sound(),
            !is_torn,
            "zeros to the end are none written yet"
        );
        let (writer, opened) = open(written.path(), small(1 << 20));
        let torn = opened.torn.map(|hole| (hole.from, hole.bytes()));
        assert_eq!(torn, is_torn.then_some((written.end, tail.len() as u64)));
        assert_eq!(fs::metadata(&path).unwrap().len(), written.end - base);
        assert_eq!(read(written.path(), 0, writer.end()), (written.frames.clone(), vec![]));
    }
}

#[test]
fn a_newest_segment_without_header_is_as_if_absent() {
    for bytes in [0, 1, 39, 40, HEADER_BYTES as usize] {
        let written = Written::of(small(9_000), (0..4).map(some_frame));
        let name = format!("{:020}.log", written.end);
        fs::write(written.path().join(&name), vec![0; bytes]).unwrap();
        let (mut writer, opened) = open(written.path(), small(9_000));
        assert_eq!(opened.end, written.end, "{bytes} bytes");
        for k in 0..20 {
            append(&mut writer, &record_of(2_000, k));
            writer.sync().unwrap();
        }
        let (frames, holes) = read(written.path(), 0, writer.end());
        assert_eq!((frames.len(), holes), (24, vec![]), "{bytes} bytes");
    }
}

#[test]
fn frames_written_but_not_synced_are_read_after_a_crash_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, _) = open(folder.path(), small(1 << 20));
    append(&mut writer, &Content::Tick(1));
    writer.sync().unwrap();
    append(&mut writer, &Content::Tick(2));
    drop(writer);
    let (writer, opened) = open(folder.path(), small(1 << 20));
    let (frames, holes) = read(folder.path(), 0, writer.end());
    assert_eq!((frames.len(), holes.len(), opened.torn), (2, 0, None));
}

#[test]
fn a_kill_leaves_zeros_that_are_neither_frames_nor_damage() {
    let killed = Written::killed(small(1 << 20), (0..20).map(some_frame));
    let (_, path) = killed.segments().remove(0);
    assert_eq!(fs::metadata(&path).unwrap().len(), 1 << 20, "zeros are written ahead");
    let report = verify(killed.path(), 0).unwrap();
    assert!(report.is_sound() && report.frames == 20, "{report:?}");
    assert_eq!(report.segments[0].end, killed.end);
    let all = split(Frames::all(killed.path()).unwrap());
    assert_eq!(all, (killed.frames.clone(), vec![]));
    let (mut writer, opened) = open(killed.path(), small(1 << 20));
    assert_eq!((opened.end, opened.torn, opened.bytes), (killed.end, None, killed.end));
    assert_eq!(fs::metadata(&path).unwrap().len(), killed.end, "they are cut off");
    let appended = append(&mut writer, &Content::Tick(1));
    writer.sync().unwrap();
    assert_eq!(appended.start, killed.end);
    assert_eq!(read(killed.path(), 0, writer.end()).0.len(), 21);
}

#[test]
fn a_last_frame_that_was_lost_to_zeros_is_a_hole_for_whoever_knows_of_it() {
    let killed = Written::killed(small(1 << 20), (0..20).map(some_frame));
    let last = killed.frames.last().unwrap();
    let (_, path) = killed.segments().remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[last.start as usize..last.end as usize].fill(0);
    fs::write(&path, bytes).unwrap();
    let (frames, holes) = read(killed.path(), 0, killed.end);
    assert_eq!(frames.len(), 19);
    assert_eq!(holes.iter().map(|hole| (hole.from, hole.to)).collect::<Vec<_>>(), [(last.start, last.end)]);
}

#[test]
fn no_frame_begins_before_what_is_known_elsewhere() {
    let written = Written::of(small(1 << 20), (0..3).map(some_frame));
    let known = written.end + 5_000;
    let options = Options { not_before: known, ..small(1 << 20) };
    let (mut writer, opened) = open(written.path(), options);
    assert_eq!((opened.end, writer.end()), (known, known));
    let appended = append(&mut writer, &Content::Tick(9));
    assert_eq!(appended.start, known + HEADER_BYTES);
    writer.sync().unwrap();
    let (frames, holes) = read(written.path(), 0, writer.end());
    assert_eq!(frames.len(), 4);
    assert_eq!(holes.iter().map(|hole| (hole.from, hole.to)).collect::<Vec<_>>(), [(written.end, known)]);
    drop(writer);
    assert_eq!(open(written.path(), options).1.end, appended.end, "once it is behind, it changes nothing");
}

#[test]
fn a_journal_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let (_writer, _) = open(folder.path(), Options::default());
    let second = Writer::open(folder.path(), Options::default());
    let Err(error @ OpenError::InUse(_)) = second else { panic!("two writers") };
    assert!(error.to_string().contains("another Tocsin uses this journal"), "{error}");
}

#[test]
fn a_journal_of_a_newer_version_is_not_touched() {
    let written = Written::of(small(1 << 20), (0..3).map(some_frame));
    let (_, path) = written.segments().remove(0);
    let mut bytes = fs::read(&path).unwrap();
    for copy in [0, 4_096] {
        bytes[copy + 8] = 9;
        let checksum = crc32c::crc32c(&bytes[copy..copy + 36]);
        bytes[copy + 36..copy + 40].copy_from_slice(&checksum.to_le_bytes());
    }
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(Writer::open(written.path(), small(1 << 20)), Err(OpenError::Newer(_))));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn an_empty_journal_opens_and_ends_where_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, opened) = open(&folder.path().join("new/journal"), Options::default());
    assert_eq!((opened.first, opened.end, opened.segments, writer.end()), (0, 0, 0, 0));
    let (frames, holes) = split(Frames::all(writer.folder()).unwrap());
    assert_eq!((frames, holes), (vec![], vec![]));
}
