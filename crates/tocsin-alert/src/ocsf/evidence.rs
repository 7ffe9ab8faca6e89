//! The events of an alert as evidence, and whom it concerns as resources and observables.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::{items, sparse, text};

/// Names events send a taxonomy field under, the field first: those the decoders' taxonomy has. What
/// is sent under another name is still in the evidence's `data`.
const SOURCE_NAMES: [&str; 7] =
    ["source.ip", "source_ip", "client_ip", "src_ip", "remote_addr", "sourceIPAddress", "IpAddress"];
const USER_NAMES: [&str; 7] =
    ["user.name", "user", "username", "TargetUserName", "user_id", "userIdentity.arn", "user_email"];
const HOST_NAMES: [&str; 7] =
    ["host.name", "asset_id", "host", "hostname", "Computer", "Hostname", "computer_name"];

/// Endings of addresses of which a view shows the beginning only.
const MASKED_ENDINGS: [&str; 2] = [".xxx.xxx", ":xxxx"];

/// The contributing events that are at hand, the completing one among them, and the addresses none
/// of them names.
pub(super) fn evidences(alert: &Value) -> Vec<Value> {
    let (key, completing) = (&alert["key"], &alert["event"]);
    let at_hand = || items(&alert["evidence"]).filter(|evidence| has_event(evidence));
    let mut artifacts: Vec<Value> =
        at_hand().filter_map(|evidence| artifact(key, &evidence["event_id"], &evidence["event"])).collect();
    let id = &completing["event_id"];
    if id.is_null() || !at_hand().any(|evidence| evidence["event_id"] == *id) {
        artifacts.extend(artifact(key, id, completing));
    }
    for address in addresses(alert) {
        if !artifacts.iter().any(|artifact| artifact["src_endpoint"]["ip"] == address) {
            artifacts.push(json!({ "src_endpoint": { "ip": address } }));
        }
    }
    artifacts
}

/// What is known of by its id only: other alerts, and contributing events that are not at hand.
pub(super) fn related(alert: &Value) -> Vec<Value> {
    let alerts = items(&alert["context"]["related_alerts"]).filter_map(text);
    let events = items(&alert["evidence"]).filter(|evidence| !has_event(evidence));
    let events = events.filter_map(|evidence| text(&evidence["event_id"]));
    alerts.chain(events).map(|uid| json!({ "uid": uid })).collect()
}

/// Hosts and users.
pub(super) fn resources(alert: &Value) -> Vec<Value> {
    let concerned = entities(alert).filter(|(kind, _)| matches!(*kind, "host" | "user"));
    concerned.map(|(kind, value)| json!({ "type": kind, "name": value })).collect()
}

/// All concerned, each with the place in the finding it is found at.
pub(super) fn observables(alert: &Value) -> Vec<Value> {
    let observable = |(kind, value)| {
        let (id, caption, place) = match kind {
            "address" if is_address(value) => (2, "IP Address", Some("evidences[].src_endpoint.ip")),
            "host" => (1, "Hostname", Some("resources[].name")),
            "user" => (4, "User Name", Some("resources[].name")),
            other => (99, other, None),
        };
        sparse(json!({ "type_id": id, "type": caption, "value": value, "name": place }))
    };
    entities(alert).map(observable).collect()
}

fn entities(alert: &Value) -> impl Iterator<Item = (&str, &str)> {
    items(&alert["entities"]).filter_map(|entity| Some((text(&entity["kind"])?, text(&entity["value"])?)))
}

fn addresses(alert: &Value) -> impl Iterator<Item = &str> {
    entities(alert).filter(|(kind, value)| *kind == "address" && is_address(value)).map(|(_, value)| value)
}

/// One event; none where there is nothing but its id, which the schema does not allow.
fn artifact(key: &Value, id: &Value, event: &Value) -> Option<Value> {
    let find = |names: &[&str]| names.first().and_then(|field| text(&key[*field])).or(sent(event, names));
    let event = event.as_object().filter(|event| !event.is_empty())?;
    let address = find(&SOURCE_NAMES).filter(|address| is_address(address));
    let host = find(&HOST_NAMES).map(|name| json!({ "hostname": name, "type_id": 0, "type": "Unknown" }));
    Some(sparse(json!({
        "uid": text(id),
        "src_endpoint": address.map(|ip| json!({ "ip": ip })),
        "user": find(&USER_NAMES).map(|name| json!({ "name": name })),
        "device": host,
        "data": event,
    })))
}

fn has_event(evidence: &Value) -> bool {
    evidence["event"].as_object().is_some_and(|event| !event.is_empty())
}

/// The first text an event has under one of these names, whole or nested at the dots.
fn sent<'a>(event: &'a Value, names: &[&str]) -> Option<&'a str> {
    let nested = |name: &str| name.split('.').try_fold(event, |inner, part| inner.get(part));
    names.iter().find_map(|name| text(&event[*name]).or_else(|| text(nested(name)?)))
}

/// Whether a text is an address, or as much of one as a masked view shows.
fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || MASKED_ENDINGS.iter().any(|ending| text.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_becomes_what_it_names() {
        for (key, event, expect) in [
            (json!({}), json!({ "a": 1 }), json!({})),
            (
                json!({}),
                json!({ "client_ip": "192.0.2.1" }),
                json!({ "src_endpoint": { "ip": "192.0.2.1" } }),
            ),
            (json!({}), json!({ "source": { "ip": "::1" } }), json!({ "src_endpoint": { "ip": "::1" } })),
            (json!({}), json!({ "client_ip": "unknown" }), json!({})),
            (
                json!({}),
                json!({ "src_ip": "10.0.xxx.xxx" }),
                json!({ "src_endpoint": { "ip": "10.0.xxx.xxx" } }),
            ),
            (json!({ "user.name": "ann" }), json!({ "user": "A" }), json!({ "user": { "name": "ann" } })),
            (json!({}), json!({ "user": { "name": "ann" } }), json!({ "user": { "name": "ann" } })),
            (
                json!({}),
                json!({ "Computer": "pc" }),
                json!({ "device": { "hostname": "pc", "type_id": 0, "type": "Unknown" } }),
            ),
        ] {
            let mut expect = expect;
            expect["uid"] = "0:7".into();
            expect["data"] = event.clone();
            assert_eq!(artifact(&key, &json!("0:7"), &event), Some(expect));
        }
        assert_eq!(artifact(&json!({ "source.ip": "::1" }), &json!("0:7"), &json!({})), None);
    }

    #[test]
    fn events_are_evidence_once_and_ids_alone_are_related() {
        let alert = json!({
            "event": { "event_id": "0:2", "b": 1 },
            "evidence": [{ "event_id": "0:1", "event": { "event_id": "0:1" } }, { "event_id": "0:2" },
                         { "event_id": "0:3", "event": {} }],
            "context": { "related_alerts": ["x"] },
            "entities": [{ "kind": "address", "value": "::1" }, { "kind": "address", "value": "gateway" }],
        });
        let uids = |list: &[Value]| {
            list.iter()
                .map(|item| item["uid"].as_str().unwrap_or("-").to_string())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(uids(&evidences(&alert)), "0:1 0:2 -");
        assert_eq!(evidences(&alert)[2], json!({ "src_endpoint": { "ip": "::1" } }));
        assert_eq!(uids(&related(&alert)), "x 0:2 0:3");
        let complete = json!({ "event": { "event_id": "0:1" }, "evidence": alert["evidence"] });
        assert_eq!(uids(&evidences(&complete)), "0:1");
        let kinds: Vec<Value> = observables(&alert).iter().map(|item| item["type_id"].clone()).collect();
        assert_eq!(kinds, [2, 99]);
    }
}
