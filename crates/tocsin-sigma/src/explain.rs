//! Why a rule matches an event or does not: its condition as a tree, each node with its truth.
//!
//! Evaluated over the syntax tree in the slow and plain way, every branch to its end. Nothing of
//! the compiled matcher is used, so that each of the two can be held against the other.

mod words;

use std::borrow::Cow;
use std::sync::Arc;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use tocsin_core::matcher::RuleIdx;
use tocsin_core::value::Value;

use crate::ast::{Detection, Expr, Item, Ordering, Part, Pattern, Place, Test};
use crate::modifier::cidr;
use crate::modifier::regex::with_pcre_end;
use crate::predicate::{is_number, parse_number};
use crate::ruleset::Feed;
use crate::whole_event;

pub use words::{requirement, role};

/// An event as an explanation sees it.
#[derive(Clone, Copy)]
pub struct EventValues<'e, 'v> {
    /// All values of a field; none when it is absent.
    pub values: &'e dyn Fn(&str) -> Vec<Value<'v>>,
    /// The record's text, for keywords.
    pub record: &'e str,
}

/// A part of a rule, with its truth for one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<'a> {
    /// What it is.
    pub what: What<'a>,
    /// Whether it holds.
    pub holds: bool,
    /// Its parts, in the order written.
    pub children: Vec<Node<'a>>,
}

/// The parts of a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum What<'a> {
    /// All of it: log source and condition.
    Rule,
    /// The log source, as the rule says it (`category authentication`), over what it asks of the
    /// event.
    LogSource(String),
    /// A log source no event can be of, in a sentence.
    Unmapped(String),
    /// The condition.
    Condition,
    /// All of its parts must hold.
    All,
    /// Any of its parts must hold.
    Any,
    /// Its part must not hold.
    Not,
    /// A search identifier by its name.
    Selection(Arc<str>),
    /// A line of a search identifier, over its values.
    Item(Seen<'a>),
    /// A value of an item, in words (`contains "x"`).
    Test(String),
}

/// An item, and what the event has for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen<'a> {
    /// The field; `None` for keywords.
    pub field: Option<String>,
    /// Whether all values must hold, instead of any.
    pub all: bool,
    /// Where it stands in the rule's file; line 0 where it does not (log sources).
    pub place: Place,
    /// The field's values in the event; none when it is absent.
    pub values: Vec<Value<'a>>,
}

/// A test in words, without an event.
pub(crate) fn phrase(test: &Test) -> String {
    words::test(test, &EventValues { values: &|_| Vec::new(), record: "" })
}

/// Explains a stateless rule for one event.
#[must_use]
pub fn explain<'a>(detection: &Detection, event: &EventValues<'_, 'a>) -> Node<'a> {
    let condition = over(What::Condition, expression(&detection.condition, event));
    parent(What::Rule, vec![log_source(detection, event), condition])
}

/// Explains an expression for one event.
#[must_use]
pub fn expression<'a>(expr: &Expr, event: &EventValues<'_, 'a>) -> Node<'a> {
    let all = |parts: &[Expr]| parts.iter().map(|part| expression(part, event)).collect();
    match expr {
        Expr::And(parts) => parent(What::All, all(parts)),
        Expr::Or(parts) => {
            let children: Vec<Node> = all(parts);
            let holds = children.iter().any(|child| child.holds);
            Node { what: What::Any, holds, children }
        }
        Expr::Not(inner) => {
            let inner = expression(inner, event);
            Node { what: What::Not, holds: !inner.holds, children: vec![inner] }
        }
        Expr::Named(name, inner) => over(What::Selection(Arc::clone(name)), expression(inner, event)),
        Expr::Item(item) => explain_item(item, event),
    }
}

/// A rule that feeds a correlation, and what the event means for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fed<'a> {
    /// The rule.
    pub rule: RuleIdx,
    /// The part its matches play.
    pub role: u8,
    /// The group key's fields, each with its first value in the event. An event without one of
    /// them is not counted.
    pub key: Vec<(String, Option<Value<'a>>)>,
    /// The fields whose values count, in the same way.
    pub value: Vec<(String, Option<Value<'a>>)>,
}

/// What an event means for the rules that feed a correlation. Of a correlation that feeds another,
/// which `is_stateful` tells, the event itself says nothing.
#[must_use]
pub fn feeds<'a>(
    feeds: &[Feed],
    is_stateful: &dyn Fn(RuleIdx) -> bool,
    event: &EventValues<'_, 'a>,
) -> Vec<Fed<'a>> {
    let value = |field: &String| {
        let first = (event.values)(field).into_iter().next();
        (field.clone(), first.filter(|value| value.as_text().is_some_and(|text| !text.is_empty())))
    };
    let fed = |feed: &Feed| {
        let seen = |fields: &[String]| match is_stateful(feed.rule) {
            true => Vec::new(),
            false => fields.iter().map(value).collect(),
        };
        Fed { rule: feed.rule, role: feed.role, key: seen(&feed.key), value: seen(&feed.value) }
    };
    feeds.iter().map(fed).collect()
}

/// A node that holds when all of its parts do.
fn parent<'a>(what: What<'a>, children: Vec<Node<'a>>) -> Node<'a> {
    let holds = children.iter().all(|child| child.holds);
    Node { what, holds, children }
}

fn over<'a>(what: What<'a>, child: Node<'a>) -> Node<'a> {
    parent(what, vec![child])
}

fn log_source<'a>(detection: &Detection, event: &EventValues<'_, 'a>) -> Node<'a> {
    let what = What::LogSource(words::log_source(&detection.logsource));
    match &detection.gate {
        Ok(gate) => over(what, expression(gate, event)),
        Err(unmapped) => {
            let reason = unmapped.0.clone();
            let reason = Node { what: What::Unmapped(reason), holds: false, children: Vec::new() };
            over(what, reason)
        }
    }
}

fn explain_item<'a>(item: &Item, event: &EventValues<'_, 'a>) -> Node<'a> {
    let field = item.field.as_deref();
    let test = |test: &Test| Node {
        what: What::Test(words::test(test, event)),
        holds: holds(test, field, event),
        children: Vec::new(),
    };
    let children: Vec<Node> = item.tests.iter().map(test).collect();
    let holds = if item.all {
        children.iter().all(|child| child.holds)
    } else {
        children.iter().any(|child| child.holds)
    };
    let values = field.map(event.values).unwrap_or_default();
    let seen = Seen { field: item.field.clone(), all: item.all, place: item.place, values };
    Node { what: What::Item(seen), holds, children }
}

/// Whether a test holds: for any value of its field, or for the record's text.
fn holds(test: &Test, field: Option<&str>, event: &EventValues<'_, '_>) -> bool {
    let Some(field) = field else {
        return holds_for(test, &whole_event::text(event.record));
    };
    let values = (event.values)(field);
    match test {
        Test::Exists(wanted) => values.is_empty() != *wanted,
        Test::Null => values.is_empty() || values.contains(&Value::Null),
        Test::FieldRef { field: other, open_start, open_end, cased } => {
            let others = (event.values)(other);
            let mut patterns = others.iter().filter_map(Value::as_text).map(|text| {
                let mut pattern = Pattern { cased: *cased, ..Pattern::literal(text) };
                if *open_start {
                    pattern.open_start();
                }
                if *open_end {
                    pattern.open_end();
                }
                pattern
            });
            patterns.any(|pattern| values.iter().filter_map(Value::as_text).any(|text| pattern.matches(text)))
        }
        _ => values.iter().filter_map(Value::as_text).any(|text| holds_for(test, text)),
    }
}

/// Whether a test holds for one text.
pub(crate) fn holds_for(test: &Test, text: &str) -> bool {
    match test {
        Test::Pattern(pattern) => pattern.matches(text),
        Test::Number(number, written) => {
            is_number(text, *number, written) || Pattern::literal(written).matches(text)
        }
        Test::Bool(wanted) => Pattern::literal(if *wanted { "true" } else { "false" }).matches(text),
        Test::Compare(ordering, limit) => parse_number(text).is_some_and(|number| match ordering {
            Ordering::Lt => number < *limit,
            Ordering::Lte => number <= *limit,
            Ordering::Gt => number > *limit,
            Ordering::Gte => number >= *limit,
        }),
        Test::DatePart(part, ordering, number) => part.holds(text, *ordering, *number),
        Test::Cidr(range) => cidr::address(text).is_some_and(|address| range.contains(address)),
        Test::Regex { pattern, ignore_case, multi_line, dot_all } => {
            let flags = syntax::Config::new()
                .case_insensitive(*ignore_case)
                .multi_line(*multi_line)
                .dot_matches_new_line(*dot_all);
            let pattern = with_pcre_end(pattern, *multi_line);
            Regex::builder().syntax(flags).build(&pattern).is_ok_and(|regex| regex.is_match(text))
        }
        // These three are about the field, not about one of its values.
        Test::Null | Test::Exists(_) | Test::FieldRef { .. } => false,
    }
}

/// A pattern in Sigma's own spelling.
fn written(pattern: &Pattern) -> String {
    let part = |part: &Part| match part {
        Part::Literal(text) => Cow::Owned(text.replace('*', r"\*").replace('?', r"\?")),
        Part::Any => Cow::Borrowed("*"),
        Part::One => Cow::Borrowed("?"),
        Part::Dash => Cow::Borrowed("-"),
    };
    pattern.parts.iter().map(part).collect()
}

#[cfg(test)]
mod tests;
