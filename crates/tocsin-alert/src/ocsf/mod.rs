//! An alert as an OCSF Detection Finding (class 2004, schema 1.8.0), for tools that speak OCSF.
//!
//! Works on the alert's JSON as a view has left it, so what is masked there is masked here. Whatever
//! it gets, a finding comes out: what cannot be read is left out, and required attributes say
//! "unknown". `evidence` has events, resources and observables; `attack` the ATT&CK entries.

mod attack;
mod evidence;

use serde_json::{Map, Value, json};
use tocsin_core::time::Timestamp;

/// The schema's version.
const SCHEMA: &str = "1.8.0";

/// Category Findings.
const CATEGORY: u64 = 2;

/// Class Detection Finding.
const CLASS: u64 = 2004;

/// Analytic type Rule.
const ANALYTIC_RULE: u64 = 1;

/// Severities by name: identifier and caption.
const SEVERITIES: [(&str, u64, &str); 5] = [
    ("informational", 1, "Informational"),
    ("low", 2, "Low"),
    ("medium", 3, "Medium"),
    ("high", 4, "High"),
    ("critical", 5, "Critical"),
];

/// Confidences by the score at which they begin, highest first.
const CONFIDENCES: [(u64, u64, &str); 3] = [(70, 3, "High"), (40, 2, "Medium"), (0, 1, "Low")];

/// Fields of an alert that have a place in a finding; all others go to `unmapped`.
const MAPPED: [&str; 17] = [
    "alert_id",
    "tenant_id",
    "timestamp",
    "first_seen",
    "last_seen",
    "count",
    "type",
    "severity",
    "confidence",
    "status",
    "title",
    "message",
    "rule",
    "event",
    "evidence",
    "entities",
    "context",
];

/// Fields of an alert's rule that have a place.
const MAPPED_OF_RULE: [&str; 3] = ["id", "title", "hash"];

/// Fields of an alert's context that have a place.
const MAPPED_OF_CONTEXT: [&str; 2] = ["affected_assets", "related_alerts"];

/// An identifier of the schema and its caption.
type Caption<'a> = (u64, &'a str);

/// The finding of an alert, given as JSON. Never fails; times are milliseconds since the Unix epoch.
#[must_use]
pub fn finding(alert: &Value) -> Value {
    let (activity, status) = (activity(alert), status(alert));
    let (severity, confidence) = (severity(alert), confidence(alert));
    let type_uid = CLASS * 100 + activity.0;
    sparse(json!({
        "category_uid": CATEGORY, "category_name": "Findings",
        "class_uid": CLASS, "class_name": "Detection Finding",
        "activity_id": activity.0, "activity_name": activity.1,
        "type_uid": type_uid, "type_name": format!("Detection Finding: {}", activity.1),
        "severity_id": severity.0, "severity": severity.1,
        "status_id": status.0, "status": status.1,
        "is_alert": activity.0 != CLOSE.0,
        "confidence_score": confidence.map(|(score, _)| score),
        "confidence_id": confidence.map_or(0, |(_, (id, _))| id),
        "confidence": confidence.map_or("Unknown", |(_, (_, caption))| caption),
        "time": millis(&alert["timestamp"]).unwrap_or(0),
        "start_time": millis(&alert["first_seen"]),
        "end_time": millis(&alert["last_seen"]),
        "count": alert["count"].as_u64(),
        "message": text(&alert["message"]),
        "metadata": metadata(alert, activity, status),
        "finding_info": info(alert),
        "evidences": evidence::evidences(alert),
        "resources": evidence::resources(alert),
        "observables": evidence::observables(alert),
        "unmapped": unmapped(alert),
    }))
}

const CREATE: Caption = (1, "Create");
const UPDATE: Caption = (2, "Update");
const CLOSE: Caption = (3, "Close");

/// What the alert, as it is now, says has happened to it. Close: closed or withdrawn. Update: another
/// took its place, somebody has looked at it, or events came after those that raised it. Otherwise
/// Create.
fn activity(alert: &Value) -> Caption<'static> {
    let status = alert["status"].as_str().unwrap_or("open");
    let triaged = ["superseded_by", "disposition", "assignee"].iter().any(|name| !alert[*name].is_null());
    match status {
        "closed" | "withdrawn" => CLOSE,
        "open" if !triaged && !has_grown(alert) => CREATE,
        _ => UPDATE,
    }
}

/// Whether there are more events than were in the window when the condition was met.
fn has_grown(alert: &Value) -> bool {
    let own = items(&alert["detections"]).find(|claim| claim["rule_id"] == alert["rule"]["id"]);
    let raised_by = own.and_then(|claim| claim["details"]["events"].as_u64());
    raised_by.zip(alert["count"].as_u64()).is_some_and(|(raised_by, count)| count > raised_by)
}

/// Where people and detector stand with it. What was found harmless counts as suppressed; what
/// gave way to another alert is archived, what was withdrawn deleted.
fn status(alert: &Value) -> Caption<'_> {
    let harmless = matches!(alert["disposition"].as_str(), Some("false_positive" | "benign"));
    match alert["status"].as_str() {
        Some("withdrawn") => (6, "Deleted"),
        Some("closed") if harmless => (3, "Suppressed"),
        Some("closed") => (4, "Resolved"),
        _ if !alert["superseded_by"].is_null() => (5, "Archived"),
        Some("acknowledged") => (2, "In Progress"),
        Some("open") => (1, "New"),
        Some(other) => (99, other),
        None => (0, "Unknown"),
    }
}

fn severity(alert: &Value) -> Caption<'static> {
    let known = SEVERITIES.iter().find(|(name, ..)| alert["severity"] == *name);
    known.map_or((0, "Unknown"), |(_, id, caption)| (*id, caption))
}

/// The score, 0 to 100, and what it amounts to.
fn confidence(alert: &Value) -> Option<(u64, Caption<'static>)> {
    let score = (alert["confidence"].as_f64()?.clamp(0.0, 1.0) * 100.0).round() as u64;
    let (_, id, caption) = CONFIDENCES.iter().find(|(from, ..)| score >= *from)?;
    Some((score, (*id, caption)))
}

/// `uid` is one state of one alert: the same answer asked for twice has the same, a later one not.
fn metadata(alert: &Value, activity: Caption, status: Caption) -> Value {
    let count = alert["count"].as_u64().unwrap_or(0);
    let uid = text(&alert["alert_id"]).map(|id| format!("{id}.{}.{}.{count}", activity.0, status.0));
    sparse(json!({
        "version": SCHEMA,
        "product": { "name": "Tocsin", "vendor_name": "Tocsin", "version": env!("CARGO_PKG_VERSION") },
        "tenant_uid": text(&alert["tenant_id"]),
        "log_name": "alerts",
        "original_time": text(&alert["timestamp"]),
        "uid": uid,
    }))
}

fn info(alert: &Value) -> Value {
    let rule = &alert["rule"];
    let analytic = sparse(json!({
        "name": text(&rule["title"]), "uid": text(&rule["id"]), "version": text(&rule["hash"]),
        "type_id": ANALYTIC_RULE, "type": "Rule",
    }));
    let is_named = text(&rule["title"]).or(text(&rule["id"])).is_some();
    sparse(json!({
        "uid": alert["alert_id"].as_str().unwrap_or_default(),
        "title": text(&alert["title"]),
        "desc": text(&alert["message"]),
        "types": text(&alert["type"]).map_or_else(Vec::new, |kind| vec![kind]),
        "created_time": millis(&alert["timestamp"]),
        "first_seen_time": millis(&alert["first_seen"]),
        "last_seen_time": millis(&alert["last_seen"]),
        "analytic": is_named.then_some(analytic),
        "attacks": attack::attacks(&rule["tags"]),
        "related_events": evidence::related(alert),
    }))
}

/// What has no place of its own, under its own names.
fn unmapped(alert: &Value) -> Value {
    let mut rest = without(alert, &MAPPED);
    for (name, mapped) in [("rule", &MAPPED_OF_RULE[..]), ("context", &MAPPED_OF_CONTEXT)] {
        rest.insert(name.to_string(), without(&alert[name], mapped).into());
    }
    sparse(rest.into())
}

fn without(object: &Value, names: &[&str]) -> Map<String, Value> {
    let fields = object.as_object().into_iter().flatten();
    let rest = fields.filter(|(name, _)| !names.contains(&name.as_str()));
    rest.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// An object without the entries that say nothing.
fn sparse(mut object: Value) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.retain(|_, value| match value {
            Value::Null => false,
            Value::Array(items) => !items.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        });
    }
    object
}

/// A text that is not empty.
fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

/// The items of an array; none of anything else.
fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Milliseconds since the Unix epoch of an RFC 3339 time.
fn millis(value: &Value) -> Option<i64> {
    Some(Timestamp::parse(value.as_str()?.as_bytes())?.0.div_euclid(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(change: &Value) -> Value {
        let mut alert = json!({ "status": "open", "count": 5, "rule": { "id": "r" },
            "detections": [{ "rule_id": "a", "details": { "events": 1 } },
                           { "rule_id": "r", "details": { "events": 5 } }] });
        for (name, value) in change.as_object().into_iter().flatten() {
            alert[name] = value.clone();
        }
        alert
    }

    #[test]
    fn activity_and_status_say_where_an_alert_stands() {
        for (change, activity_is, status_is) in [
            (json!({}), 1, (1, "New")),
            (json!({ "provisional": true }), 1, (1, "New")),
            (json!({ "count": 6 }), 2, (1, "New")),
            (json!({ "count": 6, "detections": [] }), 1, (1, "New")),
            (json!({ "superseded_by": "x" }), 2, (5, "Archived")),
            (json!({ "assignee": "ann" }), 2, (1, "New")),
            (json!({ "status": "acknowledged" }), 2, (2, "In Progress")),
            (json!({ "status": "closed" }), 3, (4, "Resolved")),
            (json!({ "status": "closed", "disposition": "true_positive" }), 3, (4, "Resolved")),
            (json!({ "status": "closed", "disposition": "benign" }), 3, (3, "Suppressed")),
            (json!({ "status": "withdrawn", "superseded_by": "x" }), 3, (6, "Deleted")),
            (json!({ "status": "parked" }), 2, (99, "parked")),
            (json!({ "status": null }), 1, (0, "Unknown")),
        ] {
            let found = finding(&alert(&change));
            assert_eq!(found["activity_id"], activity_is, "{change}");
            assert_eq!((&found["status_id"], &found["status"]), (&status_is.0.into(), &status_is.1.into()));
            assert_eq!(found["type_uid"], 200_400 + activity_is, "{change}");
            assert_eq!(found["is_alert"], activity_is != 3, "{change}");
        }
    }

    #[test]
    fn severity_and_confidence_have_the_schemas_numbers() {
        for (severity, id) in [("informational", 1), ("low", 2), ("medium", 3), ("high", 4), ("critical", 5)]
        {
            assert_eq!(finding(&json!({ "severity": severity }))["severity_id"], id);
        }
        assert_eq!(finding(&json!({ "severity": "urgent" }))["severity_id"], 0);
        for (confidence, score, id) in [
            (json!(0.0), json!(0), 1),
            (json!(0.3), json!(30), 1),
            (json!(0.5), json!(50), 2),
            (json!(0.7), json!(70), 3),
            (json!(1e300), json!(100), 3),
            (json!(-1), json!(0), 1),
            (json!("high"), json!(null), 0),
        ] {
            let found = finding(&json!({ "confidence": confidence }));
            assert_eq!((&found["confidence_score"], &found["confidence_id"]), (&score, &json!(id)));
        }
    }

    #[test]
    fn a_state_has_one_uid_and_another_state_another() {
        let uid = |change: Value| finding(&alert(&change))["metadata"]["uid"].clone();
        assert_eq!(uid(json!({ "alert_id": "a" })), "a.1.1.5");
        assert_eq!(uid(json!({ "alert_id": "a", "count": 6 })), "a.2.1.6");
        assert_eq!(uid(json!({ "alert_id": "a", "status": "closed" })), "a.3.4.5");
    }

    #[test]
    fn whatever_comes_in_the_required_attributes_are_there() {
        let odd = json!({ "rule": 1, "evidence": [null, 1, { "event": [] }], "entities": [{}, "x"],
            "context": "x", "event": 7, "key": [], "detections": {}, "timestamp": "soon", "count": -1 });
        for input in [json!(null), json!("x"), json!([1, [2]]), json!({}), odd] {
            let found = finding(&input);
            for name in ["activity_id", "category_uid", "class_uid", "type_uid", "severity_id", "time"] {
                assert!(found[name].is_u64(), "{name} of {input}");
            }
            assert!(found["metadata"]["product"]["name"].is_string(), "{input}");
            assert!(found["finding_info"]["uid"].is_string(), "{input}");
            assert_eq!(found.get("evidences"), None, "{input}");
            assert_eq!(found["finding_info"].get("analytic"), None, "{input}");
        }
    }
}
