//! The normalised text of a rule's logic: what its logic hash covers. Titles, tags, places and
//! the names of selections are not part of it.

use std::fmt::Write as _;

use crate::ast::{Expr, Item, Part, Pattern, Test};

/// Appends the normalised text of a condition.
pub fn write(expr: &Expr, out: &mut String) {
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

fn list(word: &str, parts: &[Expr], out: &mut String) {
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
            Part::Literal(text) => {
                let _ = write!(out, "{text:?}");
            }
            Part::Any => out.push('*'),
            Part::One => out.push('?'),
            Part::Dash => out.push('-'),
        }
    }
}
