//! `GET /alerts` and `GET /api/v1/alerts`.

use serde_json::{Value, json};
use tocsin_alert::role::MinRole;
use tocsin_core::offset::{PartitionId, Position};
use tocsin_core::rule::Level;
use tocsin_core::time::Timestamp;
use tocsin_pipeline::commit::{Announced, CommitGroup, Store, StoredAlert};

use crate::house::{House, token_of};

/// An alert at a second of its own, as JSON with the fields a test cares for.
fn alert(house: &House, second: i64, change: Value) -> StoredAlert {
    let t0 = Timestamp(1_769_846_400_000_000_000 + second * 1_000_000_000);
    let mut alert = json!({
        "alert_id": format!("{second:032x}"), "tenant_id": "acme", "timestamp": t0.to_string(),
        "first_seen": t0.to_string(), "last_seen": t0.to_string(), "count": 5, "type": "bruteforce",
        "severity": "high", "confidence": 0.9, "status": "open", "provisional": false, "title": "Brute force",
        "message": "Brute force attack detected from IP: 192.0.2.1",
        "rule": { "id": "rule-1", "title": "Brute force", "hash": "h", "level": "high", "tags": [] },
        "key": { "source.ip": "192.0.2.1" },
        "detections": [
            { "type": "x", "confidence": 0.1, "description": "", "details": { "summary": "not this one" },
              "rule_id": "rule-0", "severity": "low" },
            { "type": "bruteforce", "confidence": 0.9, "description": "",
              "details": { "events": 5, "summary": "5 consecutive 401 errors within 1 minute" },
              "rule_id": "rule-1", "severity": "high" }],
        "event": { "client_ip": "192.0.2.1" }, "evidence": [],
        "entities": [{ "kind": "address", "value": "192.0.2.1" }, { "kind": "user", "value": "ann" }],
        "recommended_actions": [], "context": { "affected_assets": [], "related_alerts": [] },
        "approximate": false,
    });
    let mut min_role = MinRole::default();
    for (name, value) in change.as_object().unwrap() {
        if name == "min_role" {
            min_role.add(value.as_str().unwrap());
        } else {
            alert[name] = value.clone();
        }
    }
    StoredAlert {
        tenant: house.state.tenants.id(alert["tenant_id"].as_str().unwrap()).unwrap(),
        alert: serde_json::from_value(alert).unwrap(),
        t0,
        completing: Position::new(PartitionId(0), second as u64),
        min_role,
        announced: Announced {
            severity: Level::High,
            entities: 0,
            status: "open".to_string(),
            superseded: false,
            at: t0,
        },
    }
}

fn store(house: &mut House, changes: &[(i64, Value)]) {
    let alerts = changes.iter().map(|(second, change)| alert(house, *second, change.clone())).collect();
    house.writer.commit(&CommitGroup { end: 1, alerts, ..CommitGroup::default() }).unwrap();
    house.version.bump();
}

/// A field of every entry of a list.
fn each<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|entry| entry[field].as_str().unwrap_or("-")).collect()
}

fn next_of(link: &str) -> &str {
    link.strip_prefix('<').and_then(|rest| rest.strip_suffix(r#">; rel="next""#)).expect("a link")
}

#[test]
fn the_recent_list_is_the_contracts() {
    let mut house = House::open();
    let mut client = house.client();
    let empty = client.get("/alerts", &house.read);
    assert_eq!((empty.status, empty.text()), (200, "[]"));
    assert_eq!(empty.header("content-type"), Some("application/json"));
    let own = json!([{ "type": "x", "confidence": 1.0, "description": "", "details": { "events": 60 },
                       "rule_id": "rule-1", "severity": "high" }]);
    store(
        &mut house,
        &[
            (1, json!({})),
            (2, json!({ "type": "abnormal_traffic", "message": "High traffic", "detections": own })),
            (3, json!({ "status": "withdrawn" })),
            (4, json!({ "superseded_by": "x" })),
            (5, json!({ "key": {}, "entities": [{ "kind": "user", "value": "ann" }] })),
            (6, json!({ "key": {} })),
            (7, json!({ "tenant_id": "other" })),
        ],
    );
    let list = client.get("/alerts", &house.read).json();
    assert_eq!(
        list[2],
        json!({ "type": "bruteforce", "timestamp": "2026-01-31T08:00:01Z", "client_ip": "192.0.2.1",
                "details": "5 consecutive 401 errors within 1 minute" })
    );
    assert_eq!(each(&list, "details")[1], "High traffic");
    let seconds: Vec<&str> = each(&list, "timestamp").iter().map(|time| &time[18..19]).collect();
    assert_eq!(seconds, ["6", "2", "1"]);
    assert_eq!(client.get("/alerts", &token_of("other", &["analyst"])).json().as_array().unwrap().len(), 1);
    let typed = client.get("/alerts?type=abnormal_traffic", &house.read).json();
    assert_eq!(each(&typed, "type"), ["abnormal_traffic"]);
}

#[test]
fn ten_come_at_once_and_the_rest_by_link() {
    let mut house = House::open();
    let mut client = house.client();
    let many: Vec<(i64, Value)> = (0..25).map(|second| (second, json!({}))).collect();
    store(&mut house, &many);
    let mut target = "/alerts?type=bruteforce".to_string();
    let (mut pages, mut seen) = (Vec::new(), Vec::new());
    loop {
        let reply = client.get(&target, &house.read);
        let list = reply.json();
        pages.push(list.as_array().unwrap().len());
        seen.extend(each(&list, "timestamp").into_iter().map(str::to_string));
        let Some(link) = reply.header("link") else { break };
        target = next_of(link).to_string();
        assert!(target.starts_with("/alerts?type=bruteforce&"), "{target}");
    }
    assert_eq!(pages, [10, 10, 5]);
    let mut sorted = seen.clone();
    sorted.sort_by(|one, two| two.cmp(one));
    sorted.dedup();
    assert_eq!(seen, sorted);
    assert_eq!(client.get("/alerts?limit=1000", &house.read).json().as_array().unwrap().len(), 25);
    assert_eq!(client.get("/alerts?limit=3", &house.read).json().as_array().unwrap().len(), 3);
}

#[test]
fn bad_questions_are_told_by_name() {
    let house = House::open();
    let mut client = house.client();
    let long = format!("/api/v1/alerts?rule={}", "r".repeat(1_025));
    for (target, name) in [
        ("/alerts?limit=0", "limit"),
        ("/alerts?limit=1001", "limit"),
        ("/alerts?limit=-1", "limit"),
        ("/alerts?limit=+1", "limit"),
        ("/alerts?limit=1.0", "limit"),
        ("/alerts?limit=", "limit"),
        ("/alerts?limit=1&limit=2", "limit"),
        ("/alerts?limit=99999999999999999999", "limit"),
        ("/alerts?cursor=x", "cursor"),
        ("/alerts?cursor=", "cursor"),
        ("/alerts?severity=high", "severity"),
        ("/alerts?Limit=1", "Limit"),
        ("/api/v1/alerts?severity=urgent", "severity"),
        ("/api/v1/alerts?severity=High", "severity"),
        ("/api/v1/alerts?status=closed,open", "status"),
        ("/api/v1/alerts?from=yesterday", "from"),
        ("/api/v1/alerts?to=2026-13-01T00:00:00Z", "to"),
        ("/api/v1/alerts?to=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
        ("/api/v1/alerts?q=a&q=b", "q"),
        ("/api/v1/alerts?order=asc", "order"),
        ("/api/v1/alerts?format=xml", "format"),
        ("/api/v1/alerts?format=", "format"),
        ("/api/v1/alerts?format=OCSF", "format"),
        ("/api/v1/alerts?format=ocsf&format=ocsf", "format"),
        ("/api/v1/alerts/x?format=xml", "format"),
        ("/api/v1/alerts/x?limit=1", "limit"),
        (&long, "rule"),
    ] {
        let reply = client.get(target, &house.token(&["analyst"]));
        assert!(reply.problem(400).starts_with(&format!("{name}:")), "{target:.60}: {}", reply.text());
        assert_eq!(reply.json()["errors"][0]["field"], name);
    }
}

#[test]
fn lists_show_whole_alerts_to_who_may_see_them() {
    let mut house = House::open();
    let mut client = house.client();
    store(
        &mut house,
        &[
            (1, json!({})),
            (
                2,
                json!({ "severity": "critical", "type": "abnormal_traffic", "title": "Flood",
                    "rule": { "id": "rule-2", "title": "Flood", "hash": "h", "level": "critical", "tags": [] },
                    "entities": [{ "kind": "host", "value": "web-1" }] }),
            ),
            (3, json!({ "status": "withdrawn" })),
            (4, json!({ "min_role": "responder" })),
            (5, json!({ "min_role": "legal" })),
            (6, json!({ "tenant_id": "other" })),
        ],
    );
    let analyst = house.token(&["analyst"]);
    for (query, expect) in [
        ("", "3 2 1"),
        ("severity=critical", "2"),
        ("severity=critical&severity=high", "3 2 1"),
        ("type=bruteforce", "3 1"),
        ("rule=rule-2", "2"),
        ("status=withdrawn", "3"),
        ("status=open", "2 1"),
        ("entity=web-1", "2"),
        ("entity=host:web-1", "2"),
        ("entity=web", ""),
        ("q=FLOOD", "2"),
        ("q=%20", "3 2 1"),
        ("from=2026-01-31T08:00:02Z", "3 2"),
        ("to=2026-01-31T08:00:02Z", "2 1"),
        ("from=2026-01-31T09:00:02%2B01:00&to=2026-01-31T08:00:02Z", "2"),
        ("type=%27%20OR%201=1", ""),
    ] {
        let list = client.get(&format!("/api/v1/alerts?{query}"), &analyst).json();
        let seconds: Vec<&str> = each(&list["items"], "alert_id").iter().map(|id| &id[31..]).collect();
        assert_eq!(seconds.join(" "), expect, "{query}");
        assert_eq!(list["next"], Value::Null);
    }
    let seen = |roles: &[&str]| {
        let list = house.client().get("/api/v1/alerts", &house.token(roles)).json();
        each(&list["items"], "alert_id").iter().map(|id| id[31..].to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(seen(&["admin"]), "4 3 2 1");
    assert_eq!(seen(&["analyst", "legal"]), "5 3 2 1");
    assert_eq!(seen(&["legal"]), "3 2 1", "without a known role nothing that asks for one");
    assert_eq!(seen(&[]), "3 2 1");
}

#[test]
fn one_alert_is_there_or_not_and_never_anybody_elses() {
    let mut house = House::open();
    let mut client = house.client();
    store(
        &mut house,
        &[(1, json!({})), (2, json!({ "tenant_id": "other" })), (3, json!({ "min_role": "admin" }))],
    );
    let analyst = house.token(&["analyst"]);
    let at = |second: u8| format!("/api/v1/alerts/{second:032x}");
    let found = client.get(&at(1), &analyst);
    assert_eq!((found.status, &found.json()["alert_id"]), (200, &json!(format!("{:032x}", 1))));
    let unknown = client.get(&at(9), &analyst);
    assert_eq!(unknown.status, 404);
    for target in [at(2), at(3), "/api/v1/alerts/%ff".to_string(), "/api/v1/alerts/'".to_string()] {
        let reply = client.get(&target, &analyst);
        assert_eq!((reply.status, &reply.body), (404, &unknown.body), "{target}");
    }
    assert_eq!(client.get(&at(2), &token_of("other", &["analyst"])).status, 200);
    assert_eq!(client.get(&at(3), &house.token(&["admin"])).status, 200);
}

#[test]
fn a_masked_view_shows_no_address_and_answers_no_guess() {
    let mut house = House::open();
    let mut client = house.client();
    store(&mut house, &[(1, json!({}))]);
    let viewer = house.token(&["viewer"]);
    for target in ["/alerts", "/api/v1/alerts", &format!("/api/v1/alerts/{:032x}", 1)] {
        let reply = client.get(target, &viewer);
        assert_eq!(reply.status, 200);
        assert!(!reply.text().contains("192.0.2.1"), "{target}: {}", reply.text());
        assert!(client.get(target, &house.token(&["analyst"])).text().contains("192.0.2.1"), "{target}");
    }
    assert_eq!(client.get("/alerts", &viewer).json()[0]["client_ip"], "192.0.xxx.xxx");
    for query in ["entity=192.0.2.1", "q=192", "entity=", "q="] {
        let reply = client.get(&format!("/api/v1/alerts?{query}"), &viewer);
        assert!(reply.problem(403).contains("masked"), "{query}");
    }
}

#[test]
fn alerts_are_findings_where_ocsf_is_asked_for() {
    let mut house = House::open();
    let mut client = house.client();
    store(&mut house, &[(1, json!({})), (2, json!({ "status": "withdrawn" })), (3, json!({ "count": 9 }))]);
    let analyst = house.token(&["analyst"]);
    let mut target = "/api/v1/alerts?format=ocsf&limit=1".to_string();
    let mut findings = Vec::new();
    loop {
        let reply = client.get(&target, &analyst);
        let page = reply.json();
        findings.extend(page["items"].as_array().unwrap().iter().cloned());
        assert_eq!(page["next"].is_null(), reply.header("link").is_none());
        let Some(link) = reply.header("link") else { break };
        target = next_of(link).to_string();
        assert!(target.starts_with("/api/v1/alerts?format=ocsf&limit=1&cursor="), "{target}");
    }
    let types: Vec<&Value> = findings.iter().map(|finding| &finding["type_uid"]).collect();
    assert_eq!(types, [200_402, 200_403, 200_401]);
    assert_eq!(findings[2]["finding_info"]["uid"], format!("{:032x}", 1));
    assert_eq!(findings[2]["time"], 1_769_846_401_000_i64);
    assert_eq!(findings[2]["evidences"][0]["src_endpoint"]["ip"], "192.0.2.1");
    let one = format!("/api/v1/alerts/{:032x}", 1);
    assert_eq!(client.get(&format!("{one}?format=ocsf"), &analyst).json(), findings[2]);
    let native = client.get(&one, &analyst).json();
    assert_eq!(native["alert_id"], format!("{:032x}", 1));
    assert_eq!(client.get(&format!("{one}?format=native"), &analyst).json(), native);
}

#[test]
fn a_finding_is_masked_as_its_alert_is() {
    let mut house = House::open();
    let mut client = house.client();
    store(&mut house, &[(1, json!({}))]);
    let viewer = house.token(&["viewer"]);
    let listed = client.get("/api/v1/alerts?format=ocsf", &viewer);
    let single = client.get(&format!("/api/v1/alerts/{:032x}?format=ocsf", 1), &viewer);
    for (reply, finding) in [(&listed, &listed.json()["items"][0]), (&single, &single.json())] {
        assert!(!reply.text().contains("192.0.2.1"), "{}", reply.text());
        assert_eq!(finding["evidences"][0]["src_endpoint"]["ip"], "192.0.xxx.xxx");
        assert_eq!(
            finding["observables"][0],
            json!({ "type_id": 2, "type": "IP Address", "value": "192.0.xxx.xxx",
                    "name": "evidences[].src_endpoint.ip" })
        );
    }
}

#[test]
fn an_answer_is_kept_until_alerts_change_and_for_its_caller_only() {
    let mut house = House::open();
    let mut client = house.client();
    let count = |client: &mut crate::client::Client, bearer: &str| {
        client.get("/alerts", bearer).json().as_array().unwrap().len()
    };
    store(&mut house, &[(1, json!({})), (2, json!({ "min_role": "admin" }))]);
    let admin = house.token(&["admin"]);
    assert_eq!(count(&mut client, &admin), 2);
    assert_eq!(count(&mut client, &house.read), 1);
    assert_eq!(count(&mut client, &token_of("other", &["admin"])), 0);
    let unseen = alert(&house, 3, json!({}));
    let group = CommitGroup { end: 2, alerts: vec![unseen], ..CommitGroup::default() };
    house.writer.commit(&group).unwrap();
    assert_eq!(count(&mut client, &admin), 2, "kept");
    house.version.bump();
    assert_eq!(count(&mut client, &admin), 3, "dropped");
    assert_eq!(count(&mut client, &house.read), 2);
}
