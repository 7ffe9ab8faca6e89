//! Tests that no single value decides: keywords, and comparisons between two fields.

use std::borrow::Cow;

use tocsin_core::batch::{Event, EventBatch};
use tocsin_core::field::FieldId;
use tocsin_core::value::{Value, unescape};

use crate::atom::{Atom, AtomId, AtomTest};
use crate::fold::fold;
use crate::predicate::{Predicates, Scratch, Uncompilable};

/// Keywords of all rules: text anywhere in the record.
#[derive(Debug, Default)]
pub struct Keywords {
    predicates: Predicates,
}

impl Keywords {
    /// Adds a keyword atom; its pattern is open at both ends.
    ///
    /// # Errors
    /// As [`Predicates::add`].
    pub fn add(&mut self, atom: &Atom, id: AtomId) -> Result<(), Uncompilable> {
        self.predicates.add(atom, id)
    }

    /// Builds the searcher.
    ///
    /// # Errors
    /// As [`Predicates::finish`].
    pub fn finish(&mut self) -> Result<(), Uncompilable> {
        self.predicates.finish()
    }

    /// Appends the atoms a record satisfies.
    pub fn evaluate(&self, record: &[u8], scratch: &mut Scratch, out: &mut Vec<AtomId>) {
        let text = text(std::str::from_utf8(record).unwrap_or_default());
        self.predicates.evaluate(&Value::Text(text), scratch, out);
    }
}

/// The text of a record in which keywords are looked for: as written, JSON's escapes undone. In a
/// line of text a backslash is a backslash.
#[must_use]
pub fn text(record: &str) -> Cow<'_, str> {
    let is_json = record.trim_start().starts_with(['{', '[']);
    if is_json { unescape(record) } else { Cow::Borrowed(record) }
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

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Appends the atoms an event satisfies: any value of the one field against any of the other.
    pub fn evaluate(&self, batch: &EventBatch, event: &Event, out: &mut Vec<AtomId>) {
        for reference in &self.list {
            let values = |field| {
                let slots = batch.slots(event).iter().filter(move |slot| slot.field == field);
                slots.filter_map(|slot| batch.value(slot).as_text().map(str::to_string))
            };
            let others: Vec<String> = values(reference.other).collect();
            if values(reference.field).any(|value| others.iter().any(|other| reference.holds(&value, other)))
            {
                out.push(reference.atom);
            }
        }
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
}
