//! What is written is what is read, in any cut, over any number of segments and starts.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tocsin_pipeline::journal::{Journal, RequestMark};

use crate::support::{Batch, Content, Placed, Written, append, open, read, small, some_frame};

fn requests() -> impl Strategy<Value = Vec<RequestMark>> {
    let mark = (any::<[u8; 16]>(), any::<[u8; 16]>(), any::<u32>(), vec(any::<u8>(), 0..40));
    vec(mark, 0..3).prop_map(|marks| {
        let mark = |(key, body, accepted, reply): ([u8; 16], [u8; 16], u32, Vec<u8>)| RequestMark {
            key,
            body,
            accepted,
            reply: reply.into(),
        };
        marks.into_iter().map(mark).collect()
    })
}

fn batch() -> impl Strategy<Value = Content> {
    let spans = vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..20);
    let size = prop_oneof![0_usize..50, 0_usize..3_000, 30_000_usize..40_000];
    let bytes = size.prop_flat_map(|size| vec(any::<u8>(), size));
    let names = ("[a-zä]{0,20}", ".{0,20}");
    let times = (option::of(any::<i64>()), option::of(any::<i64>()), any::<bool>(), any::<u64>());
    (names, times, bytes, spans, requests()).prop_map(|(names, times, bytes, spans, requests)| {
        let span = |(start, end): (prop::sample::Index, prop::sample::Index)| {
            let (a, b) = (start.index(bytes.len() + 1), end.index(bytes.len() + 1));
            (a.min(b) as u32, a.abs_diff(b) as u32)
        };
        Content::Events(Box::new(Batch {
            tenant: names.0,
            source: names.1,
            ingest: times.0,
            reference: times.1,
            backfill: times.2,
            first_record: times.3,
            spans: spans.into_iter().map(span).collect(),
            requests,
            bytes,
        }))
    })
}

fn frame() -> impl Strategy<Value = Content> {
    let rules = (any::<[u8; 16]>(), any::<i64>(), ".{0,20}");
    let rules = rules.prop_map(|(id, at, by)| Content::Rules { id, at, by });
    prop_oneof![1 => any::<i64>().prop_map(Content::Tick), 1 => rules, 4 => batch()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn frames_come_back_as_they_were_written(
        groups in vec(vec(frame(), 1..6), 1..12),
        segment_bytes in 9_000_u64..60_000,
        reopen_every in 1_usize..6,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut written: Vec<Placed> = Vec::new();
        let mut writer = open(folder.path(), small(segment_bytes)).0;
        for (number, group) in groups.iter().enumerate() {
            if number % reopen_every == 0 {
                let end = writer.end();
                drop(writer);
                let (again, opened) = open(folder.path(), small(segment_bytes));
                prop_assert_eq!((opened.end, opened.torn, opened.holes.len()), (end, None, 0));
                writer = again;
            }
            for content in group {
                let appended = append(&mut writer, content);
                if let Content::Events(batch) = content {
                    prop_assert_eq!(appended.records_at + batch.bytes.len() as u64, appended.end);
                }
                let content = content.clone();
                written.push(Placed { start: appended.start, end: appended.end, content });
            }
            writer.sync().unwrap();
        }
        let (frames, holes) = read(folder.path(), 0, writer.end());
        prop_assert_eq!(holes, vec![]);
        prop_assert_eq!(&frames, &written);
        // From the end of any frame on, what follows comes.
        for (index, frame) in written.iter().enumerate() {
            let (frames, holes) = read(folder.path(), frame.end, writer.end());
            prop_assert_eq!((frames.len(), holes.len()), (written.len() - index - 1, 0));
        }
    }
}

#[test]
fn a_journal_goes_over_several_segments() {
    let written = Written::of(small(20_000), (0..100).map(some_frame));
    let segments = written.segments();
    assert!(segments.len() > 5, "{} segments", segments.len());
    assert_eq!(read(written.path(), 0, written.end), (written.frames.clone(), vec![]));
    let second = segments[1].0;
    assert!(written.frames.iter().any(|frame| frame.end == second), "a base is where the one before ends");
}

#[test]
fn frames_are_read_while_others_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, _) = open(folder.path(), small(15_000));
    let mut count = 0;
    let mut position = 0;
    for k in 0..300 {
        append(&mut writer, &some_frame(k));
        append(&mut writer, &some_frame(k + 1));
        writer.sync().unwrap();
        let until = writer.end();
        // A frame behind the end asked for, not synced yet.
        append(&mut writer, &some_frame(k + 2));
        if k % 3 == 0 {
            let (frames, holes) = read(folder.path(), position, until);
            count += frames.len();
            position = until;
            assert_eq!(holes, [], "{k}");
        }
    }
    let (frames, holes) = read(folder.path(), position, writer.end());
    assert_eq!((count + frames.len(), holes.len()), (900, 0));
}

#[test]
fn a_frame_larger_than_a_segment_and_than_a_read_comes_back() {
    let written = Written::of(
        small(50_000),
        [40_000, 3_000_000, 10, 5_000_000].map(|bytes| crate::support::record_of(bytes, bytes)),
    );
    assert_eq!(read(written.path(), 0, written.end), (written.frames.clone(), vec![]));
}

#[test]
fn a_record_outside_of_its_batch_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, _) = open(folder.path(), small(50_000));
    let Content::Events(mut batch) = crate::support::events(&[b"record"]) else { unreachable!() };
    batch.spans = vec![(3, 5)];
    let end = writer.end();
    let error = crate::support::try_append(&mut writer, &Content::Events(batch)).expect_err("refused");
    assert!(error.to_string().contains("record 0 lies outside of its batch"), "{error}");
    assert_eq!(writer.end(), end);
    append(&mut writer, &Content::Tick(1));
}
