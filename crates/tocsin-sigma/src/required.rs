//! Texts of which one must stand in a value for an expression to match it, folded.
//!
//! They decide which expressions are worth running. What is found here is necessary, never
//! sufficient.

use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind, Look, Repetition};

use crate::fold::{fold, fold_char};
use crate::grams::bytes_cost;

/// Texts one set may hold; of more, the expression says too little.
const TEXTS_MAX: usize = 24;
/// Characters of a class that are worth being spelt out.
const CLASS_CHARS_MAX: usize = 32;
/// Bytes of a text that is still made longer.
const TEXT_BYTES_MAX: usize = 32;

/// What every match of a part of an expression contains.
struct Needs {
    /// All texts the part can match, folded, if they are few.
    exact: Option<Vec<String>>,
    /// Texts of which each match contains one.
    any: Option<Vec<String>>,
}

impl Needs {
    const NOTHING: Needs = Needs { exact: None, any: None };

    fn exactly(texts: Vec<String>) -> Needs {
        Needs { exact: Some(texts), any: None }
    }

    /// The best set of texts, be it exact or not.
    fn best(self) -> Option<Vec<String>> {
        better(self.exact, self.any)
    }
}

/// Texts of which a value must contain one, folded, for the expression to match it; `None` where
/// there are none.
pub(crate) fn required(hir: &Hir) -> Option<Vec<String>> {
    let mut texts = needs(hir).best()?;
    texts.sort_unstable();
    texts.dedup();
    (score(&texts) > 0).then_some(texts)
}

/// Whether a match lies within one line wherever it lies, and is found there when the line is all
/// there is: nothing in the expression takes a line feed or asks for the value's ends.
pub(crate) fn stays_in_line(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty => true,
        HirKind::Literal(literal) => !literal.0.contains(&b'\n'),
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().all(|range| !(range.start()..=range.end()).contains(&'\n'))
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().all(|range| !(range.start()..=range.end()).contains(&b'\n'))
        }
        HirKind::Look(look) => !matches!(look, Look::Start | Look::End | Look::StartCRLF | Look::EndCRLF),
        HirKind::Repetition(repetition) => stays_in_line(&repetition.sub),
        HirKind::Capture(capture) => stays_in_line(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().all(stays_in_line),
    }
}

/// How well a set of texts tells values apart: the length of its shortest text.
fn score(texts: &[String]) -> usize {
    texts.iter().map(String::len).min().unwrap_or(0)
}

/// The set that tells values apart better: by its shortest text; of short texts, by how rare their
/// bytes are; then the smaller set.
fn better(a: Option<Vec<String>>, b: Option<Vec<String>>) -> Option<Vec<String>> {
    let (Some(first), Some(second)) = (&a, &b) else { return a.or(b) };
    let common = |texts: &[String]| texts.iter().map(|text| bytes_cost(text.as_bytes())).max().unwrap_or(0);
    let rarity = |texts: &[String]| if score(texts) < 4 { u32::MAX - common(texts) } else { 0 };
    let rank =
        |texts: &[String]| (score(texts).min(6), rarity(texts), usize::MAX - texts.len(), score(texts));
    if rank(first) >= rank(second) { a } else { b }
}

fn needs(hir: &Hir) -> Needs {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Needs::exactly(vec![String::new()]),
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => Needs::exactly(vec![fold(text)]),
            Err(_) => Needs::NOTHING,
        },
        HirKind::Class(Class::Unicode(class)) => of_class(class),
        HirKind::Class(Class::Bytes(class)) => {
            class.to_unicode_class().map_or(Needs::NOTHING, |c| of_class(&c))
        }
        HirKind::Repetition(repetition) => of_repetition(repetition),
        HirKind::Capture(capture) => needs(&capture.sub),
        HirKind::Concat(parts) => of_concat(parts),
        HirKind::Alternation(parts) => of_alternation(parts),
    }
}

fn of_class(class: &ClassUnicode) -> Needs {
    let count: usize = class.ranges().iter().map(regex_syntax::hir::ClassUnicodeRange::len).sum();
    if count > CLASS_CHARS_MAX {
        return Needs::NOTHING;
    }
    let chars = class.ranges().iter().flat_map(|range| range.start()..=range.end());
    let mut folded: Vec<String> = chars.map(|c| fold_char(c).to_string()).collect();
    folded.sort_unstable();
    folded.dedup();
    if folded.len() > TEXTS_MAX || folded.is_empty() { Needs::NOTHING } else { Needs::exactly(folded) }
}

fn of_repetition(repetition: &Repetition) -> Needs {
    let sub = needs(&repetition.sub);
    match (repetition.min, repetition.max) {
        (0, Some(1)) => match sub.exact {
            Some(mut texts) if texts.len() < TEXTS_MAX => {
                texts.push(String::new());
                Needs::exactly(texts)
            }
            _ => Needs::NOTHING,
        },
        (0, _) => Needs::NOTHING,
        (1, Some(1)) => sub,
        (min, max) => {
            let one = sub.exact.clone().unwrap_or_default();
            let (mut texts, mut spelt) = (one.clone(), 1);
            while spelt < min
                && let Some(longer) = product(&texts, &one)
            {
                texts = longer;
                spelt += 1;
            }
            let any = if texts.is_empty() { sub.best() } else { Some(texts.clone()) };
            let complete = spelt == min && max == Some(min) && !texts.is_empty();
            Needs { exact: complete.then_some(texts), any }
        }
    }
}

/// All texts of one set followed by all of another, if they are few and short.
fn product(a: &[String], b: &[String]) -> Option<Vec<String>> {
    let longest = |texts: &[String]| texts.iter().map(String::len).max().unwrap_or(0);
    if a.is_empty()
        || b.is_empty()
        || a.len() * b.len() > TEXTS_MAX
        || longest(a) + longest(b) > TEXT_BYTES_MAX
    {
        return None;
    }
    Some(a.iter().flat_map(|first| b.iter().map(move |second| format!("{first}{second}"))).collect())
}

fn of_concat(parts: &[Hir]) -> Needs {
    let mut best = None;
    let mut run = vec![String::new()];
    let mut whole = true;
    for part in parts {
        let Needs { exact, any } = needs(part);
        best = better(best, any);
        let longer = exact.as_ref().and_then(|texts| product(&run, texts));
        match (longer, exact) {
            (Some(longer), _) => run = longer,
            (None, exact) => {
                whole = false;
                best = better(best, Some(run));
                run = exact.unwrap_or_else(|| vec![String::new()]);
            }
        }
    }
    if whole {
        return Needs { exact: Some(run), any: best };
    }
    Needs { exact: None, any: better(best, Some(run)) }
}

fn of_alternation(parts: &[Hir]) -> Needs {
    let needs: Vec<Needs> = parts.iter().map(needs).collect();
    if needs.iter().all(|part| part.exact.is_some()) {
        let texts: Vec<String> =
            needs.iter().flat_map(|part| part.exact.clone().unwrap_or_default()).collect();
        if texts.len() <= TEXTS_MAX {
            return Needs::exactly(texts);
        }
    }
    let mut all = Vec::new();
    for part in needs {
        match part.best() {
            Some(texts) => all.extend(texts),
            None => return Needs::NOTHING,
        }
    }
    Needs { exact: None, any: (all.len() <= 4 * TEXTS_MAX).then_some(all) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex_automata::meta::Regex;

    fn texts(expression: &str) -> Option<Vec<String>> {
        required(&regex_syntax::parse(expression).expect("a valid expression"))
    }

    #[test]
    fn the_longest_texts_of_an_expression_are_required() {
        for (expression, expect) in [
            ("(?i)Set.*COMMAND", Some(vec!["command"])),
            (r"\\[Aa]pp[Dd]ata\\(?:Local|Roaming)", Some(vec![r"\appdata\local", r"\appdata\roaming"])),
            (r"\s-\s*<", Some(vec!["<"])),
            ("0x[a-fA-F0-9]{8}", Some(vec!["0x"])),
            ("(abc|def)+x?", Some(vec!["abc", "def"])),
            ("a{3}b", Some(vec!["aaab"])),
            ("a{3,}b", Some(vec!["aaa"])),
            ("a{40}b", Some(vec!["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"])),
            ("[0-9]{3}", Some(vec![])),
            ("(ab)?", None),
            (r"\w+", None),
            ("", None),
            ("a|", None),
            ("[^:]", None),
        ] {
            let found = texts(expression);
            match expect {
                Some(list) if list.is_empty() => assert!(found.is_some(), "{expression}"),
                expect => {
                    let expect = expect.map(|list| list.into_iter().map(str::to_string).collect());
                    assert_eq!(found, expect, "{expression}");
                }
            }
        }
    }

    #[test]
    fn an_expression_that_may_take_a_line_feed_or_asks_for_the_ends_leaves_its_line() {
        for (expression, expect) in [
            ("set.*cmd", true),
            ("(?m)^a$", true),
            (r"\bset\b", true),
            ("^a", false),
            ("a$", false),
            (r"a\sb", false),
            ("[^x]", false),
            ("(?s)a.b", false),
            (r"a\nb", false),
            ("(?R)(?m)^a", false),
        ] {
            let hir = regex_syntax::parse(expression).expect("a valid expression");
            assert_eq!(stays_in_line(&hir), expect, "{expression}");
        }
    }

    /// Expressions of a small alphabet, folded or not.
    fn expression() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            "[aAkK\u{17f}]{1,3}",
            Just("[aK]".to_string()),
            Just("[^a]".to_string()),
            Just(".".to_string()),
            Just(String::new()),
            Just(r"\b".to_string()),
        ];
        let tree = leaf.prop_recursive(4, 24, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
                prop::collection::vec(inner.clone(), 1..4)
                    .prop_map(|parts| format!("(?:{})", parts.join("|"))),
                (inner.clone(), 0..4_u32, 0..3_u32)
                    .prop_map(|(part, min, more)| format!("(?:{part}){{{min},{}}}", min + more)),
                inner.prop_map(|part| format!("(?:{part})+")),
            ]
        });
        (tree, any::<bool>()).prop_map(|(text, cased)| if cased { text } else { format!("(?i){text}") })
    }

    proptest! {
        #[test]
        fn no_match_is_without_a_required_text(expression in expression(), value in "[aAkK\u{212a}b\n]{0,8}") {
            let hir = regex_syntax::parse(&expression).expect("a valid expression");
            let regex = Regex::new(&expression).expect("a valid expression");
            let folded = fold(&value);
            if let Some(texts) = required(&hir) {
                let has_one = texts.iter().any(|text| folded.contains(text));
                prop_assert!(!regex.is_match(&value) || has_one, "{texts:?}");
            }
            if stays_in_line(&hir) {
                let in_a_line = value.split('\n').any(|line| regex.is_match(line));
                prop_assert_eq!(regex.is_match(&value), in_a_line);
            }
        }
    }
}
