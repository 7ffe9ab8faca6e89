//! `tocsin verify` from outside: sound, damaged, torn, cut short, beside a writer, and used wrongly.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tocsin_core::batch::{RawBatch, RecordSpan};
use tocsin_core::time::Timestamp;
use tocsin_pipeline::commit::{CommitGroup, Store};
use tocsin_pipeline::journal::{Appended, Journal, NewFrame};
use tocsin_store::journal::{Options, Writer};

use crate::support::{Folder, Outcome};

/// A data folder with a journal of a tick and ten frames of two records each; the last frame.
fn data(folder: &Folder) -> (Writer, Appended) {
    let journal = folder.path().join("data/journal");
    let (mut writer, _) = Writer::open(&journal, Options::default()).unwrap();
    let mut last = writer.append(NewFrame::Tick(Timestamp(1))).unwrap();
    let spans = [(0, 5), (6, 6)].map(|(start, len)| RecordSpan { start, len });
    let raw = RawBatch { bytes: b"first\nsecond".to_vec(), records: spans.to_vec(), ..RawBatch::default() };
    for _ in 0..10 {
        let frame = NewFrame::Events { tenant: "default", source: "key", raw: &raw, requests: &[] };
        last = writer.append(frame).unwrap();
    }
    writer.sync().unwrap();
    (writer, last)
}

fn segment(folder: &Folder) -> PathBuf {
    folder.path().join("data/journal/00000000000000000000.log")
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn report(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.out).unwrap()
}

#[test]
fn a_sound_journal_is_found_in_the_data_folder_or_by_itself_and_beside_a_server() {
    let folder = Folder::new();
    let (writer, _) = data(&folder);
    for path in ["data", "data/journal"] {
        let outcome = folder.run(&["verify", path]);
        assert_eq!((outcome.code, outcome.err.as_str()), (0, ""), "{path}");
        assert!(outcome.out.contains("sound: 1 segments, 11 frames, 20 records"), "{}", outcome.out);
        assert!(outcome.out.contains("00000000000000000000.log"), "{}", outcome.out);
    }
    drop(writer);
    let outcome = folder.run(&["verify", "data", "--json"]);
    let report = report(&outcome);
    assert_eq!((outcome.code, &report["sound"], &report["frames"]), (0, &true.into(), &11.into()));
    assert_eq!(report["segments"][0]["records"], 20);
}

#[test]
fn damage_is_named_with_its_bytes() {
    let folder = Folder::new();
    let (_writer, last) = data(&folder);
    let bytes = last.end - last.start;
    let (from, to) = (last.start - bytes, last.start);
    change(&segment(&folder), |journal| journal[from as usize + 20] ^= 4);
    let outcome = folder.run(&["verify", "data"]);
    assert_eq!(outcome.code, 1);
    let line = format!("hole: {from}..{to} ({bytes} bytes) damaged");
    assert!(outcome.out.contains(&line), "{}", outcome.out);
    let report = report(&folder.run(&["verify", "data", "--json"]));
    let hole = serde_json::json!({ "from": from, "to": to, "reason": "damaged" });
    assert_eq!((&report["sound"], &report["holes"]), (&false.into(), &serde_json::json!([hole])));
}

#[test]
fn a_torn_tail_is_told_apart_from_one_being_written() {
    let folder = Folder::new();
    let (writer, last) = data(&folder);
    change(&segment(&folder), |journal| journal.truncate(last.end as usize - 1));
    let running = folder.run(&["verify", "data"]);
    assert_eq!(running.code, 0, "{}", running.out);
    assert!(running.out.contains("still being written"), "{}", running.out);
    drop(writer);
    let stopped = folder.run(&["verify", "data"]);
    assert_eq!(stopped.code, 1);
    let range = format!("{}..{}", last.start, last.end - 1);
    assert!(stopped.out.contains("torn tail") && stopped.out.contains(&range), "{}", stopped.out);
}

#[test]
fn a_folder_without_journal_is_wrong_usage() {
    let folder = Folder::new().with("logs/a.txt", "no journal");
    for (path, says) in [("logs", "no journal here"), ("nowhere", "there is no such folder")] {
        let outcome = folder.run(&["verify", path]);
        assert_eq!((outcome.code, outcome.out.as_str()), (2, ""), "{path}");
        assert!(outcome.err.contains(says), "{}", outcome.err);
    }
}

#[test]
fn a_damaged_copy_of_a_head_is_named() {
    let folder = Folder::new();
    let (_writer, _) = data(&folder);
    let sound = fs::read(segment(&folder)).unwrap();
    for (at, copy) in
        [(0, 1), (3, 1), (20, 1), (40, 1), (60, 1), (100, 1), (4_096, 2), (4_099, 2), (8_000, 2)]
    {
        fs::write(segment(&folder), &sound).unwrap();
        change(&segment(&folder), |journal| journal[at] ^= 0xFF);
        let outcome = folder.run(&["verify", "data"]);
        let line = format!("head: 00000000000000000000.log: copy {copy} of 2");
        assert_eq!(outcome.code, 1, "byte {at}: {}", outcome.out);
        assert!(outcome.out.contains(&line), "byte {at}: {}", outcome.out);
        assert!(outcome.out.contains("11 frames, 20 records"), "byte {at}: {}", outcome.out);
    }
}

/// A database that has reached a position.
fn reach(folder: &Folder, position: u64) {
    let mut store = tocsin_store::Writer::open(&folder.path().join("data"), "rules").unwrap();
    store.commit(&CommitGroup { end: position, ..CommitGroup::default() }).unwrap();
}

#[test]
fn a_journal_that_ends_before_what_the_database_has_reached_is_not_sound() {
    let folder = Folder::new();
    let (writer, last) = data(&folder);
    reach(&folder, last.end);
    let sound = folder.run(&["verify", "data"]);
    assert_eq!((sound.code, sound.err.as_str()), (0, ""), "{}", sound.out);
    drop(writer);
    fs::remove_file(segment(&folder)).unwrap();
    let outcome = folder.run(&["verify", "data"]);
    let line = format!("end: 0..{0} ({0} bytes) missing; the database has reached {0}", last.end);
    assert_eq!(outcome.code, 1);
    assert!(outcome.out.contains(&line), "{}", outcome.out);
    let report = report(&folder.run(&["verify", "data", "--json"]));
    let missing = serde_json::json!({ "from": 0, "to": last.end, "reason": "missing" });
    assert_eq!((&report["committed"], &report["missing_end"]), (&last.end.into(), &missing));
    let alone = folder.run(&["verify", "data/journal"]);
    assert_eq!(alone.code, 0, "a journal by itself is compared with nothing: {}", alone.out);
}

#[test]
fn a_database_that_cannot_be_read_is_said_and_the_journal_is_checked_all_the_same() {
    let folder = Folder::new().with("data/tocsin.db", "no database, but long enough to look like something");
    let (_writer, _) = data(&folder);
    let outcome = folder.run(&["verify", "data"]);
    assert_eq!(outcome.code, 0, "{}", outcome.out);
    for line in ["the end is not compared with the database", "sound: 1 segments, 11 frames"] {
        assert!(outcome.out.contains(line), "{}", outcome.out);
    }
    assert_eq!(report(&folder.run(&["verify", "data", "--json"]))["committed"], Value::Null);
}
