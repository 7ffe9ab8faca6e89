//! `POST /logs`.

use tocsin_pipeline::intake::{Answer, BodyShape};

use crate::client::{Client, Reply, request};
use crate::house::House;

const ENTRY: &str = r#"{"timestamp":"2026-01-31T08:00:00Z","client_ip":"192.0.2.1","endpoint":"/login","method":"POST","status_code":401}"#;

fn post(client: &mut Client, key: &str, body: &str) -> Reply {
    client.ask("POST", "/logs", &[("X-Api-Key", key)], body.as_bytes())
}

#[test]
fn a_good_entry_is_handed_in_as_it_came_and_told_so_literally() {
    let house = House::open();
    let mut client = house.client();
    for header in [("X-Api-Key", house.ingest.clone()), ("Authorization", format!("Bearer {}", house.ingest))]
    {
        let reply = client.ask("POST", "/logs", &[(header.0, &header.1)], ENTRY.as_bytes());
        assert_eq!(reply.status, 200);
        assert_eq!(reply.text(), r#"{"status":"success","message":"Log received and queued."}"#);
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    let taken = house.taken.lock().unwrap();
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0].body, ENTRY.as_bytes());
    assert_eq!((taken[0].tenant, taken[0].shape), (house.acme(), BodyShape::One));
    assert!(house.ingest.contains(&*taken[0].source), "the source is the key's id");
}

#[test]
fn a_bad_entry_is_told_every_error_and_counted() {
    let house = House::open();
    let mut client = house.client();
    let reply = post(&mut client, &house.ingest, r#"{"timestamp":"now","client_ip":"x","endpoint":"/"}"#);
    assert_eq!(reply.status, 400);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let told = reply.json();
    assert_eq!((&told["status"], told["message"].is_string()), (&"error".into(), true));
    let fields: Vec<_> = told["errors"].as_array().unwrap().iter().map(|error| &error["field"]).collect();
    assert_eq!(fields, ["timestamp", "client_ip", "method", "status_code"]);
    assert!(told["errors"][0]["reason"].as_str().unwrap().contains("RFC 3339"));
    for body in ["", "[]", "nonsense", "null"] {
        assert_eq!(post(&mut client, &house.ingest, body).status, 400, "{body}");
    }
    assert_eq!(house.ledger.view(house.acme()).rejected["invalid_entry"], 5);
    assert!(house.taken.lock().unwrap().is_empty());
}

#[test]
fn what_the_stage_says_is_what_the_sender_hears() {
    let house = House::open();
    let mut client = house.client();
    house.answers.lock().unwrap().push(Answer::Unavailable("the disk is full: free some room".into()));
    let reply = post(&mut client, &house.ingest, ENTRY);
    assert_eq!(reply.problem(503), "the disk is full: free some room");
    assert!(reply.header("retry-after").is_some());
    let twice = ENTRY.replace('{', r#"{"a":1,"a":2,"#);
    assert_eq!(post(&mut client, &house.ingest, &twice).status, 200, "the stage of this test takes it");
}

#[test]
fn entries_may_come_one_behind_the_other_without_waiting() {
    let house = House::open();
    let mut client = house.client();
    let headers = [("X-Api-Key", house.ingest.as_str())];
    let one = request("POST", "/logs", &headers, ENTRY.as_bytes());
    let bad = request("POST", "/logs", &headers, b"{}");
    client.send([one.clone(), bad, one.clone(), one].concat());
    let statuses: Vec<u16> = (0..4).map(|_| client.reply().status).collect();
    assert_eq!(statuses, [200, 400, 200, 200]);
    assert_eq!(house.taken.lock().unwrap().len(), 3);
}

#[test]
fn an_entry_may_come_in_chunks_and_compressed() {
    let house = House::open();
    let mut client = house.client();
    let (first, second) = ENTRY.split_at(20);
    let chunked = format!("{:x}\r\n{first}\r\n{:x};x=y\r\n{second}\r\n0\r\n\r\n", first.len(), second.len());
    let headers = [("X-Api-Key", house.ingest.as_str()), ("Transfer-Encoding", "chunked")];
    assert_eq!(client.ask("POST", "/logs", &headers, chunked.as_bytes()).status, 200);
    let packed = zstd::encode_all(ENTRY.as_bytes(), 0).unwrap();
    let headers = [("X-Api-Key", house.ingest.as_str()), ("Content-Encoding", "zstd")];
    assert_eq!(client.ask("POST", "/logs", &headers, &packed).status, 200);
    assert!(house.taken.lock().unwrap().iter().all(|taken| taken.body == ENTRY.as_bytes()));
}

#[test]
fn one_entry_is_never_large() {
    let house = House::open();
    let mut client = house.client();
    let large = ENTRY.replace("/login", &format!("/{}", "a".repeat(70_000)));
    assert!(post(&mut client, &house.ingest, &large).problem(413).contains("65536 bytes"));
    assert_eq!(client.rest(), b"", "the connection ends with the refusal");
}

#[test]
fn wrong_keys_are_told_nothing() {
    let house = House::open();
    let wrong =
        [house.read.clone(), house.bouncer.clone(), house.token(&["admin"]), "x".into(), String::new()];
    for key in wrong {
        let reply = post(&mut house.client(), &key, ENTRY);
        assert_eq!(reply.problem(401), "Invalid token", "{key}");
    }
    let mut client = house.client();
    assert_eq!(client.ask("POST", "/logs", &[], ENTRY.as_bytes()).problem(401), "Invalid token");
    assert!(house.taken.lock().unwrap().is_empty());
}
