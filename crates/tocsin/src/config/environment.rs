//! The environment: `TOCSIN_SECTION__KEY` overrides a key of the file, and names that systems
//! before Tocsin used are understood.

use std::ffi::OsString;
use std::sync::Arc;

use tocsin_sigma::ast::{Diagnostic, Place, Severity};

use super::settings::{Origin, Setting, Settings, Value};

/// What every variable of Tocsin begins with.
const PREFIX: &str = "TOCSIN_";

/// Variables that are no settings: chores, tests and benches read them.
const INTERNAL: [&str; 4] = ["TOCSIN_BLESS", "TOCSIN_CACHE", "TOCSIN_CRASH_AT", "TOCSIN_TOOLS"];

/// Names from before Tocsin, with the keys they stand for. `TOCSIN_…` of the same key goes first.
const ALIASES: [(&str, &str); 1] = [("JWT_SECRET", "auth.jwt_secret")];

/// Names from before Tocsin whose time comes later, with what they are about.
const UNUSED: [(&str, &str); 5] = [
    ("BATCH_SIZE", "batching"),
    ("ELASTICSEARCH_URL", "Elasticsearch"),
    ("FLUSH_INTERVAL", "batching"),
    ("KAFKA_BROKERS", "Kafka"),
    ("REDIS_URL", "Redis"),
];

/// The variable that sets a key.
#[must_use]
pub fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_uppercase())
}

/// Lets variables override what is set. An empty variable sets nothing.
pub fn overlay(settings: &mut Settings, variables: impl IntoIterator<Item = (OsString, OsString)>) {
    let mut named: Vec<(String, Option<String>)> = Vec::new();
    for (name, value) in variables {
        if let Some(name) = name.to_str().filter(|_| !value.is_empty()) {
            named.push((name.to_owned(), value.into_string().ok()));
        }
    }
    named.sort();
    for (name, value) in &named {
        if let Some((_, path)) = ALIASES.iter().find(|(alias, _)| alias == name) {
            put(settings, (*path).to_owned(), name, value.as_deref());
        } else if let Some((_, what)) = UNUSED.iter().find(|(alias, _)| alias == name) {
            warn_unused(settings, name, what);
        }
    }
    for (name, value) in &named {
        let path = name.strip_prefix(PREFIX).filter(|_| !INTERNAL.contains(&name.as_str()));
        if let Some(path) = path.filter(|path| !is_service_link(path)) {
            put(settings, path.to_lowercase().replace("__", "."), name, value.as_deref());
        }
    }
}

fn put(settings: &mut Settings, path: String, name: &str, value: Option<&str>) {
    let origin = Origin::Variable(name.to_owned());
    match value {
        Some(text) => {
            let value = Value::Text(text.to_owned());
            settings.put(path, Setting { value, origin, key: Place::default() });
        }
        None => {
            let hint = Some("write it in UTF-8".to_owned());
            settings.tell(Severity::Error, "invalid_utf8", (&origin, &path), "its value is not UTF-8", hint);
        }
    }
}

/// Whether a variable, its prefix taken off, was set by Kubernetes for a service whose name begins
/// with `tocsin`: `SERVICE_HOST`, `PORT`, `PORT_8080_TCP_ADDR`, `API_SERVICE_PORT_HTTP`.
fn is_service_link(rest: &str) -> bool {
    let words: Vec<&str> = rest.split('_').collect();
    let is_service = words.windows(2).any(|pair| matches!(pair, ["SERVICE", "HOST" | "PORT"]));
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let is_port = words.iter().position(|word| *word == "PORT");
    is_service || is_port.is_some_and(|at| words.get(at + 1).is_none_or(|next| is_number(next)))
}

fn warn_unused(settings: &mut Settings, name: &str, what: &str) {
    settings.tell_whole(Diagnostic {
        file: Arc::default(),
        place: Place::default(),
        severity: Severity::Warning,
        code: "unused_variable",
        reason: format!("`{name}` is set and not used: {what} comes with a later release"),
        hint: None,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_variables_name_each_other() {
        assert_eq!(variable("listen"), "TOCSIN_LISTEN");
        assert_eq!(variable("sources.http.as_of"), "TOCSIN_SOURCES__HTTP__AS_OF");
    }

    #[test]
    fn links_of_services_are_told_from_settings() {
        for (rest, is_link) in [
            ("SERVICE_HOST", true),
            ("SERVICE_PORT_HTTP", true),
            ("API_SERVICE_PORT", true),
            ("PORT", true),
            ("PORT_8080_TCP_ADDR", true),
            ("API_PORT_8080_TCP", true),
            ("LISTEN", false),
            ("PORTS", false),
            ("STREAM__QUEUE", false),
        ] {
            assert_eq!(is_service_link(rest), is_link, "{rest}");
        }
    }
}
