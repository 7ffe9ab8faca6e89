//! Checkpoints: the newest that reads whole, and what is kept.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::fs;
use std::path::PathBuf;

use tocsin_core::batch::TenantId;
use tocsin_pipeline::commit::{CommitGroup, NewCheckpoint, Store};
use tocsin_pipeline::ledger::LedgerTotals;
use tocsin_store::Writer;

use crate::support::House;

fn checkpoint(house: &mut House, position: u64) {
    let bytes = format!("state at {position}").into_bytes().into();
    let checkpoint = Some(NewCheckpoint { position, bytes });
    house.writer.commit(&CommitGroup { end: position, checkpoint, ..CommitGroup::default() }).unwrap();
}

fn file(house: &House, position: u64) -> PathBuf {
    house.data().join(format!("checkpoints/{position:020}.ckpt"))
}

fn files(house: &House) -> Vec<String> {
    let entries = fs::read_dir(house.data().join("checkpoints")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_newest_is_read_back_and_two_are_kept() {
    let mut house = House::new();
    let none = house.writer.latest_checkpoint().unwrap();
    assert!(none.checkpoint.is_none() && none.damaged.is_empty());

    let mut floors = Vec::new();
    for position in [10, 200, 3_000] {
        checkpoint(&mut house, position);
        floors.push(house.writer.journal_floor().unwrap());
    }
    assert_eq!(floors, [0, 10, 200], "the journal since the one before the newest is needed");
    assert_eq!(files(&house), ["00000000000000000200.ckpt", "00000000000000003000.ckpt"]);

    let reopened = Writer::open(house.data(), "rules").unwrap();
    let latest = reopened.latest_checkpoint().unwrap().checkpoint.unwrap();
    assert_eq!((latest.position, latest.bytes.as_slice()), (3_000, b"state at 3000".as_slice()));
    assert!(latest.is_of("rules") && !latest.is_of("others"));
}

#[test]
fn a_damaged_newest_falls_back_to_the_one_before_and_then_to_none() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 6] = [
        ("torn", |bytes| bytes.truncate(bytes.len() - 1)),
        ("cut within the header", |bytes| bytes.truncate(20)),
        ("empty", Vec::clear),
        ("a bit in the state", |bytes| *bytes.last_mut().unwrap() ^= 1),
        ("a bit in the position", |bytes| bytes[12] ^= 1),
        ("another version", |bytes| bytes[8] += 1),
    ];
    for (name, damage) in damages {
        let mut house = House::new();
        checkpoint(&mut house, 10);
        checkpoint(&mut house, 20);
        let mut found = Vec::new();
        for position in [20, 10] {
            let path = file(&house, position);
            let mut bytes = fs::read(&path).unwrap();
            damage(&mut bytes);
            fs::write(&path, bytes).unwrap();
            let latest = house.writer.latest_checkpoint().unwrap();
            found.push((latest.checkpoint.map(|checkpoint| checkpoint.position), latest.damaged.len()));
        }
        assert_eq!(found, [(Some(10), 1), (None, 2)], "{name}");
    }
}

#[test]
fn a_missing_newest_falls_back_too() {
    let mut house = House::new();
    checkpoint(&mut house, 10);
    checkpoint(&mut house, 20);
    fs::remove_file(file(&house, 20)).unwrap();
    let latest = house.writer.latest_checkpoint().unwrap();
    assert_eq!(latest.checkpoint.unwrap().position, 10);
    assert!(latest.damaged[0].to_string().contains("00000000000000000020.ckpt: "), "{}", latest.damaged[0]);
}

#[test]
fn a_checkpoint_counts_only_once_its_group_is_committed() {
    let mut house = House::new();
    checkpoint(&mut house, 10);
    let bytes = b"state".as_slice().into();
    let mut group = CommitGroup {
        checkpoint: Some(NewCheckpoint { position: 20, bytes }),
        // There is no such tenant, so the group fails.
        ledgers: vec![(TenantId(77), LedgerTotals::default())],
        ..CommitGroup::default()
    };
    assert!(house.writer.commit(&group).is_err());
    assert_eq!(house.writer.latest_checkpoint().unwrap().checkpoint.unwrap().position, 10);
    group.ledgers.clear();
    house.writer.commit(&group).unwrap();
    assert_eq!(house.writer.latest_checkpoint().unwrap().checkpoint.unwrap().position, 20);
}

#[test]
fn what_a_crash_left_behind_goes_with_the_next_checkpoint() {
    let mut house = House::new();
    checkpoint(&mut house, 10);
    let folder = house.data().join("checkpoints");
    fs::write(folder.join("00000000000000000015.0011223344556677.new"), b"half").unwrap();
    fs::write(folder.join("00000000000000000015.ckpt"), b"never recorded").unwrap();
    fs::write(folder.join("notes.txt"), b"somebody's").unwrap();
    checkpoint(&mut house, 20);
    assert_eq!(files(&house), ["00000000000000000010.ckpt", "00000000000000000020.ckpt", "notes.txt"]);
}
