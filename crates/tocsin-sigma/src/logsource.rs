//! Log sources: from `product/category/service` to the conditions an event must meet.
//!
//! A rule is only about events of its log source. To add one: a line in the table of its room, or,
//! for one house alone, an entry of [`OwnSources`]. A gate is part of a rule's logic: changing one
//! empties the state of the rules that have it.

mod cloud;
mod linux;
mod own;
mod windows;

pub use own::OwnSources;

use crate::ast::{Expr, Item, LogSource, Part, Pattern, Test, Unmapped};
use crate::condition::join;

/// Categories that are event categories of the taxonomy, and the values they take.
const CATEGORIES: &[(&str, &[&str])] = &[
    ("api_access", &["api_access"]),
    ("application", &[]),
    ("authentication", &["authentication"]),
    ("authorization", &["authorization"]),
    ("config_change", &["config_change"]),
    ("data_access", &["data_access"]),
    ("database", &["database"]),
    ("file", &["file"]),
    ("firewall", &["network"]),
    ("network", &["network"]),
    ("process", &["process"]),
    ("proxy", &["web"]),
    ("session", &["session"]),
    ("web", &["web"]),
    ("webserver", &["web", "api_access"]),
];

/// The conditions an event must meet to be of a log source; true for an empty one. What the house
/// says of it goes before what is known.
///
/// # Errors
/// [`Unmapped`] when no format Tocsin reads yields such events.
pub fn gate(source: &LogSource, own: &OwnSources) -> Result<Expr, Unmapped> {
    if let Some(conditions) = own.find(source) {
        return Ok(conditions);
    }
    match source.product.as_deref() {
        Some("windows") => windows::gate(source),
        Some("linux") => linux::gate(source),
        Some("apache" | "nginx") | None => generic(source),
        Some(other) => cloud::gate(source, other),
    }
}

/// Whether a log source is the other one or a part of it: each part the other names is the same.
#[must_use]
pub fn is_within(source: &LogSource, other: &LogSource) -> bool {
    let fits = |own: &Option<String>, other: &Option<String>| other.is_none() || own == other;
    fits(&source.product, &other.product)
        && fits(&source.category, &other.category)
        && fits(&source.service, &other.service)
}

fn generic(source: &LogSource) -> Result<Expr, Unmapped> {
    let mut conditions = Vec::new();
    if let Some(category) = source.category.as_deref() {
        let of_systems = || of_any_system(category).filter(|_| source.product.is_none());
        conditions.push(event_category(category).or_else(|unmapped| of_systems().ok_or(unmapped))?);
    } else if source.product.is_some() {
        conditions.push(event_category("webserver")?);
    }
    let web = matches!(source.service.as_deref(), Some("apache" | "nginx" | "access"));
    if let Some(service) = source.service.as_deref().filter(|_| !web) {
        let known = linux::syslog_service(service).or_else(|| cloud::service(service));
        let reason = || Unmapped(format!("no format yields events of service `{service}`"));
        conditions.push(known.ok_or_else(reason)?);
    }
    Ok(Expr::And(conditions))
}

/// The conditions of a category that systems have, whatever the system.
fn of_any_system(category: &str) -> Option<Expr> {
    let of = |product: &str| LogSource {
        product: Some(product.to_owned()),
        category: Some(category.to_owned()),
        ..LogSource::default()
    };
    let gates = [windows::gate(&of("windows")), linux::gate(&of("linux"))];
    let known: Vec<Expr> = gates.into_iter().flatten().collect();
    (!known.is_empty()).then(|| join(known, Expr::Or))
}

fn event_category(category: &str) -> Result<Expr, Unmapped> {
    let found = CATEGORIES.iter().find(|(name, _)| *name == category);
    let (_, values) =
        found.ok_or_else(|| Unmapped(format!("no format yields events of category `{category}`")))?;
    Ok(if values.is_empty() { Expr::And(Vec::new()) } else { any_of("event.category", values) })
}

fn any_of(field: &str, values: &[&str]) -> Expr {
    let literal = |value: &&str| Pattern { parts: vec![Part::Literal((*value).to_string())], cased: false };
    any_pattern(field, values.iter().map(literal))
}

fn any_pattern(field: &str, values: impl Iterator<Item = Pattern>) -> Expr {
    Expr::Item(Item {
        field: Some(field.to_string()),
        written: format!("{field} (log source)"),
        tests: values.map(Test::Pattern).collect(),
        all: false,
        place: Default::default(),
    })
}

#[cfg(test)]
#[path = "logsource_tests.rs"]
mod tests;
