//! All tests of one field, compiled together: a value goes in, the set of atoms it satisfies
//! comes out. Costs matter only for values not seen before; the matcher remembers the rest.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use hashbrown::HashMap;
use regex_automata::meta::Regex;
use tocsin_core::value::Value;

use crate::ast::{Cidr, DatePart, Ordering, Part, Pattern};
use crate::atom::{Atom, AtomId, AtomTest, CompareOp};
use crate::fold::{fold, fold_into};
use crate::glob::Glob;
use crate::modifier::cidr;

/// Bytes a compiled expression may take; a bigger one does not load. `\w{1,64}`, with all the
/// letters there are, takes one and a half million.
const REGEX_BYTES_MAX: usize = 4 << 20;

/// Bytes of states an expression keeps while it searches; beyond it they are built anew.
const REGEX_CACHE_BYTES_MAX: usize = 1 << 20;

/// All tests of one field.
#[derive(Debug, Default)]
pub struct Predicates {
    exists: Option<AtomId>,
    is_null: Option<AtomId>,
    bools: [Option<AtomId>; 2],
    folded: Texts,
    cased: Texts,
    numbers: Vec<(f64, AtomId)>,
    compares: Vec<(CompareOp, f64, AtomId)>,
    ranges: Vec<(Cidr, AtomId)>,
    dates: Vec<(DatePart, Option<Ordering>, f64, AtomId)>,
    regexes: Vec<(Regex, AtomId)>,
}

/// Scratch space of evaluation; one per worker.
#[derive(Debug, Default)]
pub struct Scratch {
    folded: String,
    /// Needles already looked at for the current value, by stamp.
    seen: Vec<u32>,
    stamp: u32,
}

impl Scratch {
    /// Begins a value with so many needles.
    fn begin(&mut self, needles: usize) {
        if self.stamp == u32::MAX {
            self.seen.clear();
            self.stamp = 0;
        }
        self.stamp += 1;
        self.seen.resize(self.seen.len().max(needles), 0);
    }

    /// Whether a needle is met for the first time.
    fn first(&mut self, needle: usize) -> bool {
        std::mem::replace(&mut self.seen[needle], self.stamp) != self.stamp
    }
}

/// A test that cannot be compiled, in a sentence.
pub type Uncompilable = String;

impl Predicates {
    /// Adds an atom of this field.
    ///
    /// # Errors
    /// A sentence when a regular expression is not valid or too big.
    pub fn add(&mut self, atom: &Atom, id: AtomId) -> Result<(), Uncompilable> {
        match &atom.test {
            AtomTest::Exists => self.exists = Some(id),
            AtomTest::IsNull => self.is_null = Some(id),
            AtomTest::Bool(value) => self.bools[usize::from(*value)] = Some(id),
            AtomTest::Pattern(pattern) if pattern.cased => self.cased.add(pattern, id),
            AtomTest::Pattern(pattern) => self.folded.add(pattern, id),
            AtomTest::Number(bits, text) => {
                self.numbers.push((f64::from_bits(*bits), id));
                self.folded.add_exact(fold(text), id);
            }
            AtomTest::Compare(op, bits) => self.compares.push((*op, f64::from_bits(*bits), id)),
            AtomTest::Cidr(cidr) => self.ranges.push((*cidr, id)),
            AtomTest::DatePart(part, op, bits) => {
                self.dates.push((*part, op.map(Into::into), f64::from_bits(*bits), id));
            }
            AtomTest::Regex(expression) => self.regexes.push((compile_regex(expression)?, id)),
            AtomTest::FieldRef { .. } => {}
        }
        Ok(())
    }

    /// Builds the searchers after the last [`Predicates::add`].
    ///
    /// # Errors
    /// A sentence when the literals of the field are too many for one searcher.
    pub fn finish(&mut self) -> Result<(), Uncompilable> {
        self.folded.finish()?;
        self.cased.finish()
    }

    /// Appends the atoms a value satisfies, in no order, possibly twice.
    pub fn evaluate(&self, value: &Value<'_>, scratch: &mut Scratch, out: &mut Vec<AtomId>) {
        out.extend(self.exists);
        if let Value::Null = value {
            out.extend(self.is_null);
        }
        let Some(text) = value.as_text() else { return };
        let mut folded = std::mem::take(&mut scratch.folded);
        fold_into(text, &mut folded);
        self.folded.evaluate(&folded, scratch, out);
        self.cased.evaluate(text, scratch, out);
        match &*folded {
            "true" => out.extend(self.bools[1]),
            "false" => out.extend(self.bools[0]),
            _ => {}
        }
        scratch.folded = folded;
        if !self.numbers.is_empty() || !self.compares.is_empty() {
            self.evaluate_number(text, out);
        }
        if !self.ranges.is_empty() {
            self.evaluate_address(text, out);
        }
        let dates =
            self.dates.iter().filter(|(part, ordering, number, _)| part.holds(text, *ordering, *number));
        out.extend(dates.map(|(.., atom)| *atom));
        let found = self.regexes.iter().filter(|(regex, _)| regex.is_match(text));
        out.extend(found.map(|(_, atom)| *atom));
    }

    fn evaluate_number(&self, text: &str, out: &mut Vec<AtomId>) {
        let Some(number) = parse_number(text) else { return };
        out.extend(self.numbers.iter().filter(|(n, _)| *n == number).map(|(_, atom)| *atom));
        for (op, limit, atom) in &self.compares {
            let holds = match op {
                CompareOp::Lt => number < *limit,
                CompareOp::Lte => number <= *limit,
                CompareOp::Gt => number > *limit,
                CompareOp::Gte => number >= *limit,
            };
            if holds {
                out.push(*atom);
            }
        }
    }

    fn evaluate_address(&self, text: &str, out: &mut Vec<AtomId>) {
        let Some(address) = cidr::address(text) else { return };
        let inside = self.ranges.iter().filter(|(range, _)| range.contains(address));
        out.extend(inside.map(|(_, atom)| *atom));
    }
}

/// The number a value's text reads as; only plain decimal notation counts.
#[must_use]
pub fn parse_number(text: &str) -> Option<f64> {
    let begins = text.as_bytes().first()?;
    if !(begins.is_ascii_digit() || matches!(begins, b'-' | b'+' | b'.')) {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// Compiles an expression with the limits every rule has.
///
/// # Errors
/// A sentence when it is not valid or too big.
pub fn compile_regex(expression: &str) -> Result<Regex, Uncompilable> {
    let config =
        Regex::config().nfa_size_limit(Some(REGEX_BYTES_MAX)).hybrid_cache_capacity(REGEX_CACHE_BYTES_MAX);
    Regex::builder().configure(config).build(expression).map_err(|error| match error.size_limit() {
        Some(limit) => format!("the expression takes more than {limit} bytes once it is compiled"),
        None => format!("the expression cannot be compiled: {error}"),
    })
}

/// Text patterns of one case treatment.
#[derive(Debug, Default)]
struct Texts {
    /// Patterns without wildcards.
    exact: HashMap<Box<str>, Vec<AtomId>>,
    /// Patterns with wildcards that contain some text.
    globs: Vec<(Glob, AtomId)>,
    /// Patterns of wildcards alone.
    empty_globs: Vec<(Glob, AtomId)>,
    /// Finds the needles of `globs`; pattern i of the searcher belongs to `by_needle[i]`.
    searcher: Option<AhoCorasick>,
    by_needle: Vec<Vec<u32>>,
}

impl Texts {
    fn add_exact(&mut self, text: String, atom: AtomId) {
        self.exact.entry(text.into_boxed_str()).or_default().push(atom);
    }

    fn add(&mut self, pattern: &Pattern, atom: AtomId) {
        match pattern.parts.as_slice() {
            [] => self.add_exact(String::new(), atom),
            [Part::Literal(text)] if pattern.cased => self.add_exact(text.clone(), atom),
            [Part::Literal(text)] => self.add_exact(fold(text), atom),
            _ => {
                let glob = Glob::new(pattern);
                let list = if glob.needle().is_some() { &mut self.globs } else { &mut self.empty_globs };
                list.push((glob, atom));
            }
        }
    }

    fn finish(&mut self) -> Result<(), Uncompilable> {
        let mut needles: Vec<&str> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (index, (glob, _)) in self.globs.iter().enumerate() {
            let Some(needle) = glob.needle() else { continue };
            let place = *places.entry(needle).or_insert_with(|| {
                needles.push(needle);
                self.by_needle.push(Vec::new());
                needles.len() - 1
            });
            self.by_needle[place].push(index as u32);
        }
        if needles.len() > 1 {
            let searcher = AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .build(&needles)
                .map_err(|error| error.to_string())?;
            self.searcher = Some(searcher);
        }
        Ok(())
    }

    fn evaluate(&self, text: &str, scratch: &mut Scratch, out: &mut Vec<AtomId>) {
        if let Some(atoms) = self.exact.get(text) {
            out.extend_from_slice(atoms);
        }
        let wild = self.empty_globs.iter().filter(|(glob, _)| glob.matches(text));
        out.extend(wild.map(|(_, atom)| *atom));
        let Some(searcher) = &self.searcher else {
            let found = self.globs.iter().filter(|(glob, _)| glob.matches(text));
            out.extend(found.map(|(_, atom)| *atom));
            return;
        };
        scratch.begin(self.by_needle.len());
        for found in searcher.find_overlapping_iter(text) {
            let needle = found.pattern().as_usize();
            if !scratch.first(needle) {
                continue;
            }
            for index in &self.by_needle[needle] {
                let (glob, atom) = &self.globs[*index as usize];
                if glob.matches(text) {
                    out.push(*atom);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_finite_decimals_are_numbers() {
        for (text, expect) in [
            ("4625", Some(4_625.0)),
            ("-1.5e3", Some(-1_500.0)),
            ("+5", Some(5.0)),
            (".5", Some(0.5)),
            ("1e400", None),
            ("-inf", None),
            ("+nan", None),
            ("inf", None),
            ("0x1F", None),
            (" 1", None),
            ("", None),
        ] {
            assert_eq!(parse_number(text), expect, "{text}");
        }
    }
}
