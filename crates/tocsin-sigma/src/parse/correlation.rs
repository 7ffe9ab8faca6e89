//! `correlation`: which rules, how many, within what time, per what.
//!
//! What each type needs stands in [`super::correlation_kinds`]; whether a type can be run is decided
//! where detectors are registered.

use super::correlation_condition::{self, Condition};
use super::{correlation_kinds, correlation_time, fields};
use crate::ast::{Alias, Correlation, Place};
use crate::finding::Findings;
use crate::limits::{CORRELATION_FIELDS_MAX, CORRELATION_RULES_MAX};
use crate::yaml::{Data, Entry, Node};

const KEYS: [&str; 12] = [
    "type",
    "rules",
    "interrupted-by",
    "followed-by",
    "group-by",
    "timespan",
    "window",
    "gap",
    "leak",
    "condition",
    "aliases",
    "generate",
];

/// Reads a stateful rule; `source` is the text of its document.
pub(super) fn read(findings: &mut Findings, root: &Node, source: &str) -> Option<Correlation> {
    let entry = root.entry("correlation")?;
    if !fields::is_map(findings, entry) {
        return None;
    }
    fields::only_known_keys(findings, entry, &KEYS);
    for key in ["type", "rules"] {
        if entry.value.entry(key).is_none() {
            fields::missing(findings, entry.key_place, key);
        }
    }
    let node = &entry.value;
    let kind = fields::text_of(findings, node, "type");
    let rules = references(findings, node, "rules");
    let interrupted_by = references(findings, node, "interrupted-by");
    let followed_by = references(findings, node, "followed-by");
    let (group_by, group_by_place) = group_by(findings, entry);
    let leak = node.entry("leak").and_then(|entry| fields::span(findings, entry));
    let read = correlation_condition::read(findings, node, &rules, source);
    let Condition { operators, seen, fields: value_fields, fields_place, percentile } = read;
    let timespan = correlation_time::timespan(findings, entry, leak, &operators);
    let windowing = correlation_time::windowing(findings, root, node);
    let aliases = aliases(findings, node);
    let generate = generate(findings, root, node);
    let correlation = Correlation {
        kind: kind?,
        place: node.entry("type").map_or(entry.key_place, |entry| entry.value.place),
        rules,
        interrupted_by,
        followed_by,
        group_by,
        group_by_place,
        timespan: timespan?,
        windowing: windowing?,
        condition: operators,
        seen,
        fields: value_fields,
        fields_place: fields_place.unwrap_or(entry.key_place),
        percentile,
        leak,
        aliases,
        generate,
    };
    // What is wrong by itself would be wrong again for its type.
    if !findings.has_errors() {
        correlation_kinds::check(findings, &correlation, entry);
    }
    Some(correlation)
}

/// Rules by id or name.
fn references(findings: &mut Findings, node: &Node, key: &str) -> Vec<(String, Place)> {
    let Some(entry) = node.entry(key) else { return Vec::new() };
    let mut rules = fields::texts(findings, entry).unwrap_or_default();
    if rules.len() > CORRELATION_RULES_MAX {
        let place = rules[CORRELATION_RULES_MAX].1;
        findings.error(
            place,
            "too_many_rules",
            format!("`{key}` names more than {CORRELATION_RULES_MAX} rules"),
        );
        rules.truncate(CORRELATION_RULES_MAX);
    }
    if matches!(&entry.value.data, Data::List(nodes) if nodes.is_empty()) {
        findings.error(entry.value.place, "no_value", format!("`{key}` names no rule"));
    }
    rules
}

/// The fields of the group key, and where they stand.
fn group_by(findings: &mut Findings, correlation: &Entry) -> (Vec<String>, Place) {
    let none = |entry: &&Entry| matches!(&entry.value.data, Data::List(nodes) if nodes.is_empty());
    let Some(entry) = correlation.value.entry("group-by").filter(|entry| !none(entry)) else {
        let reason = "without `group-by` all events are counted as one group";
        let hint = "add `group-by: [source.ip]` to count per address";
        findings.warning_with_hint(correlation.key_place, "no_group_by", reason, hint);
        return (Vec::new(), correlation.key_place);
    };
    let mut group_by: Vec<String> = Vec::new();
    let texts = fields::texts(findings, entry).unwrap_or_default();
    for (field, place) in few(findings, entry, texts) {
        if group_by.contains(&field) {
            findings.warning(place, "duplicate_value", format!("`{field}` stands here twice"));
        } else {
            group_by.push(field);
        }
    }
    (group_by, entry.key_place)
}

/// The members of a list if they are not too many; a finding and the first of them otherwise.
pub(super) fn few<T>(findings: &mut Findings, entry: &Entry, mut members: Vec<T>) -> Vec<T> {
    if members.len() > CORRELATION_FIELDS_MAX {
        let reason = format!("`{}` has more than {CORRELATION_FIELDS_MAX} members", entry.key);
        findings.error(entry.key_place, "too_many_fields", reason);
        members.truncate(CORRELATION_FIELDS_MAX);
    }
    members
}

/// `generate` stands in the correlation or, by the schema, beside it.
fn generate(findings: &mut Findings, root: &Node, node: &Node) -> bool {
    let entry = node.entry("generate").or_else(|| root.entry("generate"));
    entry.and_then(|entry| fields::truth(findings, entry)).unwrap_or(false)
}

/// `alias → {rule: field}`.
fn aliases(findings: &mut Findings, node: &Node) -> Vec<Alias> {
    let Some(entry) = node.entry("aliases") else { return Vec::new() };
    if !fields::is_map(findings, entry) {
        return Vec::new();
    }
    let mut aliases = Vec::new();
    let entries: Vec<&Entry> = entry.value.entries().iter().collect();
    for alias in few(findings, entry, entries) {
        if !fields::is_map(findings, alias) {
            continue;
        }
        let pairs = alias.value.entries().iter();
        let fields: Vec<_> = pairs
            .filter_map(|pair| fields::text(findings, pair).map(|field| (pair.key.clone(), field)))
            .collect();
        aliases.push(Alias { name: alias.key.clone(), place: alias.key_place, fields });
    }
    aliases
}

#[cfg(test)]
#[path = "correlation_tests.rs"]
mod tests;
