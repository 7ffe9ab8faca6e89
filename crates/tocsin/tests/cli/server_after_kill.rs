//! What holds over a restart besides events and alerts: requests that may be repeated, and what was
//! turned away.
use serde_json::{Value, json};

use crate::server_support::{Answer, Server, key, token};
use crate::support::Folder;

/// How often a server is killed right after an answer.
const KILLS: usize = 6;

const BODY: &str = "{\"type\":\"login_failed\",\"source_ip\":\"192.0.2.1\"}\nnonsense\n{\"type\":\"x\"}\n";

fn post(server: &Server, key: &str, name: &str) -> Answer {
    let headers = [("X-Api-Key", key), ("Content-Type", "application/x-ndjson"), ("Idempotency-Key", name)];
    server.send("POST", "/api/v1/events", &headers, BODY.as_bytes())
}

#[test]
fn a_request_repeated_after_a_kill_is_not_taken_twice() {
    let folder = Folder::new();
    let (key, token) = (key(&folder, "ingest"), token(&folder, "ann", "viewer"));
    let mut server = Server::start(&folder);
    for kill in 0..KILLS {
        let name = format!("request-{kill}");
        let first = post(&server, &key, &name);
        assert_eq!((first.status, &first.json()["accepted"]), (202, &json!(2)));
        server.kill();
        server = Server::start(&folder);
        let again = post(&server, &key, &name);
        assert_eq!((again.status, again.json()), (202, first.json()));
    }
    let ledger = server.at_rest(&token);
    assert_eq!(ledger["accepted"], 2 * KILLS);
    assert!(ledger["rejected"]["duplicate"].as_u64() >= Some(3), "those of the last life at least");
}

#[test]
fn what_was_turned_away_is_counted_over_restarts() {
    let folder = Folder::new();
    let (key, token) = (key(&folder, "ingest"), token(&folder, "ann", "viewer"));
    let server = Server::start(&folder);
    assert_eq!(server.post_events(&key, "nonsense\nmore of it\n").status, 400);
    assert_eq!(server.post_log(&key, "{}").status, 400);
    let before = server.at_rest(&token);
    assert_eq!((&before["received"], &before["accepted"]), (&json!(3), &json!(0)));
    server.stop();
    let server = Server::start(&folder);
    assert_eq!(server.at_rest(&token), before);
}

/// Lines are lines whatever their type says, and a body that ends too early says so.
#[test]
fn a_broken_record_takes_no_good_one_with_it() {
    let folder = Folder::new();
    let key = key(&folder, "ingest");
    let server = Server::start(&folder);
    for (body, accepted, rejected) in [
        ("{\"a\":1}\n{\"a\":\n{\"a\":2}\n{\"a\":3}\n", 3, json!([[2, "truncated"]])),
        ("[{\"a\":1},{\"a\":2}", 2, json!([[3, "truncated"]])),
        ("[{\"a\":1},{\"a\":2}]", 2, json!([])),
    ] {
        let headers = [("X-Api-Key", key.as_str()), ("Content-Type", "application/json")];
        let answer = server.send("POST", "/api/v1/events", &headers, body.as_bytes());
        let told = answer.json();
        let list = told["rejected"].as_array().unwrap();
        let told_of: Value = list.iter().map(|one| json!([one["line"], one["reason"]])).collect();
        assert_eq!((answer.status, &told["accepted"], told_of), (202, &json!(accepted), rejected), "{body}");
    }
}
