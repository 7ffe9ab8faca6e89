//! What is allowed in a rule and probably not meant. Nothing here keeps a rule from loading.
//!
//! Lints read the rule's text again, because the syntax tree has forgotten how things were
//! written. To add one that looks at a line `field|modifiers: values`: a function in [`item`] or
//! [`values`] and a line in [`ITEM_LINTS`].

mod clash;
mod item;
mod names;
mod truth;
mod values;

pub use names::FieldNames;
pub use truth::lint_conditions;

use std::path::PathBuf;
use std::sync::Arc;

use crate::ast::{Diagnostic, Place};
use crate::finding::Findings;
use crate::limits::{FILE_BYTES_MAX, FILE_DOCUMENTS_MAX, FINDINGS_MAX, LINT_VALUE_BYTES_MAX, YAML_NODES_MAX};
use crate::parse::plain_text;
use crate::yaml::{self, Data, Entry, Node, Scalar};

/// The lints of one `field|modifiers: values`.
const ITEM_LINTS: &[fn(&mut Findings, &ItemLine<'_>)] = &[
    item::wildcard_instead_of_modifier,
    item::all_of_whole_values,
    item::windash_without_dash,
    values::duplicates,
    values::wildcards_the_modifier_adds,
    values::whatever_matches_everything,
    values::ranges_compared_as_text,
    values::what_the_field_never_holds,
    values::comparisons_of_another_kind,
    values::expressions_that_look_odd,
    values::part_of_encoded_text,
];

/// Keys of `detection` that are no search identifiers.
const NO_IDENTIFIERS: [&str; 2] = ["condition", "timeframe"];

/// One `field|modifiers: values`, or one list of keywords.
struct ItemLine<'a> {
    /// The field; `None` for keywords.
    field: Option<&'a str>,
    modifiers: Vec<&'a str>,
    place: Place,
    /// The single values; anything else is left out.
    values: Vec<Value<'a>>,
}

/// One value of an item.
struct Value<'a> {
    scalar: &'a Scalar,
    place: Place,
}

impl ItemLine<'_> {
    fn has(&self, modifier: &str) -> bool {
        self.modifiers.contains(&modifier)
    }

    /// Whether the values are compared as text with wildcards, and not encoded first.
    fn is_text(&self) -> bool {
        let of_text = ["all", "neq", "cased", "startswith", "endswith", "contains", "windash"];
        self.modifiers.iter().all(|modifier| of_text.contains(modifier))
    }
}

/// Looks a rule file over. `names` are the fields it may use. Documents that do not
/// read are left out: [`crate::parse()`] says what is wrong with them.
#[must_use]
pub fn lint(file: &Arc<PathBuf>, text: &str, names: &FieldNames) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    if text.len() > FILE_BYTES_MAX {
        return diagnostics;
    }
    let text = plain_text(text);
    let pieces = yaml::split(&text);
    for piece in pieces.into_iter().take(FILE_DOCUMENTS_MAX) {
        let mut unreadable = Findings::new(Arc::clone(file));
        let Some(root) =
            yaml::read(&mut unreadable, piece, YAML_NODES_MAX).filter(|_| !unreadable.has_errors())
        else {
            continue;
        };
        let mut findings = Findings::new(Arc::clone(file));
        document(&mut findings, &root, names);
        diagnostics.extend(findings.into_list());
    }
    diagnostics
}

fn document(findings: &mut Findings, root: &Node, names: &FieldNames) {
    let (detection, correlation) = (root.entry("detection"), root.entry("correlation"));
    if detection.or(correlation).is_some() && root.entry("level").is_none() {
        let hint = "write `level:` with informational (raises no alert), low, medium, high or critical";
        findings.warning_with_hint(root.place, "missing_level", "without `level` alerts are medium", hint);
    }
    if let Some(detection) = detection {
        let selections = || detection.value.entries().iter().filter(|entry| is_selection(entry));
        selections().for_each(|entry| selection(findings, &entry.value));
        let identifiers: Vec<&str> = selections().map(|entry| entry.key.as_str()).collect();
        lone_selection(findings, detection, &identifiers);
        if let Some(family) = family(root) {
            let mut fields = Fields { names, family, looked_up: 0 };
            selections().for_each(|entry| unknown_fields(findings, &entry.value, &mut fields));
        }
    }
    if let Some(correlation) = correlation {
        unknown_keys(findings, &correlation.value, names);
    }
}

fn is_selection(entry: &Entry) -> bool {
    !NO_IDENTIFIERS.contains(&entry.key.as_str())
}

/// By whose names the events of a log source go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Taxonomy,
    Windows,
}

/// The family of a rule's log source; `None` for products whose names are not listed here.
fn family(root: &Node) -> Option<Family> {
    let product = root.entry("logsource").and_then(|entry| entry.value.entry("product"));
    let product = product.and_then(|entry| entry.value.text()).map(str::to_lowercase);
    match product.as_deref() {
        None | Some("apache" | "linux" | "nginx") => Some(Family::Taxonomy),
        Some("windows") => Some(Family::Windows),
        Some(_) => None,
    }
}

/// Walks a search identifier down to its lines. The depth of the YAML tree bounds the recursion.
fn selection(findings: &mut Findings, node: &Node) {
    match &node.data {
        Data::Scalar(_) => keywords(findings, std::slice::from_ref(node)),
        Data::Map(entries) => {
            for entry in entries {
                let line = line(entry);
                ITEM_LINTS.iter().for_each(|check| check(findings, &line));
            }
        }
        Data::List(nodes) if nodes.iter().all(|node| node.scalar().is_some()) => keywords(findings, nodes),
        Data::List(nodes) => nodes.iter().for_each(|node| selection(findings, node)),
    }
}

fn keywords(findings: &mut Findings, nodes: &[Node]) {
    let Some(first) = nodes.first() else { return };
    let values = nodes.iter().filter_map(value).collect();
    let line = ItemLine { field: None, modifiers: Vec::new(), place: first.place, values };
    ITEM_LINTS.iter().for_each(|check| check(findings, &line));
}

fn line(entry: &Entry) -> ItemLine<'_> {
    let mut words = entry.key.split('|').map(str::trim);
    let field = words.next().filter(|field| !field.is_empty());
    let values = match &entry.value.data {
        Data::List(nodes) => nodes.iter().filter_map(value).collect(),
        _ => value(&entry.value).into_iter().collect(),
    };
    ItemLine { field, modifiers: words.collect(), place: entry.key_place, values }
}

fn value(node: &Node) -> Option<Value<'_>> {
    let scalar = node.scalar().filter(|scalar| scalar.text.len() <= LINT_VALUE_BYTES_MAX)?;
    Some(Value { scalar, place: node.place })
}

/// `1 of them` where there is only one.
fn lone_selection(findings: &mut Findings, detection: &Entry, names: &[&str]) {
    let public: Vec<&str> = names.iter().copied().filter(|name| !name.starts_with('_')).collect();
    let ([only], Some(condition)) = (public.as_slice(), detection.value.entry("condition")) else { return };
    let node = &condition.value;
    let Some(text) = node.text() else { return };
    let text = text.to_lowercase().replace(['(', ')'], " ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let quantifier = words.windows(3).find(|three| three[1] == "of" && three[2] == "them");
    if let Some(quantifier) = quantifier {
        let reason = format!("`{} of them` stands for the only search identifier, `{only}`", quantifier[0]);
        findings.warning_with_hint(node.place, "lone_selection", reason, format!("write `{only}`"));
    }
}

/// Fields no format fills: a slip of the pen, or the name as some sender of JSON writes it.
fn unknown_fields(findings: &mut Findings, node: &Node, fields: &mut Fields<'_>) {
    match &node.data {
        Data::Scalar(_) => {}
        Data::List(nodes) => nodes.iter().for_each(|node| unknown_fields(findings, node, fields)),
        Data::Map(entries) => {
            for entry in entries {
                if let Some(field) = line(entry).field {
                    unknown_field(findings, entry.key_place, field, fields);
                }
            }
        }
    }
}

/// The same for the fields a correlation groups by and looks at.
fn unknown_keys(findings: &mut Findings, correlation: &Node, names: &FieldNames) {
    let value = correlation.entry("condition").and_then(|condition| condition.value.entry("field"));
    let aliases = correlation.entry("aliases").map(|entry| entry.value.entries()).unwrap_or_default();
    let nodes = [correlation.entry("group-by"), value].into_iter().flatten().flat_map(|entry| {
        match &entry.value.data {
            Data::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(&entry.value),
        }
    });
    for node in nodes {
        let Some(field) = node.text() else { continue };
        if !aliases.iter().any(|alias| alias.key == field) {
            // Which product's events are counted is not said here.
            let family = if FieldNames::is_of_windows(field) { Family::Windows } else { Family::Taxonomy };
            unknown_field(findings, node.place, field, &mut Fields { names, family, looked_up: 0 });
        }
    }
}

/// The names a rule's fields are held against.
struct Fields<'n> {
    names: &'n FieldNames,
    family: Family,
    /// Unknown fields that were compared with all known ones.
    looked_up: usize,
}

fn unknown_field(findings: &mut Findings, place: Place, field: &str, fields: &mut Fields<'_>) {
    let windows = fields.family == Family::Windows;
    if fields.names.is_known(field) || (windows && FieldNames::is_of_windows(field)) {
        return;
    }
    let reason = match fields.family {
        Family::Taxonomy => format!("no format fills `{field}`: only JSON events that send it have it"),
        Family::Windows => format!("`{field}` is no field of Windows events that is known here"),
    };
    fields.looked_up += 1;
    let near = if fields.looked_up <= FINDINGS_MAX { fields.names.nearest(field, windows) } else { None };
    match near {
        Some(near) => {
            let hint = format!("did you mean `{near}`?");
            findings.warning_with_hint(place, "unknown_field", reason, hint);
        }
        None => findings.info(place, "unknown_field", reason),
    }
}

#[cfg(test)]
mod tests;
