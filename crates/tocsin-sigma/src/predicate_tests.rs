//! The predicates of a field against each of its tests alone, slowly.

use proptest::prelude::*;
use regex_automata::meta::Regex;
use tocsin_core::field::FieldId;
use tocsin_core::value::Value;

use super::*;
use crate::ast::{Part as Piece, Pattern};
use crate::atom::{Atom, AtomTest};
use crate::compose::Composer;
use crate::grams::Frequencies;

const EXPRESSIONS: [&str; 10] =
    ["(?i)ka.*b", r"^a\w", r"\bk\b", "[^a]{2}", "(?s)a.b", r"a\s+b", "(?m)^b$", "k|\u{17f}", "", "-[ak]{2}"];

/// All tests as one set of predicates.
fn predicates(tests: &[AtomTest]) -> Predicates {
    let (mut composer, mut frequencies, mut regexes) = (Composer::default(), Frequencies::new(), 0);
    for (id, test) in tests.iter().enumerate() {
        let atom = Atom { field: Some(FieldId(0)), test: test.clone() };
        composer.add(&atom, id as AtomId, &mut regexes).expect("a test that compiles");
    }
    composer.count_grams(&mut frequencies);
    composer.finish(&frequencies)
}

/// What the tests say, one by one and slowly.
fn expected(tests: &[AtomTest], value: &str) -> Vec<AtomId> {
    let holds = |test: &AtomTest| match test {
        AtomTest::Exists => true,
        AtomTest::Pattern(pattern) => pattern.matches(value),
        AtomTest::Regex(expression) => Regex::new(expression).expect("valid").is_match(value),
        AtomTest::Bool(word) => value.eq_ignore_ascii_case(if *word { "true" } else { "false" }),
        AtomTest::Number(bits, text) => {
            is_number(value, f64::from_bits(*bits), text) || Pattern::literal(text).matches(value)
        }
        _ => false,
    };
    (0..tests.len()).filter(|id| holds(&tests[*id])).map(|id| id as AtomId).collect()
}

fn evaluate(predicates: &Predicates, value: &str) -> Vec<AtomId> {
    let mut out = Vec::new();
    predicates.evaluate(&Value::Text(value.into()), &mut Scratch::default(), &mut out);
    out.sort_unstable();
    out.dedup();
    out
}

/// As [`evaluate`], the value judged line by line.
fn evaluate_lines(predicates: &Predicates, value: &str) -> Vec<AtomId> {
    let mut scratch = Scratch::default();
    let lines: Vec<&str> = value.split('\n').collect();
    let (mut asked, mut out) = (Vec::new(), Vec::new());
    for (at, line) in lines.iter().enumerate() {
        let part = predicates.part(at == 0, at + 1 == lines.len());
        predicates.judge(Text { raw: line, escaped: false }, part, &mut scratch, &mut asked);
    }
    asked.sort_unstable();
    asked.dedup();
    predicates.exists(&mut out);
    predicates.finish_lines(Text { raw: value, escaped: false }, &asked, &mut scratch, &mut out);
    out.sort_unstable();
    out.dedup();
    out
}

/// Patterns and values share a small alphabet with everything that folds oddly.
fn test() -> impl Strategy<Value = AtomTest> {
    let literal = "[akKsS\u{212a}\u{17f}\u{130}é /-]{1,5}";
    let piece = prop_oneof![
        5 => literal.prop_map(Piece::Literal),
        3 => Just(Piece::Any),
        1 => Just(Piece::One),
        1 => Just(Piece::Dash),
    ];
    let pattern = (prop::collection::vec(piece, 0..5), any::<bool>(), any::<bool>(), any::<bool>());
    let pattern = pattern.prop_map(|(pieces, cased, start, end)| {
        let mut pattern = Pattern { parts: Vec::new(), cased };
        pieces.into_iter().for_each(|piece| pattern.push(piece));
        if start {
            pattern.open_start();
        }
        if end {
            pattern.open_end();
        }
        AtomTest::Pattern(pattern)
    });
    prop_oneof![
        12 => pattern,
        3 => prop::sample::select(&EXPRESSIONS[..]).prop_map(|text| AtomTest::Regex(text.to_string())),
        1 => Just(AtomTest::Exists),
        1 => any::<bool>().prop_map(AtomTest::Bool),
        1 => (-2..3_i8).prop_map(|n| AtomTest::Number(f64::from(n).to_bits(), n.to_string())),
    ]
}

/// Some tests, each once.
fn tests() -> impl Strategy<Value = Vec<AtomTest>> {
    prop::collection::vec(test(), 0..25).prop_map(|tests| {
        let mut once: Vec<AtomTest> = Vec::new();
        tests.into_iter().for_each(|test| {
            if !once.contains(&test) {
                once.push(test);
            }
        });
        once
    })
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[akKsSb\u{212a}\u{17f}\u{130}éÉ /\u{2013}-]{0,12}",
        3 => "[akKsb\u{17f}\n -]{0,16}",
        1 => prop::sample::select(&["", "TRUE", "fAl\u{17f}e", "-1", "1.0", "+2", "\n"][..]).prop_map(str::to_string),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn together_tests_say_what_each_says_alone(tests in tests(), value in value()) {
        let expect: Vec<AtomId> = expected(&tests, &value)
            .into_iter()
            // Of booleans only the word in ASCII is compared slowly; leave out what folds to it.
            .filter(|id| !matches!(tests[*id as usize], AtomTest::Bool(_)) || value.is_ascii())
            .collect();
        let predicates = predicates(&tests);
        let mut found = evaluate(&predicates, &value);
        found.retain(|id| !matches!(tests[*id as usize], AtomTest::Bool(_)) || value.is_ascii());
        prop_assert_eq!(&found, &expect, "{:?}", tests);
    }

    #[test]
    fn lines_say_what_the_value_says(tests in tests(), value in value()) {
        let predicates = predicates(&tests);
        if predicates.can_take_lines() && value.contains('\n') {
            prop_assert_eq!(evaluate_lines(&predicates, &value), evaluate(&predicates, &value), "{:?}", tests);
        }
    }

    #[test]
    fn a_needle_in_a_long_value_is_found_wherever_it_stands(
        at in 0..600_usize,
        needle in "[a-z]{1,9}",
        others in prop::collection::vec("[0-9a-z]{1,9}", 0..40),
    ) {
        let tests: Vec<AtomTest> = others.into_iter().chain([needle.clone()]).map(|text| {
            let mut pattern = Pattern::literal(&text);
            pattern.open_start();
            pattern.open_end();
            AtomTest::Pattern(pattern)
        }).collect();
        let mut value = "#".repeat(600);
        value.insert_str(at, &needle.to_uppercase());
        prop_assert_eq!(evaluate(&predicates(&tests), &value), expected(&tests, &value));
    }
}
