//! `filter`: a condition for rules of others, most often what they are not to alert about.

use std::collections::BTreeSet;

use super::{detection, fields};
use crate::ast::{Expr, Filter, Place};
use crate::condition::{self, Names};
use crate::finding::Findings;
use crate::local::Local;
use crate::yaml::{Data, Entry, Node};

/// Keys of `filter` that are no search identifiers.
const NO_IDENTIFIERS: [&str; 2] = ["condition", "rules"];

/// Keys that say something about alerts, of which a filter has none.
const OF_RULES: [&str; 2] = ["level", "status"];

/// Reads a filter; `source` is the text of its document.
pub(super) fn read(findings: &mut Findings, root: &Node, source: &str, local: &Local) -> Option<Filter> {
    let logsource = detection::logsource(findings, root);
    let entry = root.entry("filter")?;
    if !fields::is_map(findings, entry) {
        return None;
    }
    for found in OF_RULES.iter().filter_map(|key| root.entry(key)) {
        let reason = format!("`{}` means nothing to a filter", found.key);
        findings.warning(found.key_place, "no_effect", reason);
    }
    let rules = rules(findings, entry);
    let selections = detection::selections(findings, entry, &NO_IDENTIFIERS, local)?;
    let condition = condition(findings, entry, &selections, source);
    Some(Filter { place: entry.key_place, rules: rules?, logsource: logsource?, condition: condition? })
}

/// The rules it is for: `Some(None)` stands for any.
#[expect(clippy::option_option, reason = "none, any, or these")]
fn rules(findings: &mut Findings, filter: &Entry) -> Option<Option<Vec<(String, Place)>>> {
    let hint = "name rules by id or name, or write `rules: any`";
    let Some(entry) = filter.value.entry("rules") else {
        findings.error_with_hint(filter.key_place, "missing_key", "`rules` is missing", hint);
        return None;
    };
    if entry.value.text().is_some_and(|text| text.eq_ignore_ascii_case("any")) {
        let reason = "the filter is for every rule of its log source";
        findings.info(entry.value.place, "filter_any", reason);
        return Some(None);
    }
    if matches!(&entry.value.data, Data::List(nodes) if nodes.is_empty()) {
        findings.error_with_hint(entry.value.place, "no_value", "`rules` names no rule", hint);
        return None;
    }
    let mut rules: Vec<(String, Place)> = Vec::new();
    let mut seen = BTreeSet::new();
    for (rule, place) in fields::texts(findings, entry)? {
        if seen.insert(rule.clone()) {
            rules.push((rule, place));
        } else {
            findings.warning(place, "duplicate_value", format!("`{rule}` stands here twice"));
        }
    }
    Some(Some(rules))
}

fn condition(
    findings: &mut Findings,
    filter: &Entry,
    selections: &[(String, Expr)],
    source: &str,
) -> Option<Expr> {
    let Some(entry) = filter.value.entry("condition") else {
        fields::missing(findings, filter.key_place, "condition");
        return None;
    };
    let node = &entry.value;
    if node.text().is_none_or(|text| text.trim().is_empty()) {
        findings.error(node.place, "condition_syntax", "the condition of a filter must be one text");
        return None;
    }
    let mut names = Names::new(selections);
    let expr = condition::parse(findings, &mut names, node, source)?;
    detection::unused(findings, filter, &names);
    if !negates(&expr) {
        let text = node.text().unwrap_or_default().trim();
        let reason = "the rules will only match what the filter selects: its condition is added with `and`";
        let text = if text.contains(' ') { format!("({text})") } else { text.to_owned() };
        let hint = format!("to leave out what it selects write `not {text}`");
        findings.warning_with_hint(node.place, "filter_selects", reason, hint);
    }
    Some(expr)
}

/// Whether the condition itself, not what its names stand for, holds a `not`.
fn negates(expr: &Expr) -> bool {
    match expr {
        Expr::Not(_) => true,
        Expr::And(parts) | Expr::Or(parts) => parts.iter().any(negates),
        Expr::Named(..) | Expr::Item(_) => false,
    }
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
