//! Alerts of a server beside those of a scan or a replay: compared whole, without what depends on
//! place and arrival.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::server_support::Server;

/// Characters of a value that a difference shows.
const SHOWN: usize = 160;

/// Differences that are shown.
const DIFFERENCES: usize = 12;

/// The id of an alert.
pub fn id_of(alert: &Value) -> String {
    alert["alert_id"].as_str().unwrap().to_string()
}

/// Keys in order, without what depends on place and arrival.
pub fn canonical(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let keep = |(key, _): &(String, Value)| !matches!(key.as_str(), "event_id" | "processed_at");
            let sorted: BTreeMap<String, Value> =
                map.into_iter().filter(keep).map(|(key, value)| (key, canonical(value))).collect();
            sorted.into_iter().collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(list) => list.into_iter().map(canonical).collect(),
        other => other,
    }
}

/// The alerts of a server that stand: neither superseded nor withdrawn.
pub fn standing(server: &Server, token: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut path = "/api/v1/alerts?limit=1000".to_string();
    loop {
        let page = server.json(&path, token);
        for alert in page["items"].as_array().unwrap() {
            if alert["superseded_by"].is_null() && alert["status"] != "withdrawn" {
                found.insert(id_of(alert), canonical(alert.clone()));
            }
        }
        let Some(next) = page["next"].as_str() else { return found };
        path = format!("/api/v1/alerts?limit=1000&cursor={next}");
    }
}

/// Fails unless both are the same alerts; says where they differ.
pub fn assert_same(got: &BTreeMap<String, Value>, expect: &BTreeMap<String, Value>) {
    let ids: BTreeSet<&String> = got.keys().chain(expect.keys()).collect();
    let mut differences = Vec::new();
    for id in ids {
        let (got, expect) = (got.get(id), expect.get(id));
        if got != expect {
            differ(id, got.unwrap_or(&Value::Null), expect.unwrap_or(&Value::Null), &mut differences);
        }
    }
    differences.truncate(DIFFERENCES);
    assert!(differences.is_empty(), "got / expected:\n{}", differences.join("\n"));
}

/// The innermost places where two values differ.
fn differ(at: &str, got: &Value, expect: &Value, out: &mut Vec<String>) {
    match (got, expect) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for key in keys {
                let (got, expect) = (one.get(key), other.get(key));
                if got != expect {
                    let at = format!("{at}.{key}");
                    differ(&at, got.unwrap_or(&Value::Null), expect.unwrap_or(&Value::Null), out);
                }
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (got, expect)) in one.iter().zip(other).enumerate().filter(|(_, (a, b))| a != b) {
                differ(&format!("{at}[{index}]"), got, expect, out);
            }
        }
        _ => {
            let short = |value: &Value| value.to_string().chars().take(SHOWN).collect::<String>();
            out.push(format!("{at}: {} / {}", short(got), short(expect)));
        }
    }
}
