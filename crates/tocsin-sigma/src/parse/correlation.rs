//! `correlation`: which rules, how many, within what time, per what.
//!
//! Whether a type exists and what it needs is decided where detectors are registered.

use tocsin_core::correlation::Comparison;

use super::fields;
use crate::ast::{Correlation, Place};
use crate::finding::Findings;
use crate::yaml::{Data, Entry, Node};

const KEYS: [&str; 9] = [
    "type",
    "rules",
    "interrupted-by",
    "followed-by",
    "group-by",
    "timespan",
    "condition",
    "aliases",
    "generate",
];

const OPERATORS: [&str; 6] = ["gt", "gte", "lt", "lte", "eq", "neq"];

/// Reads a stateful rule.
pub(super) fn read(findings: &mut Findings, root: &Node) -> Option<Correlation> {
    let entry = root.entry("correlation")?;
    if !fields::is_map(findings, entry) {
        return None;
    }
    fields::only_known_keys(findings, entry, &KEYS);
    for key in ["type", "rules", "timespan"] {
        if entry.value.entry(key).is_none() {
            fields::missing(findings, entry.key_place, key);
        }
    }
    let node = &entry.value;
    let kind = fields::text_of(findings, node, "type");
    let rules = references(findings, node, "rules");
    let interrupted_by = references(findings, node, "interrupted-by");
    let followed_by = references(findings, node, "followed-by");
    let group_by = group_by(findings, entry);
    let timespan = node.entry("timespan").and_then(|entry| fields::span(findings, entry));
    let condition = condition(findings, node);
    let aliases = aliases(findings, node);
    let generate = node.entry("generate").and_then(|entry| fields::truth(findings, entry)).unwrap_or(false);
    Some(Correlation {
        kind: kind?,
        place: node.entry("type").map_or(entry.key_place, |entry| entry.value.place),
        rules,
        interrupted_by,
        followed_by,
        group_by,
        timespan: timespan?,
        condition,
        aliases,
        generate,
    })
}

/// Rules by id or name.
fn references(findings: &mut Findings, node: &Node, key: &str) -> Vec<(String, Place)> {
    let Some(entry) = node.entry(key) else { return Vec::new() };
    let rules = fields::texts(findings, entry).unwrap_or_default();
    if matches!(&entry.value.data, Data::List(nodes) if nodes.is_empty()) {
        findings.error(entry.value.place, "no_value", format!("`{key}` names no rule"));
    }
    rules
}

fn group_by(findings: &mut Findings, correlation: &Entry) -> Vec<String> {
    let Some(entry) = correlation.value.entry("group-by") else {
        let reason = "without `group-by` all events are counted as one group";
        let hint = "add `group-by: [source.ip]` to count per address";
        findings.warning_with_hint(correlation.key_place, "no_group_by", reason, hint);
        return Vec::new();
    };
    let texts = fields::texts(findings, entry).unwrap_or_default();
    texts.into_iter().map(|(field, _)| field).collect()
}

fn condition(findings: &mut Findings, node: &Node) -> Vec<(Comparison, f64)> {
    let Some(entry) = node.entry("condition") else { return Vec::new() };
    if entry.value.text().is_some() {
        let reason = "a condition of rule names is not supported yet";
        let hint = "write operators with numbers, for example `gte: 10`";
        findings.error_with_hint(entry.value.place, "unsupported_condition", reason, hint);
        return Vec::new();
    }
    if !fields::is_map(findings, entry) {
        return Vec::new();
    }
    let mut condition = Vec::new();
    for part in entry.value.entries() {
        if let Some(comparison) = Comparison::parse(&part.key) {
            condition.extend(fields::number(findings, part).map(|number| (comparison, number)));
        } else if matches!(part.key.as_str(), "field" | "percentile") {
            let reason = format!("`{}` is not supported yet: the types `value_*` need it", part.key);
            findings.error(part.key_place, "unsupported_condition", reason);
        } else {
            findings.unknown_word(part.key_place, "unknown_key", "operator", &part.key, &OPERATORS);
        }
    }
    if entry.value.entries().is_empty() {
        findings.error(entry.value.place, "no_value", "`condition` has no operator");
    }
    condition
}

/// `alias → {rule: field}`.
fn aliases(findings: &mut Findings, node: &Node) -> Vec<(String, Vec<(String, String)>)> {
    let Some(entry) = node.entry("aliases") else { return Vec::new() };
    if !fields::is_map(findings, entry) {
        return Vec::new();
    }
    let mut aliases = Vec::new();
    for alias in entry.value.entries() {
        if !fields::is_map(findings, alias) {
            continue;
        }
        let pairs = alias.value.entries().iter();
        let pairs: Vec<_> = pairs
            .filter_map(|pair| fields::text(findings, pair).map(|field| (pair.key.clone(), field)))
            .collect();
        aliases.push((alias.key.clone(), pairs));
    }
    aliases
}
