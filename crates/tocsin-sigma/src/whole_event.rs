//! Tests that no single value decides: keywords, and comparisons between two fields.

use std::borrow::Cow;

use hashbrown::HashMap;
use tocsin_core::batch::{Event, EventBatch};
use tocsin_core::field::FieldId;
use tocsin_core::value::{Value, unescape};

use crate::atom::{Atom, AtomId, AtomTest};
use crate::compose::Composer;
use crate::fold::fold;
use crate::grams::{Finder, Frequencies, Needles};
use crate::predicate::{Predicates, Scratch};

/// Tests that are made late: after the values of an event, and only if it matters.
///
/// A rule that needs one also needs atoms of its values, its log source if nothing else. Unless one
/// of those is there, the rule cannot match whatever the late test would say. So each late test has
/// a bit, and each atom the bits of what it wakes.
#[derive(Debug, Default)]
pub struct Late {
    pub(crate) keywords: Option<Keywords>,
    pub(crate) field_refs: FieldRefs,
    /// The bits that atoms wake.
    pub(crate) wakes: HashMap<AtomId, u32>,
    /// The bits that need not be woken.
    pub(crate) awake: u32,
}

impl Late {
    /// The bit of the keywords.
    pub(crate) const KEYWORDS: u32 = 1;

    /// The bit of a comparison between fields, by its number: many may share one.
    pub(crate) fn field_ref_bit(number: usize) -> u32 {
        2 << (number % 31)
    }

    /// The bits a set of atoms wakes.
    pub(crate) fn woken_by(&self, atoms: &[AtomId]) -> u32 {
        if self.wakes.is_empty() {
            return 0;
        }
        atoms.iter().filter_map(|atom| self.wakes.get(atom)).fold(0, |bits, bit| bits | bit)
    }

    /// Appends the atoms an event satisfies, of the tests that are awake.
    pub(crate) fn evaluate(
        &self,
        awake: u32,
        batch: &EventBatch,
        event: &Event,
        scratch: &mut Scratch,
        out: &mut Vec<AtomId>,
    ) {
        self.field_refs.evaluate(awake, batch, event, out);
        if let Some(keywords) = self.keywords.as_ref().filter(|_| awake & Late::KEYWORDS != 0) {
            keywords.evaluate(batch.raw.record(event.record), scratch, out);
        }
    }
}

/// Keywords of all rules: text anywhere in the record.
///
/// A JSON record is first searched as it is written, for pieces of keywords that are written one way
/// only. Only if one is there, or some character is written as its number, is it unescaped.
#[derive(Debug)]
pub struct Keywords {
    predicates: Predicates,
    /// Finds pieces of keywords in records as written; `None` if some keyword has no such piece.
    pieces: Option<Finder>,
}

impl Keywords {
    /// Keywords of these tests; their patterns are open at both ends.
    #[must_use]
    pub fn new(tests: Composer, frequencies: &Frequencies) -> Keywords {
        let mut pieces = Needles::default();
        let mut add = |needle| piece(needle).map(|piece| pieces.number(&piece)).is_some();
        let all = tests.needles().all(&mut add);
        let predicates = tests.finish(frequencies);
        let all = all && predicates.always.is_empty() && predicates.always_in_lines.is_empty();
        Keywords { pieces: all.then(|| pieces.finder(frequencies)), predicates }
    }

    /// Appends the atoms a record satisfies.
    pub fn evaluate(&self, record: &[u8], scratch: &mut Scratch, out: &mut Vec<AtomId>) {
        let record = std::str::from_utf8(record).unwrap_or_default();
        if !is_json(record) {
            return self.predicates.evaluate(&Value::Text(Cow::Borrowed(record)), scratch, out);
        }
        let has_piece = self.pieces.as_ref().is_none_or(|pieces| scratch.finds_any(pieces, record));
        if has_piece || has_numbered_character(record) {
            self.predicates.evaluate(&Value::Text(unescape(record)), scratch, out);
        }
    }
}

/// The longest piece of a folded needle that JSON writes one way only, as it writes it. Left out are
/// quotes, which stand in the record for themselves too, slashes, which may be escaped or not, and
/// control characters.
fn piece(needle: &[u8]) -> Option<Vec<u8>> {
    let has_ways = |byte: &u8| matches!(byte, b'"' | b'/') || byte.is_ascii_control();
    let longest = needle.split(has_ways).max_by_key(|piece| piece.len())?;
    let written = longest.iter().flat_map(|byte| std::iter::repeat_n(*byte, 1 + usize::from(*byte == b'\\')));
    Some(written.collect()).filter(|piece: &Vec<u8>| !piece.is_empty())
}

/// Whether a character of a JSON record is written as its number (`\u0041`).
fn has_numbered_character(record: &str) -> bool {
    memchr::memmem::find_iter(record.as_bytes(), r"\u").any(|at| {
        let backslashes = record.as_bytes()[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        backslashes % 2 == 0
    })
}

fn is_json(record: &str) -> bool {
    record.trim_start().starts_with(['{', '['])
}

/// The text of a record in which keywords are looked for: as written, JSON's escapes undone. In a
/// line of text a backslash is a backslash.
#[must_use]
pub fn text(record: &str) -> Cow<'_, str> {
    if is_json(record) { unescape(record) } else { Cow::Borrowed(record) }
}

/// Comparisons between two fields of one event.
#[derive(Debug, Default)]
pub struct FieldRefs {
    list: Vec<FieldRef>,
}

#[derive(Debug)]
struct FieldRef {
    atom: AtomId,
    field: FieldId,
    other: FieldId,
    open_start: bool,
    open_end: bool,
    cased: bool,
}

impl FieldRefs {
    /// Adds a comparison; other atoms are ignored.
    pub fn add(&mut self, atom: &Atom, id: AtomId) {
        if let (Some(field), AtomTest::FieldRef { other, open_start, open_end, cased }) =
            (atom.field, &atom.test)
        {
            self.list.push(FieldRef {
                atom: id,
                field,
                other: *other,
                open_start: *open_start,
                open_end: *open_end,
                cased: *cased,
            });
        }
    }

    /// Appends the atoms an event satisfies: any value of the one field against any of the other.
    /// Only those that are awake are looked at, see [`Late`].
    pub fn evaluate(&self, awake: u32, batch: &EventBatch, event: &Event, out: &mut Vec<AtomId>) {
        let slots = batch.slots(event);
        for (number, reference) in self.list.iter().enumerate() {
            if awake & Late::field_ref_bit(number) == 0 {
                continue;
            }
            let of = |field| slots.iter().filter(move |slot| slot.field == field);
            let pairs =
                of(reference.field).flat_map(|one| of(reference.other).map(move |other| (one, other)));
            let mut values = pairs.map(|(one, other)| (batch.value(one), batch.value(other)));
            let holds = values.any(|(one, other)| match (one.as_text(), other.as_text()) {
                (Some(one), Some(other)) => reference.holds(one, other),
                _ => false,
            });
            if holds {
                out.push(reference.atom);
            }
        }
    }

    /// The atoms, in order of their numbers.
    pub fn atoms(&self) -> impl Iterator<Item = AtomId> {
        self.list.iter().map(|reference| reference.atom)
    }
}

impl FieldRef {
    fn holds(&self, value: &str, other: &str) -> bool {
        if !self.cased {
            return relates(&fold(value), &fold(other), self.open_start, self.open_end);
        }
        relates(value, other, self.open_start, self.open_end)
    }
}

/// Whether a value is another text, or begins, ends with or contains it.
#[must_use]
pub fn relates(value: &str, other: &str, open_start: bool, open_end: bool) -> bool {
    match (open_start, open_end) {
        (false, false) => value == other,
        (false, true) => value.starts_with(other),
        (true, false) => value.ends_with(other),
        (true, true) => value.contains(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::Pattern;
    use proptest::prelude::*;

    #[test]
    fn json_is_unescaped_and_lines_are_not() {
        for (record, expect) in [
            (r#" {"a":"C:\\new"}"#, r#" {"a":"C:\new"}"#),
            (r#"{"a":"b"}"#, r#"{"a":"b"}"#),
            (r"Jan 15 host prog: C:\new", r"Jan 15 host prog: C:\new"),
        ] {
            assert_eq!(text(record), expect);
        }
    }

    /// Keywords of these texts, atom by atom.
    fn keywords(texts: &[String]) -> Keywords {
        let mut tests = Composer::default();
        for (id, text) in texts.iter().enumerate() {
            let mut pattern = Pattern::literal(text);
            pattern.open_start();
            pattern.open_end();
            let atom = Atom { field: None, test: AtomTest::Pattern(pattern) };
            tests.add(&atom, id as AtomId, &mut 0).expect("a pattern always compiles");
        }
        Keywords::new(tests, &Frequencies::new())
    }

    proptest! {
        #[test]
        fn keywords_are_found_however_json_writes_them(
            words in prop::collection::vec("[a-cK/\\\\\"\n\u{212a}é]{1,4}", 1..6),
            value in "[a-ck/\\\\\"\n\u{212a}É]{0,12}",
            numbered in any::<bool>(),
            slashes in any::<bool>(),
        ) {
            let mut record = serde_json::json!({ "a": value, "b": 1 }).to_string();
            if numbered {
                record = record.replace('a', r"\u0061");
            }
            if slashes {
                record = record.replace('/', r"\/");
            }
            let mut found = Vec::new();
            keywords(&words).evaluate(record.as_bytes(), &mut Scratch::default(), &mut found);
            found.sort_unstable();
            let plain = text(&record);
            let contains = |word: &String| fold(&plain).contains(&fold(word));
            let expect: Vec<AtomId> =
                (0..words.len()).filter(|id| contains(&words[*id])).map(|id| id as AtomId).collect();
            found.dedup();
            prop_assert_eq!(found, expect, "{}", record);
        }
    }
}
