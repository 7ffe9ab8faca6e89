//! One alert and the whole finding it becomes.

use serde_json::{Value, json};
use tocsin_alert::ocsf::finding;
use tocsin_alert::role::View;

fn alert() -> Value {
    json!({
        "alert_id": "a1", "tenant_id": "acme", "timestamp": "2026-01-31T08:00:00.123456Z",
        "first_seen": "2026-01-31T07:59:00Z", "last_seen": "2026-01-31T08:00:00.123456Z", "count": 2,
        "type": "brute_force", "severity": "critical", "confidence": 0.9, "status": "open",
        "provisional": false, "title": "Brute force", "message": "2 failed logins from 192.0.2.1",
        "rule": { "id": "ssh_brute_force", "title": "SSH brute force", "hash": "h1", "level": "critical",
                  "tags": ["attack.credential-access", "attack.t1110.001"] },
        "key": { "source.ip": "192.0.2.1" },
        "detections": [{ "type": "brute_force", "confidence": 0.9, "description": "", "severity": "critical",
                         "rule_id": "ssh_brute_force", "details": { "events": 2 } }],
        "event": { "client_ip": "192.0.2.1", "user": "ann", "event_id": "0:9" },
        "evidence": [
            { "event_id": "0:4", "event_time": "2026-01-31T07:59:00Z" },
            { "event_id": "0:9", "event_time": "2026-01-31T08:00:00.123456Z",
              "event": { "client_ip": "192.0.2.1", "user": "ann", "event_id": "0:9" } }],
        "entities": [{ "kind": "address", "value": "192.0.2.1" }, { "kind": "host", "value": "web-1" },
                     { "kind": "user", "value": "ann" }],
        "recommended_actions": ["block_address"],
        "context": { "affected_assets": ["web-1"], "related_alerts": ["a0"],
                     "attack_chain_position": "credential_access", "incident_id": "i1" },
        "approximate": false,
    })
}

#[test]
fn an_alert_becomes_a_finding() {
    let alert = alert();
    let expect = json!({
        "category_uid": 2, "category_name": "Findings", "class_uid": 2004, "class_name": "Detection Finding",
        "activity_id": 1, "activity_name": "Create",
        "type_uid": 200_401, "type_name": "Detection Finding: Create",
        "severity_id": 5, "severity": "Critical", "status_id": 1, "status": "New", "is_alert": true,
        "confidence_score": 90, "confidence_id": 3, "confidence": "High",
        "time": 1_769_846_400_123_i64, "start_time": 1_769_846_340_000_i64,
        "end_time": 1_769_846_400_123_i64, "count": 2, "message": "2 failed logins from 192.0.2.1",
        "metadata": {
            "version": "1.8.0", "tenant_uid": "acme", "log_name": "alerts", "uid": "a1.1.1.2",
            "original_time": "2026-01-31T08:00:00.123456Z",
            "product": { "name": "Tocsin", "vendor_name": "Tocsin", "version": env!("CARGO_PKG_VERSION") } },
        "finding_info": {
            "uid": "a1", "title": "Brute force", "desc": "2 failed logins from 192.0.2.1",
            "types": ["brute_force"], "created_time": 1_769_846_400_123_i64,
            "first_seen_time": 1_769_846_340_000_i64, "last_seen_time": 1_769_846_400_123_i64,
            "analytic": { "name": "SSH brute force", "uid": "ssh_brute_force", "version": "h1",
                          "type_id": 1, "type": "Rule" },
            "attacks": [{ "tactic": { "name": "Credential Access", "uid": "TA0006" },
                          "technique": { "uid": "T1110" }, "sub_technique": { "uid": "T1110.001" } }],
            "related_events": [{ "uid": "a0" }, { "uid": "0:4" }] },
        "evidences": [{ "uid": "0:9", "src_endpoint": { "ip": "192.0.2.1" }, "user": { "name": "ann" },
                        "data": alert["event"] }],
        "resources": [{ "type": "host", "name": "web-1" }, { "type": "user", "name": "ann" }],
        "observables": [
            { "type_id": 2, "type": "IP Address", "value": "192.0.2.1", "name": "evidences[].src_endpoint.ip" },
            { "type_id": 1, "type": "Hostname", "value": "web-1", "name": "resources[].name" },
            { "type_id": 4, "type": "User Name", "value": "ann", "name": "resources[].name" }],
        "unmapped": {
            "provisional": false, "approximate": false, "key": { "source.ip": "192.0.2.1" },
            "recommended_actions": ["block_address"], "detections": alert["detections"],
            "rule": { "level": "critical", "tags": ["attack.credential-access", "attack.t1110.001"] },
            "context": { "attack_chain_position": "credential_access", "incident_id": "i1" } },
    });
    assert_eq!(finding(&alert), expect);
}

#[test]
fn what_a_view_masks_stays_masked() {
    let mut alert = alert();
    View::Masked.apply(&mut alert);
    let found = finding(&alert);
    assert!(!found.to_string().contains("192.0.2.1"), "{found}");
    assert_eq!(found["evidences"][0]["src_endpoint"]["ip"], "192.0.xxx.xxx");
    assert_eq!(found["observables"][0]["value"], "192.0.xxx.xxx");
    assert_eq!(found["time"], 1_769_846_400_123_i64);
}
