//! Which of many texts a value begins with (or ends with), by one binary search.
//!
//! The texts are sorted. If one of them begins a value, then so do all texts between the two, up to
//! the value's own place in the order, begin with it. So the last text before that place leads to
//! all others: each text knows the longest other text it begins with.

use crate::atom::AtomId;

/// No other text.
const NONE: u32 = u32::MAX;

/// Texts that begin values.
#[derive(Debug, Default)]
pub(crate) struct Affixes {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    text: Box<[u8]>,
    atom: AtomId,
    /// The longest entry that begins this one, or equals it and stands before it.
    shorter: u32,
}

impl Affixes {
    /// Adds a text. To look at ends, add it reversed, and search reversed values.
    pub(crate) fn add(&mut self, text: Box<[u8]>, atom: AtomId) {
        self.entries.push(Entry { text, atom, shorter: NONE });
    }

    /// Sorts; to be called after the last [`Affixes::add`].
    pub(crate) fn finish(&mut self) {
        self.entries.sort_unstable_by(|a, b| (&a.text, a.atom).cmp(&(&b.text, b.atom)));
        let mut open: Vec<u32> = Vec::new();
        for index in 0..self.entries.len() {
            let begins = |at: u32| self.entries[index].text.starts_with(&self.entries[at as usize].text);
            while open.last().is_some_and(|at| !begins(*at)) {
                open.pop();
            }
            self.entries[index].shorter = open.last().copied().unwrap_or(NONE);
            open.push(index as u32);
        }
    }

    /// Whether there is no text.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The texts.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().map(|entry| &*entry.text)
    }

    /// Bytes of the longest text.
    pub(crate) fn longest(&self) -> usize {
        self.entries.iter().map(|entry| entry.text.len()).max().unwrap_or(0)
    }

    /// Appends the atoms of all texts a value begins with.
    pub(crate) fn find(&self, value: &[u8], out: &mut Vec<AtomId>) {
        let mut at = self.entries.partition_point(|entry| *entry.text <= *value).wrapping_sub(1) as u32;
        let mut matches = false;
        while let Some(entry) = self.entries.get(at as usize) {
            matches = matches || value.starts_with(&entry.text);
            if matches {
                out.push(entry.atom);
            }
            at = entry.shorter;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_texts_a_value_begins_with_are_found(
            texts in prop::collection::vec("[ab]{0,5}", 0..30),
            value in "[abc]{0,8}",
        ) {
            let mut affixes = Affixes::default();
            for (atom, text) in texts.iter().enumerate() {
                affixes.add(text.as_bytes().into(), atom as AtomId);
            }
            affixes.finish();
            let mut found = Vec::new();
            affixes.find(value.as_bytes(), &mut found);
            found.sort_unstable();
            let begins = |atom: &usize| value.starts_with(&texts[*atom]);
            let expect: Vec<AtomId> = (0..texts.len()).filter(begins).map(|atom| atom as AtomId).collect();
            prop_assert_eq!(found, expect);
        }
    }
}
