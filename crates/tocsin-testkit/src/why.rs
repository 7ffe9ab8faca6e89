//! Why an event meets a rule or does not, as a few lines: the conditions that decide.

use std::sync::Arc;

use tocsin_core::batch::{RawBatch, RecordSpan};
use tocsin_core::decoder::Decoder;
use tocsin_core::plan::Plan;
use tocsin_core::time::Timestamp;
use tocsin_core::value::Value;
use tocsin_decode::decoder::RecordDecoder;
use tocsin_decode::format::FormatContext;
use tocsin_decode::taxonomy::Taxonomy;
use tocsin_sigma::ast::Detection;
use tocsin_sigma::explain::{EventValues, Node, Seen, What, explain};

/// Conditions told.
const TOLD_MAX: usize = 6;

/// Values of a condition told.
const TOLD_VALUES_MAX: usize = 3;

/// Characters told of a value.
const VALUE_CHARS_MAX: usize = 80;

/// The conditions that make a record meet a rule, or those that keep it from that. `gated` says
/// whether the log source counts.
#[must_use]
pub fn why(plan: &Arc<Plan>, detection: &Detection, record: &str, gated: bool) -> Vec<String> {
    let context = FormatContext { taxonomy: Taxonomy::new(Arc::clone(&plan.table)), as_of: Timestamp::MAX };
    let records = vec![RecordSpan { start: 0, len: record.len() as u32 }];
    let bytes = record.as_bytes().to_vec();
    let batch = RecordDecoder::auto(context).decode(RawBatch { bytes, records, ..RawBatch::default() });
    let values = |field: &str| -> Vec<Value<'_>> {
        let (Some(field), Some(event)) = (batch.table.get(field), batch.events.first()) else {
            return Vec::new();
        };
        let slots = batch.slots(event).iter().filter(|slot| slot.field == field);
        slots.map(|slot| batch.value(slot)).collect()
    };
    let tree = explain(detection, &EventValues { values: &values, record });
    let parts = tree.children.iter().filter(|part| gated || !matches!(part.what, What::LogSource(_)));
    let parts: Vec<&Node<'_>> = parts.collect();
    let holds = parts.iter().all(|part| part.holds);
    let mut lines = Vec::new();
    parts.iter().for_each(|part| decisive(part, holds, &mut lines));
    lines.dedup();
    if lines.len() > TOLD_MAX {
        let more = lines.len() - TOLD_MAX;
        lines.truncate(TOLD_MAX);
        lines.push(format!("… and {more} more"));
    }
    lines
}

/// Walks down the parts whose truth is the one asked about.
fn decisive(node: &Node<'_>, holds: bool, lines: &mut Vec<String>) {
    if node.holds != holds {
        return;
    }
    match &node.what {
        What::Item(seen) => lines.push(item(node, seen)),
        What::Unmapped(reason) => lines.push(reason.clone()),
        What::Not => node.children.iter().for_each(|child| decisive(child, !holds, lines)),
        _ => node.children.iter().for_each(|child| decisive(child, holds, lines)),
    }
}

/// `line 6: event.outcome is not "failure": seen "success"`.
fn item(node: &Node<'_>, seen: &Seen<'_>) -> String {
    let tests = node.children.iter().filter(|test| !node.holds || seen.all || test.holds);
    let words: Vec<String> = tests
        .filter_map(|test| match &test.what {
            What::Test(words) => Some(short(words)),
            _ => None,
        })
        .collect();
    let join = if seen.all { " and " } else { " or " };
    let more = if words.len() > TOLD_VALUES_MAX { " …" } else { "" };
    let words = words.iter().take(TOLD_VALUES_MAX).cloned().collect::<Vec<_>>().join(join);
    let subject = seen.field.as_deref().unwrap_or("the record");
    let place = if seen.place.line > 0 { format!("line {}", seen.place.line) } else { "log source".into() };
    let verdict = if node.holds { "holds" } else { "does not hold" };
    let values = match (&seen.field, seen.values.as_slice()) {
        (None, _) => String::new(),
        (Some(_), []) => "; the field is absent".to_string(),
        (Some(_), values) => {
            let shown: Vec<String> = values.iter().take(TOLD_VALUES_MAX).map(shown).collect();
            format!("; seen {}", shown.join(", "))
        }
    };
    format!("{place}: `{subject} {words}{more}` {verdict}{values}")
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Number(text) | Value::Object(text) => short(text),
        Value::Text(text) => format!("\"{}\"", short(text)),
        Value::EmptyList => "[]".to_string(),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}
