//! From the tests of one field to [`Predicates`]: which test is looked up, which is found by its
//! text, and which has to be run.

use crate::ast::{Part, Pattern};
use crate::atom::{Atom, AtomId, AtomTest};
use crate::fold::fold;
use crate::glob::Glob;
use crate::grams::{Frequencies, Needles};
use crate::pattern::DASHES;
use crate::predicate::{CHECKS, Check, CheckTest, Predicates, Uncompilable};
use crate::regexes::{LazyRegex, parse_regex};
use crate::required::{required, stays_in_line};

/// Dashes of one text that are spelt out, each in all its forms.
const DASHES_SPELT_OUT_MAX: usize = 2;

/// The tests of one field, while they are put together.
#[derive(Debug)]
pub struct Composer {
    predicates: Predicates,
    needles: Needles,
    /// Needle by needle, what it stands for: atoms, and checks from [`CHECKS`] on.
    hits: Vec<(u32, u32)>,
}

impl Default for Composer {
    fn default() -> Composer {
        let predicates = Predicates { in_lines: true, ..Predicates::default() };
        Composer { predicates, needles: Needles::default(), hits: Vec::new() }
    }
}

/// What a pattern without `?` and without `*` inside asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Anchors {
    Both,
    Start,
    End,
    None,
}

impl Composer {
    /// Adds an atom of this field. `regexes` counts the expressions of all fields.
    ///
    /// # Errors
    /// A sentence when a regular expression is not valid.
    pub fn add(&mut self, atom: &Atom, id: AtomId, regexes: &mut u32) -> Result<(), Uncompilable> {
        let predicates = &mut self.predicates;
        match &atom.test {
            AtomTest::Exists => predicates.exists = Some(id),
            AtomTest::IsNull => predicates.is_null = Some(id),
            AtomTest::Bool(value) => predicates.bools[usize::from(*value)] = Some(id),
            AtomTest::Pattern(pattern) => self.add_pattern(pattern, id),
            AtomTest::Number(bits, text) => {
                predicates.numbers.add_equal(f64::from_bits(*bits), text, id);
                self.add_text(Anchors::Both, &fold(text), id);
            }
            AtomTest::Compare(op, bits) => predicates.numbers.add_compare(*op, f64::from_bits(*bits), id),
            AtomTest::Cidr(cidr) => predicates.networks.add(cidr, id),
            AtomTest::DatePart(part, op, bits) => {
                predicates.dates.push((*part, op.map(Into::into), f64::from_bits(*bits), id));
            }
            AtomTest::Regex(expression) => {
                let hir = parse_regex(expression)?;
                let test = CheckTest::Regex(LazyRegex::new(expression, *regexes));
                *regexes += 1;
                let check = Check { test, atom: id, in_line: stays_in_line(&hir) };
                self.add_check(check, &required(&hir).unwrap_or_default());
            }
            AtomTest::FieldRef { .. } => {}
        }
        Ok(())
    }

    /// Builds the predicates after the last [`Composer::add`].
    #[must_use]
    pub fn finish(self, frequencies: &Frequencies) -> Predicates {
        let Composer { mut predicates, needles, mut hits } = self;
        hits.sort_unstable();
        hits.dedup();
        predicates.hit_starts = vec![0; needles.len() + 1];
        for (needle, _) in &hits {
            predicates.hit_starts[*needle as usize + 1] += 1;
        }
        for needle in 0..needles.len() {
            predicates.hit_starts[needle + 1] += predicates.hit_starts[needle];
        }
        predicates.hits = hits.into_iter().map(|(_, hit)| hit).collect();
        predicates.finder = needles.finder(frequencies);
        predicates.starts.finish();
        predicates.ends.finish();
        predicates.ends_bytes = predicates.ends.longest();
        predicates.numbers.finish();
        predicates
    }

    /// Counts the grams of everything that is looked for, so that rare ones can be chosen.
    pub fn count_grams(&self, frequencies: &mut Frequencies) {
        self.needles.iter().for_each(|needle| frequencies.count(needle));
        self.predicates.exact.keys().for_each(|text| frequencies.count(text.as_bytes()));
        self.predicates.starts.texts().for_each(|text| frequencies.count(text));
    }

    /// The folded texts that are looked for anywhere in values.
    pub(crate) fn needles(&self) -> impl Iterator<Item = &[u8]> {
        self.needles.iter()
    }

    fn add_pattern(&mut self, pattern: &Pattern, id: AtomId) {
        if let Some((anchors, texts)) = plain(pattern) {
            match anchors {
                Anchors::Both if pattern.cased => {
                    for text in texts {
                        self.predicates.in_lines &= !text.contains('\n');
                        self.predicates.exact_cased.entry(text.into()).or_default().push(id);
                    }
                    return;
                }
                _ if !pattern.cased => {
                    return texts.iter().for_each(|text| self.add_text(anchors, &fold(text), id));
                }
                _ => {}
            }
        }
        let glob = Glob::new(pattern);
        let in_line = matches!(plain(pattern), Some((Anchors::None, _)));
        let test = if pattern.cased { CheckTest::Cased(glob) } else { CheckTest::Folded(glob) };
        self.add_check(Check { test, atom: id, in_line }, &texts_of(pattern));
    }

    /// Adds a folded text that is all a pattern asks for.
    fn add_text(&mut self, anchors: Anchors, text: &str, id: AtomId) {
        self.predicates.in_lines &= !text.contains('\n');
        match anchors {
            Anchors::Both => match self.predicates.exact.get_mut(text) {
                Some(atoms) => atoms.push(id),
                None => drop(self.predicates.exact.insert(text.into(), vec![id])),
            },
            Anchors::Start => self.predicates.starts.add(text.as_bytes().into(), id),
            Anchors::End => {
                let reversed: Vec<u8> = text.bytes().rev().collect();
                self.predicates.ends.add(reversed.into(), id);
            }
            Anchors::None => {
                let needle = self.needles.number(text.as_bytes());
                self.hits.push((needle, id));
            }
        }
    }

    /// Adds a check that cannot hold without one of these folded texts; without any text it is
    /// always run.
    fn add_check(&mut self, check: Check, texts: &[String]) {
        let index = self.predicates.checks.len() as u32;
        let in_line = check.in_line;
        self.predicates.checks.push(check);
        // What stands in one line of a text must be there too, and can be found line by line.
        let in_one_line = |text: &String| text.split('\n').max_by_key(|line| line.len()).map(str::to_owned);
        let lines: Option<Vec<String>> =
            texts.iter().map(|text| in_one_line(text).filter(|line| !line.is_empty())).collect();
        let lines = lines.unwrap_or_default();
        for line in &lines {
            let needle = self.needles.number(line.as_bytes());
            self.hits.push((needle, CHECKS + index));
        }
        if lines.is_empty() {
            let always =
                if in_line { &mut self.predicates.always_in_lines } else { &mut self.predicates.always };
            always.push(index);
        }
    }
}

/// How a pattern is anchored and the texts it stands for, if it is text with `*` at its ends only.
fn plain(pattern: &Pattern) -> Option<(Anchors, Vec<String>)> {
    let (anchors, inner) = match pattern.parts.as_slice() {
        [Part::Any, inner @ .., Part::Any] => (Anchors::None, inner),
        [Part::Any, inner @ ..] => (Anchors::End, inner),
        [inner @ .., Part::Any] => (Anchors::Start, inner),
        inner => (Anchors::Both, inner),
    };
    let texts = spelt_out(inner)?;
    let is_wild = anchors != Anchors::Both && texts.iter().any(String::is_empty);
    (!is_wild).then_some((anchors, texts))
}

/// All texts that literals and dashes stand for; `None` with a wildcard among them, or with so many
/// dashes that there are too many texts.
fn spelt_out(parts: &[Part]) -> Option<Vec<String>> {
    let dashes = parts.iter().filter(|part| **part == Part::Dash).count();
    if dashes > DASHES_SPELT_OUT_MAX {
        return None;
    }
    let mut texts = vec![String::new()];
    for part in parts {
        match part {
            Part::Literal(literal) => texts.iter_mut().for_each(|text| text.push_str(literal)),
            Part::Dash => {
                let with = |text: &String, dash: char| format!("{text}{dash}");
                texts = texts.iter().flat_map(|text| DASHES.map(|dash| with(text, dash))).collect();
            }
            Part::Any | Part::One => return None,
        }
    }
    Some(texts)
}

/// Folded texts of which every match contains one: those of the pattern's longest piece without a
/// wildcard. Empty if it is nothing but wildcards.
fn texts_of(pattern: &Pattern) -> Vec<String> {
    let pieces = pattern.parts.split(|part| matches!(part, Part::Any | Part::One));
    let literals = pattern.parts.iter().filter(|part| matches!(part, Part::Literal(_)));
    let candidates = pieces.chain(literals.map(std::slice::from_ref)).filter_map(spelt_out);
    let shortest = |texts: &Vec<String>| texts.iter().map(String::len).min().unwrap_or(0);
    let best = candidates.max_by_key(|texts| (shortest(texts), usize::MAX - texts.len()));
    let best = best.filter(|texts| shortest(texts) > 0).unwrap_or_default();
    best.iter().map(|text| fold(text)).collect()
}
