//! How much room the journal takes, and what may go.

use tocsin_core::time::Timestamp;
use tocsin_pipeline::journal::{Journal, JournalError, NewFrame};
use tocsin_store::journal::Options;

use crate::support::{append, copy, open, read, record_of, segments, try_append};

const MAX: u64 = 200_000;

fn bounded() -> Options {
    Options { segment_bytes: 30_000, journal_bytes_max: MAX, ..Options::default() }
}

fn on_disk(folder: &std::path::Path) -> u64 {
    segments(folder).iter().map(|(_, path)| path.metadata().unwrap().len()).sum()
}

#[test]
fn a_full_journal_says_so_and_takes_more_once_something_is_released() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, _) = open(folder.path(), bounded());
    let mut ends = Vec::new();
    let error = loop {
        match try_append(&mut writer, &record_of(5_000, ends.len())) {
            Ok(appended) => ends.push(appended.end),
            Err(error) => break error,
        }
        writer.sync().unwrap();
        assert!(on_disk(folder.path()) <= MAX, "with the zeros ahead");
    };
    assert!(matches!(error, JournalError::Full(_)), "{error:?}");
    assert!(error.to_string().contains("200000 (store.journal_bytes_max)"), "{error}");
    assert!((writer.bytes()..=MAX).contains(&on_disk(folder.path())), "{}", on_disk(folder.path()));
    let kept_back = MAX / 10;
    assert!(writer.bytes() > MAX - kept_back - 14_000, "{}", writer.bytes());
    assert!(writer.bytes() <= MAX - kept_back, "{}", writer.bytes());
    writer.append(NewFrame::Tick(Timestamp(1))).unwrap();
    writer.sync().unwrap();

    let before = segments(folder.path()).len();
    writer.release(ends[2]);
    assert!(try_append(&mut writer, &record_of(5_000, 0)).is_err(), "no segment is wholly below it");
    let half = ends[ends.len() / 2];
    writer.release(half);
    append(&mut writer, &record_of(5_000, 1));
    writer.sync().unwrap();
    assert_eq!(segments(folder.path()).len(), before - 1, "only as much goes as is needed");
    let (frames, holes) = read(folder.path(), half, writer.end());
    let behind = ends.len() - ends.len() / 2 + 1;
    assert_eq!((frames.len(), holes.len()), (behind, 0), "all behind it is there, and the tick");
}

#[test]
fn a_journal_stays_within_its_bound_and_keeps_what_fits() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, _) = open(folder.path(), bounded());
    for k in 0..400 {
        let appended = append(&mut writer, &record_of(3_000, k));
        writer.sync().unwrap();
        writer.release(appended.end);
        assert!(on_disk(folder.path()) <= MAX, "{k}");
    }
    assert!(on_disk(folder.path()) > MAX / 2, "{}", on_disk(folder.path()));
    drop(writer);

    let lower = Options { journal_bytes_max: MAX / 2, ..bounded() };
    let (mut writer, opened) = open(folder.path(), lower);
    assert_eq!(opened.bytes, on_disk(folder.path()), "room is counted on the disk, not remembered");
    writer.release(opened.end);
    assert!(on_disk(folder.path()) <= MAX / 2);
}

#[test]
fn a_frame_that_finds_no_room_takes_its_group_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, _) = open(folder.path(), bounded());
    append(&mut writer, &record_of(1_000, 0));
    writer.sync().unwrap();
    let synced = writer.end();
    append(&mut writer, &record_of(1_000, 1));
    try_append(&mut writer, &record_of(MAX as usize, 2)).expect_err("full");
    assert_eq!(writer.end(), synced, "what was not synced is forgotten");
    let (_, opened) = open(copy(folder.path()).path(), bounded());
    assert_eq!((opened.end, opened.torn, opened.holes), (synced, None, vec![]), "by the disk too");
    append(&mut writer, &record_of(1_000, 3));
    writer.sync().unwrap();
    let (frames, holes) = read(folder.path(), 0, writer.end());
    let contents: Vec<_> = frames.into_iter().map(|frame| frame.content).collect();
    assert_eq!((contents, holes), (vec![record_of(1_000, 0), record_of(1_000, 3)], vec![]));
}
