//! `logsource` and `detection`: search identifiers become expressions, conditions tie them up.

use super::fields;
use crate::ast::{Detection, Expr, LogSource};
use crate::condition::{self, Names, join};
use crate::finding::Findings;
use crate::limits::{IDENTIFIER_CHARS_MAX, SELECTIONS_MAX};
use crate::local::Local;
use crate::logsource;
use crate::modifier;
use crate::yaml::{Data, Entry, Node};

/// Keys of `detection` that are no search identifiers.
const NO_IDENTIFIERS: [&str; 2] = ["condition", "timeframe"];

/// Reads a stateless rule; `source` is the text of its document.
pub(super) fn read(findings: &mut Findings, root: &Node, source: &str, local: &Local) -> Option<Detection> {
    let logsource = logsource(findings, root);
    let entry = root.entry("detection")?;
    if !fields::is_map(findings, entry) {
        return None;
    }
    if let Some(timeframe) = entry.value.entry("timeframe") {
        let reason = "`timeframe` has no effect in a detection";
        let hint = "write a correlation rule with `timespan`";
        findings.warning_with_hint(timeframe.key_place, "timeframe_ignored", reason, hint);
    }
    let selections = selections(findings, entry, &NO_IDENTIFIERS, local)?;
    let condition = conditions(findings, entry, &selections, source);
    let logsource = logsource?;
    let gate = logsource::gate(&logsource, &local.logsources);
    Some(Detection { logsource, gate, condition: condition?, selections })
}

/// The search identifiers in the order written, the other keys left out. A wrong one stands as
/// "never", so that conditions that name it are not found wrong as well.
pub(super) fn selections(
    findings: &mut Findings,
    holder: &Entry,
    others: &[&str],
    local: &Local,
) -> Option<Vec<(String, Expr)>> {
    let entries = holder.value.entries().iter();
    let entries: Vec<&Entry> = entries.filter(|entry| !others.contains(&entry.key.as_str())).collect();
    if entries.len() > SELECTIONS_MAX {
        let reason = format!("`{}` has more than {SELECTIONS_MAX} search identifiers", holder.key);
        findings.error(holder.key_place, "too_many_selections", reason);
        return None;
    }
    if entries.is_empty() {
        let reason = format!("`{}` has no search identifier", holder.key);
        findings.error(holder.key_place, "no_selection", reason);
    }
    if let Some(long) = entries.iter().find(|entry| entry.key.len() > IDENTIFIER_CHARS_MAX) {
        let reason = format!("a search identifier has more than {IDENTIFIER_CHARS_MAX} characters");
        findings.error(long.key_place, "too_long", reason);
        return None;
    }
    let mut read = |entry: &Entry| {
        let expr = selection(findings, &entry.value, &entry.key, local);
        (entry.key.clone(), expr.unwrap_or(Expr::Or(Vec::new())))
    };
    Some(entries.into_iter().map(&mut read).collect())
}

/// A mapping is AND, a list is OR, single values are keywords; they nest. The depth of the YAML
/// tree bounds the recursion.
fn selection(findings: &mut Findings, node: &Node, name: &str, local: &Local) -> Option<Expr> {
    match &node.data {
        Data::Scalar(_) if !node.is_null() => modifier::keywords(findings, &[node], node.place),
        Data::Map(entries) if !entries.is_empty() => {
            let item = |entry| modifier::item(findings, entry, &local.placeholders);
            let items: Vec<_> = entries.iter().map(item).collect();
            gather(items, Expr::And)
        }
        Data::List(nodes) if !nodes.is_empty() => {
            if nodes.iter().all(|node| node.scalar().is_some()) {
                let nodes: Vec<&Node> = nodes.iter().collect();
                return modifier::keywords(findings, &nodes, node.place);
            }
            let members: Vec<_> = nodes.iter().map(|node| selection(findings, node, name, local)).collect();
            gather(members, Expr::Or)
        }
        _ => {
            findings.error(node.place, "empty_selection", format!("the search identifier `{name}` is empty"));
            None
        }
    }
}

fn gather(members: Vec<Option<Expr>>, operator: impl FnOnce(Vec<Expr>) -> Expr) -> Option<Expr> {
    members.into_iter().collect::<Option<Vec<_>>>().map(|members| join(members, operator))
}

/// The condition, or several that are OR-ed.
fn conditions(
    findings: &mut Findings,
    detection: &Entry,
    selections: &[(String, Expr)],
    source: &str,
) -> Option<Expr> {
    let Some(entry) = detection.value.entry("condition") else {
        fields::missing(findings, detection.key_place, "condition");
        return None;
    };
    let nodes = match &entry.value.data {
        Data::List(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(&entry.value),
    };
    let mut names = Names::new(selections);
    let mut members = Vec::with_capacity(nodes.len());
    for node in nodes {
        if node.text().is_none_or(|text| text.trim().is_empty()) {
            findings.error(node.place, "condition_syntax", "a condition must be a text");
            members.push(None);
        } else {
            members.push(condition::parse(findings, &mut names, node, source));
        }
    }
    if members.is_empty() {
        findings.error(entry.key_place, "condition_syntax", "`condition` is an empty list");
        return None;
    }
    let whole = gather(members, Expr::Or)?;
    unused(findings, detection, &names);
    Some(whole)
}

/// Tells of search identifiers no condition names.
pub(super) fn unused(findings: &mut Findings, holder: &Entry, names: &Names<'_>) {
    for name in names.unused().filter(|name| !name.starts_with('_')) {
        let place = holder.value.entry(name).map_or(holder.key_place, |entry| entry.key_place);
        findings.info(place, "unused_selection", format!("no condition names `{name}`"));
    }
}

pub(super) fn logsource(findings: &mut Findings, root: &Node) -> Option<LogSource> {
    let Some(entry) = root.entry("logsource") else {
        fields::missing(findings, root.place, "logsource");
        return None;
    };
    if !fields::is_map(findings, entry) {
        return None;
    }
    let mut part = |key| fields::text_of(findings, &entry.value, key).map(|text| text.to_lowercase());
    let (product, category, service) = (part("product"), part("category"), part("service"));
    if product.is_none() && category.is_none() && service.is_none() {
        let reason = "`logsource` has neither product nor category nor service";
        findings.error(entry.key_place, "empty_logsource", reason);
        return None;
    }
    Some(LogSource { product, category, service, place: entry.key_place })
}
