//! Lints of single values.

use std::collections::BTreeSet;
use std::net::IpAddr;

use regex_syntax::ParserBuilder;

use super::ItemLine;
use crate::ast::{Part, Pattern};
use crate::finding::Findings;
use crate::fold::fold;
use crate::limits::REGEX_TEXT_BYTES_MAX;
use crate::modifier::regex::translate;
use crate::yaml::Kind;

/// What the values of some taxonomy fields are made of.
#[derive(Clone, Copy)]
enum Holds {
    Numbers,
    Addresses,
    Words(&'static [&'static str]),
}

/// Taxonomy fields whose values are all of a kind, because the decoder sees to it.
const TYPED_FIELDS: &[(&str, Holds)] = &[
    ("EventID", Holds::Numbers),
    ("event.outcome", Holds::Words(&["success", "failure"])),
    ("http.response.body.bytes", Holds::Numbers),
    ("http.response.status_code", Holds::Numbers),
    ("process.pid", Holds::Numbers),
    ("source.bytes", Holds::Numbers),
    ("source.ip", Holds::Addresses),
    ("source.port", Holds::Numbers),
];

/// The same value twice.
pub(super) fn duplicates(findings: &mut Findings, line: &ItemLine<'_>) {
    let exact = line.has("cased") || !line.is_text();
    let mut seen = BTreeSet::new();
    for value in &line.values {
        let text = &value.scalar.text;
        if !seen.insert(if exact { text.clone() } else { fold(text) }) {
            findings.warning(value.place, "duplicate_value", format!("`{text}` stands here twice"));
        }
    }
}

/// `contains: '*x*'`, `startswith: '*x'` and their like.
pub(super) fn wildcards_the_modifier_adds(findings: &mut Findings, line: &ItemLine<'_>) {
    let keyword = line.field.is_none() && line.is_text();
    let contains = line.has("contains") || keyword;
    let (start, end) = (line.has("startswith"), line.has("endswith"));
    if !line.is_text() || !(contains || start || end) {
        return;
    }
    let name = match (keyword, contains, start) {
        (true, ..) => "a keyword",
        (_, true, _) => "`contains`",
        (_, _, true) => "`startswith`",
        _ => "`endswith`",
    };
    for value in &line.values {
        let parts = Pattern::parse(&value.scalar.text).parts;
        let (first, last) = (parts.first() == Some(&Part::Any), parts.last() == Some(&Part::Any));
        if parts.len() < 2 || !(first || last) {
            continue;
        }
        let undone = !contains && ((start && first) || (end && last));
        if undone {
            let reason = format!("a `*` at this end undoes {name}");
            findings.warning_with_hint(value.place, "wildcard_undoes_modifier", reason, "write `contains`");
        } else {
            let reason = format!("{name} needs no `*` at its ends");
            findings.warning_with_hint(value.place, "redundant_wildcard", reason, "leave the `*` out");
        }
    }
}

/// Values that say no more than that the field is there.
pub(super) fn whatever_matches_everything(findings: &mut Findings, line: &ItemLine<'_>) {
    let Some(field) = line.field else { return };
    let expression = line.has("re");
    if !expression && !line.is_text() {
        return;
    }
    let opened = ["contains", "startswith", "endswith"].iter().any(|modifier| line.has(modifier));
    for value in line.values.iter().filter(|value| value.scalar.kind() != Kind::Null) {
        let text = &value.scalar.text;
        let everything = if expression {
            finds_everything(text)
        } else {
            let parts = Pattern::parse(text).parts;
            parts == [Part::Any] || (parts.is_empty() && opened)
        };
        if everything {
            let reason = format!("`{text}` matches every value");
            let hint = format!("write `{field}|exists: true`");
            findings.info_with_hint(value.place, "matches_everything", reason, hint);
        }
    }
}

/// Whether an expression is found in every text: it can be empty and looks at nothing around it,
/// or it is one of the usual spellings between anchors.
fn finds_everything(text: &str) -> bool {
    if matches!(text, "^.*" | ".*$" | "^.*$" | "^" | "$") {
        return true;
    }
    if text.len() > REGEX_TEXT_BYTES_MAX {
        return false;
    }
    let parsed = ParserBuilder::new().build().parse(&translate(text));
    parsed.is_ok_and(|hir| {
        let properties = hir.properties();
        properties.minimum_len() == Some(0) && properties.look_set().is_empty()
    })
}

/// `10.0.0.0/8` without `cidr` is only that text.
pub(super) fn ranges_compared_as_text(findings: &mut Findings, line: &ItemLine<'_>) {
    let Some(field) = line.field.filter(|_| line.is_text()) else { return };
    for value in &line.values {
        let range = value.scalar.text.split_once('/').filter(|(address, length)| {
            let all_digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
            address.parse::<IpAddr>().is_ok() && all_digits
        });
        if range.is_some() {
            let reason = format!("`{}` is compared as text, not as a range", value.scalar.text);
            let hint = format!("write `{field}|cidr: {}`", value.scalar.text);
            findings.warning_with_hint(value.place, "range_without_cidr", reason, hint);
        }
    }
}

/// Text for a field that holds only numbers, addresses or a few words.
pub(super) fn what_the_field_never_holds(findings: &mut Findings, line: &ItemLine<'_>) {
    let Some(field) = line.field.filter(|_| line.is_text()) else { return };
    let Some((_, holds)) = TYPED_FIELDS.iter().find(|(name, _)| *name == field) else { return };
    for value in line.values.iter().filter(|value| value.scalar.kind() != Kind::Null) {
        if holds.may_be(&opened(line, &value.scalar.text)) {
            continue;
        }
        let reason = format!("`{field}` is never `{}`", value.scalar.text);
        let hint = match holds {
            Holds::Numbers => "it holds a number".to_string(),
            Holds::Addresses => "it holds an address, without port or name".to_string(),
            Holds::Words(words) => format!("it holds one of: {}", words.join(", ")),
        };
        findings.warning_with_hint(value.place, "never_matches", reason, hint);
    }
}

/// Comparisons that a field's kind of values never meets.
pub(super) fn comparisons_of_another_kind(findings: &mut Findings, line: &ItemLine<'_>) {
    let Some(field) = line.field else { return };
    let Some((_, holds)) = TYPED_FIELDS.iter().find(|(name, _)| *name == field) else { return };
    let number = ["lt", "lte", "gt", "gte"].into_iter().find(|modifier| line.has(modifier));
    let wrong = match holds {
        Holds::Numbers => line.has("cidr").then_some(("cidr", "holds numbers, no addresses")),
        Holds::Addresses => number.map(|modifier| (modifier, "holds addresses, no numbers")),
        Holds::Words(_) => {
            number.or(line.has("cidr").then_some("cidr")).map(|modifier| (modifier, "holds words"))
        }
    };
    if let Some((modifier, what)) = wrong {
        let reason = format!("`{field}|{modifier}` never holds: the field {what}");
        findings.warning(line.place, "never_matches", reason);
    }
}

/// Expressions with a space at an end, and those nothing can meet.
pub(super) fn expressions_that_look_odd(findings: &mut Findings, line: &ItemLine<'_>) {
    if !line.has("re") {
        return;
    }
    for value in &line.values {
        let text = &value.scalar.text;
        if text.len() > REGEX_TEXT_BYTES_MAX {
            continue;
        }
        if text.starts_with(' ') || (text.ends_with(' ') && !text.ends_with("\\ ")) {
            let reason = "the space at the end of the expression must be in the value";
            let hint = "leave it out, or write `\\s` or `\\x20` to show that it is meant";
            findings.info_with_hint(value.place, "regex_space", reason, hint);
        }
        let parsed = ParserBuilder::new().build().parse(&translate(text));
        if parsed.is_ok_and(|hir| hir.properties().minimum_len().is_none()) {
            findings.warning(value.place, "never_matches", format!("`{text}` is found in no text"));
        }
    }
}

/// `base64` finds a part of a text only where that begins at every third byte.
pub(super) fn part_of_encoded_text(findings: &mut Findings, line: &ItemLine<'_>) {
    let (true, true, Some(field)) = (line.has("base64"), line.has("contains"), line.field) else { return };
    let reason =
        "encoded by `base64`, the value is found only where it begins at every third byte of the text";
    let hint = format!("write `{field}|base64offset|contains` to find it anywhere");
    findings.info_with_hint(line.place, "base64_without_offset", reason, hint);
}

/// A value with what its modifiers add.
fn opened(line: &ItemLine<'_>, text: &str) -> Pattern {
    let mut pattern = Pattern::parse(text);
    if line.has("contains") || line.has("endswith") {
        pattern.open_start();
    }
    if line.has("contains") || line.has("startswith") {
        pattern.open_end();
    }
    pattern
}

impl Holds {
    /// Whether a value of this kind could match.
    fn may_be(self, pattern: &Pattern) -> bool {
        let characters = match self {
            Holds::Numbers => "0123456789+-.eE",
            Holds::Addresses => "0123456789abcdefABCDEF.:",
            Holds::Words(words) => return words.iter().any(|word| pattern.matches(word)),
        };
        let fits = |part: &Part| match part {
            Part::Literal(text) => text.chars().all(|character| characters.contains(character)),
            Part::Any | Part::One | Part::Dash => true,
        };
        !pattern.parts.is_empty() && pattern.parts.iter().all(fits)
    }
}
