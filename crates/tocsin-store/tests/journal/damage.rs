//! Whatever happens to the files, the journal opens, only damaged frames are lost, and the holes are
//! exact.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use tocsin_pipeline::journal::Journal;
use tocsin_store::journal::format::HEADER_BYTES;
use tocsin_store::journal::payload::View;
use tocsin_store::journal::{Frames, Options, verify};

use crate::support::{Content, Placed, Written, append, copy, open, read, small, some_frame, split};

const PAGE: usize = 4_096;

#[derive(Clone, Debug)]
enum Blow {
    FlipBit {
        place: Index,
        bit: u8,
    },
    ZeroPage {
        page: Index,
    },
    Truncate {
        length: Index,
    },
    Empty,
    /// The segment's file once more, under a name in the middle of itself or over another one.
    Duplicate {
        over: Option<Index>,
    },
    Delete,
}

fn blow() -> impl Strategy<Value = (Index, Blow)> {
    let blow = prop_oneof![
        4 => (any::<Index>(), 0_u8..8).prop_map(|(place, bit)| Blow::FlipBit { place, bit }),
        3 => any::<Index>().prop_map(|page| Blow::ZeroPage { page }),
        2 => any::<Index>().prop_map(|length| Blow::Truncate { length }),
        1 => Just(Blow::Empty),
        1 => prop::option::of(any::<Index>()).prop_map(|over| Blow::Duplicate { over }),
        1 => Just(Blow::Delete),
    ];
    (any::<Index>(), blow)
}

/// Strikes, and says which positions have changed.
fn strike(folder: &Path, segments: &[(u64, String)], which: &Index, blow: &Blow) -> Range<u64> {
    let (base, name) = &segments[which.index(segments.len())];
    let path = folder.join(name);
    let Ok(mut bytes) = fs::read(&path) else { return 0..0 };
    let length = bytes.len();
    let changed = match blow {
        Blow::Delete => {
            fs::remove_file(&path).unwrap();
            return *base..base + length as u64;
        }
        Blow::Duplicate { over: None } => {
            fs::write(folder.join(format!("{:020}.log", base + 777)), bytes).unwrap();
            return 0..0;
        }
        Blow::Duplicate { over: Some(over) } => {
            let (other, other_name) = &segments[over.index(segments.len())];
            let replaced = fs::metadata(folder.join(other_name)).map_or(0, |metadata| metadata.len());
            if other == base {
                return 0..0;
            }
            fs::write(folder.join(other_name), bytes).unwrap();
            return *other..other + replaced;
        }
        Blow::FlipBit { place, bit } if length > 0 => {
            let place = place.index(length);
            bytes[place] ^= 1 << bit;
            place..place + 1
        }
        Blow::ZeroPage { page } if length > 0 => {
            let from = page.index(length.div_ceil(PAGE)) * PAGE;
            let to = length.min(from + PAGE);
            bytes[from..to].fill(0);
            from..to
        }
        Blow::Truncate { length: index } => {
            let kept = index.index(length + 1);
            bytes.truncate(kept);
            kept..length
        }
        _ => {
            bytes.clear();
            0..length
        }
    };
    fs::write(&path, &bytes).unwrap();
    base + changed.start as u64..base + changed.end as u64
}

/// The frames that must come back. What is unreadable of a segment is unreadable as a whole only if
/// both copies of its header are gone.
fn survivors(written: &Written, segments: &[(u64, String)], changed: &[Range<u64>]) -> Vec<Placed> {
    let hit =
        |range: &Range<u64>| changed.iter().any(|gone| gone.start < range.end && range.start < gone.end);
    let dead: BTreeSet<u64> = segments
        .iter()
        .map(|(base, _)| *base)
        .filter(|base| hit(&(*base..base + 40)) && hit(&(base + 4_096..base + 4_136)))
        .collect();
    let base_of = |position: u64| segments.iter().rev().find(|(base, _)| *base <= position).unwrap().0;
    let survives = |frame: &&Placed| !hit(&(frame.start..frame.end)) && !dead.contains(&base_of(frame.start));
    written.frames.iter().filter(survives).cloned().collect()
}

/// The holes between frames, both ends exact but for the headers between segments, which belong to
/// no frame.
fn gaps(frames: &[Placed], first: u64, end: u64, bases: &[u64]) -> Vec<(u64, u64)> {
    let skip = |position: u64| if bases.contains(&position) { position + HEADER_BYTES } else { position };
    let mut gaps = Vec::new();
    let mut at = first;
    for (start, next) in frames.iter().map(|frame| (frame.start, frame.end)).chain([(end, end)]) {
        if skip(at) < start {
            gaps.push((skip(at), start));
        }
        at = next;
    }
    gaps
}

/// Ends of holes in terms of headers: a hole may end before or behind one.
fn normal(holes: impl Iterator<Item = (u64, u64)>, bases: &[u64]) -> Vec<(u64, u64)> {
    let skip = |position: u64| if bases.contains(&position) { position + HEADER_BYTES } else { position };
    holes.map(|(from, to)| (skip(from), skip(to))).filter(|(from, to)| from < to).collect()
}

fn check(written: &Written, blows: &[(Index, Blow)]) -> Result<(), TestCaseError> {
    let folder = copy(written.path());
    let segments: Vec<(u64, String)> = written
        .segments()
        .into_iter()
        .map(|(base, path)| (base, path.file_name().unwrap().to_str().unwrap().to_string()))
        .collect();
    let changed: Vec<Range<u64>> =
        blows.iter().map(|(which, blow)| strike(folder.path(), &segments, which, blow)).collect();
    let expected = survivors(written, &segments, &changed);

    let before = verify(folder.path()).unwrap();
    prop_assert_eq!(before.frames, expected.len() as u64, "verify before opening");
    let (all, _) = split(Frames::all(folder.path()).unwrap());
    prop_assert_eq!(&all, &expected, "all that is there");

    let options = Options { not_before: written.end, ..small(20_000) };
    let (mut writer, opened) = open(folder.path(), options);
    prop_assert!(opened.end >= written.end, "no position is given twice");
    let (frames, holes) = read(folder.path(), HEADER_BYTES, opened.end);
    prop_assert_eq!(&frames, &expected);
    let bases: Vec<u64> = segments.iter().map(|(base, _)| *base).collect();
    let found = normal(holes.iter().map(|hole| (hole.from, hole.to)), &bases);
    let exact = normal(gaps(&expected, HEADER_BYTES, opened.end, &bases).into_iter(), &bases);
    prop_assert_eq!(found, exact, "{:?}", holes);

    let appended = append(&mut writer, &Content::Tick(7));
    writer.sync().unwrap();
    drop(writer);
    let (writer, _) = open(folder.path(), options);
    let (frames, _) = read(folder.path(), HEADER_BYTES, writer.end());
    prop_assert_eq!(frames.len(), expected.len() + 1);
    prop_assert_eq!(frames.last().map(|frame| frame.start), Some(appended.start));
    drop(writer);

    let after = verify(folder.path()).unwrap();
    prop_assert_eq!(after.frames, expected.len() as u64 + 1, "verify after opening");
    prop_assert_eq!(after.torn, None);
    Ok(())
}

/// Cases of [`damaged_journals_open_and_lose_only_damaged_frames`].
const CASES: u32 = 1_200;

#[test]
fn damaged_journals_open_and_lose_only_damaged_frames() {
    let written = Written::of(small(20_000), (0..60).map(some_frame));
    assert!(written.segments().len() >= 4);
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = prop::test_runner::TestRunner::new(config);
    let blows = prop::collection::vec(blow(), 1..4);
    runner.run(&blows, |blows| check(&written, &blows)).unwrap();
}

#[test]
fn bytes_that_are_no_journal_are_read_without_panic() {
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = prop::test_runner::TestRunner::new(config);
    let bytes = prop::collection::vec(any::<u8>(), 0..10_000);
    runner
        .run(&bytes, |bytes| {
            drop(View::parse(&bytes).and_then(|view| view.to_body(9_000)));
            let mut events = bytes;
            if let Some(kind) = events.first_mut() {
                *kind = 1;
            }
            drop(View::parse(&events).and_then(|view| view.to_body(9_000)));
            Ok(())
        })
        .unwrap();
}
