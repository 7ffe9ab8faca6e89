//! What the contract promises for `POST /logs`, and what comes of log entries: replies, alerts and
//! log lines as the reference system gives them, word for word.

use serde_json::{Value, json};

use crate::server_contract_support::{Site, at, entry, failed_logins, problem};
use crate::server_support::{Server, key};

/// The reference's own request.
const SAMPLE: &str = r#"{
  "timestamp": "2025-01-08T12:00:00Z",
  "client_ip": "192.168.1.1",
  "endpoint": "/api/v1/resource",
  "method": "GET",
  "status_code": 401
}"#;

const BRUTE_FORCE: &str = "[ALERT] Brute force attack detected from IP: 192.168.1.1";

/// What `GET /alerts` says.
fn recent(server: &Server, query: &str, credential: &str) -> Value {
    server.json(&format!("/alerts{query}"), credential)
}

#[test]
fn the_reference_samples_give_its_literal_reply_alert_and_log_line() {
    let site = Site::open();
    for _ in 0..5 {
        let answer = site.server.post_log(&site.ingest, SAMPLE);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        assert_eq!(answer.text(), r#"{"status":"success","message":"Log received and queued."}"#);
    }
    let alert = site.alert("bruteforce");
    assert_eq!(alert["message"], "Brute force attack detected from IP: 192.168.1.1");
    assert_eq!((&alert["confidence"], &alert["count"]), (&json!(0.9), &json!(5)));
    assert_eq!(alert["recommended_actions"], json!(["block_address", "notify"]));
    assert_eq!(alert["evidence"][0]["event"]["endpoint"], "/api/v1/resource");

    let expect = json!([{
        "type": "bruteforce",
        "timestamp": "2025-01-08T12:00:00Z",
        "client_ip": "192.168.1.1",
        "details": "5 consecutive 401 errors within 1 minute",
    }]);
    let read = key(&site.folder, "read");
    let reader = site.server.wait_for("the key", |server| {
        (server.get("/alerts", &read).status == 200).then(|| recent(server, "", &read))
    });
    assert_eq!(reader, expect, "with a key of scope read");
    assert_eq!(recent(&site.server, "?type=bruteforce", &site.analyst), expect, "with a token");
    assert_eq!(recent(&site.server, "?type=abnormal_traffic", &site.analyst), json!([]));
    assert_eq!(site.told_alerts(), [BRUTE_FORCE], "a bare whole line");
}

#[test]
fn four_refusals_or_a_run_that_is_broken_or_too_slow_are_no_brute_force() {
    let site = Site::open();
    let send = |address: &str, entries: &[(u32, u16)]| {
        entries.iter().for_each(|(second, status)| site.log(&entry(*second, address, *status)));
    };
    send("192.0.2.4", &[(0, 401), (10, 401), (20, 401), (30, 401)]);
    send("192.0.2.5", &[(30, 401), (30, 401), (30, 401), (30, 401), (31, 200), (32, 401), (33, 401)]);
    send("192.0.2.6", &[(30, 401), (40, 401), (50, 401), (60, 401), (91, 401)]);
    send("192.0.2.7", &[(60, 403), (61, 403), (62, 404), (63, 500), (64, 403), (65, 403)]);
    assert_eq!(site.alerts(), [] as [Value; 0]);
    // Exactly a minute from the first to the last is within a minute.
    send("192.0.2.8", &[(60, 401), (75, 401), (90, 401), (105, 401), (120, 401)]);
    assert_eq!(site.alert("bruteforce")["key"], json!({ "source.ip": "192.0.2.8" }));
}

#[test]
fn more_than_a_hundred_requests_within_a_minute_are_abnormal_traffic() {
    let site = Site::open();
    (0..100).for_each(|n| site.log(&entry(n * 60 / 100, "10.0.0.5", 200)));
    assert_eq!(site.alerts(), [] as [Value; 0], "a hundred are not more than a hundred");
    site.log(&entry(60, "10.0.0.5", 200));
    let alert = site.alert("abnormal_traffic");
    assert_eq!(alert["message"], "High traffic detected from IP: 10.0.0.5");
    assert_eq!((&alert["confidence"], &alert["timestamp"]), (&json!(0.9), &json!(at(60))));
    let expect = json!([{
        "type": "abnormal_traffic",
        "timestamp": at(60),
        "client_ip": "10.0.0.5",
        "details": "101 requests within 1 minute",
    }]);
    assert_eq!(recent(&site.server, "", &site.analyst), expect);
    assert_eq!(site.told_alerts(), ["[ALERT] High traffic detected from IP: 10.0.0.5"]);
}

#[test]
fn a_bare_401_in_a_log_is_api_access_and_not_a_login() {
    let site = Site::open();
    (0..11).for_each(|second| site.log(&entry(second, "192.0.2.1", 401)));
    let types: Vec<Value> = site.alerts().iter().map(|alert| alert["type"].clone()).collect();
    assert_eq!(types, ["bruteforce"], "and no `brute_force`, which is of logins");
    site.events(&failed_logins(11, "192.0.2.2"));
    assert_eq!(site.alert("brute_force")["key"], json!({ "source.ip": "192.0.2.2" }));
}

#[test]
fn every_field_of_an_entry_is_required_and_checked() {
    let site = Site::open();
    let good: Value = serde_json::from_str(SAMPLE).unwrap();
    let refused = |entry: &Value| {
        let answer = site.server.post_log(&site.ingest, &entry.to_string());
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (400, Some("application/json")),
            "{entry}"
        );
        let body = answer.json();
        assert!(body["status"] == "error" && body["message"].is_string(), "{body}");
        body["errors"].as_array().unwrap().clone()
    };
    for field in ["timestamp", "client_ip", "endpoint", "method", "status_code"] {
        let mut entry = good.clone();
        entry.as_object_mut().unwrap().remove(field);
        assert_eq!(refused(&entry), [json!({ "field": field, "reason": "is missing" })]);
        entry[field] = json!({});
        let errors = refused(&entry);
        assert_eq!((errors.len(), &errors[0]["field"]), (1, &json!(field)), "{errors:?}");
    }
    for (field, value) in [
        ("timestamp", json!("2025-01-08 12:00:00")),
        ("timestamp", json!(1_736_337_600)),
        ("timestamp", json!("2025-02-30T12:00:00Z")),
        ("client_ip", json!("192.168.1")),
        ("client_ip", json!("example.com")),
        ("endpoint", json!("api/v1")),
        ("method", json!("GE T")),
        ("method", json!("")),
        ("status_code", json!(99)),
        ("status_code", json!(600)),
        ("status_code", json!("401")),
    ] {
        let mut entry = good.clone();
        entry[field] = value;
        let errors = refused(&entry);
        assert_eq!((errors.len(), &errors[0]["field"]), (1, &json!(field)), "{errors:?}");
    }
    assert_eq!(refused(&json!({})).len(), 5, "everything that is wrong is told at once");
    for (field, value) in [
        ("timestamp", json!("2025-01-08t14:00:00.123456789+02:00")),
        ("client_ip", json!("2001:db8::1")),
        ("endpoint", json!("/")),
        ("method", json!("PROPFIND")),
        ("status_code", json!(100)),
        ("status_code", json!(599)),
    ] {
        let mut entry = good.clone();
        entry[field] = value;
        site.log(&entry);
    }
    let ledger = site.ledger();
    assert_eq!((&ledger["accepted"], &ledger["rejected"]), (&json!(6), &json!({ "invalid_entry": 22 })));
}

#[test]
fn a_key_comes_in_either_header_and_an_entry_compressed_or_in_chunks() {
    let site = Site::open();
    let bearer = format!("Bearer {}", site.ingest);
    let answer = site.server.send("POST", "/logs", &[("Authorization", &bearer)], SAMPLE.as_bytes());
    assert_eq!(answer.status, 200, "whatever its type: {}", answer.text());
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(1 << 20));
    problem(&site.server.post_log(&site.ingest, &large), 413);
    for (method, path) in [("GET", "/logs"), ("PUT", "/logs"), ("DELETE", "/alerts")] {
        problem(&site.server.send(method, path, &[("X-Api-Key", &site.ingest)], b""), 405);
    }
    assert_eq!(site.ledger()["accepted"], 1);
}
