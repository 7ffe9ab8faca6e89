//! What each type of correlation needs and takes. A type that is not here is read as written: its
//! detector says what is wrong.

use tocsin_core::correlation::Windowing;

use crate::ast::Correlation;
use crate::finding::Findings;
use crate::limits::SEQUENCE_RULES_MAX;
use crate::yaml::Entry;

use super::correlation_condition::counts_can_meet;
use super::fields;

/// Whether a part must be there, may be, or must not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Needed,
    Taken,
    Refused,
}

use Part::{Needed, Refused, Taken};

/// What a type needs and takes.
struct Kind {
    name: &'static str,
    /// Operators with numbers.
    operators: Part,
    /// `field`.
    field: Part,
    /// Whether `field` may be a list.
    several_fields: bool,
    percentile: Part,
    leak: Part,
    /// `interrupted-by` and `followed-by`.
    around: Part,
    /// Whether it is about which rules were seen: then a condition may name them.
    sequence: bool,
    /// Whether its numbers count whole things.
    whole: bool,
}

const COUNT: Kind = Kind {
    name: "event_count",
    operators: Needed,
    field: Refused,
    several_fields: false,
    percentile: Refused,
    leak: Refused,
    around: Refused,
    sequence: false,
    whole: true,
};

const VALUE: Kind = Kind { name: "value_sum", field: Needed, whole: false, ..COUNT };
const SEQUENCE: Kind = Kind { name: "temporal", operators: Taken, sequence: true, ..COUNT };

const KINDS: [Kind; 10] = [
    COUNT,
    Kind { name: "value_count", several_fields: true, whole: true, ..VALUE },
    VALUE,
    Kind { name: "value_avg", ..VALUE },
    Kind { name: "value_median", ..VALUE },
    Kind { name: "value_percentile", percentile: Needed, ..VALUE },
    SEQUENCE,
    Kind { name: "temporal_ordered", ..SEQUENCE },
    Kind { name: "leaky_bucket", field: Taken, several_fields: true, leak: Needed, ..COUNT },
    Kind { name: "consecutive", around: Taken, ..COUNT },
];

/// Checks what a correlation asks for against its type.
pub(super) fn check(findings: &mut Findings, correlation: &Correlation, entry: &Entry) {
    let Some(kind) = KINDS.iter().find(|kind| kind.name == correlation.kind) else { return };
    check_operators(findings, kind, correlation, entry);
    let condition = entry.value.entry("condition").map_or(entry.key_place, |entry| entry.value.place);
    let has_field = !correlation.fields.is_empty();
    for (name, part, there, hint) in [
        (
            "field",
            kind.field,
            has_field,
            "name the field whose values count: `condition: {field: user.name, …}`",
        ),
        ("percentile", kind.percentile, correlation.percentile.is_some(), "say which one: `percentile: 95`"),
    ] {
        let place = if name == "field" && has_field { correlation.fields_place } else { condition };
        match part {
            Needed if !there => {
                let reason = format!("`{}` needs `{name}` in its condition", kind.name);
                findings.error_with_hint(place, "missing_key", reason, hint);
            }
            Refused if there => {
                findings.error(place, "unknown_key", format!("`{name}` means nothing to `{}`", kind.name));
            }
            _ => {}
        }
    }
    if correlation.fields.len() > 1 && !kind.several_fields && kind.field != Refused {
        let reason = format!("`{}` takes one field, not several", kind.name);
        findings.error(correlation.fields_place, "value_shape", reason);
    }
    check_keys(findings, kind, correlation, entry);
    check_rules(findings, kind, correlation);
}

fn check_operators(findings: &mut Findings, kind: &Kind, correlation: &Correlation, entry: &Entry) {
    let written = entry.value.entry("condition");
    let place = written.map_or(entry.key_place, |entry| entry.value.place);
    let named = written.is_some_and(|entry| entry.value.text().is_some());
    if named && !kind.sequence {
        let hint = "write operators with numbers, for example `gte: 10`";
        let reason = format!("a condition of names of rules means nothing to `{}`", kind.name);
        findings.error_with_hint(place, "condition_shape", reason, hint);
    } else if kind.operators == Needed && correlation.condition.is_empty() {
        let hint = "write operators with numbers, for example `condition: {gte: 10}`";
        let reason = format!("`{}` needs a condition with an operator", kind.name);
        findings.error_with_hint(place, "missing_key", reason, hint);
    }
    let fraction = correlation.condition.iter().find(|(_, number)| number.fract() != 0.0);
    if let Some((_, number)) = fraction.filter(|_| kind.whole) {
        let reason = format!("`{}` counts whole things, and {number} is none", kind.name);
        findings.error(place, "condition_value", reason);
    }
    let most = if kind.sequence { correlation.rules.len() as f64 } else { f64::MAX };
    if kind.whole && !findings.has_errors() && !counts_can_meet(&correlation.condition, most) {
        let reason = match kind.sequence {
            true => format!("`{}` counts at most its {most} rules, and no such count meets this", kind.name),
            false => format!("`{}` counts from 0 in whole steps, and no count meets this", kind.name),
        };
        findings.error(place, "condition_never", reason);
    }
}

/// Keys beside the condition.
fn check_keys(findings: &mut Findings, kind: &Kind, correlation: &Correlation, entry: &Entry) {
    let keys = [("leak", kind.leak), ("interrupted-by", kind.around), ("followed-by", kind.around)];
    for (key, part) in keys {
        match (part, entry.value.entry(key)) {
            (Needed, None) => {
                let hint = "`leak: 10s` lets the bucket lose one event every 10 seconds";
                let reason = format!("`{}` needs `{key}`", kind.name);
                findings.error_with_hint(entry.key_place, "missing_key", reason, hint);
            }
            (Refused, Some(found)) => {
                let reason = format!("`{key}` means nothing to `{}`", kind.name);
                findings.error(found.key_place, "unknown_key", reason);
            }
            _ => {}
        }
    }
    if kind.leak == Refused && entry.value.entry("timespan").is_none() {
        fields::missing(findings, entry.key_place, "timespan");
    }
    if kind.leak == Needed && correlation.windowing != Windowing::Sliding {
        let reason = format!("`{}` has no windows", kind.name);
        findings.error(correlation.place, "window_value", reason);
    }
}

/// Rules that stand twice, and more than fit into a sequence.
fn check_rules(findings: &mut Findings, kind: &Kind, correlation: &Correlation) {
    let rules = &correlation.rules;
    if kind.sequence && rules.len() > SEQUENCE_RULES_MAX {
        let reason = format!("`{}` refers to more than {SEQUENCE_RULES_MAX} rules", kind.name);
        let place = rules.get(SEQUENCE_RULES_MAX).map_or(correlation.place, |(_, place)| *place);
        findings.error(place, "too_many_rules", reason);
        return;
    }
    if kind.name == "temporal_ordered" {
        return;
    }
    for (at, (rule, place)) in rules.iter().enumerate() {
        if rules[..at].iter().any(|(other, _)| other == rule) {
            findings.error(*place, "duplicate_rule", format!("`{rule}` stands under `rules` twice"));
        }
    }
}

/// Whether a type is about which of its rules were seen, so that each plays a part of its own.
#[must_use]
pub(crate) fn is_sequence(kind: &str) -> bool {
    KINDS.iter().any(|known| known.name == kind && known.sequence)
}
