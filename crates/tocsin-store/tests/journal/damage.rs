//! Whatever happens to the files, the journal opens, only damaged frames are lost, and the holes are
//! exact.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use tocsin_pipeline::journal::Journal;
use tocsin_store::journal::format::HEADER_BYTES;
use tocsin_store::journal::payload::View;
use tocsin_store::journal::{Frames, Hole, Options, verify};

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

/// Segments by base, with their bytes as written.
type Pristine = BTreeMap<u64, Vec<u8>>;

fn path_of(folder: &Path, base: u64) -> PathBuf {
    folder.join(format!("{base:020}.log"))
}

fn strike(folder: &Path, pristine: &Pristine, which: &Index, blow: &Blow) {
    let bases: Vec<u64> = pristine.keys().copied().collect();
    let base = bases[which.index(bases.len())];
    let path = path_of(folder, base);
    let Ok(mut bytes) = fs::read(&path) else { return };
    let length = bytes.len();
    match blow {
        Blow::Delete => return fs::remove_file(&path).unwrap(),
        Blow::Duplicate { over } => {
            let other = over.map_or(base + 777, |over| bases[over.index(bases.len())]);
            return fs::write(path_of(folder, other), bytes).unwrap();
        }
        Blow::FlipBit { place, bit } if length > 0 => bytes[place.index(length)] ^= 1 << bit,
        Blow::ZeroPage { page } if length > 0 => {
            let from = page.index(length.div_ceil(PAGE)) * PAGE;
            bytes[from..length.min(from + PAGE)].fill(0);
        }
        Blow::Truncate { length: kept } => bytes.truncate(kept.index(length + 1)),
        Blow::FlipBit { .. } | Blow::ZeroPage { .. } | Blow::Empty => bytes.clear(),
    }
    fs::write(&path, &bytes).unwrap();
}

/// The frames that must come back: those whose bytes are as they were, in segments of which one copy
/// of the header is.
fn survivors(written: &Written, pristine: &Pristine, folder: &Path) -> Vec<Placed> {
    let now: Pristine =
        pristine.keys().map(|base| (*base, fs::read(path_of(folder, *base)).unwrap_or_default())).collect();
    let is_as_it_was = |base: &u64, range: Range<usize>| {
        now[base].get(range.clone()).is_some_and(|bytes| *bytes == pristine[base][range])
    };
    let survives = |frame: &&Placed| {
        let (base, _) = pristine.range(..=frame.start).next_back().unwrap();
        let place = (frame.start - base) as usize..(frame.end - base) as usize;
        let has_header = is_as_it_was(base, 0..40) || is_as_it_was(base, PAGE..PAGE + 40);
        has_header && is_as_it_was(base, place)
    };
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

/// Holes without a frame between them as one.
fn joined(holes: &[Hole], bases: &[u64]) -> Vec<(u64, u64)> {
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (from, to) in normal(holes.iter().map(|hole| (hole.from, hole.to)), bases) {
        match joined.last_mut() {
            Some(last) if last.1 == from => last.1 = to,
            _ => joined.push((from, to)),
        }
    }
    joined
}

fn check(written: &Written, blows: &[(Index, Blow)]) -> Result<(), TestCaseError> {
    let folder = copy(written.path());
    let pristine: Pristine =
        written.segments().into_iter().map(|(base, path)| (base, fs::read(path).unwrap())).collect();
    for (which, blow) in blows {
        strike(folder.path(), &pristine, which, blow);
    }
    let expected = survivors(written, &pristine, folder.path());

    let before = verify(folder.path(), 0).unwrap();
    prop_assert_eq!(before.frames, expected.len() as u64, "verify before opening");
    let (all, _) = split(Frames::all(folder.path()).unwrap());
    prop_assert_eq!(&all, &expected, "all that is there");

    let options = Options { not_before: written.end, ..small(20_000) };
    let (mut writer, opened) = open(folder.path(), options);
    prop_assert!(opened.end >= written.end, "no position is given twice");
    let (frames, holes) = read(folder.path(), HEADER_BYTES, opened.end);
    prop_assert_eq!(&frames, &expected);
    let bases: Vec<u64> = pristine.keys().copied().collect();
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
    let (_, told) = read(folder.path(), verify(folder.path(), 0).unwrap().segments[0].base, writer.end());
    drop(writer);

    let after = verify(folder.path(), 0).unwrap();
    prop_assert_eq!(after.frames, expected.len() as u64 + 1, "verify after opening");
    prop_assert_eq!(after.torn, None);
    prop_assert_eq!(joined(&after.holes, &bases), joined(&told, &bases));
    Ok(())
}

/// Cases of [`damaged_journals_open_and_lose_only_damaged_frames`], with and without zeros at the end.
const CASES: u32 = 500;

#[test]
fn damaged_journals_open_and_lose_only_damaged_frames() {
    let frames = || (0..60).map(some_frame);
    for written in [Written::of(small(20_000), frames()), Written::killed(small(20_000), frames())] {
        assert!(written.segments().len() >= 4);
        let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
        let mut runner = prop::test_runner::TestRunner::new(config);
        let blows = prop::collection::vec(blow(), 1..4);
        runner.run(&blows, |blows| check(&written, &blows)).unwrap();
    }
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
