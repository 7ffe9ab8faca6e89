//! Rule sets: how long they are kept.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::path::PathBuf;

use tocsin_core::time::Timestamp;
use tocsin_pipeline::commit::{CommitGroup, NewCheckpoint, Store};
use tocsin_pipeline::journal::{Appended, Journal, NewFrame};
use tocsin_pipeline::plan::RuleFile;
use tocsin_pipeline::rules::{RuleSetId, RuleTexts};
use tocsin_store::RuleSetStore;
use tocsin_store::journal::{Options, Writer};

use crate::support::House;

/// A house whose journal has small segments and room for few of them.
struct Kept {
    house: House,
    journal: Writer,
    sets: RuleSetStore,
}

impl Kept {
    fn new() -> Kept {
        let house = House::new();
        let options = Options { segment_bytes: 16_384, journal_bytes_max: 128 << 10, ..Options::default() };
        let journal = Writer::open(&house.data().join("journal"), options).unwrap().0;
        let sets = RuleSetStore::new(house.data());
        Kept { house, journal, sets }
    }

    fn path(&self) -> PathBuf {
        self.house.data().join("journal")
    }

    /// A set of its own for each number.
    fn set(number: usize) -> RuleTexts {
        let file = RuleFile { path: "a.yml".into(), text: format!("title: {number}") };
        RuleTexts { files: vec![file], ..RuleTexts::default() }
    }

    /// Keeps a set and writes its frame; where that is.
    fn activate(&mut self, number: usize) -> (Appended, RuleSetId) {
        let id = self.sets.keep(&Kept::set(number)).unwrap();
        let at = self.journal.append(NewFrame::Rules { id, at: Timestamp(0), by: "test" }).unwrap();
        self.journal.sync().unwrap();
        (at, id)
    }

    fn commit(&mut self, at: Appended, id: RuleSetId) {
        let group = CommitGroup { end: at.end, activations: vec![(at.start, id)], ..CommitGroup::default() };
        self.house.writer.commit(&group).unwrap();
    }

    /// Fills segments; everything before may go.
    fn fill(&mut self) {
        for _ in 0..4_000 {
            self.journal.append(NewFrame::Tick(Timestamp(0))).unwrap();
            self.journal.sync().unwrap();
            let end = self.journal.end();
            self.journal.release(end);
        }
    }

    fn checkpoint(&mut self) {
        self.journal.append(NewFrame::Tick(Timestamp(0))).unwrap();
        self.journal.sync().unwrap();
        let position = self.journal.end();
        let checkpoint = Some(NewCheckpoint { position, bytes: b"state".as_slice().into() });
        self.house
            .writer
            .commit(&CommitGroup { end: position, checkpoint, ..CommitGroup::default() })
            .unwrap();
    }

    /// Which of the first sets are there.
    fn there(&self, sets: usize) -> Vec<usize> {
        (0..sets).filter(|number| self.sets.read(RuleSetStore::id(&Kept::set(*number))).is_some()).collect()
    }
}

#[test]
fn a_set_goes_with_the_last_segment_that_was_taken_in_under_it() {
    let mut kept = Kept::new();
    for number in 0..3 {
        let (at, id) = kept.activate(number);
        kept.commit(at, id);
    }
    let journal = kept.path();
    kept.sets.tidy(&journal, 0).unwrap();
    assert_eq!(kept.there(3), [0, 1, 2], "all of the journal is there");
    kept.fill();
    kept.sets.tidy(&journal, 0).unwrap();
    assert_eq!(kept.there(3), [2], "only the last is still active");
    let (at, id) = kept.activate(0);
    kept.sets.tidy(&journal, at.start).unwrap();
    assert_eq!(kept.there(3), [0, 2], "nothing goes while a frame is not committed");
    kept.commit(at, id);
    kept.sets.tidy(&journal, at.start).unwrap();
    assert_eq!(kept.there(3), [0, 2], "the journal still holds frames of both");
    kept.fill();
    kept.sets.tidy(&journal, at.start).unwrap();
    assert_eq!(kept.there(3), [0]);
}

#[test]
fn what_only_a_replay_would_ask_for_is_bounded_and_what_a_restart_needs_stays() {
    let mut kept = Kept::new();
    let many = 1_010;
    let mut first_needed = 0;
    for number in 0..many {
        let (at, id) = kept.activate(number);
        kept.commit(at, id);
        if number == 4 || number == 5 {
            kept.checkpoint();
            first_needed = number;
        }
    }
    let journal = kept.path();
    kept.sets.tidy(&journal, 0).unwrap();
    let there = kept.there(many);
    // The checkpoint before the newest was cut behind set 4.
    assert_eq!((there[0], there.len()), (first_needed - 1, many - first_needed + 1));
    kept.checkpoint();
    kept.checkpoint();
    kept.sets.tidy(&journal, 0).unwrap();
    let there = kept.there(many);
    assert_eq!((there[0], there.len()), (many - 1_000, 1_000));
}
