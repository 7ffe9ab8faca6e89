//! The modifier `expand`: `%name%` becomes each of the values the house gives that name.
//!
//! `\%` is a percent sign, and so is one without a partner. Placeholders are replaced in the text as
//! written, before any other modifier sees it, whatever stands before `expand` in the chain: those
//! modifiers only add to the ends.

use super::{Fault, regex};
use crate::ast::{Part, Pattern};
use crate::finding::advise;
use crate::limits::{EXPANDED_BYTES_MAX, EXPANDED_VALUES_MAX};
use crate::local::Placeholders;

/// A value, cut at its placeholders.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'p> {
    /// Text as the rule has it.
    Text(String),
    /// The values that stand for a placeholder.
    Values(&'p [String]),
}

/// A value of Sigma text with its placeholders replaced; their values may hold wildcards.
pub(super) fn patterns(text: &str, placeholders: &Placeholders) -> Result<Vec<Pattern>, Fault> {
    let pieces = cut(text, placeholders)?;
    let mut patterns = vec![Pattern::literal("")];
    for piece in &pieces {
        let alternatives: Vec<Pattern> = match piece {
            Piece::Text(text) => vec![Pattern::parse(text)],
            Piece::Values(values) => values.iter().map(|value| Pattern::parse(value)).collect(),
        };
        let join = |before: &Pattern, piece: &Pattern| {
            let mut whole = before.clone();
            piece.parts.iter().for_each(|part| whole.push(part.clone()));
            whole
        };
        patterns = combine(&patterns, &alternatives, length, join)?;
    }
    Ok(patterns)
}

/// A value without wildcards with its placeholders replaced.
pub(super) fn texts(text: &str, placeholders: &Placeholders) -> Result<Vec<String>, Fault> {
    let pieces = cut(text, placeholders)?;
    let mut texts = vec![String::new()];
    let join = |before: &String, piece: &String| format!("{before}{piece}");
    for piece in &pieces {
        texts = match piece {
            Piece::Text(text) => combine(&texts, std::slice::from_ref(text), String::len, join)?,
            Piece::Values(values) => combine(&texts, values, String::len, join)?,
        };
    }
    Ok(texts)
}

/// An expression with its placeholders replaced by any of their values, which are expressions too.
pub(super) fn expression(text: &str, placeholders: &Placeholders) -> Result<String, Fault> {
    let mut whole = String::new();
    for piece in cut(text, placeholders)? {
        match piece {
            Piece::Text(text) => whole.push_str(&regex::translate(&text)),
            Piece::Values(values) => {
                let values: Vec<String> = values.iter().map(|value| regex::translate(value)).collect();
                for value in &values {
                    // By itself: a parenthesis too many would reach into the rest.
                    regex::check(value, regex::Flags::default()).map_err(|(reason, hint)| Fault {
                        code: "regex_value",
                        reason: format!("the placeholder's value `{value}`: {reason}"),
                        hint,
                    })?;
                }
                whole.push_str(&format!("(?:{})", values.join("|")));
            }
        }
    }
    Ok(whole)
}

/// Each of the one before each of the other.
fn combine<T>(
    before: &[T],
    pieces: &[T],
    length: impl Fn(&T) -> usize,
    join: impl Fn(&T, &T) -> T,
) -> Result<Vec<T>, Fault> {
    let bytes = |list: &[T]| list.iter().map(&length).sum::<usize>();
    let whole = bytes(before).saturating_mul(pieces.len()) + bytes(pieces).saturating_mul(before.len());
    if before.len().saturating_mul(pieces.len()) > EXPANDED_VALUES_MAX || whole > EXPANDED_BYTES_MAX {
        let reason = format!(
            "its placeholders make more than {EXPANDED_VALUES_MAX} values or {EXPANDED_BYTES_MAX} bytes"
        );
        return Err(Fault::new("too_many_values", reason).hint("use one placeholder in a value"));
    }
    let mut all = Vec::with_capacity(before.len() * pieces.len());
    for left in before {
        all.extend(pieces.iter().map(|right| join(left, right)));
    }
    Ok(all)
}

/// Bytes of a pattern, at least.
fn length(pattern: &Pattern) -> usize {
    let length = |part: &Part| match part {
        Part::Literal(text) => text.len(),
        Part::Any | Part::One | Part::Dash => size_of::<Part>(),
    };
    pattern.parts.iter().map(length).sum()
}

/// Cuts text at `%name%`, where a name is neither empty nor holds a backslash.
fn cut<'p>(text: &str, placeholders: &'p Placeholders) -> Result<Vec<Piece<'p>>, Fault> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(current) = rest.chars().next() {
        let after = &rest[current.len_utf8()..];
        match current {
            '\\' => {
                let next = after.chars().next();
                if next != Some('%') {
                    plain.push('\\');
                }
                plain.extend(next);
                rest = &after[next.map_or(0, char::len_utf8)..];
            }
            '%' => match name(after) {
                Some(name) => {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Values(values(name, placeholders)?));
                    rest = &after[name.len() + 1..];
                }
                None => {
                    plain.push('%');
                    rest = after;
                }
            },
            other => {
                plain.push(other);
                rest = after;
            }
        }
    }
    pieces.push(Piece::Text(plain));
    Ok(pieces)
}

fn name(after: &str) -> Option<&str> {
    let (name, _) = after.split_once('%')?;
    (!name.is_empty() && !name.contains('\\')).then_some(name)
}

fn values<'p>(name: &str, placeholders: &'p Placeholders) -> Result<&'p [String], Fault> {
    placeholders.get(name).ok_or_else(|| {
        let names: Vec<&str> = placeholders.names().collect();
        let near = if names.is_empty() { String::new() } else { format!("; {}", advise(name, &names)) };
        let hint = format!(
            "give it values, `{name}: [value, value]`, in the file of `--placeholders` or of `placeholders` in the \
             configuration{near}"
        );
        Fault::new("unknown_placeholder", format!("nothing is known to put in place of `%{name}%`")).hint(hint)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::test_support::show_pattern;

    fn table() -> Placeholders {
        let text = "a: [x, 'y*']\nb: [1, 2]\nr: ['\\d+', 'z(']\nok: ['\\d+', 'z']\n";
        Placeholders::read(&Arc::default(), text).0
    }

    #[test]
    fn placeholders_become_their_values() {
        for (text, expect) in [
            ("%a%", "[<x>] [<y>*]"),
            ("p%a%s", "[<pxs>] [<py>*<s>]"),
            ("%a%%b%", "[<x1>] [<x2>] [<y>*<1>] [<y>*<2>]"),
            (r"\%a\%", "[<%a%>]"),
            (r"\\%b%", r"[<\1>] [<\2>]"),
            (r"C:\%b%", "[<C:%b%>]"),
            ("100%", "[<100%>]"),
            ("%%", "[<%%>]"),
            (r"x\*%b%*", "[<x*1>*] [<x*2>*]"),
            ("", "[]"),
        ] {
            let found = patterns(text, &table()).map_err(|fault| fault.reason);
            let shown: Vec<String> = found.unwrap().iter().map(show_pattern).collect();
            assert_eq!(shown.join(" "), expect, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_replaced_is_told() {
        let fault = patterns("%bb%", &table()).unwrap_err();
        assert_eq!(fault.code, "unknown_placeholder");
        assert!(fault.hint.unwrap().ends_with("did you mean `b`?"));
        let empty = Placeholders::default();
        assert_eq!(texts("%b%", &empty).unwrap_err().code, "unknown_placeholder");
        let many: Vec<String> = (0..400).map(|n| n.to_string()).collect();
        let many = Placeholders::read(&Arc::default(), &format!("m: [{}]\n", many.join(", "))).0;
        assert_eq!(patterns("%m%%m%%m%", &many).unwrap_err().code, "too_many_values");
    }

    #[test]
    fn expressions_take_any_of_the_values() {
        assert_eq!(expression("^%ok%$", &table()).unwrap(), r"^(?:\d+|z)$");
        assert_eq!(expression("^%r%$", &table()).unwrap_err().code, "regex_value");
        assert_eq!(texts("10.0.0.%b%/32", &table()).unwrap(), ["10.0.0.1/32", "10.0.0.2/32"]);
    }
}
