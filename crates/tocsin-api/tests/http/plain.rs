//! What holds for every address, and the pages for machines.

use tocsin_pipeline::readiness::Part;

use crate::client::request;
use crate::house::House;

#[test]
fn unknown_addresses_and_methods_are_problems() {
    let house = House::open();
    let mut client = house.client();
    for (method, target, expect, allow) in [
        ("GET", "/nowhere", 404, None),
        ("GET", "/api/v1/nothing", 404, None),
        ("GET", "/logs/", 404, None),
        ("GET", "//alerts", 404, None),
        ("GET", "/../etc/passwd", 404, None),
        ("POST", "/nowhere", 404, None),
        ("GET", "/logs", 405, Some("POST")),
        ("HEAD", "/logs", 405, Some("POST")),
        ("DELETE", "/alerts", 405, Some("GET,HEAD")),
        ("PUT", "/api/v1/alerts/7", 405, Some("GET,HEAD")),
        ("TRACE", "/healthz", 405, Some("GET,HEAD")),
        ("OPTIONS", "/logs", 204, Some("POST")),
        ("OPTIONS", "/alerts", 204, Some("GET,HEAD")),
    ] {
        let reply = client.ask(method, target, &[("Origin", "https://evil.example")], b"");
        assert_eq!(reply.status, expect, "{method} {target}");
        assert_eq!(reply.header("allow"), allow, "{method} {target}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{method} {target}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{method} {target}");
        assert!(
            !reply.headers.iter().any(|(name, _)| name.starts_with("access-control")),
            "{method} {target}"
        );
        if expect >= 400 && method != "HEAD" {
            reply.problem(expect);
        }
    }
}

#[test]
fn a_head_is_a_get_without_its_body() {
    let house = House::open();
    let mut client = house.client();
    let bearer = format!("Bearer {}", house.token(&[]));
    for target in ["/healthz", "/readyz", "/metrics", "/alerts", "/api/v1/alerts", "/api/v1/ledger"] {
        let headers = [("Authorization", bearer.as_str())];
        let get = client.ask("GET", target, &headers, b"");
        let head = client.ask("HEAD", target, &headers, b"");
        assert_eq!((head.status, head.body.len()), (200, 0), "{target}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{target}");
    }
    let head = client.ask("HEAD", "/alerts", &[], b"");
    assert_eq!(head.status, 401);
}

#[test]
fn the_page_and_its_files_are_there_for_everybody() {
    let house = House::open();
    let mut client = house.client();
    for (target, kind) in [("/", "text/html"), ("/app.js", "text/javascript"), ("/style.css", "text/css")] {
        let reply = client.ask("GET", target, &[], b"");
        assert_eq!(reply.status, 200, "{target}");
        assert!(reply.header("content-type").unwrap().starts_with(kind), "{target}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{target}");
        assert!(reply.header("content-security-policy").unwrap().contains("default-src 'none'"), "{target}");
    }
}

#[test]
fn requests_may_come_one_behind_the_other() {
    let house = House::open();
    let mut client = house.client();
    let all: Vec<u8> = ["/healthz", "/nowhere", "/readyz"]
        .iter()
        .flat_map(|target| request("GET", target, &[], b""))
        .collect();
    client.send(all);
    assert_eq!([client.reply().status, client.reply().status, client.reply().status], [200, 404, 200]);
}

#[test]
fn what_is_no_http_is_refused() {
    let house = House::open();
    for bytes in [
        &b"nonsense\r\n\r\n"[..],
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nBad Name: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let mut client = house.client();
        client.send(bytes);
        client.stream.shutdown(std::net::Shutdown::Write).unwrap();
        let rest = String::from_utf8_lossy(&client.rest()).into_owned();
        assert!(!rest.contains(" 200 "), "{rest}");
    }
    let mut client = house.client();
    client.send_until_closed(&request("GET", "/healthz", &[("X", &"x".repeat(80 << 10))], b""));
    assert_eq!(client.reply().status, 431);
}

#[test]
fn readiness_is_what_the_stages_say() {
    let house = House::open();
    let mut client = house.client();
    assert_eq!(client.ask("GET", "/readyz", &[], b"").json()["status"], "ready");
    house.readiness.set(Part::Journal, Some("the disk is full: free some room".to_string()));
    let reply = client.ask("GET", "/readyz", &[], b"");
    reply.problem(503);
    assert_eq!(reply.json()["errors"][0]["reason"], "the disk is full: free some room");
    assert_eq!(client.ask("GET", "/healthz", &[], b"").json()["status"], "ok");
    house.readiness.set(Part::Journal, None);
    assert_eq!(client.ask("GET", "/readyz", &[], b"").status, 200);
}

#[test]
fn the_ledger_is_the_callers_tenants() {
    let house = House::open();
    let mut client = house.client();
    house.ledger.accept(house.acme(), 7);
    house.ledger.reject(house.acme(), "malformed_json", 2);
    house.ledger.settle(house.acme(), 3, 1);
    let view = client.get("/api/v1/ledger", &house.token(&["viewer"])).json();
    let expect = serde_json::json!({
        "received": 9, "accepted": 7, "rejected": { "malformed_json": 2 }, "processed": 3,
        "quarantined": 1, "in_flight": 3, "stored": 3,
    });
    assert_eq!(view, expect);
    let other = client.get("/api/v1/ledger", &crate::house::token_of("other", &["admin"])).json();
    assert_eq!(other["received"], 0);
}

#[test]
fn the_status_is_the_callers_tenants_and_for_no_key() {
    let house = House::open();
    let mut client = house.client();
    for credential in [&house.read, &house.ingest, &house.bouncer] {
        assert_eq!(client.get("/api/v1/status", credential).status, 401);
    }
    house.ledger.accept(house.acme(), 7);
    house.ledger.settle(house.acme(), 3, 1);
    house.readiness.set(Part::Store, Some("the store is full".to_string()));
    let told = client.get("/api/v1/status", &house.token(&["viewer"])).json();
    assert_eq!(
        (&told["ready"], &told["problems"]),
        (&false.into(), &serde_json::json!(["the store is full"]))
    );
    assert_eq!(told["ledger"]["in_flight"], 3);
    // Nothing was measured yet.
    assert_eq!(
        (&told["watermark"], &told["measured_at"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    assert_eq!((&told["engine"]["events"], &told["rules"]["loaded"]), (&0.into(), &2.into()));
    let other = client.get("/api/v1/status", &crate::house::token_of("other", &["viewer"])).json();
    assert_eq!(other["ledger"]["received"], 0);
}

#[test]
fn metrics_tell_the_ledger_and_name_no_tenant() {
    let house = House::open();
    let mut client = house.client();
    house.ledger.accept(house.acme(), 7);
    house.ledger.reject(house.acme(), "malformed_json", 2);
    house.ledger.settle(house.acme(), 3, 1);
    assert_eq!(client.ask("GET", "/alerts", &[], b"").status, 401);
    let reply = client.ask("GET", "/metrics", &[], b"");
    assert!(reply.header("content-type").unwrap().starts_with("text/plain"));
    let value = |name: &str| {
        let line = reply.text().lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} is missing")).trim().parse::<f64>().unwrap()
    };
    // The recorder is shared by all tests of this process.
    for (name, least) in [
        ("tocsin_events_received_total ", 9.0),
        ("tocsin_events_quarantined_total ", 1.0),
        ("tocsin_events_rejected_total{reason=\"malformed_json\"} ", 2.0),
        ("tocsin_http_unauthorized_total ", 1.0),
        ("tocsin_http_connections ", 1.0),
    ] {
        assert!(value(name) >= least, "{name} {}", value(name));
    }
    assert!(!reply.text().contains("acme"));
}
