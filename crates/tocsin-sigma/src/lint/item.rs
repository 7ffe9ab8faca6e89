//! Lints of a whole `field|modifiers: values`.

use super::ItemLine;
use crate::ast::{Part, Pattern};
use crate::finding::Findings;
use crate::yaml::Kind;

/// A pattern that a modifier says better.
fn modifier_for(pattern: &Pattern) -> Option<(&'static str, &str)> {
    match pattern.parts.as_slice() {
        [Part::Any, Part::Literal(text), Part::Any] => Some(("contains", text)),
        [Part::Any, Part::Literal(text)] => Some(("endswith", text)),
        [Part::Literal(text), Part::Any] => Some(("startswith", text)),
        _ => None,
    }
}

/// `field: '*x*'` says `field|contains: x`; told where all values have the same shape.
pub(super) fn wildcard_instead_of_modifier(findings: &mut Findings, line: &ItemLine<'_>) {
    let plain = line.modifiers.iter().all(|modifier| matches!(*modifier, "all" | "neq" | "cased"));
    let Some(field) = line.field.filter(|_| plain) else { return };
    let patterns: Vec<Pattern> = line.values.iter().map(|value| Pattern::parse(&value.scalar.text)).collect();
    let meant: Vec<_> = patterns.iter().filter_map(modifier_for).collect();
    let Some((modifier, text)) = meant.first() else { return };
    let same = meant.len() == patterns.len() && meant.iter().all(|(other, _)| other == modifier);
    if same {
        let modifiers: String = line.modifiers.iter().map(|modifier| format!("|{modifier}")).collect();
        let reason = format!("the wildcards in the values of `{field}` say `{modifier}`");
        let hint = format!("write `{field}|{modifier}{modifiers}: {text}`");
        findings.warning_with_hint(line.place, "wildcard_for_modifier", reason, hint);
    }
}

/// One value cannot be two different texts.
pub(super) fn all_of_whole_values(findings: &mut Findings, line: &ItemLine<'_>) {
    let whole = line.modifiers.iter().all(|modifier| matches!(*modifier, "all" | "neq" | "cased"));
    let literal = |text: &str| Pattern::parse(text).as_literal().is_some();
    let several = line.values.len() > 1 && line.values.iter().all(|value| literal(&value.scalar.text));
    if let (Some(field), true) = (line.field, whole && line.has("all") && several) {
        let reason = format!("`{field}` would have to be several whole values at once");
        let hint = format!("only a list can; write `{field}|contains|all` to look for parts");
        findings.warning_with_hint(line.place, "all_of_whole_values", reason, hint);
    }
}

/// `windash` changes values that hold an option's dash and no others.
pub(super) fn windash_without_dash(findings: &mut Findings, line: &ItemLine<'_>) {
    let is_text = |value: &&super::Value<'_>| value.scalar.kind() != Kind::Null;
    let has_dash = |value: &super::Value<'_>| {
        Pattern::parse(&value.scalar.text).with_dashes().parts.contains(&Part::Dash)
    };
    if line.has("windash") && !line.values.iter().filter(is_text).any(has_dash) {
        let reason = "`windash` has no effect: no value holds an option such as `-x`";
        findings.warning(line.place, "windash_without_dash", reason);
    }
}
