//! What the contract promises for the live stream, `GET /events/security`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::server_contract_support::{
    Block, Follower, Site, at, entry, failed_login, failed_logins, problem,
};
use crate::server_support::{PATIENCE, tenant_key, tenant_token, token};

/// An event that ends a test's part of a stream.
fn mark(name: &str) -> Value {
    json!({ "timestamp": at(0), "type": "mark", "mark": name })
}

fn is_mark(name: &str) -> impl Fn(&Block) -> bool {
    move |block| block.event == "security_event" && block.json()["mark"] == name
}

#[test]
fn the_head_is_that_of_an_event_stream_and_the_first_block_is_a_bare_id() {
    let site = Site::open();
    let mut follower = site.follow(&site.analyst);
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache"),
        ("x-accel-buffering", "no"),
        ("connection", "keep-alive"),
    ] {
        assert_eq!(follower.header(name), Some(value), "{name}");
    }
    let first = follower.next().unwrap();
    assert!(!first.id.is_empty() && first.data.is_empty() && first.event.is_empty(), "{first:?}");
    let bearer = format!("Bearer {}", site.analyst);
    let old = Follower::at(&site.server, "/events/security", "HTTP/1.0", &[("Authorization", &bearer)]);
    assert_eq!((old.status, old.header("connection")), (200, None), "keep-alive on HTTP/1.1 only");
}

#[test]
fn events_come_as_sent_with_id_severity_and_ingest_time() {
    let site = Site::open();
    let mut follower = site.follow(&site.analyst);
    let kinds = [
        ("brute_force", "critical"),
        ("api_blocked", "high"),
        ("config_change", "medium"),
        ("login_failed", "warning"),
        ("login_success", "info"),
        ("anything else", "info"),
    ];
    let events: Vec<Value> = kinds
        .iter()
        .map(|(kind, _)| json!({ "type": kind, "n": 1.5, "deep": { "list": [null, "ü"] } }))
        .collect();
    site.events(&events);
    for ((kind, severity), sent) in kinds.iter().zip(&events) {
        let mut event = follower.next_of("security_event").json();
        assert_eq!(event["severity"], *severity, "{kind}");
        assert!(event["event_id"].is_string() && event["processed_at"].is_string(), "{event}");
        for added in ["event_id", "processed_at", "severity"] {
            event.as_object_mut().unwrap().remove(added);
        }
        assert_eq!(event, *sent);
    }
}

#[test]
fn an_alert_comes_once_and_counts_alone_say_nothing() {
    let site = Site::open();
    let mut follower = site.follow(&site.analyst);
    site.events(&failed_logins(11, "192.0.2.1"));
    site.events(&(11..30).map(|second| failed_login(second, "192.0.2.1")).collect::<Vec<_>>());
    site.events(&[mark("counts")]);
    let blocks = follower.until(is_mark("counts"));
    let names: Vec<&str> = blocks.iter().map(|block| block.event.as_str()).collect();
    let changes: Vec<&&str> = names.iter().filter(|name| **name != "security_event").collect();
    assert_eq!(changes, [&"alert"], "{names:?}");
    let raised = blocks.iter().find(|block| block.event == "alert").unwrap().json();
    assert_eq!((&raised["type"], &raised["count"]), (&json!("brute_force"), &json!(11)));
    let place = names.iter().position(|name| *name == "alert").unwrap();
    assert_eq!(place, 11, "right behind the event that completed it");

    for second in [40, 42, 44, 46, 48] {
        site.log(&entry(second, "192.0.2.2", 401));
    }
    let raised = follower.next_of("alert").json();
    site.log(&entry(45, "192.0.2.2", 200));
    // At most one a second: it is told with whatever comes a second later.
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1_100) {
        site.events(&[mark("time passes")]);
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let updated = follower.next_of("alert_updated").json();
    assert_eq!((&updated["alert_id"], &updated["status"]), (&raised["alert_id"], &json!("withdrawn")));
}

#[test]
fn a_heartbeat_comes_as_a_comment_with_unix_seconds() {
    let site = Site::with("stream: {heartbeat: 1s}");
    let mut follower = site.follow(&site.analyst);
    let began = Instant::now();
    let beat = loop {
        let text = follower.next_text().unwrap();
        if text.starts_with(':') {
            break text;
        }
    };
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let seconds: u64 =
        beat.strip_prefix(": heartbeat ").unwrap().strip_suffix("\n\n").unwrap().parse().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!((now - 5..=now).contains(&seconds), "{beat:?}");
}

#[test]
fn addresses_emails_and_keys_are_masked_for_everyone_unless_the_config_says_otherwise() {
    let sent = json!({
        "type": "login_failed", "source_ip": "10.0.1.50", "user_email": "alice@example.com",
        "api_key": "abcd1234efgh", "client_ip": "2001:db8:1:2::3",
        "note": "bob@example.org came from 198.51.100.7",
    });
    let short = json!({ "user_email": "bob@example.com", "api_key": "short", "type": "x" });
    let masked = |site: &Site, role: &str| {
        let mut follower = site.follow(&token(&site.folder, role, role));
        follower.next().unwrap();
        site.events(&[sent.clone(), short.clone()]);
        [(); 2].map(|()| follower.next_of("security_event").json())
    };
    let site = Site::open();
    for role in ["viewer", "analyst", "admin"] {
        let [event, brief] = masked(&site, role);
        for (field, shown) in [
            ("source_ip", "10.0.xxx.xxx"),
            ("user_email", "ali***@example.com"),
            ("api_key", "abcd***"),
            ("client_ip", "2001:db8:xxxx"),
            ("note", "***@example.org came from 198.51.xxx.xxx"),
        ] {
            assert_eq!(event[field], shown, "{role} {field}");
        }
        assert_eq!((&brief["user_email"], &brief["api_key"]), (&json!("***@example.com"), &json!("***")));
    }
    let site = Site::with("stream: {unmask_from: analyst}");
    assert_eq!(masked(&site, "viewer")[0]["source_ip"], "10.0.xxx.xxx");
    let [event, _] = masked(&site, "analyst");
    for field in ["source_ip", "user_email", "api_key", "note"] {
        assert_eq!(event[field], sent[field], "{field}");
    }
}

#[test]
fn five_streams_a_user_and_the_sixth_is_429() {
    let site = Site::open();
    let mut open: Vec<Follower> = (0..5).map(|_| site.follow(&site.analyst)).collect();
    assert_eq!(
        problem(&site.server.get("/events/security", &site.analyst), 429),
        "Max 5 SSE connections per user"
    );
    let again = token(&site.folder, "ann", "admin");
    let sixth = site.server.get("/events/security", &again);
    assert_eq!(problem(&sixth, 429), "Max 5 SSE connections per user", "whatever the token");
    assert!(sixth.header("retry-after").is_some());
    site.follow(&token(&site.folder, "bob", "viewer"));
    drop(open.pop());
    site.server.wait_for("a place", |server| {
        let bearer = format!("Bearer {}", site.analyst);
        (Follower::open(server, &[("Authorization", &bearer)]).status == 200).then_some(())
    });
}

#[test]
fn nobody_sees_another_tenant() {
    let site = Site::open();
    let acme = tenant_key(&site.folder, "acme", "ingest");
    let bob = tenant_token(&site.folder, "bob", "acme", "admin");
    let mut of_acme = site.server.wait_for("the tenant", |server| {
        let follower = Follower::open(server, &[("Authorization", &format!("Bearer {bob}"))]);
        (follower.status == 200).then_some(follower)
    });
    let mut own = site.follow(&site.analyst);
    site.events(&failed_logins(11, "192.0.2.1"));
    let answer = site.server.post_events(&acme, &format!("{}\n", mark("acme")));
    assert_eq!(answer.status, 202);
    site.events(&[mark("default")]);
    assert_eq!(of_acme.until(is_mark("acme")).len(), 1, "and nothing before it");
    let seen = own.until(is_mark("default"));
    assert!(!seen.iter().any(is_mark("acme")), "{seen:?}");
    assert_eq!(seen.len(), 13, "eleven events, an alert, a mark");
    site.server.at_rest(&bob);
    assert_eq!(site.server.json("/api/v1/alerts", &bob)["items"], json!([]));
    assert_eq!(site.server.json("/alerts", &bob), json!([]));
    let id = site.alert("brute_force")["alert_id"].as_str().unwrap().to_string();
    problem(&site.server.get(&format!("/api/v1/alerts/{id}"), &bob), 404);
    assert_eq!(site.server.json("/api/v1/ledger", &bob)["accepted"], 1);
}

#[test]
fn what_asks_for_a_role_is_withheld_from_who_lacks_it() {
    let site = Site::open();
    let with = |min_role: Value| json!({ "type": "x", "min_role": min_role, "asked": min_role });
    let seen_by = |name: &str, roles: &str| {
        let mut follower = site.follow(&token(&site.folder, name, roles));
        follower.next().unwrap();
        let asked = ["viewer", "analyst", "responder", "admin", "legal"].map(|role| with(json!(role)));
        site.events(&asked);
        site.events(&[with(json!(["viewer"])), with(Value::Null), mark(name)]);
        let blocks = follower.until(is_mark(name));
        let asked = blocks.iter().map(|block| block.json()["asked"].clone());
        asked.filter(Value::is_string).map(|word| word.as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(seen_by("a", "viewer"), ["viewer"]);
    assert_eq!(seen_by("b", "analyst"), ["viewer", "analyst"]);
    assert_eq!(seen_by("c", "admin"), ["viewer", "analyst", "responder", "admin"], "a word is no rank");
    assert_eq!(seen_by("d", "viewer,legal"), ["viewer", "legal"]);
}

#[test]
fn last_event_id_resumes_without_gap_or_repeat_also_after_a_restart() {
    let site = Site::open();
    let mut follower = site.follow(&site.analyst);
    let numbered = |from: u32, to: u32| {
        (from..to).map(|n| json!({ "timestamp": at(0), "type": "x", "n": n })).collect::<Vec<_>>()
    };
    site.events(&numbered(0, 5));
    let seen = follower.until(|block| block.event == "security_event" && block.json()["n"] == 4);
    assert!(seen.iter().all(|block| !block.id.is_empty()), "every block has its place");
    let id = seen[2].id.clone();
    drop(follower);
    site.events(&failed_logins(11, "192.0.2.1"));
    let site = site.restarted("");
    site.events(&numbered(5, 8));
    let bearer = format!("Bearer {}", site.analyst);
    let resume = |headers: &[(&str, &str)]| {
        let mut follower = Follower::open(&site.server, headers);
        let blocks = follower.until(|block| !block.data.is_empty() && block.json()["n"] == 7);
        let names: Vec<String> = blocks.iter().map(|block| block.event.clone()).collect();
        let numbers: Vec<u64> = blocks.iter().filter_map(|block| block.json()["n"].as_u64()).collect();
        (names, numbers)
    };
    let (names, numbers) = resume(&[("Authorization", &bearer), ("Last-Event-ID", &id)]);
    assert_eq!(numbers, [3, 4, 5, 6, 7]);
    assert_eq!(names.iter().filter(|name| *name == "alert").count(), 1);
    assert_eq!(names.iter().filter(|name| *name == "security_event").count(), 16);
    // Somebody else's place is nobody's.
    let other = format!("Bearer {}", token(&site.folder, "eve", "admin"));
    let mut follower = Follower::open(&site.server, &[("Authorization", &other), ("Last-Event-ID", &id)]);
    assert_eq!(follower.next_of("gap").json(), json!({ "reason": "unknown_id", "missed": null }));
}

#[test]
fn a_token_in_the_address_is_400_unless_allowed_and_stands_in_no_log() {
    let site = Site::open();
    let path = format!("/events/security?token={}", site.analyst);
    problem(&site.server.send("GET", &path, &[], b""), 400);
    problem(&site.server.get(&format!("/alerts?token={}", site.analyst), &site.analyst), 400);
    drop(site);

    let site = Site::with("stream: {token_in_url: true}\nlog: {level: trace}");
    let path = format!("/events/security?token={}", site.analyst);
    let mut follower = Follower::at(&site.server, &path, "HTTP/1.1", &[]);
    assert_eq!(follower.status, 200);
    site.events(&[mark("seen")]);
    follower.until(is_mark("seen"));
    assert_eq!(
        problem(&site.server.send("GET", "/events/security?token=a.b.c", &[], b""), 401),
        "Invalid token"
    );
    problem(&site.server.send("GET", &format!("/api/v1/ledger?token={}", site.analyst), &[], b""), 400);
    drop(follower);
    let Site { server, analyst, .. } = site;
    let (code, told) = server.stop();
    let signature = analyst.rsplit('.').next().unwrap();
    assert!(code == Some(0) && !told.iter().any(|line| line.contains(signature)), "{told:#?}");
}

#[test]
fn a_stream_ends_with_its_token_and_with_the_server() {
    let site = Site::open();
    let args = ["--data", "data", "token", "create", "--user", "bob", "--role", "viewer", "--ttl", "2s"];
    let made = site.folder.run(&args);
    assert_eq!(made.code, 0, "{}", made.err);
    let mut short = site.follow(made.out.trim());
    let mut long = site.follow(&site.analyst);
    let began = Instant::now();
    while short.next().is_some() {}
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let Site { server, .. } = site;
    let ending = std::thread::spawn(move || server.stop());
    while long.next().is_some() {}
    assert_eq!(ending.join().unwrap().0, Some(0));
    assert!(began.elapsed() < PATIENCE);
}

#[test]
fn what_a_sender_writes_cannot_make_a_frame() {
    let site = Site::open();
    let mut follower = site.follow(&site.analyst);
    let text = "a\n\nevent: alert\ndata: {}\nid: 1\n\n: heartbeat 1\r\r\u{2028}\u{2029}\u{1}";
    let event = json!({ "type": text, "message": text, "text\n\ndata: x": text });
    site.events(&[event.clone(), mark("end")]);
    let blocks = follower.until(is_mark("end"));
    assert_eq!(blocks.len(), 2, "{blocks:#?}");
    assert_eq!((&blocks[0].json()["type"], &blocks[0].json()["message"]), (&json!(text), &json!(text)));
}
