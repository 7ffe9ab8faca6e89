//! Judging values: which atoms does this one satisfy? From memory if it was seen before, as a whole
//! or line by line; otherwise by the tests of its field.

use memchr::memmem::Finder;
use tocsin_core::batch::EventBatch;
use tocsin_core::matcher::FieldStats;
use tocsin_core::value::{Kind, Slot};

use crate::atom::AtomId;
use crate::lines::{Lines, feed_finder};
use crate::memo::{Memo, MemoKey, SetId};
use crate::predicate::{Part, Predicates, Scratch, Text};
use crate::ruleset::Compiled;
use crate::sets::Sets;
use crate::whole_event::Late;

/// Longest value or line that is remembered; longer ones rarely repeat.
const MEMO_VALUE_BYTES_MAX: usize = 2_048;
/// Shortest value that is cut into lines. A shorter one is judged faster than its lines are found.
const LINES_VALUE_BYTES_MIN: usize = 256;

/// One worker's judge.
pub(crate) struct Judge {
    memo: Memo,
    pub(crate) sets: Sets,
    pub(crate) scratch: Scratch,
    /// By field.
    pub(crate) counts: Vec<FieldStats>,
    pub(crate) forgets: u64,
    feeds: Finder<'static>,
    atoms: Vec<AtomId>,
    line_sets: Vec<SetId>,
}

impl Judge {
    /// A judge of so many fields who remembers nothing yet.
    pub(crate) fn new(fields: usize, seed: u64) -> Judge {
        Judge {
            memo: Memo::new(seed),
            sets: Sets::default(),
            scratch: Scratch::default(),
            counts: vec![FieldStats::default(); fields],
            forgets: 0,
            feeds: feed_finder(),
            atoms: Vec::new(),
            line_sets: Vec::new(),
        }
    }

    /// The set of a value of a field that has tests.
    #[inline]
    pub(crate) fn value(&mut self, compiled: &Compiled, batch: &EventBatch, slot: &Slot) -> SetId {
        let bytes = batch.bytes(slot);
        if bytes.len() >= LINES_VALUE_BYTES_MIN {
            return self.long_value(compiled, batch, slot, bytes);
        }
        self.short_value(compiled, batch, slot, bytes)
    }

    #[inline]
    fn short_value(&mut self, compiled: &Compiled, batch: &EventBatch, slot: &Slot, bytes: &[u8]) -> SetId {
        let key = MemoKey::value(slot.field, slot.kind);
        let hash = self.memo.hash(key, bytes);
        if let Some(set) = self.memo.get(hash, key, bytes) {
            self.counts[slot.field.index()].hits += 1;
            return set;
        }
        let set = self.evaluate(compiled, batch, slot);
        self.memo.insert(hash, key, bytes, set);
        set
    }

    #[inline(never)]
    fn long_value(&mut self, compiled: &Compiled, batch: &EventBatch, slot: &Slot, bytes: &[u8]) -> SetId {
        if let Some(predicates) = compiled.predicates(slot.field)
            && predicates.can_take_lines()
            && matches!(slot.kind, Kind::Text | Kind::Escaped | Kind::Derived)
            && let Some(set) = self.lines(predicates, &compiled.late, slot, bytes)
        {
            return set;
        }
        if bytes.len() > MEMO_VALUE_BYTES_MAX {
            return self.evaluate(compiled, batch, slot);
        }
        self.short_value(compiled, batch, slot, bytes)
    }

    #[cold]
    #[inline(never)]
    fn evaluate(&mut self, compiled: &Compiled, batch: &EventBatch, slot: &Slot) -> SetId {
        self.counts[slot.field.index()].misses += 1;
        self.atoms.clear();
        if let Some(predicates) = compiled.predicates(slot.field) {
            let (scratch, atoms) = (&mut self.scratch, &mut self.atoms);
            if slot.kind == Kind::Escaped {
                let raw = std::str::from_utf8(batch.bytes(slot)).unwrap_or_default();
                predicates.exists(atoms);
                predicates.judge(Text { raw, escaped: true }, Part::WHOLE, scratch, atoms);
            } else {
                predicates.evaluate(&batch.value(slot), scratch, atoms);
            }
        }
        self.sets.intern(&mut self.atoms, &self.memo, &compiled.late)
    }

    /// The set of a value in lines; `None` if it is one line only.
    #[inline(never)]
    fn lines(&mut self, predicates: &Predicates, late: &Late, slot: &Slot, bytes: &[u8]) -> Option<SetId> {
        let Judge { memo, sets, scratch, atoms, .. } = self;
        let lines = Lines::new(bytes, slot.kind, &self.feeds);
        let escaped = slot.kind == Kind::Escaped;
        self.line_sets.clear();
        let mut sum = 0_u128;
        let mut asks = false;
        let (mut line_hits, mut line_misses) = (0, 0);
        let mut first = true;
        for (line, last) in lines {
            if first && last {
                return None;
            }
            let part = predicates.part(first, last);
            first = false;
            let key = MemoKey::line(slot.field, slot.kind, part.first, part.last);
            let hash = memo.hash(key, line);
            let set = match memo.get(hash, key, line) {
                Some(set) => {
                    line_hits += 1;
                    set
                }
                None => {
                    line_misses += 1;
                    atoms.clear();
                    let text = Text { raw: std::str::from_utf8(line).unwrap_or_default(), escaped };
                    predicates.judge(text, part, scratch, atoms);
                    let set = sets.intern(atoms, memo, late);
                    if line.len() <= MEMO_VALUE_BYTES_MAX {
                        memo.insert(hash, key, line, set);
                    }
                    set
                }
            };
            let head = sets.head(set);
            if head.number != 0 {
                sum = sum.wrapping_add(head.number);
                asks |= head.asks;
                self.line_sets.push(set);
            }
        }
        let counts = &mut self.counts[slot.field.index()];
        counts.line_hits += line_hits;
        counts.line_misses += line_misses;
        Some(self.union(predicates, late, slot, bytes, (sum, asks)))
    }

    /// The set of a value whose lines have the sets now in `line_sets`.
    fn union(
        &mut self,
        predicates: &Predicates,
        late: &Late,
        slot: &Slot,
        bytes: &[u8],
        (sum, asks): (u128, bool),
    ) -> SetId {
        let depends_on_whole = asks || predicates.needs_whole();
        // Fields differ in the atom that says they are there.
        let sum = sum.wrapping_add(u128::from(slot.field.0) + 1);
        if !depends_on_whole && let Some(set) = self.sets.union(sum) {
            return set;
        }
        self.atoms.clear();
        for set in &self.line_sets {
            self.atoms.extend_from_slice(self.sets.atoms(*set));
        }
        self.atoms.sort_unstable();
        self.atoms.dedup();
        let asked = std::mem::take(&mut self.atoms);
        let mut atoms = Vec::with_capacity(asked.len() + 1);
        predicates.exists(&mut atoms);
        let raw = std::str::from_utf8(bytes).unwrap_or_default();
        let text = Text { raw, escaped: slot.kind == Kind::Escaped };
        predicates.finish_lines(text, &asked, &mut self.scratch, &mut atoms);
        self.atoms = asked;
        let set = self.sets.intern(&mut atoms, &self.memo, late);
        if !depends_on_whole {
            self.sets.add_union(sum, set);
        }
        set
    }

    /// The id of the set of these atoms.
    pub(crate) fn intern(&mut self, atoms: &mut Vec<AtomId>, late: &Late) -> SetId {
        self.sets.intern(atoms, &self.memo, late)
    }

    /// How often something remembered was met.
    pub(crate) fn hits(&self) -> u64 {
        self.counts.iter().map(|counts| counts.hits + counts.line_hits).sum()
    }

    /// Whether there is so much to remember that all should be forgotten.
    pub(crate) fn is_full(&self) -> bool {
        self.sets.is_full()
    }

    /// Forgets everything.
    pub(crate) fn forget(&mut self) {
        self.memo.forget();
        self.sets.clear();
        self.forgets += 1;
    }
}
