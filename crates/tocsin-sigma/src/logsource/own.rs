//! Log sources that a house maps itself, in a file:
//!
//! ```yaml
//! - product: acme
//!   service: vpn
//!   where:
//!     event.dataset: [acme.vpn, 'acme.vpn.*']
//!     event.kind: event
//! ```
//!
//! An entry speaks of exactly the parts it names. Of its fields all must hold, of a field's values
//! any; several entries for one log source are alternatives.

use std::path::PathBuf;
use std::sync::Arc;

use super::any_pattern;
use crate::ast::{Diagnostic, Expr, LogSource, Pattern, Place};
use crate::finding::Findings;
use crate::limits::OWN_SOURCES_MAX;
use crate::local::root;
use crate::parse::fields;
use crate::yaml::{Data, Node};

/// The keys of an entry.
const KEYS: [&str; 4] = ["product", "category", "service", "where"];

/// The log sources a house maps itself.
#[derive(Clone, Debug, Default)]
pub struct OwnSources {
    entries: Vec<(LogSource, Expr)>,
}

impl OwnSources {
    /// Reads a list of log sources. What is wrong is left out and told.
    #[must_use]
    pub fn read(file: &Arc<PathBuf>, text: &str) -> (OwnSources, Vec<Diagnostic>) {
        let mut findings = Findings::new(Arc::clone(file));
        let entries = match root(&mut findings, text).map(|root| (root.place, root.data)) {
            Some((_, Data::List(nodes))) if nodes.len() <= OWN_SOURCES_MAX => {
                nodes.iter().filter_map(|node| entry(&mut findings, node)).collect()
            }
            Some((place, Data::List(_))) => {
                let reason = format!("the file has more than {OWN_SOURCES_MAX} log sources");
                findings.error(place, "too_many_logsources", reason);
                Vec::new()
            }
            Some((place, _)) => {
                let hint = "write a list of entries with `product`, `category` or `service`, and `where`";
                findings.error_with_hint(place, "wrong_type", "log sources are a list", hint);
                Vec::new()
            }
            None => Vec::new(),
        };
        (OwnSources { entries }, findings.into_list())
    }

    /// The conditions the house sets for a log source.
    pub(super) fn find(&self, source: &LogSource) -> Option<Expr> {
        let is_meant = |own: &LogSource| {
            (&own.product, &own.category, &own.service)
                == (&source.product, &source.category, &source.service)
        };
        let mut found: Vec<Expr> =
            self.entries.iter().filter(|(own, _)| is_meant(own)).map(|(_, expr)| expr.clone()).collect();
        match found.len() {
            0 => None,
            1 => found.pop(),
            _ => Some(Expr::Or(found)),
        }
    }
}

fn entry(findings: &mut Findings, node: &Node) -> Option<(LogSource, Expr)> {
    if !matches!(node.data, Data::Map(_)) {
        findings.error(node.place, "wrong_type", "a log source is a mapping");
        return None;
    }
    for key in node.entries().iter().filter(|entry| !KEYS.contains(&entry.key.as_str())) {
        findings.unknown_word(key.key_place, "unknown_key", "key of a log source", &key.key, &KEYS);
    }
    let mut part = |key| fields::text_of(findings, node, key).map(|text| text.to_lowercase());
    let (product, category, service) = (part("product"), part("category"), part("service"));
    if product.is_none() && category.is_none() && service.is_none() {
        let reason = "the entry has neither product nor category nor service";
        findings.error(node.place, "empty_logsource", reason);
        return None;
    }
    let conditions = conditions(findings, node)?;
    Some((LogSource { product, category, service, place: node.place }, Expr::And(conditions)))
}

fn conditions(findings: &mut Findings, node: &Node) -> Option<Vec<Expr>> {
    let Some(entry) = node.entry("where") else {
        fields::missing(findings, node.place, "where");
        return None;
    };
    if !fields::is_map(findings, entry) {
        return None;
    }
    if entry.value.entries().is_empty() {
        let hint = "name a field and its values: `event.dataset: acme.vpn`";
        findings.error_with_hint(entry.key_place, "no_value", "`where` names no field", hint);
        return None;
    }
    let pattern = |(text, _): &(String, Place)| Pattern::parse(text);
    let condition = |field: &crate::yaml::Entry| {
        fields::texts(findings, field).map(|texts| any_pattern(&field.key, texts.iter().map(pattern)))
    };
    entry.value.entries().iter().map(condition).collect()
}
