//! The times of a correlation: how long its windows are, and how they lie.
//!
//! `window` and `gap` are rsigma's; they stand in the correlation or, as `rsigma.window` and
//! `rsigma.gap`, at the top of the document, which go first.

use tocsin_core::correlation::{Comparison, Windowing};
use tocsin_core::time::Span;

use super::fields;
use crate::finding::Findings;
use crate::yaml::{Entry, Node};

/// Days of the units of Sigma that are no fixed time, and what they are taken as.
const LONG_UNITS: [(char, i64, &str); 2] = [('M', 30, "a month"), ('y', 365, "a year")];

const WINDOWS: [&str; 3] = ["sliding", "tumbling", "session"];

/// `timespan`. A leaky bucket that names none gets the time it takes to run empty.
pub(super) fn timespan(
    findings: &mut Findings,
    correlation: &Entry,
    leak: Option<Span>,
    operators: &[(Comparison, f64)],
) -> Option<Span> {
    match (correlation.value.entry("timespan"), leak) {
        (Some(entry), _) => span(findings, entry),
        (None, Some(leak)) => {
            let capacity = operators.iter().map(|(_, number)| *number).fold(0.0, f64::max);
            Some(Span(leak.0.saturating_mul(capacity.clamp(0.0, 1e9) as i64 + 1)))
        }
        (None, None) => {
            fields::missing(findings, correlation.key_place, "timespan");
            None
        }
    }
}

/// A span, which may also be in months (`M`) and years (`y`).
fn span(findings: &mut Findings, entry: &Entry) -> Option<Span> {
    let text = entry.value.text().unwrap_or_default();
    for (unit, days, name) in LONG_UNITS {
        let number = text.strip_suffix(unit).and_then(|number| number.parse::<u32>().ok());
        let span = number.and_then(|number| Span::parse(&format!("{}d", i64::from(number) * days)));
        if let Some(span) = span {
            let reason = format!("{name} is taken as {days} days");
            let hint = format!("write `{}d` to say it outright", i64::from(number.unwrap_or(1)) * days);
            findings.warning_with_hint(entry.value.place, "timespan_unit", reason, hint);
            return Some(span);
        }
    }
    fields::span(findings, entry)
}

/// `window` and `gap`. `None` when they are wrong.
pub(super) fn windowing(findings: &mut Findings, root: &Node, correlation: &Node) -> Option<Windowing> {
    let own = |key: &str| root.entry(&format!("rsigma.{key}"));
    let window = own("window").or_else(|| correlation.entry("window"));
    let gap = own("gap").or_else(|| correlation.entry("gap"));
    let word = match window {
        Some(entry) => fields::text(findings, entry)?,
        None => "sliding".to_owned(),
    };
    let place = window.map_or(correlation.place, |entry| entry.value.place);
    match (word.as_str(), gap) {
        ("session", Some(entry)) => span(findings, entry).map(|gap| Windowing::Session { gap }),
        ("session", None) => {
            let hint = "write how long a silence ends a session: `gap: 5m`";
            findings.error_with_hint(place, "missing_key", "a session needs `gap`", hint);
            None
        }
        ("sliding" | "tumbling", Some(entry)) => {
            let reason = format!("`{}` means nothing without `window: session`", entry.key);
            findings.error(entry.key_place, "unknown_key", reason);
            None
        }
        ("sliding", None) => Some(Windowing::Sliding),
        ("tumbling", None) => Some(Windowing::Tumbling),
        (other, _) => {
            findings.unknown_word(place, "window_value", "window", other, &WINDOWS);
            None
        }
    }
}
