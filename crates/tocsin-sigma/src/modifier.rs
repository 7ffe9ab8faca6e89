//! One line of a search identifier, `field|modifiers: values`, as a tested item.
//!
//! Modifiers apply left to right. A chain is checked once, where its key stands, then applied to
//! each value, with findings where the value stands. To add a modifier: a line in `MODIFIERS`, its
//! rules in `chain.rs`, its effect in `value.rs`.

mod chain;
pub mod cidr;
pub mod encode;
mod expand;
pub mod regex;
mod value;

use crate::ast::{DatePart, Expr, Item, Ordering, Place, Test};
use crate::finding::Findings;
use crate::local::Placeholders;
use crate::yaml::{Data, Entry, Node};

use encode::Utf16;

/// The modifiers by meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Modifier {
    All,
    Neq,
    Cased,
    Exists,
    StartsWith,
    EndsWith,
    Contains,
    Windash,
    Regex,
    IgnoreCase,
    MultiLine,
    DotAll,
    Utf16(Utf16),
    Base64,
    Base64Offset,
    Compare(Ordering),
    Cidr,
    FieldRef,
    Expand,
    DatePart(DatePart),
}

/// Every modifier of the specification's appendix, and the longer names other tools use.
const MODIFIERS: &[(&str, Modifier)] = &[
    ("all", Modifier::All),
    ("neq", Modifier::Neq),
    ("cased", Modifier::Cased),
    ("exists", Modifier::Exists),
    ("startswith", Modifier::StartsWith),
    ("endswith", Modifier::EndsWith),
    ("contains", Modifier::Contains),
    ("windash", Modifier::Windash),
    ("re", Modifier::Regex),
    ("i", Modifier::IgnoreCase),
    ("ignorecase", Modifier::IgnoreCase),
    ("m", Modifier::MultiLine),
    ("multiline", Modifier::MultiLine),
    ("s", Modifier::DotAll),
    ("dotall", Modifier::DotAll),
    ("utf16le", Modifier::Utf16(Utf16::Little)),
    ("wide", Modifier::Utf16(Utf16::Little)),
    ("utf16be", Modifier::Utf16(Utf16::Big)),
    ("utf16", Modifier::Utf16(Utf16::Marked)),
    ("base64", Modifier::Base64),
    ("base64offset", Modifier::Base64Offset),
    ("lt", Modifier::Compare(Ordering::Lt)),
    ("lte", Modifier::Compare(Ordering::Lte)),
    ("gt", Modifier::Compare(Ordering::Gt)),
    ("gte", Modifier::Compare(Ordering::Gte)),
    ("cidr", Modifier::Cidr),
    ("fieldref", Modifier::FieldRef),
    ("expand", Modifier::Expand),
    ("minute", Modifier::DatePart(DatePart::Minute)),
    ("hour", Modifier::DatePart(DatePart::Hour)),
    ("day", Modifier::DatePart(DatePart::Day)),
    ("week", Modifier::DatePart(DatePart::Week)),
    ("month", Modifier::DatePart(DatePart::Month)),
    ("year", Modifier::DatePart(DatePart::Year)),
];

/// What is wrong with a value, before its place is known.
#[derive(Debug)]
struct Fault {
    code: &'static str,
    reason: String,
    hint: Option<String>,
}

impl Fault {
    fn new(code: &'static str, reason: impl Into<String>) -> Fault {
        Fault { code, reason: reason.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Fault {
        self.hint = Some(hint.into());
        self
    }

    fn report(self, findings: &mut Findings, place: Place) {
        match self.hint {
            Some(hint) => findings.error_with_hint(place, self.code, self.reason, hint),
            None => findings.error(place, self.code, self.reason),
        }
    }
}

/// Reads `field|modifiers: values`. `None` (and a finding) if any of it is wrong.
pub fn item(findings: &mut Findings, entry: &Entry, placeholders: &Placeholders) -> Option<Expr> {
    let chain = chain::read(findings, &entry.key, entry.key_place)?;
    let nodes = values(findings, entry)?;
    let written = entry.key.clone();
    assemble(findings, &chain, &nodes, Line { written, place: entry.key_place, placeholders })
}

/// Reads keywords, any of which must stand somewhere in the event.
pub fn keywords(findings: &mut Findings, nodes: &[&Node], place: Place) -> Option<Expr> {
    let chain = chain::Chain::keywords();
    let placeholders = &Placeholders::default();
    assemble(findings, &chain, nodes, Line { written: "keywords".to_owned(), place, placeholders })
}

/// The values of an item as a list.
fn values<'a>(findings: &mut Findings, entry: &'a Entry) -> Option<Vec<&'a Node>> {
    match &entry.value.data {
        Data::Scalar(_) => Some(vec![&entry.value]),
        Data::Map(_) => {
            let hint = "write nested fields with dots: `outer.inner: value`";
            let reason = format!("`{}` holds a mapping, not a value", entry.key);
            findings.error_with_hint(entry.value.place, "value_shape", reason, hint);
            None
        }
        Data::List(nodes) if nodes.is_empty() => {
            findings.error(entry.key_place, "no_value", format!("`{}` has an empty list", entry.key));
            None
        }
        Data::List(nodes) => {
            let mut sound = true;
            for node in nodes {
                if node.scalar().is_none() {
                    findings.error(
                        node.place,
                        "value_shape",
                        "a value must be a single value, no list or mapping",
                    );
                    sound = false;
                } else if node.is_null() {
                    let hint = "write the `null` as a search identifier of its own";
                    findings.error_with_hint(
                        node.place,
                        "null_in_list",
                        "`null` stands in a list of values",
                        hint,
                    );
                    sound = false;
                }
            }
            sound.then(|| nodes.iter().collect())
        }
    }
}

/// What stands around the values of a line.
struct Line<'a> {
    /// `field|modifiers` as written.
    written: String,
    place: Place,
    placeholders: &'a Placeholders,
}

/// Applies the chain to each value and builds the expression of the whole line.
fn assemble(findings: &mut Findings, chain: &chain::Chain, nodes: &[&Node], line: Line<'_>) -> Option<Expr> {
    let Line { written, place, placeholders } = line;
    let mut tests_by_value: Vec<Vec<Test>> = Vec::with_capacity(nodes.len());
    let mut sound = true;
    for node in nodes {
        match value::tests(chain, node, placeholders) {
            Ok(tests) => tests_by_value.push(tests),
            Err(fault) => {
                fault.report(findings, node.place);
                sound = false;
            }
        }
    }
    if !sound {
        return None;
    }
    let all = chain.has(Modifier::All);
    if all && nodes.len() == 1 {
        findings.warning(place, "all_single_value", "`all` has no effect on a single value");
    }
    let make = |tests, all| {
        Expr::Item(Item { field: chain.field.clone(), written: written.clone(), tests, all, place })
    };
    // A value with several forms needs any of them, even where all values are needed.
    let expr = if all && tests_by_value.iter().any(|tests| tests.len() > 1) {
        Expr::And(tests_by_value.into_iter().map(|tests| make(tests, false)).collect())
    } else {
        make(tests_by_value.into_iter().flatten().collect(), all)
    };
    Some(if chain.has(Modifier::Neq) { Expr::Not(Box::new(expr)) } else { expr })
}

#[cfg(test)]
#[path = "modifier_tests.rs"]
mod tests;
