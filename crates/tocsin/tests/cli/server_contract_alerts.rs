//! What the contract promises for alerts: their shape, their lists, their episodes; and for the
//! ledger, health and metrics.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::server_contract_support::{Site, at, entry, failed_login, failed_logins, problem};
use crate::server_support::{Answer, tenant_token};
use crate::support::Folder;

fn texts<'a>(alerts: &'a [Value], name: &str) -> Vec<&'a str> {
    alerts.iter().map(|alert| alert[name].as_str().unwrap()).collect()
}

fn items(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["items"].as_array().unwrap().clone()
}

#[test]
fn an_alert_has_the_shape_of_the_contract() {
    let site = Site::open();
    let mut events = failed_logins(11, "192.168.1.1");
    for (event, user) in events.iter_mut().zip(["ann", "bob", "carol"].into_iter().cycle()) {
        event["host"] = json!("web-1");
        event["user"] = json!(user);
    }
    site.events(&events);
    let alert = site.alert("brute_force");
    let fields: BTreeSet<&str> = alert.as_object().unwrap().keys().map(String::as_str).collect();
    let expect = [
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
        "provisional",
        "title",
        "message",
        "rule",
        "key",
        "detections",
        "event",
        "evidence",
        "entities",
        "recommended_actions",
        "context",
        "approximate",
    ];
    assert_eq!(fields, BTreeSet::from(expect));
    assert_eq!(
        (&alert["tenant_id"], &alert["severity"], &alert["confidence"], &alert["status"]),
        (&json!("default"), &json!("critical"), &json!(0.9), &json!("open"))
    );
    assert_eq!(alert["message"], "11 failed logins from 192.168.1.1 within 5 minutes");
    assert_eq!((&alert["count"], &alert["timestamp"]), (&json!(11), &json!(at(10))), "timestamp = t0");
    assert_eq!((&alert["first_seen"], &alert["last_seen"]), (&json!(at(0)), &json!(at(10))));
    assert_eq!((&alert["provisional"], &alert["approximate"]), (&json!(true), &json!(false)));
    assert_eq!(alert["key"], json!({ "source.ip": "192.168.1.1" }));
    assert_eq!(alert["recommended_actions"], json!(["block_address", "notify"]));
    for name in ["id", "title", "hash"] {
        assert!(alert["rule"][name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
    }
    assert_eq!(alert["rule"]["level"], "critical");
    assert!(alert["rule"]["tags"].as_array().unwrap().contains(&json!("attack.t1110")));
    let claim = &alert["detections"][0];
    assert_eq!((&claim["type"], &claim["confidence"]), (&json!("brute_force"), &json!(0.9)));
    assert!(claim["description"].is_string() && claim["details"].is_object(), "{claim}");
    let entities = [("address", "192.168.1.1"), ("host", "web-1"), ("user", "bob")];
    let entities = entities.map(|(kind, value)| json!({ "kind": kind, "value": value }));
    assert_eq!(alert["entities"], json!(entities));
    assert_eq!(alert["context"]["attack_chain_position"], "credential_access");
    assert_eq!(alert["context"]["affected_assets"], json!(["web-1"]));
    assert!(alert["context"]["related_alerts"].is_array());

    check_evidence(&alert, &events);
}

/// An alert's evidence is the events as they were sent, with what Tocsin adds.
fn check_evidence(alert: &Value, events: &[Value]) {
    let evidence = alert["evidence"].as_array().unwrap();
    assert_eq!(evidence.len(), 11);
    for (second, (item, sent)) in evidence.iter().zip(events).enumerate() {
        assert_eq!(item["event_time"], at(u32::try_from(second).unwrap()));
        let mut event = item["event"].clone();
        assert_eq!(event["event_id"], item["event_id"]);
        assert!(event["processed_at"].is_string() && event["severity"] == "warning", "{event}");
        for added in ["event_id", "processed_at", "severity"] {
            event.as_object_mut().unwrap().remove(added);
        }
        assert_eq!(event, *sent, "the original fields as sent");
    }
    assert_eq!(alert["event"], evidence[10]["event"], "the event that completed it");
    let ids: BTreeSet<&str> = texts(evidence, "event_id").into_iter().collect();
    assert_eq!(ids.len(), 11);
}

#[test]
fn the_time_an_event_was_taken_in_is_told_however_old_the_event_is() {
    let site = Site::open();
    let mut old = failed_logins(11, "192.0.2.1");
    for (second, event) in old.iter_mut().enumerate() {
        event["timestamp"] = json!(format!("1999-12-31T23:59:{:02}Z", 10 + second));
    }
    site.events(&old);
    let recent = json!({ "type": "login_failed", "source_ip": "192.0.2.2" });
    site.events(&vec![recent; 11]);
    let alerts = site.alerts();
    let [recent, old] = &alerts[..] else { panic!("{alerts:#?}") };
    let taken_in = |alert: &Value| alert["event"]["processed_at"].as_str().unwrap().to_string();
    assert_eq!(old["timestamp"], "1999-12-31T23:59:20Z");
    assert!(taken_in(old) <= taken_in(recent), "{} {}", taken_in(old), taken_in(recent));
    assert!(taken_in(old).as_str() > "2026", "{}", taken_in(old));
}

#[test]
fn repeats_raise_count_and_last_seen_of_one_alert_until_its_hour_is_over() {
    let site = Site::open();
    site.events(&failed_logins(11, "192.0.2.1"));
    let first = site.alert("brute_force");
    let more: Vec<Value> = (11..30).map(|second| failed_login(second, "192.0.2.1")).collect();
    site.events(&more);
    // What has come is counted once nothing from before it can come any more.
    site.events(&[failed_login(120, "192.0.2.9")]);
    let grown = site.alert("brute_force");
    assert_eq!(grown["alert_id"], first["alert_id"]);
    assert_eq!((&grown["timestamp"], &grown["first_seen"]), (&first["timestamp"], &first["first_seen"]));
    assert_eq!((&grown["count"], &grown["last_seen"]), (&json!(30), &json!(at(29))));
    assert_eq!(site.told_alerts().len(), 1, "{:?}", site.told_alerts());
    // t0 is second 10: an episode is [t0, t0 + 60 min).
    let later: Vec<Value> = (0..11).map(|second| failed_login(3_700 + second, "192.0.2.1")).collect();
    site.events(&later);
    let alerts = site.alerts();
    assert_eq!(texts(&alerts, "timestamp"), [at(3_710), at(10)], "newest first");
    assert_ne!(alerts[0]["alert_id"], alerts[1]["alert_id"]);
    assert_eq!((&alerts[1]["count"], &alerts[1]["provisional"]), (&json!(30), &json!(false)));
    assert_eq!(site.told_alerts().len(), 2);
}

#[test]
fn a_late_event_supersedes_or_withdraws_and_the_short_list_leaves_both_out() {
    let site = Site::open();
    site.events(&failed_logins(11, "192.0.2.1"));
    let first = site.alert("brute_force");
    // One more at the beginning: the condition was met one second earlier.
    site.events(&[failed_login(0, "192.0.2.1")]);
    let alerts = site.alerts();
    let of = |time: String| alerts.iter().find(|alert| alert["timestamp"] == time).unwrap();
    let (new, old) = (of(at(9)), of(at(10)));
    assert_eq!(old["alert_id"], first["alert_id"]);
    assert_eq!(old["superseded_by"], new["alert_id"]);
    assert_ne!(new["alert_id"], old["alert_id"]);
    // A 200 in the middle of a run of refusals was still on its way.
    for second in [20, 22, 24, 26, 28] {
        site.log(&entry(second, "192.0.2.2", 401));
    }
    let run = site.alert("bruteforce");
    site.log(&entry(25, "192.0.2.2", 200));
    let withdrawn = site.alert("bruteforce");
    assert_eq!((&withdrawn["alert_id"], &withdrawn["status"]), (&run["alert_id"], &json!("withdrawn")));
    let short = site.server.json("/alerts", &site.analyst);
    let expect = json!([{
        "type": "brute_force", "timestamp": at(9), "client_ip": "192.0.2.1",
        "details": "More than 10 failed logins from one address within 5 minutes",
    }]);
    assert_eq!(short, expect);
    let listed = items(&site.server.get("/api/v1/alerts?status=withdrawn", &site.analyst));
    assert_eq!(texts(&listed, "type"), ["bruteforce"]);
    assert_eq!(site.told_alerts().len(), 2, "what is superseded is not told again");
}

/// Fourteen alerts of two types, at one a minute.
fn fourteen() -> Site {
    let site = Site::open();
    for minute in 0..14_u32 {
        let address = format!("192.0.2.{minute}");
        let second = |n: u32| minute * 60 + n;
        if minute % 2 == 0 {
            (0..5).for_each(|n| site.log(&entry(second(n), &address, 401)));
        } else {
            let mut events: Vec<Value> = (0..11).map(|n| failed_login(second(n), &address)).collect();
            // The last of them is the one the alert is about.
            events[10]["user"] = json!(format!("user-{minute}"));
            site.events(&events);
        }
    }
    assert_eq!(site.alerts().len(), 14);
    site
}

#[test]
fn the_short_list_gives_ten_newest_first_by_type_limit_and_link() {
    let site = fourteen();
    let get = |query: &str| site.server.get(&format!("/alerts{query}"), &site.analyst);
    let all = get("?limit=1000").json();
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 14);
    assert!(texts(all, "timestamp").windows(2).all(|pair| pair[0] > pair[1]), "newest first");
    for alert in all {
        let fields: BTreeSet<&str> = alert.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, BTreeSet::from(["client_ip", "details", "timestamp", "type"]));
    }
    let ten = get("");
    assert_eq!(ten.json(), json!(all[..10]), "ten when nothing is asked for");
    let link = ten.header("link").unwrap().to_string();
    let next = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
    let rest = site.server.get(next, &site.analyst);
    assert_eq!((rest.json(), rest.header("link")), (json!(all[10..]), None));
    let one_type = get("?type=bruteforce&limit=3");
    assert_eq!(texts(one_type.json().as_array().unwrap(), "type"), ["bruteforce"; 3]);
    assert!(one_type.header("link").unwrap().contains("type=bruteforce"), "a filter goes on");
    for query in ["?limit=0", "?limit=1001", "?limit=x", "?cursor=x", "?color=red"] {
        problem(&get(query), 400);
    }
    // What is kept of an answer is dropped at the next commit.
    for second in 900..905 {
        site.log(&entry(second, "198.51.100.1", 401));
    }
    site.server.wait_for("the newest alert", |server| {
        let list = server.json("/alerts", &site.analyst);
        (list[0]["client_ip"] == "198.51.100.1").then_some(())
    });
}

#[test]
fn the_long_list_filters_and_pages() {
    let site = fourteen();
    let get = |query: &str| items(&site.server.get(&format!("/api/v1/alerts{query}"), &site.analyst));
    let all = get("");
    assert_eq!(all.len(), 14);
    let rule = all[0]["rule"]["id"].as_str().unwrap();
    for (query, count) in [
        ("?type=brute_force".to_string(), 7),
        ("?type=brute_force&type=bruteforce".to_string(), 14),
        ("?severity=critical".to_string(), 7),
        ("?severity=high".to_string(), 7),
        ("?severity=low".to_string(), 0),
        (format!("?rule={rule}"), 7),
        ("?status=open".to_string(), 14),
        ("?status=closed".to_string(), 0),
        ("?entity=192.0.2.4".to_string(), 1),
        ("?entity=user:user-5".to_string(), 1),
        ("?q=192.0.2.13".to_string(), 1),
        ("?q=FAILED+LOGINS".to_string(), 7),
        (format!("?from={}", at(600)), 4),
        (format!("?to={}", at(599)), 10),
        (format!("?from={}&to={}&type=bruteforce", at(120), at(299)), 2),
    ] {
        assert_eq!(get(&query).len(), count, "{query}");
    }
    let mut paged = Vec::new();
    let mut query = "?limit=4&status=open".to_string();
    loop {
        let answer = site.server.get(&format!("/api/v1/alerts{query}"), &site.analyst);
        paged.extend(items(&answer));
        let Some(next) = answer.json()["next"].as_str().map(str::to_string) else {
            assert_eq!((answer.json().get("next"), answer.header("link")), (Some(&Value::Null), None));
            break;
        };
        let link = answer.header("link").unwrap().to_string();
        assert!(link.starts_with("</api/v1/alerts?limit=4&status=open&cursor="), "{link}");
        query = format!("?limit=4&status=open&cursor={next}");
    }
    assert_eq!(paged, all, "page by page the same list");
    for query in ["?severity=bad", "?status=new", "?from=yesterday", "?to=x", "?limit=0", "?x=1"] {
        let answer = site.server.get(&format!("/api/v1/alerts{query}"), &site.analyst);
        problem(&answer, 400);
        let field = query[1..].split('=').next().unwrap();
        assert_eq!(answer.json()["errors"][0]["field"], field);
    }
    let id = all[3]["alert_id"].as_str().unwrap();
    assert_eq!(site.server.json(&format!("/api/v1/alerts/{id}"), &site.analyst), all[3]);
    problem(&site.server.get("/api/v1/alerts/nothing", &site.analyst), 404);
}

const RULE: &str = "title: A word\nid: 10000000-0000-4000-8000-00000000000N\nlogsource: {category: process}\n\
                    detection:\n  selection: {word: N}\n  condition: selection\n";

#[test]
fn a_rules_level_gives_severity_and_confidence_and_informational_raises_nothing() {
    let levels = ["informational", "low", "medium", "high", "critical", ""];
    let mut folder = Folder::new();
    for (n, level) in levels.iter().enumerate() {
        let level = if level.is_empty() { String::new() } else { format!("level: {level}\n") };
        folder = folder.with(&format!("rules/{n}.yml"), RULE.replace('N', &n.to_string()) + &level);
    }
    let site = Site::of(folder, "rules: [rules]");
    let words = (0..levels.len())
        .map(|n| json!({ "timestamp": at(0), "event_type": "process", "word": n, "host": "a" }));
    site.events(&words.collect::<Vec<_>>());
    let mut alerts = site.alerts();
    alerts.sort_by_key(|alert| alert["rule"]["id"].to_string());
    let got: Vec<(&str, f64)> = alerts
        .iter()
        .map(|alert| (alert["severity"].as_str().unwrap(), alert["confidence"].as_f64().unwrap()))
        .collect();
    let expect = [("low", 0.3), ("medium", 0.5), ("high", 0.7), ("critical", 0.9), ("medium", 0.5)];
    assert_eq!(got, expect, "without a level it is medium");
    assert!(
        alerts.iter().all(|alert| alert["type"] == "sigma" && alert["key"]["host.name"] == "a"),
        "{alerts:#?}"
    );
    assert_eq!(site.server.json("/alerts", &site.analyst), json!([]), "none has a source address");
    let hashes: BTreeSet<String> = alerts.iter().map(|alert| alert["rule"]["hash"].to_string()).collect();
    assert_eq!(hashes.len(), 5, "each text has its hash");
}

#[test]
fn the_ledger_is_exact() {
    let site = Site::open();
    let empty = site.ledger();
    let names: BTreeSet<&str> = empty.as_object().unwrap().keys().map(String::as_str).collect();
    let expect = ["accepted", "in_flight", "processed", "quarantined", "received", "rejected", "stored"];
    assert_eq!(names, BTreeSet::from(expect));
    assert_eq!((&empty["received"], &empty["rejected"]), (&json!(0), &json!({})));
    site.events(&failed_logins(20, "192.0.2.1"));
    site.server.post_events(&site.ingest, &format!("x\n{}\n[]\n", failed_login(0, "192.0.2.1")));
    site.server.post_log(&site.ingest, "{}");
    let ledger = site.ledger();
    let rejected = json!({ "invalid_entry": 1, "not_an_object": 1, "unknown_format": 1 });
    let expect = json!({
        "received": 24, "accepted": 21, "rejected": rejected, "processed": 21, "quarantined": 0,
        "in_flight": 0, "stored": 21,
    });
    assert_eq!(ledger, expect);
}

#[test]
fn health_readiness_and_metrics_are_open_and_name_no_tenant() {
    let site = Site::open();
    let acme = tenant_token(&site.folder, "bob", "default", "viewer");
    site.events(&failed_logins(11, "192.0.2.1"));
    site.server.post_events(&site.ingest, "nonsense\n");
    site.server.at_rest(&acme);
    let mut follower = site.follow(&site.analyst);
    follower.next().unwrap();
    for (path, says) in [("/healthz", json!({ "status": "ok" })), ("/readyz", json!({ "status": "ready" }))] {
        let answer = site.server.send("GET", path, &[], b"");
        assert_eq!((answer.status, answer.json()), (200, says), "{path}");
    }
    // What the engine counts is measured now and then.
    let text = site.server.wait_for("the measurement", |server| {
        let answer = server.send("GET", "/metrics", &[], b"");
        assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
        Some(answer.text()).filter(|text| text.contains("tocsin_rule_matches_total"))
    });
    for name in [
        "tocsin_sse_connections 1",
        "tocsin_batch_events_total 11",
        "tocsin_batch_duration_seconds",
        "tocsin_detection_latency_seconds",
        "tocsin_rule_matches_total{rule=\"",
        "tocsin_rule_evaluations_total{rule=\"",
        "tocsin_events_received_total 12",
        "tocsin_events_rejected_total{reason=\"unknown_format\"} 1",
        "tocsin_events_quarantined_total 0",
        "tocsin_memo_hits_total",
        "tocsin_memo_misses_total",
        "tocsin_state_bytes",
    ] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name}:\n{text}");
    }
    assert!(!text.contains("tenant") && !text.contains("default"), "{text}");
    problem(&site.server.get("/nowhere", &site.analyst), 404);
}
