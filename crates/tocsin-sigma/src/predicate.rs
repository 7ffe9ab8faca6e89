//! All tests of one field, compiled together: a value goes in, the set of atoms it satisfies
//! comes out. Costs matter only for values not seen before; the matcher remembers the rest.
//!
//! Text without wildcards is looked up; text at the beginning or end of a value is found by a
//! binary search; text anywhere in it, and text that a pattern or an expression cannot do without,
//! is found by its rarest grams. Only what is then left is a *check*: a pattern or an expression
//! that is run on the value.

use hashbrown::HashMap;
use tocsin_core::value::Value;

use crate::affix::Affixes;
use crate::ast::{DatePart, Ordering};
use crate::atom::AtomId;
use crate::fold::{fold_into, unescape_into};
use crate::glob::Glob;
use crate::grams::{Finder, Found, PADDING};
use crate::numbers::{Networks, Numbers};
use crate::regexes::{Caches, LazyRegex};

pub use crate::numbers::{is_number, parse_number};

/// A test that cannot be compiled, in a sentence.
pub type Uncompilable = String;

/// What stands in a set beside atoms: a check to be run, its index added to this. Atoms are fewer.
pub(crate) const CHECKS: u32 = 1 << 30;

/// All tests of one field. [`crate::compose::Composer`] makes it.
#[derive(Debug, Default)]
pub struct Predicates {
    pub(crate) exists: Option<AtomId>,
    pub(crate) is_null: Option<AtomId>,
    pub(crate) bools: [Option<AtomId>; 2],
    pub(crate) exact: Exact,
    pub(crate) exact_cased: Exact,
    /// What a folded value begins with; what it, reversed, begins with.
    pub(crate) starts: Affixes,
    pub(crate) ends: Affixes,
    pub(crate) ends_bytes: usize,
    /// Finds the texts of patterns and expressions.
    pub(crate) finder: Finder,
    /// What a needle of `finder` stands for: a range of `hits`, from here to the next.
    pub(crate) hit_starts: Vec<u32>,
    /// Atoms, and checks from [`CHECKS`] on.
    pub(crate) hits: Vec<u32>,
    pub(crate) checks: Vec<Check>,
    /// Checks to be run on every line of a value, and on every value.
    pub(crate) always_in_lines: Vec<u32>,
    pub(crate) always: Vec<u32>,
    /// Whether no test has a line feed in its text, so that values can be judged by lines.
    pub(crate) in_lines: bool,
    pub(crate) numbers: Numbers,
    pub(crate) networks: Networks,
    /// Comparisons with parts of a time.
    pub(crate) dates: Vec<(DatePart, Option<Ordering>, f64, AtomId)>,
}

/// Texts and the atoms that ask for exactly them.
pub(crate) type Exact = HashMap<Box<str>, Vec<AtomId>, foldhash::fast::FixedState>;

/// A test that is run on a value.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) test: CheckTest,
    pub(crate) atom: AtomId,
    /// Whether it holds for a value exactly if it holds for one of its lines.
    pub(crate) in_line: bool,
}

#[derive(Debug)]
pub(crate) enum CheckTest {
    Folded(Glob),
    Cased(Glob),
    Regex(LazyRegex),
}

/// A value's text as it stands in a record.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// As written.
    pub raw: &'a str,
    /// Whether JSON's escapes are in it.
    pub escaped: bool,
}

impl<'a> Text<'a> {
    /// The text unescaped, in `room` if there is something to undo.
    fn plain(self, room: &'a mut String) -> &'a str {
        if !self.escaped {
            return self.raw;
        }
        room.clear();
        unescape_into(self.raw, room);
        room
    }
}

/// Which part of a value is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The value begins with it.
    pub first: bool,
    /// The value ends with it.
    pub last: bool,
}

impl Part {
    /// The whole value.
    pub const WHOLE: Part = Part { first: true, last: true };

    /// Whether it is the whole value.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.first && self.last
    }
}

/// Scratch space of evaluation; one per worker.
#[derive(Debug, Default)]
pub struct Scratch {
    plain: String,
    folded: String,
    reversed: Vec<u8>,
    found: Found,
    caches: Caches,
    checks: Vec<u32>,
}

impl Scratch {
    /// Whether a text contains any needle of a finder.
    pub(crate) fn finds_any(&mut self, finder: &Finder, text: &str) -> bool {
        let Scratch { folded, found, .. } = self;
        folded.clear();
        fold_into(text, folded);
        let len = folded.len();
        folded.push_str(PADDING);
        let mut any = false;
        finder.find(folded.as_bytes(), len, found, &mut |_| any = true);
        any
    }
}

impl Predicates {
    /// Appends the atoms a value satisfies, in no order, possibly twice.
    pub fn evaluate(&self, value: &Value<'_>, scratch: &mut Scratch, out: &mut Vec<AtomId>) {
        out.extend(self.exists);
        if let Value::Null = value {
            out.extend(self.is_null);
        }
        let Some(text) = value.as_text() else { return };
        self.judge(Text { raw: text, escaped: false }, Part::WHOLE, scratch, out);
    }

    /// What every value of the field satisfies, whatever its text.
    pub fn exists(&self, out: &mut Vec<AtomId>) {
        out.extend(self.exists);
    }

    /// Whether a value with line feeds may be judged line by line, see [`Predicates::judge`].
    #[must_use]
    pub fn can_take_lines(&self) -> bool {
        self.in_lines
    }

    /// Whether some check is run on every value as a whole, whatever its lines are.
    #[must_use]
    pub fn needs_whole(&self) -> bool {
        !self.always.is_empty()
    }

    /// Which parts of a value in lines are told apart from any other line.
    #[must_use]
    pub fn part(&self, first: bool, last: bool) -> Part {
        Part { first: first && !self.starts.is_empty(), last: last && !self.ends.is_empty() }
    }

    /// Appends what a text satisfies. Of a line (any part but the whole) also the checks that
    /// [`Predicates::finish_lines`] has to run on the whole value, as numbers from [`CHECKS`] on.
    pub fn judge(&self, text: Text<'_>, part: Part, scratch: &mut Scratch, out: &mut Vec<AtomId>) {
        let Scratch { plain, folded, reversed, found, caches, checks } = scratch;
        let plain = text.plain(plain);
        folded.clear();
        fold_into(plain, folded);
        let len = folded.len();
        folded.push_str(PADDING);
        let subject = Subject { plain, folded: &folded[..len] };
        if part.is_whole() {
            self.whole(&subject, out);
        }
        if part.first {
            self.starts.find(subject.folded.as_bytes(), out);
        }
        if part.last && !self.ends.is_empty() {
            reversed.clear();
            reversed.extend(subject.folded.bytes().rev().take(self.ends_bytes));
            self.ends.find(reversed, out);
        }
        checks.clear();
        checks.extend(&self.always_in_lines);
        if part.is_whole() {
            checks.extend(&self.always);
        }
        self.finder.find(folded.as_bytes(), len, found, &mut |needle| {
            let needle = needle as usize;
            let range = self.hit_starts[needle] as usize..self.hit_starts[needle + 1] as usize;
            for hit in &self.hits[range] {
                if *hit < CHECKS { out.push(*hit) } else { checks.push(*hit - CHECKS) }
            }
        });
        if checks.len() > 1 {
            checks.sort_unstable();
            checks.dedup();
        }
        for index in &*checks {
            let check = &self.checks[*index as usize];
            if !check.in_line && !part.is_whole() {
                out.push(CHECKS + index);
            } else if check.holds(&subject, caches) {
                out.push(check.atom);
            }
        }
    }

    /// Runs the checks that lines of a value asked for, now on the whole of it: of the numbers
    /// `asked`, sorted and each once, atoms are appended as they are, checks if they hold.
    pub fn finish_lines(&self, text: Text<'_>, asked: &[u32], scratch: &mut Scratch, out: &mut Vec<AtomId>) {
        let atoms = asked.partition_point(|number| *number < CHECKS);
        out.extend_from_slice(&asked[..atoms]);
        if asked.len() == atoms && self.always.is_empty() {
            return;
        }
        let Scratch { plain, folded, caches, .. } = scratch;
        let plain = text.plain(plain);
        folded.clear();
        fold_into(plain, folded);
        let subject = Subject { plain, folded };
        let asked = asked[atoms..].iter().map(|number| number - CHECKS);
        for index in asked.chain(self.always.iter().copied()) {
            let check = &self.checks[index as usize];
            if check.holds(&subject, caches) {
                out.push(check.atom);
            }
        }
    }

    /// Tests that only a value as a whole can pass.
    fn whole(&self, subject: &Subject<'_>, out: &mut Vec<AtomId>) {
        if let Some(atoms) = self.exact.get(subject.folded) {
            out.extend_from_slice(atoms);
        }
        if !self.exact_cased.is_empty()
            && let Some(atoms) = self.exact_cased.get(subject.plain)
        {
            out.extend_from_slice(atoms);
        }
        match subject.folded {
            "true" => out.extend(self.bools[1]),
            "false" => out.extend(self.bools[0]),
            _ => {}
        }
        if !self.numbers.is_empty() {
            self.numbers.evaluate(subject.folded, out);
        }
        self.networks.evaluate(subject.folded, out);
        let dates = self.dates.iter().filter(|(part, op, number, _)| part.holds(subject.plain, *op, *number));
        out.extend(dates.map(|(.., atom)| *atom));
    }
}

/// The text at hand, unescaped, and folded besides.
struct Subject<'a> {
    plain: &'a str,
    folded: &'a str,
}

impl Check {
    fn holds(&self, subject: &Subject<'_>, caches: &mut Caches) -> bool {
        match &self.test {
            CheckTest::Folded(glob) => glob.matches(subject.folded),
            CheckTest::Cased(glob) => glob.matches(subject.plain),
            CheckTest::Regex(regex) => regex.matches(subject.plain, caches),
        }
    }
}

#[cfg(test)]
#[path = "predicate_tests.rs"]
mod tests;
