//! The normalised text of a rule's logic: what its logic hash covers. Titles, tags, places and
//! the names of selections are not part of it.

use std::fmt::Write as _;

use tocsin_core::correlation::{CorrelationSpec, Windowing};

use crate::ast::{Expr, Item, Part, Pattern, Test};
use crate::ruleset::Feed;

/// Appends the normalised text of two conditions that must both hold.
pub fn both(one: &Expr, other: &Expr, out: &mut String) {
    list("and", [one, other], out);
}

/// Appends the normalised text of a condition.
fn write(expr: &Expr, out: &mut String) {
    match expr {
        Expr::And(parts) => list("and", parts, out),
        Expr::Or(parts) => list("or", parts, out),
        Expr::Not(inner) => {
            out.push_str("not(");
            write(inner, out);
            out.push(')');
        }
        Expr::Named(_, inner) => write(inner, out),
        Expr::Item(item) => write_item(item, out),
    }
}

fn list<'a>(word: &str, parts: impl IntoIterator<Item = &'a Expr>, out: &mut String) {
    out.push_str(word);
    out.push('(');
    for part in parts {
        write(part, out);
        out.push(';');
    }
    out.push(')');
}

fn write_item(item: &Item, out: &mut String) {
    let _ = write!(out, "{:?}{}", item.field, if item.all { "&" } else { "|" });
    for test in &item.tests {
        match test {
            Test::Pattern(pattern) => write_pattern(pattern, out),
            other => {
                let _ = write!(out, "[{other:?}]");
            }
        }
    }
}

fn write_pattern(pattern: &Pattern, out: &mut String) {
    out.push(if pattern.cased { '\'' } else { '"' });
    for part in &pattern.parts {
        match part {
            Part::Literal(text) => quoted(text, out),
            Part::Any => out.push('*'),
            Part::One => out.push('?'),
            Part::Dash => out.push('-'),
        }
    }
}

/// Appends a text as `Debug` writes it, which takes its time where there is nothing to escape.
fn quoted(text: &str, out: &mut String) {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if text.bytes().all(plain) {
        out.extend(["\"", text, "\""]);
    } else {
        let _ = write!(out, "{text:?}");
    }
}

/// The normalised text of what a correlation asks for. What it does not ask for is left out, so that
/// a rule's state outlives what is added to the language.
pub fn spec(spec: &CorrelationSpec, group_by: &[String]) -> String {
    let CorrelationSpec {
        kind,
        timespan,
        windowing,
        condition,
        seen,
        references,
        percentile,
        leak,
        followed,
    } = spec;
    let mut out = format!("{kind};{};{references};{group_by:?}", timespan.0);
    for (comparison, number) in condition {
        let _ = write!(out, ";{}{number:?}", comparison.as_str());
    }
    match windowing {
        Windowing::Sliding => {}
        Windowing::Tumbling => out.push_str(";tumbling"),
        Windowing::Session { gap } => {
            let _ = write!(out, ";session{}", gap.0);
        }
    }
    if let Some(seen) = seen {
        let _ = write!(out, ";{seen:?}");
    }
    if let Some(percentile) = percentile {
        let _ = write!(out, ";percentile{percentile:?}");
    }
    if let Some(leak) = leak {
        let _ = write!(out, ";leak{}", leak.0);
    }
    if *followed {
        out.push_str(";followed");
    }
    out
}

/// Appends the normalised text of a rule that feeds a correlation.
pub fn feed(feed: &Feed, logic_hash: &str, out: &mut String) {
    let _ = write!(out, ";{}<{logic_hash}{:?}{:?}", feed.role, feed.key, feed.value);
}
