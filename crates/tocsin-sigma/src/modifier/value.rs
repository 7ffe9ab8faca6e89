//! One value under its chain of modifiers, as tests.

use super::chain::{Chain, Family};
use super::regex::{self, Flags};
use super::{Fault, Modifier, encode, expand};
use crate::ast::{Cidr, Ordering, Part, Pattern, Test};
use crate::limits::{ENCODED_DASHES_MAX, WILDCARDS_MAX};
use crate::local::Placeholders;
use crate::yaml::{Kind, Node, Scalar};

/// The tests of a value: one, or several forms of which any will do.
pub(super) fn tests(chain: &Chain, node: &Node, placeholders: &Placeholders) -> Result<Vec<Test>, Fault> {
    let Some(scalar) = node.scalar() else {
        return Err(Fault::new("value_shape", "a value must be a single value, no list or mapping"));
    };
    match chain.family {
        Family::Text => text(chain, scalar, placeholders),
        Family::Regex => expression(chain, scalar, placeholders).map(|test| vec![test]),
        Family::Exists => exists(scalar).map(|test| vec![test]),
        Family::Compare => compare(chain, scalar).map(|test| vec![test]),
        Family::Cidr => cidr(chain, scalar, placeholders),
        Family::DatePart => date_part(chain, scalar).map(|test| vec![test]),
        Family::FieldRef => field_ref(chain, scalar).map(|test| vec![test]),
    }
}

/// The spelling of a value that is used as text, whatever type it would be by itself.
fn spelling(scalar: &Scalar) -> Result<&str, Fault> {
    if scalar.kind() == Kind::Null {
        return Err(Fault::new("null_value", "`null` cannot be tested as text")
            .hint("write `''` for empty text, or leave the modifiers out to test for a missing field"));
    }
    Ok(&scalar.text)
}

fn exists(scalar: &Scalar) -> Result<Test, Fault> {
    match scalar.kind() {
        Kind::Bool(wanted) => Ok(Test::Exists(wanted)),
        _ => Err(Fault::new("exists_value", "`exists` needs `true` or `false`, without quotes")),
    }
}

fn ordering(chain: &Chain) -> Option<Ordering> {
    chain.modifiers.iter().find_map(|modifier| match modifier {
        Modifier::Compare(ordering) => Some(*ordering),
        _ => None,
    })
}

fn compare(chain: &Chain, scalar: &Scalar) -> Result<Test, Fault> {
    match (ordering(chain), scalar.kind()) {
        (Some(ordering), Kind::Number(number)) => Ok(Test::Compare(ordering, number)),
        _ => Err(no_number("compare_value", "compare with", scalar)),
    }
}

/// A value that should be a number to do something with.
fn no_number(code: &'static str, purpose: &str, scalar: &Scalar) -> Fault {
    let fault = Fault::new(code, format!("`{}` is no number to {purpose}", scalar.text));
    let unquoted = Scalar { text: scalar.text.clone(), plain: true };
    let is_quoted_number = matches!(unquoted.kind(), Kind::Number(_));
    if is_quoted_number { fault.hint("write it without quotes") } else { fault }
}

/// A number a part of a time can be. Compared it may lie just outside: `hour|lt: 24` is everything.
fn date_part(chain: &Chain, scalar: &Scalar) -> Result<Test, Fault> {
    let part = chain.modifiers.iter().find_map(|modifier| match modifier {
        Modifier::DatePart(part) => Some(*part),
        _ => None,
    });
    let (Some(part), Kind::Number(number)) = (part, scalar.kind()) else {
        return Err(no_number("date_value", "compare a part of a time with", scalar));
    };
    let ordering = ordering(chain);
    let (least, most) = part.range();
    if ordering.is_none() && !(number.fract() == 0.0 && (least..=most).contains(&number)) {
        let reason = format!("`{}` is never `{}`", part.as_str(), scalar.text);
        return Err(
            Fault::new("date_value", reason).hint(format!("write a whole number from {least} to {most}"))
        );
    }
    Ok(Test::DatePart(part, ordering, number))
}

fn cidr(chain: &Chain, scalar: &Scalar, placeholders: &Placeholders) -> Result<Vec<Test>, Fault> {
    let written = spelling(scalar)?.trim();
    let ranges = if chain.has(Modifier::Expand) {
        expand::texts(written, placeholders)?
    } else {
        vec![written.to_owned()]
    };
    let range = |text: &String| match Cidr::parse(text.trim()) {
        Ok(range) => Ok(Test::Cidr(range)),
        Err((reason, hint)) => Err(Fault { code: "cidr_value", reason, hint }),
    };
    ranges.iter().map(range).collect()
}

fn field_ref(chain: &Chain, scalar: &Scalar) -> Result<Test, Fault> {
    let pattern = Pattern::parse(spelling(scalar)?);
    let field = match pattern.as_literal().map(str::trim) {
        Some("") => return Err(Fault::new("fieldref_value", "`fieldref` names no field")),
        Some(field) => field.to_owned(),
        None => {
            return Err(Fault::new("fieldref_value", "`fieldref` takes the name of a field, no wildcards"));
        }
    };
    let contains = chain.has(Modifier::Contains);
    Ok(Test::FieldRef {
        field,
        open_start: contains || chain.has(Modifier::EndsWith),
        open_end: contains || chain.has(Modifier::StartsWith),
        cased: chain.has(Modifier::Cased),
    })
}

/// `startswith`, `endswith` and `contains` would put `.*` at the ends, which changes nothing for an
/// expression that is searched anywhere in the value.
fn expression(chain: &Chain, scalar: &Scalar, placeholders: &Placeholders) -> Result<Test, Fault> {
    let flags = Flags {
        ignore_case: chain.has(Modifier::IgnoreCase),
        multi_line: chain.has(Modifier::MultiLine),
        dot_all: chain.has(Modifier::DotAll),
    };
    let written = spelling(scalar)?;
    let pattern = if chain.has(Modifier::Expand) {
        expand::expression(written, placeholders)?
    } else {
        regex::translate(written)
    };
    match regex::check(&pattern, flags) {
        Ok(()) => {
            let Flags { ignore_case, multi_line, dot_all } = flags;
            Ok(Test::Regex { pattern, ignore_case, multi_line, dot_all })
        }
        Err((reason, hint)) => Err(Fault { code: "regex_value", reason, hint }),
    }
}

fn text(chain: &Chain, scalar: &Scalar, placeholders: &Placeholders) -> Result<Vec<Test>, Fault> {
    let is_keyword = chain.field.is_none();
    let as_written = chain.on_values().all(|modifier| modifier == Modifier::Cased);
    if as_written && !is_keyword {
        match scalar.kind() {
            Kind::Null => return Ok(vec![Test::Null]),
            Kind::Bool(wanted) => return Ok(vec![Test::Bool(wanted)]),
            Kind::Number(number) => return Ok(vec![Test::Number(number, scalar.text.clone())]),
            Kind::Text => {}
        }
    }
    if is_keyword && scalar.kind() == Kind::Null {
        return Err(Fault::new("null_value", "`null` is no keyword"));
    }
    let written = spelling(scalar)?;
    if written.matches(['*', '?']).count() > WILDCARDS_MAX {
        let reason = format!("the value has more than {WILDCARDS_MAX} wildcards");
        return Err(Fault::new("too_many_wildcards", reason)
            .hint("put a backslash before a `*` or `?` that is meant"));
    }
    let patterns = if chain.has(Modifier::Expand) {
        expand::patterns(written, placeholders)?
    } else {
        vec![Pattern::parse(written)]
    };
    let mut drafts: Vec<Draft> = patterns.into_iter().map(Draft::Text).collect();
    for modifier in chain.on_values() {
        let mut next = Vec::with_capacity(drafts.len());
        for draft in drafts {
            next.extend(apply(draft, modifier)?);
        }
        drafts = next;
    }
    let finish = |draft: Draft| {
        let mut pattern = draft.into_pattern()?;
        pattern.cased = chain.has(Modifier::Cased);
        if is_keyword {
            pattern.open_start();
            pattern.open_end();
        }
        Ok(Test::Pattern(pattern))
    };
    drafts.into_iter().map(finish).collect()
}

/// A value between two modifiers.
enum Draft {
    Text(Pattern),
    /// After a UTF-16 modifier: bytes that base64 may still turn into text.
    Bytes(Vec<u8>),
}

impl Draft {
    fn into_pattern(self) -> Result<Pattern, Fault> {
        match self {
            Draft::Text(pattern) => Ok(pattern),
            Draft::Bytes(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Pattern::literal(&text)),
                Err(_) => {
                    Err(Fault::new("encoded_value", "the encoded value is no text that an event could hold")
                        .hint("write `base64` or `base64offset` after the encoding"))
                }
            },
        }
    }

    fn into_bytes(self) -> Result<Vec<u8>, Fault> {
        match self {
            Draft::Bytes(bytes) => Ok(bytes),
            Draft::Text(pattern) => match pattern.as_literal() {
                Some(text) => Ok(text.as_bytes().to_vec()),
                None => Err(unencodable()),
            },
        }
    }
}

fn unencodable() -> Fault {
    Fault::new("encoded_value", "wildcards cannot be encoded")
        .hint("put `startswith`, `endswith` and `contains` behind the encoding, and escape `*` and `?`")
}

/// What is encoded is no pattern any more, so each way to write the dashes is a form of its own.
fn encode_each_dash(pattern: &Pattern, modifier: Modifier) -> Result<Vec<Draft>, Fault> {
    if pattern.parts.iter().filter(|part| **part == Part::Dash).count() > ENCODED_DASHES_MAX {
        let reason = format!("more than {ENCODED_DASHES_MAX} dashes of `windash` cannot be encoded");
        return Err(Fault::new("encoded_value", reason).hint("write the value out in shorter pieces"));
    }
    let mut drafts = Vec::new();
    for written in pattern.each_dash() {
        drafts.extend(apply(Draft::Text(written), modifier)?);
    }
    Ok(drafts)
}

fn apply(draft: Draft, modifier: Modifier) -> Result<Vec<Draft>, Fault> {
    if let Draft::Text(pattern) = &draft
        && matches!(modifier, Modifier::Utf16(_) | Modifier::Base64 | Modifier::Base64Offset)
        && pattern.parts.contains(&Part::Dash)
    {
        return encode_each_dash(pattern, modifier);
    }
    Ok(match modifier {
        Modifier::StartsWith | Modifier::EndsWith | Modifier::Contains => {
            let mut pattern = draft.into_pattern()?;
            if modifier != Modifier::StartsWith {
                pattern.open_start();
            }
            if modifier != Modifier::EndsWith {
                pattern.open_end();
            }
            vec![Draft::Text(pattern)]
        }
        Modifier::Windash => vec![Draft::Text(draft.into_pattern()?.with_dashes())],
        Modifier::Utf16(order) => match draft {
            Draft::Bytes(_) => {
                return Err(Fault::new("encoded_value", "the value is encoded as UTF-16 twice"));
            }
            Draft::Text(pattern) => match pattern.as_literal() {
                Some(text) => vec![Draft::Bytes(encode::utf16(text, order))],
                None => return Err(unencodable()),
            },
        },
        Modifier::Base64 => vec![Draft::Text(Pattern::literal(&encode::base64(&draft.into_bytes()?)))],
        Modifier::Base64Offset => {
            let forms = encode::base64_at_offsets(&draft.into_bytes()?);
            // A form without letters would be found in every value.
            if forms.iter().any(String::is_empty) {
                return Err(Fault::new("encoded_value", "the value is too short for `base64offset`"));
            }
            forms.iter().map(|form| Draft::Text(Pattern::literal(form))).collect()
        }
        _ => vec![draft],
    })
}
