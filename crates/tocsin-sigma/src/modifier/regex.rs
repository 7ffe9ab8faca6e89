//! Regular expressions as Sigma means them, in the spelling of the engine that runs them.
//!
//! Sigma asks for the common part of PCRE. The engine of this house reads a few spellings
//! differently; [`translate`] rewrites those, so that nothing changes its meaning in silence.

use std::borrow::Cow;

use regex_syntax::ast::{Ast, ErrorKind, RepetitionKind, Visitor};

use crate::limits::REGEX_TEXT_BYTES_MAX;

/// Flags of an expression (`re|i|m|s`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `i`: case does not count.
    pub ignore_case: bool,
    /// `m`: `^` and `$` also at line ends.
    pub multi_line: bool,
    /// `s`: `.` also matches a line end.
    pub dot_all: bool,
}

/// Rewrites what PCRE reads differently: a brace that opens no repetition is itself, a bracket or a
/// doubled `&&`, `--`, `~~` inside a class is itself, `\<` and `\>` are angle brackets.
#[must_use]
pub fn translate(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut class = Class::Outside;
    while let Some(current) = rest.chars().next() {
        let taken = match class {
            Class::Outside => outside(&mut out, rest, current),
            Class::Inside => inside(&mut out, rest, current),
        };
        class = match (class, current) {
            (Class::Outside, '[') => Class::Inside,
            (Class::Inside, ']') if taken == 1 => Class::Outside,
            (class, _) => class,
        };
        rest = &rest[taken..];
    }
    out
}

#[derive(Clone, Copy)]
enum Class {
    Outside,
    Inside,
}

/// Writes what begins `rest` outside a class; returns how many bytes that was.
fn outside(out: &mut String, rest: &str, current: char) -> usize {
    match current {
        '\\' => escape(out, rest),
        '{' if !opens_repetition(rest) => {
            out.push_str(r"\{");
            1
        }
        '[' => {
            // `]` and `^]` at the very start of a class are members, not its end.
            let head = ["[^]", "[]", "[^", "["].into_iter().find(|head| rest.starts_with(head));
            let head = head.unwrap_or("[");
            out.push_str(&head.replace(']', r"\]"));
            head.len()
        }
        other => {
            out.push(other);
            other.len_utf8()
        }
    }
}

/// Writes what begins `rest` inside a class; returns how many bytes that was.
fn inside(out: &mut String, rest: &str, current: char) -> usize {
    match current {
        '\\' => escape(out, rest),
        '[' => match rest.find(":]").filter(|_| rest.starts_with("[:")) {
            Some(end) => {
                out.push_str(&rest[..end + 2]);
                end + 2
            }
            None => {
                out.push_str(r"\[");
                1
            }
        },
        '&' | '~' => {
            out.push('\\');
            out.push(current);
            1
        }
        '-' if rest.starts_with("--") => {
            out.push_str(r"\-");
            1
        }
        other => {
            out.push(other);
            other.len_utf8()
        }
    }
}

/// Copies an escape: the backslash and the character after it.
fn escape(out: &mut String, rest: &str) -> usize {
    let Some(next) = rest[1..].chars().next() else {
        out.push('\\');
        return 1;
    };
    if !matches!(next, '<' | '>') {
        out.push('\\');
    }
    out.push(next);
    // A code point or property in braces is part of the escape: `\x{41}`, `\p{L}`.
    let braced = &rest[1 + next.len_utf8()..];
    if matches!(next, 'x' | 'u' | 'U' | 'p' | 'P')
        && let Some(end) = braced.find('}').filter(|_| braced.starts_with('{'))
    {
        out.push_str(&braced[..=end]);
        return 2 + end + 1;
    }
    1 + next.len_utf8()
}

/// Whether `{…` is `{n}`, `{n,}` or `{n,m}`.
fn opens_repetition(rest: &str) -> bool {
    let Some(end) = rest.find('}') else { return false };
    let (least, most) = rest[1..end].split_once(',').unwrap_or((&rest[1..end], ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}

/// A translated expression with `$` as PCRE has it: also before a line end that ends the text. Where
/// `m` makes it the end of any line the two agree.
#[must_use]
pub fn with_pcre_end(pattern: &str, multi_line: bool) -> Cow<'_, str> {
    if multi_line || !pattern.contains('$') || sets_multi_line(pattern) {
        return Cow::Borrowed(pattern);
    }
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut class_depth = 0_usize;
    let mut escaped = false;
    for current in pattern.chars() {
        match current {
            _ if escaped => {}
            '[' => class_depth += 1,
            ']' => class_depth = class_depth.saturating_sub(1),
            '$' if class_depth == 0 => {
                out.push_str(r"(?:\n?\z)");
                continue;
            }
            _ => {}
        }
        escaped = current == '\\' && !escaped;
        out.push(current);
    }
    Cow::Owned(out)
}

/// Whether an expression sets `m` itself: `(?m)`, `(?im:…)`.
fn sets_multi_line(pattern: &str) -> bool {
    pattern.split("(?").skip(1).any(|rest| {
        let flags = rest.split(|c: char| !c.is_ascii_lowercase()).next();
        flags.is_some_and(|flags| flags.contains('m'))
    })
}

/// Checks that an expression parses.
///
/// # Errors
/// The reason, and a hint when the expression needs what linear time cannot give.
pub fn check(pattern: &str, flags: Flags) -> Result<(), (String, Option<String>)> {
    if pattern.len() > REGEX_TEXT_BYTES_MAX {
        let reason = format!("the regular expression is longer than {REGEX_TEXT_BYTES_MAX} bytes");
        return Err((reason, Some("write several, or test for text with `contains`".to_owned())));
    }
    let mut parser = regex_syntax::ParserBuilder::new()
        .case_insensitive(flags.ignore_case)
        .multi_line(flags.multi_line)
        .dot_matches_new_line(flags.dot_all)
        .build();
    let linear = "Tocsin matches in linear time; write it without, with `not` in the condition";
    let error = match parser.parse(pattern) {
        Ok(_) if is_possessive(pattern) => {
            let reason = "the regular expression repeats possessively".to_owned();
            return Err((reason, Some(linear.to_owned())));
        }
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    Err(match &error {
        regex_syntax::Error::Parse(error)
            if *error.kind() == ErrorKind::FlagUnrecognized && pattern.contains("(?>") =>
        {
            ("the regular expression has an atomic group".to_owned(), Some(linear.to_owned()))
        }
        regex_syntax::Error::Parse(error) => match error.kind() {
            ErrorKind::UnsupportedLookAround => {
                ("the regular expression looks around".to_owned(), Some(linear.to_owned()))
            }
            ErrorKind::UnsupportedBackreference => {
                ("the regular expression refers back to a group".to_owned(), Some(linear.to_owned()))
            }
            kind => {
                (format!("the regular expression does not parse: {kind}"), Some(hint_for(kind).to_owned()))
            }
        },
        regex_syntax::Error::Translate(error) => {
            (format!("the regular expression does not parse: {}", error.kind()), Some(LITERAL.to_owned()))
        }
        _ => ("the regular expression does not parse".to_owned(), Some(LITERAL.to_owned())),
    })
}

/// Whether a `+` stands behind a quantifier (`a++`, `a{2}+`): in PCRE the repetition then gives nothing
/// back, here it would only be repeated.
fn is_possessive(pattern: &str) -> bool {
    if !["++", "*+", "?+", "}+"].iter().any(|sign| pattern.contains(sign)) {
        return false;
    }
    let ast = regex_syntax::ast::parse::Parser::new().parse(pattern);
    ast.is_ok_and(|ast| regex_syntax::ast::visit(&ast, Possessive).is_err())
}

/// Ends where a greedy repetition stands right under a `+`.
struct Possessive;

impl Visitor for Possessive {
    type Output = ();
    type Err = ();

    fn finish(self) -> Result<(), ()> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), ()> {
        match ast {
            Ast::Repetition(outer) if matches!(outer.op.kind, RepetitionKind::OneOrMore) && outer.greedy => {
                if matches!(&*outer.ast, Ast::Repetition(inner) if inner.greedy) {
                    Err(())
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        }
    }
}

/// What to do about an expression that has gone wrong in no way of its own.
const LITERAL: &str = r"put a backslash before a character that stands for itself, such as `\(` or `\*`";

/// What to do about an expression that does not parse.
fn hint_for(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::GroupUnclosed | ErrorKind::GroupUnopened => {
            r"close every `(`, or write `\(` and `\)` where a parenthesis is meant"
        }
        ErrorKind::ClassUnclosed => r"close every `[`, or write `\[` where a bracket is meant",
        ErrorKind::RepetitionMissing => r"write `\*`, `\+` or `\?` where the character is meant",
        ErrorKind::EscapeUnrecognized => r"write `\` where a backslash is meant",
        _ => LITERAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_that_differ_are_rewritten() {
        for (text, expect) in [
            ("abc", "abc"),
            ("a{2}b{1,}c{1,3}", "a{2}b{1,}c{1,3}"),
            (r"\${?input", r"\$\{?input"),
            (r"\{x}", r"\{x}"),
            ("{,3}", r"\{,3}"),
            ("a{b}", r"a\{b}"),
            ("é{", r"é\{"),
            (r"[\w{]", r"[\w{]"),
            ("[[a]", r"[\[a]"),
            ("[^[]", r"[^\[]"),
            ("[]a]", r"[\]a]"),
            ("[^]a]", r"[^\]a]"),
            ("[[:alpha:]x]", "[[:alpha:]x]"),
            ("[a&&b~~c]", r"[a\&\&b\~\~c]"),
            ("[+--]", r"[+\--]"),
            (r"[\]a]{", r"[\]a]\{"),
            (r"\<a\>", "<a>"),
            (r"\x{41}\p{L}{", r"\x{41}\p{L}\{"),
            (r"end\", r"end\"),
            (r"\é", r"\é"),
        ] {
            assert_eq!(translate(text), expect, "{text}");
        }
    }

    #[test]
    fn the_end_is_also_before_a_last_line_end() {
        for (text, expect) in [
            ("a$", r"a(?:\n?\z)"),
            ("^$|b", r"^(?:\n?\z)|b"),
            (r"\$a\\$", r"\$a\\(?:\n?\z)"),
            (r"[$\]$]$", r"[$\]$](?:\n?\z)"),
            ("[[:alpha:]$]", "[[:alpha:]$]"),
            ("(?m)a$", "(?m)a$"),
            ("(?is:a$)m", r"(?is:a(?:\n?\z))m"),
        ] {
            assert_eq!(with_pcre_end(text, false), expect, "{text}");
        }
        assert_eq!(with_pcre_end("a$", true), "a$");
    }

    #[test]
    fn a_possessive_repetition_is_no_repetition_of_one() {
        let check = |text: &str| check(&translate(text), Flags::default());
        for text in ["a++a", "a*+", "a?+b", "^a{1,2}+a$", "(x++|y)", "(?>a)"] {
            assert!(
                check(text).is_err_and(|(_, hint)| hint.is_some_and(|hint| hint.contains("linear"))),
                "{text}"
            );
        }
        for text in ["(?:a+)+", r"a\++", "[a+]+", "a+?", r"\}+", "[++]"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn expressions_that_do_not_load() {
        let check = |text: &str| check(&translate(text), Flags::default());
        assert_eq!(check(r"(?i)\$\{`?e`?n`?v`?"), Ok(()));
        for (text, hinted) in
            [("(?=a)", true), ("(?<!a)b", true), (r"(a)\1", true), ("(", true), ("a**", true)]
        {
            match check(text) {
                Ok(()) => assert_eq!(text, "a**"),
                Err((_, hint)) => assert_eq!(hint.is_some(), hinted, "{text}"),
            }
        }
    }
}
