//! What the contract promises for `POST /api/v1/events` and for the names events use.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeSet;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::server_contract_support::{Site, at, failed_login, failed_logins, lines, problem};
use crate::server_support::{Answer, tenant_key, tenant_token};
use crate::support::Folder;

const NDJSON: (&str, &str) = ("Content-Type", "application/x-ndjson");
const JSON: (&str, &str) = ("Content-Type", "application/json");

fn post(site: &Site, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let headers = [&[("X-Api-Key", site.ingest.as_str())], headers].concat();
    site.server.send("POST", "/api/v1/events", &headers, body)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A zstd frame that holds these bytes as they are (RFC 8878, one raw block).
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).unwrap();
    let header = (len << 3 | 1).to_le_bytes();
    [&[0x28, 0xb5, 0x2f, 0xfd, 0xa0], &len.to_le_bytes()[..], &header[..3], bytes].concat()
}

#[test]
fn one_object_an_array_or_lines_are_taken_plain_or_compressed() {
    let site = Site::open();
    let [one, two, three] = [0, 1, 2].map(|second| failed_login(second, "192.0.2.1"));
    let array = json!([one, two, three]).to_string();
    let list = lines(&[one.clone(), two.clone(), three.clone()]);
    let records = json!({ "Records": [one, two, three] }).to_string();
    for (headers, body, accepted) in [
        (vec![JSON], one.to_string().into_bytes(), 1),
        (vec![], one.to_string().into_bytes(), 1),
        (vec![JSON], array.clone().into_bytes(), 3),
        (vec![], array.clone().into_bytes(), 3),
        (vec![JSON], records.clone().into_bytes(), 3),
        (vec![], format!("{records}\n{records}").into_bytes(), 6),
        (vec![NDJSON], list.clone().into_bytes(), 3),
        (vec![], list.clone().into_bytes(), 3),
        (vec![NDJSON], list.trim_end().replace('\n', "\r\n\r\n").into_bytes(), 3),
        (vec![NDJSON, ("Content-Encoding", "gzip")], gzip(list.as_bytes()), 3),
        (vec![JSON, ("Content-Encoding", "gzip")], gzip(array.as_bytes()), 3),
        (vec![NDJSON, ("Content-Encoding", "zstd")], zstd(list.as_bytes()), 3),
    ] {
        let answer = post(&site, &headers, &body);
        assert_eq!(answer.status, 202, "{headers:?} {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.json(), json!({ "accepted": accepted, "rejected": [] }), "{headers:?}");
    }
    assert_eq!(site.ledger()["accepted"], 35);
}

#[test]
fn what_cannot_be_read_is_told_by_line_and_the_rest_is_accepted() {
    let site = Site::open();
    let good = failed_login(0, "192.0.2.1");
    let body = format!("{good}\nnonsense\n{{\"user\":}}\n\n[1,2]\n{good}\n");
    let answer = site.server.post_events(&site.ingest, &body);
    assert_eq!(answer.status, 202);
    let reply = answer.json();
    assert_eq!(reply["accepted"], 2);
    let told: Vec<(u64, &str)> = reply["rejected"].as_array().unwrap().iter().map(line_and_reason).collect();
    let expect = [(2, "unknown_format"), (3, "malformed_json"), (5, "not_an_object")];
    assert_eq!(told, expect, "{reply}");
    assert_eq!(reply["rejected"][1]["field"], "user");
    let in_array = post(&site, &[JSON], format!("[{good},7,{good}]").as_bytes()).json();
    assert_eq!(line_and_reason(&in_array["rejected"][0]), (2, "not_an_object"), "{in_array}");

    for body in ["", " \n", "[]", "\r\n\r\n"] {
        problem(&post(&site, &[], body.as_bytes()), 400);
        problem(&post(&site, &[JSON], body.as_bytes()), 400);
    }
    let none = site.server.post_events(&site.ingest, "nonsense\n{\"user\":}\n");
    problem(&none, 400);
    let errors = none.json()["errors"].clone();
    let told: Vec<(u64, &str)> = errors.as_array().unwrap().iter().map(line_and_reason).collect();
    assert_eq!(told, [(1, "unknown_format"), (2, "malformed_json")], "{errors}");
    let ledger = site.ledger();
    assert_eq!((&ledger["received"], &ledger["accepted"]), (&json!(10), &json!(4)));
    let rejected = json!({ "malformed_json": 2, "not_an_object": 2, "unknown_format": 2 });
    assert_eq!(ledger["rejected"], rejected);
}

fn line_and_reason(rejected: &Value) -> (u64, &str) {
    (rejected["line"].as_u64().unwrap(), rejected["reason"].as_str().unwrap())
}

#[test]
fn a_body_over_the_limit_is_413_and_the_limit_is_configured() {
    let site = Site::with("ingest: {body_bytes_max: 4KiB}");
    let fits = lines(&vec![failed_login(0, "192.0.2.1"); 30]);
    assert!((2_048..4_096).contains(&fits.len()));
    assert_eq!(site.server.post_events(&site.ingest, &fits).status, 202);
    let large = fits.repeat(2);
    let detail = problem(&site.server.post_events(&site.ingest, &large), 413);
    assert!(detail.contains("4096 bytes"), "{detail}");
    problem(&post(&site, &[NDJSON, ("Content-Encoding", "gzip")], &gzip(large.as_bytes())), 413);
    problem(&post(&site, &[("Content-Encoding", "br")], fits.as_bytes()), 415);
    assert_eq!(site.ledger()["received"], 30, "nothing of what was refused");
}

#[test]
fn a_repeat_under_its_idempotency_key_gets_the_same_answer_and_counts_once() {
    let site = Site::open();
    let other = tenant_key(&site.folder, "acme", "ingest");
    let body = format!("{}\nnonsense\n", failed_login(0, "192.0.2.1"));
    let send = |site: &Site, key: &str, name: &str, body: &str| {
        let headers = [("X-Api-Key", key), NDJSON, ("Idempotency-Key", name)];
        site.server.send("POST", "/api/v1/events", &headers, body.as_bytes())
    };
    let first = send(&site, &site.ingest, "a-1", &body);
    assert_eq!(first.status, 202);
    let again = send(&site, &site.ingest, "a-1", &body);
    assert_eq!((again.status, again.text()), (202, first.text()));
    problem(&send(&site, &site.ingest, "a-1", "{\"a\":1}\n"), 422);
    assert_eq!(send(&site, &site.ingest, "a-2", &body).status, 202, "another key is another request");
    site.server.wait_for("the new key", |_| (send(&site, &other, "a-1", &body).status == 202).then_some(()));
    assert_eq!(send(&site, &other, "a-1", &body).text(), first.text(), "keys are each tenant's own");
    problem(&send(&site, &site.ingest, "", &body), 400);
    problem(&send(&site, &site.ingest, &"k".repeat(256), &body), 400);

    let expect = |ledger: &Value| {
        assert_eq!(ledger["rejected"], json!({ "duplicate": 2, "unknown_format": 2 }), "{ledger}");
        assert_eq!((&ledger["accepted"], &ledger["received"]), (&json!(2), &json!(6)));
    };
    expect(&site.ledger());
    let site = site.restarted("");
    expect(&site.ledger());
    let again = send(&site, &site.ingest, "a-1", &body);
    assert_eq!((again.status, again.text()), (202, first.text()), "also after a restart");
    let acme = tenant_token(&site.folder, "bob", "acme", "viewer");
    assert_eq!(site.server.at_rest(&acme)["accepted"], 1);
}

/// Sends eleven events of each kind, each kind from an address of its own; gives the alerts by
/// address.
fn failed_logins_as(site: &Site, kinds: &[(&str, Value)]) -> Vec<(String, Value)> {
    let mut events = Vec::new();
    for second in 0..11 {
        for (index, (_, kind)) in kinds.iter().enumerate() {
            let text = kind.to_string().replace("$ip", &format!("192.0.2.{index}"));
            events.push(serde_json::from_str(&text.replace("$time", &at(second))).unwrap());
        }
    }
    site.events(&events);
    let alerts = site.alerts();
    let of = |address: String| {
        let of_it = |alert: &&Value| alert["key"] == json!({ "source.ip": address });
        alerts.iter().find(of_it).cloned().unwrap_or_default()
    };
    let found = kinds.iter().enumerate();
    found.map(|(index, (name, _))| ((*name).to_string(), of(format!("192.0.2.{index}")))).collect()
}

#[test]
fn known_names_of_fields_are_understood_as_the_contract_lists_them() {
    let site = Site::open();
    let with = |name: &str, value: Value, instead_of: &str| {
        let mut event = json!({ "timestamp": "$time", "type": "login_failed", "source_ip": "$ip" });
        event.as_object_mut().unwrap().remove(instead_of);
        event[name] = value;
        event
    };
    let address = |name| (name, with(name, json!("$ip"), "source_ip"));
    let time = |name| (name, with(name, json!("$time"), "timestamp"));
    let kind = |name| (name, with(name, json!("login_failed"), "type"));
    let mut kinds = ["source_ip", "client_ip", "src_ip", "remote_addr", "sourceIPAddress", "IpAddress"]
        .map(address)
        .to_vec();
    kinds.extend(["timestamp", "@timestamp", "time", "eventTime", "UtcTime", "TimeCreated"].map(time));
    kinds.extend(["type", "event_type", "action"].map(kind));
    let outcome = |name: &'static str, word: Value| {
        let mut event = with("type", json!("login"), "type");
        event[name] = word;
        (name, event)
    };
    for word in ["failed", "failure", "denied", "blocked"] {
        kinds.extend([outcome("status", json!(word)), outcome("outcome", json!(word))]);
    }
    kinds.extend([outcome("status", json!(401)), outcome("status_code", json!(403))]);
    for begins in ["logon_failed", "sign_in_failure", "auth_denied", "login_blocked"] {
        kinds.push((begins, with("type", json!(begins), "type")));
    }
    kinds.push((
        "category and status",
        json!({
            "timestamp": "$time", "event_type": "authentication", "status": "failed", "source_ip": "$ip",
        }),
    ));
    kinds.push((
        "ECS",
        json!({
            "@timestamp": "$time", "source": { "ip": "$ip" },
            "event": { "category": ["authentication"], "outcome": "failure" },
        }),
    ));
    for (name, alert) in failed_logins_as(&site, &kinds) {
        assert_eq!((&alert["type"], &alert["count"]), (&json!("brute_force"), &json!(11)), "{name}");
        assert_eq!((&alert["first_seen"], &alert["timestamp"]), (&json!(at(0)), &json!(at(10))), "{name}");
    }
}

#[test]
fn what_succeeded_or_is_no_login_is_no_failed_login() {
    let site = Site::open();
    let event = |more: Value| {
        let mut event = json!({ "timestamp": "$time", "source_ip": "$ip" });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let kinds = [
        ("success", event(json!({ "type": "login_success" }))),
        ("a status says otherwise", event(json!({ "type": "login_failed", "status": "success" }))),
        ("ok", event(json!({ "type": "login", "status": "ok" }))),
        ("allowed", event(json!({ "type": "login", "outcome": "allowed" }))),
        ("200", event(json!({ "type": "login", "status_code": 200 }))),
        ("no login", event(json!({ "type": "upload_failed" }))),
        ("no outcome", event(json!({ "type": "login" }))),
    ];
    for (name, alert) in failed_logins_as(&site, &kinds) {
        assert_eq!(alert, Value::Null, "{name}");
    }
}

/// A second since 1970 as a sender writes it.
type Written = fn(i64) -> Value;

#[test]
fn times_are_rfc_3339_or_epochs_by_magnitude() {
    let site = Site::open();
    // 2025-01-08T12:00:00Z.
    let seconds = 1_736_337_600_i64;
    let as_written: [(&str, Written); 7] = [
        ("s", |s| json!(s)),
        ("ms", |s| json!(s * 1_000)),
        ("µs", |s| json!(s * 1_000_000)),
        ("ns", |s| json!(s * 1_000_000_000)),
        ("s as text", |s| json!(s.to_string())),
        ("s with a fraction", |s| json!(s as f64)),
        ("another zone", |s| {
            let utc = at(u32::try_from(s - 1_736_337_600).unwrap());
            json!(utc.replace("T12:", "T14:").replace('Z', "+02:00"))
        }),
    ];
    let mut events = Vec::new();
    for second in 0..11 {
        for (index, (_, written)) in as_written.iter().enumerate() {
            events.push(json!({
                "timestamp": written(seconds + second), "type": "login_failed",
                "source_ip": format!("192.0.2.{index}"),
            }));
        }
    }
    site.events(&events);
    let alerts = site.alerts();
    for (index, (name, _)) in as_written.iter().enumerate() {
        let key = json!({ "source.ip": format!("192.0.2.{index}") });
        let alert = alerts.iter().find(|alert| alert["key"] == key).unwrap_or_else(|| panic!("{name}"));
        assert_eq!((&alert["first_seen"], &alert["last_seen"]), (&json!(at(0)), &json!(at(10))), "{name}");
    }
}

#[test]
fn a_claim_of_the_future_and_no_claim_at_all_are_ingest_times() {
    let site = Site::open();
    let future =
        json!({ "timestamp": "2200-01-01T00:00:00Z", "type": "login_failed", "source_ip": "192.0.2.1" });
    let none = json!({ "type": "login_failed", "source_ip": "192.0.2.2" });
    site.events(&vec![future.clone(); 11]);
    site.events(&vec![none; 11]);
    let alerts = site.alerts();
    assert_eq!(alerts.len(), 2, "{alerts:#?}");
    for alert in alerts {
        let ingest = &alert["event"]["processed_at"];
        assert_eq!(alert["timestamp"].as_str().unwrap()[..19], ingest.as_str().unwrap()[..19], "{alert:#}");
        let original = &alert["event"]["timestamp"];
        assert!(original.is_null() || *original == future["timestamp"], "the original is kept: {original}");
    }
}

#[test]
fn users_and_hosts_are_who_the_alert_is_about() {
    let site = Site::open();
    let rows = [
        (json!({ "user": "ann" }), "ann"),
        (json!({ "username": "bob" }), "bob"),
        (json!({ "TargetUserName": "carol" }), "carol"),
        (json!({ "user_id": "u-4" }), "u-4"),
        (json!({ "user_email": "dora@example.com" }), "dora@example.com"),
    ];
    let hosts = ["asset_id", "host", "hostname", "Computer"];
    let mut events = Vec::new();
    for second in 0..11 {
        for (index, (user, _)) in rows.iter().enumerate() {
            let mut event = failed_login(second, &format!("192.0.2.{index}"));
            event.as_object_mut().unwrap().remove("user");
            event.as_object_mut().unwrap().extend(user.as_object().unwrap().clone());
            event[hosts[index % hosts.len()]] = json!(format!("host-{index}"));
            events.push(event);
        }
    }
    site.events(&events);
    let alerts = site.alerts();
    for (index, (sent, name)) in rows.iter().enumerate() {
        let key = json!({ "source.ip": format!("192.0.2.{index}") });
        let alert = alerts.iter().find(|alert| alert["key"] == key).unwrap();
        let entities = json!([
            { "kind": "address", "value": format!("192.0.2.{index}") },
            { "kind": "host", "value": format!("host-{index}") },
            { "kind": "user", "value": name },
        ]);
        assert_eq!(alert["entities"], entities, "{sent}");
        assert_eq!(alert["context"]["affected_assets"], json!([format!("host-{index}")]));
    }
}

#[test]
fn a_line_that_stands_for_many_counts_as_many() {
    let site = Site::open();
    let line = "2025-01-08T12:00:00Z web-1 sshd[7]: message repeated 11 times: [ Failed password for ann from 192.0.2.1 port 4711 ssh2]";
    let answer =
        site.server.send("POST", "/api/v1/events", &[("X-Api-Key", &site.ingest), NDJSON], line.as_bytes());
    assert_eq!(answer.json(), json!({ "accepted": 1, "rejected": [] }));
    let types: BTreeSet<String> =
        site.alerts().iter().map(|alert| alert["type"].as_str().unwrap().to_string()).collect();
    assert!(types.contains("brute_force"), "{types:?}");
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart_and_verify_finds_it_sound() {
    let site = Site::open();
    site.events(&failed_logins(11, "192.0.2.1"));
    let before = (site.alert("brute_force"), site.ledger());
    let site = site.restarted("");
    assert_eq!((site.alert("brute_force"), site.ledger()), before);
    assert_eq!(site.told_alerts(), [] as [String; 0], "nobody is notified again");
    let Site { folder, server, .. } = site;
    assert_eq!(server.stop().0, Some(0));
    let found = Folder::run(&folder, &["verify", "data", "--json"]);
    let report: Value = serde_json::from_str(&found.out).unwrap();
    assert_eq!((found.code, &report["sound"], &report["records"]), (0, &json!(true), &json!(11)));
}
