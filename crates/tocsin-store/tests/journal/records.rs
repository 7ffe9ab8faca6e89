//! Records found again by the position that names them.

use std::fs;

use tocsin_core::offset::{PartitionId, Position};
use tocsin_pipeline::journal::{Frame, FrameBody, Journal};
use tocsin_pipeline::records::Records;
use tocsin_store::journal::{Frames, JournalRecords, Options, Read};

use crate::support::{Written, append, events, open, record_of, small, some_frame};

/// Every record of a journal with its position, as the engine names it.
fn all_records(written: &Written) -> Vec<(Position, Vec<u8>)> {
    let mut found = Vec::new();
    for read in Frames::all(written.path()).unwrap() {
        if let Read::Frame(Frame { body: FrameBody::Events { raw, .. }, .. }) = read {
            let record = |index| (raw.position(index), raw.record(index).to_vec());
            found.extend((0..raw.records.len() as u32).map(record));
        }
    }
    found
}

#[test]
fn every_record_is_found_by_its_position_in_any_order() {
    let written = Written::of(small(200_000), (0..2_000).map(some_frame));
    let records = all_records(&written);
    assert!(records.len() > 1_500 && written.segments().len() > 3);
    let mut journal = JournalRecords::new(written.path());
    for (position, record) in &records {
        assert_eq!(journal.read(*position).as_ref(), Some(record), "{position} forwards");
    }
    let mut fresh = JournalRecords::new(written.path());
    for (position, record) in records.iter().rev() {
        assert_eq!(fresh.read(*position).as_ref(), Some(record), "{position} backwards");
    }
    let mut jumping = JournalRecords::new(written.path());
    for k in 0..records.len() {
        let (position, record) = &records[k * 757 % records.len()];
        assert_eq!(jumping.read(*position).as_ref(), Some(record), "{position} at a jump");
    }
    assert!(!journal.must_keep(PartitionId(0)));
}

#[test]
fn a_place_where_no_record_begins_has_none() {
    let written = Written::of(small(20_000), (0..40).map(some_frame));
    let known: Vec<u64> = all_records(&written).iter().map(|(position, _)| position.offset()).collect();
    let mut journal = JournalRecords::new(written.path());
    for offset in (0..written.end + 100).filter(|offset| !known.contains(offset)) {
        assert_eq!(journal.record(offset), None, "{offset}");
    }
}

#[test]
fn a_record_of_a_damaged_frame_is_gone_and_its_neighbours_are_not() {
    let written = Written::of(small(1 << 20), (0..30).map(|k| record_of(500, k)));
    let records = all_records(&written);
    let (_, path) = written.segments().remove(0);
    for (hit, offset_in_frame) in [(10, 3), (20, 100)] {
        let mut bytes = fs::read(&path).unwrap();
        bytes[written.frames[hit].start as usize + offset_in_frame] ^= 1;
        fs::write(&path, &bytes).unwrap();
    }
    let mut journal = JournalRecords::new(written.path());
    for (index, (position, record)) in records.iter().enumerate() {
        let expected = (index != 10 && index != 20).then_some(record);
        assert_eq!(journal.read(*position).as_ref(), expected, "record {index}");
    }
}

#[test]
fn records_are_found_while_the_journal_grows_and_is_freed() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { journal_bytes_max: 100_000, ..small(20_000) };
    let (mut writer, _) = open(folder.path(), options);
    let mut journal = JournalRecords::new(folder.path());
    let mut first = None;
    for k in 0..500 {
        let record = format!("record {k} {}", "x".repeat(k));
        let appended = append(&mut writer, &events(&[record.as_bytes()]));
        writer.sync().unwrap();
        assert_eq!(journal.record(appended.records_at), Some(record.into_bytes()), "{k}");
        writer.release(appended.start);
        first.get_or_insert(appended.records_at);
    }
    assert_eq!(journal.record(first.unwrap()), None, "freed");
}

#[test]
fn a_record_that_was_asked_for_too_early_is_found_once_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, _) = open(folder.path(), small(1 << 20));
    append(&mut writer, &record_of(100, 0));
    writer.sync().unwrap();
    let mut journal = JournalRecords::new(folder.path());
    assert_eq!(journal.record(500_000), None, "zeros are there, ahead of what comes");
    for k in 0..50 {
        let record = format!("record {k} {}", "x".repeat(20_000));
        let appended = append(&mut writer, &events(&[record.as_bytes()]));
        writer.sync().unwrap();
        assert_eq!(journal.record(appended.records_at), Some(record.into_bytes()), "{k}");
    }
}

#[test]
fn records_of_a_segment_that_replaced_a_failed_one_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, _) = open(folder.path(), small(1 << 20));
    append(&mut writer, &record_of(100, 0));
    let mut journal = JournalRecords::new(folder.path());
    assert_eq!(journal.record(0), None, "the folder is looked at");
    drop(writer);
    fs::remove_file(folder.path().join("00000000000000000000.log")).unwrap();
    let (mut writer, _) = open(folder.path(), small(1 << 20));
    let appended = append(&mut writer, &events(&[b"again"]));
    writer.sync().unwrap();
    assert_eq!(journal.record(appended.records_at).as_deref(), Some(&b"again"[..]));
}
