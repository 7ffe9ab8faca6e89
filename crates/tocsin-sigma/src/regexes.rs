//! Regular expressions: checked when rules load, built when a value first needs them.

use std::sync::OnceLock;

use regex_automata::Input;
use regex_automata::meta::{Cache, Regex};
use regex_automata::nfa::thompson::NFA;
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look, Repetition};
use regex_syntax::utf8::Utf8Sequences;

use crate::predicate::Uncompilable;

/// Bytes a compiled expression may take; a bigger one does not load. `\w{1,64}`, with all the
/// letters there are, takes one and a half million.
const REGEX_BYTES_MAX: usize = 4 << 20;

/// Bytes an expression may take at most to be taken without compiling it to see.
const REGEX_SMALL_BYTES_MAX: usize = 256 << 10;

/// Bytes of states an expression keeps while it searches; beyond it they are built anew.
const REGEX_CACHE_BYTES_MAX: usize = 1 << 20;

/// Bytes the compiled form of the empty expression takes at most.
const EMPTY_BYTES: usize = 4_096;

/// Bytes of one state of a compiled expression, with what belongs to it, at most.
const STATE_BYTES: usize = 64;

/// Reads an expression.
///
/// # Errors
/// A sentence when it is not valid.
pub fn parse_regex(expression: &str) -> Result<Hir, Uncompilable> {
    regex_syntax::parse(expression).map_err(|error| format!("the expression cannot be compiled: {error}"))
}

/// Whether an expression is valid and keeps the limits every rule has: the bytes it takes once it
/// is compiled, or a little more.
///
/// # Errors
/// A sentence when it is not valid or too big.
pub fn check_regex(expression: &str) -> Result<usize, Uncompilable> {
    let hir = parse_regex(expression)?;
    let at_most = size_at_most(&hir).saturating_add(EMPTY_BYTES);
    if at_most <= REGEX_SMALL_BYTES_MAX {
        return Ok(at_most);
    }
    let config = NFA::config().nfa_size_limit(Some(REGEX_BYTES_MAX));
    let built = NFA::compiler().configure(config).build_from_hir(&hir);
    built.map(|nfa| nfa.memory_usage()).map_err(|error| match error.size_limit() {
        Some(limit) => format!("the expression takes more than {limit} bytes once it is compiled"),
        None => format!("the expression cannot be compiled: {error}"),
    })
}

/// Bytes a compiled expression takes at most: cheap to say, so that only what comes near the limit
/// has to be compiled to be judged.
fn size_at_most(hir: &Hir) -> usize {
    let all =
        |parts: &[Hir]| parts.iter().fold(STATE_BYTES, |sum, part| sum.saturating_add(size_at_most(part)));
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => STATE_BYTES,
        HirKind::Literal(literal) => STATE_BYTES * literal.0.len(),
        HirKind::Class(Class::Bytes(class)) => STATE_BYTES * (1 + class.ranges().len()),
        HirKind::Class(Class::Unicode(class)) => {
            let sequences = class.ranges().iter().map(|r| Utf8Sequences::new(r.start(), r.end()).count());
            STATE_BYTES * (1 + 4 * sequences.sum::<usize>())
        }
        HirKind::Repetition(repetition) => {
            let copies = repetition.max.unwrap_or(repetition.min.saturating_add(1)).max(1) as usize;
            size_at_most(&repetition.sub).saturating_add(STATE_BYTES).saturating_mul(copies)
        }
        HirKind::Capture(capture) => size_at_most(&capture.sub).saturating_add(2 * STATE_BYTES),
        HirKind::Concat(parts) => all(parts),
        HirKind::Alternation(parts) => all(parts).saturating_add(STATE_BYTES * parts.len()),
    }
}

/// An expression that has been checked.
#[derive(Debug)]
pub(crate) struct LazyRegex {
    expression: Box<str>,
    /// Its number among all expressions: where a worker keeps what it needs to search.
    number: u32,
    /// For text of ASCII alone: the same expression without all other characters, which makes it
    /// many times smaller.
    ascii: OnceLock<Option<Regex>>,
    full: OnceLock<Option<Regex>>,
}

/// What one worker needs to search, by the number of the expression, for ASCII and for all text.
#[derive(Debug, Default)]
pub(crate) struct Caches {
    list: Vec<[Option<Box<Cache>>; 2]>,
}

impl LazyRegex {
    pub(crate) fn new(expression: &str, number: u32) -> LazyRegex {
        LazyRegex { expression: expression.into(), number, ascii: OnceLock::new(), full: OnceLock::new() }
    }

    /// Whether the text contains a match.
    pub(crate) fn matches(&self, text: &str, caches: &mut Caches) -> bool {
        #[cfg(test)]
        assert!(!(self.expression.contains("poison") && text.contains("poison")), "injected");
        let is_ascii = text.is_ascii();
        let regex = if is_ascii {
            self.ascii.get_or_init(|| build(&in_ascii(&parse_regex(&self.expression).ok()?)))
        } else {
            self.full.get_or_init(|| build(&parse_regex(&self.expression).ok()?))
        };
        // Its size was limited when it was checked, and there is no other reason to fail.
        let Some(regex) = regex else { return false };
        let number = self.number as usize;
        if caches.list.len() <= number {
            caches.list.resize_with(number + 1, Default::default);
        }
        let cache =
            caches.list[number][usize::from(is_ascii)].get_or_insert_with(|| Box::new(regex.create_cache()));
        regex.search_half_with(cache, &Input::new(text).earliest(true)).is_some()
    }
}

fn build(hir: &Hir) -> Option<Regex> {
    let config = Regex::config().nfa_size_limit(None).hybrid_cache_capacity(REGEX_CACHE_BYTES_MAX);
    Regex::builder().configure(config).build_from_hir(hir).ok()
}

/// An expression that finds the same as the given one in text of ASCII alone.
fn in_ascii(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) if literal.0.is_ascii() => Hir::literal(literal.0.clone()),
        HirKind::Literal(_) => Hir::fail(),
        HirKind::Class(Class::Bytes(class)) => Hir::class(Class::Bytes(class.clone())),
        HirKind::Class(Class::Unicode(class)) => {
            let mut class = class.clone();
            class.intersect(&ClassUnicode::new([ClassUnicodeRange::new('\0', '\x7f')]));
            Hir::class(Class::Unicode(class))
        }
        HirKind::Look(look) => Hir::look(match look {
            Look::WordUnicode => Look::WordAscii,
            Look::WordUnicodeNegate => Look::WordAsciiNegate,
            Look::WordStartUnicode => Look::WordStartAscii,
            Look::WordEndUnicode => Look::WordEndAscii,
            Look::WordStartHalfUnicode => Look::WordStartHalfAscii,
            Look::WordEndHalfUnicode => Look::WordEndHalfAscii,
            other => *other,
        }),
        HirKind::Repetition(repetition) => {
            let sub = Box::new(in_ascii(&repetition.sub));
            Hir::repetition(Repetition { sub, ..repetition.clone() })
        }
        HirKind::Capture(capture) => in_ascii(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(in_ascii).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(in_ascii).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bad_or_big_expression_is_told() {
        assert!(check_regex(r"\w{1,64}").is_ok_and(|bytes| bytes > 1 << 20));
        assert!(check_regex("a.*b").is_ok_and(|bytes| bytes < 16 << 10));
        let big = check_regex(r"\w{1,1000}").expect_err("too big");
        assert!(big.contains("takes more than 4194304 bytes"), "{big}");
        let bad = check_regex("a(").expect_err("not valid");
        assert!(bad.contains("cannot be compiled"), "{bad}");
    }

    #[test]
    fn an_expression_is_searched_anywhere() {
        let (mut caches, regex) = (Caches::default(), LazyRegex::new("(?i)a+b", 3));
        for (text, expect) in [("xAAby", true), ("ba", false), ("", false), ("ab", true)] {
            assert_eq!(regex.matches(text, &mut caches), expect, "{text}");
        }
    }

    #[test]
    fn what_is_said_of_the_size_is_not_less_than_the_size() {
        for expression in [
            "",
            "a",
            r"\w",
            r"\W{3}",
            "[^a]",
            ".",
            r"(?s).{1,9}",
            "a|b|cde",
            r"(a(b(c)))+?",
            r"\p{Greek}{2,}",
            r"^\b(?i)set\b.*$",
            "[a-z]{20}",
            r"\PL*",
            "(((a{5}){5}){5}){5}",
            "(?:|a)*",
            r"[\d\s]+x{0}",
        ] {
            let hir = parse_regex(expression).expect("a valid expression");
            let nfa = NFA::compiler().build_from_hir(&hir).expect("a small expression");
            assert!(
                EMPTY_BYTES + size_at_most(&hir) >= nfa.memory_usage(),
                "{expression}: {}",
                nfa.memory_usage()
            );
        }
    }

    proptest! {
        #[test]
        fn in_ascii_an_expression_finds_the_same(
            at in 0..EXPRESSIONS.len(),
            text in "[ -~\n]{0,12}",
            other in "[kKsS\u{212a}\u{17f}é a]{0,6}",
        ) {
            let full = Regex::new(EXPRESSIONS[at]).expect("a valid expression");
            let lazy = LazyRegex::new(EXPRESSIONS[at], 0);
            for text in [text, other] {
                prop_assert_eq!(lazy.matches(&text, &mut Caches::default()), full.is_match(&text));
            }
        }
    }

    const EXPRESSIONS: [&str; 16] = [
        r"\bk",
        r"\Bs",
        "(?i)ks?",
        "[^a-z]{3}",
        "é|a",
        r"(?i)[k-s]\W",
        r"^\s*$",
        r"(?m)^.$",
        "é",
        r"[é\d]",
        r"\w{2}\b",
        r"\p{Greek}",
        "[^é]é?",
        "(a|(k))+ ",
        "",
        r"(?s)a.\S",
    ];
}
