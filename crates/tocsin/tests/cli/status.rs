//! `tocsin status` beside a server, and beside none.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use serde_json::{Value, json};

use crate::server_contract_support::{Site, failed_logins};
use crate::server_support::{Server, Start, tenant_key, token};
use crate::support::{Folder, Outcome};

/// What it says as JSON, once the engine was measured after so many events.
fn measured(folder: &Folder, server: &Server, args: &[&str], events: u64) -> Value {
    server.wait_for("the measurement", |_| {
        let told = folder.run(&[&["status", "--data", "data", "--json"], args].concat());
        assert_eq!(told.code, 0, "{}", told.err);
        let status: Value = serde_json::from_str(&told.out).unwrap();
        (status["engine"]["events"] == events).then_some(status)
    })
}

fn refused(outcome: &Outcome, code: i32, says: &[&str]) {
    assert_eq!((outcome.code, outcome.out.as_str()), (code, ""), "{}", outcome.err);
    assert!(says.iter().all(|part| outcome.err.contains(part)), "{}", outcome.err);
}

#[test]
fn a_running_server_is_found_by_its_data_folder() {
    let site = Site::open();
    site.events(&failed_logins(11, "192.0.2.1"));
    assert_eq!(site.server.post_events(&site.ingest, "nonsense\n").status, 400);
    site.server.at_rest(&site.analyst);
    let status = measured(&site.folder, &site.server, &[], 11);
    assert_eq!((&status["ready"], &status["problems"]), (&json!(true), &json!([])));
    assert_eq!(status["url"], format!("http://{}", site.server.address()));
    let expect = json!({
        "received": 12, "accepted": 11, "rejected": { "unknown_format": 1 }, "processed": 11,
        "quarantined": 0, "in_flight": 0, "stored": 11,
    });
    assert_eq!(status["ledger"], expect);
    assert!(status["watermark"]["lag_seconds"].as_f64().unwrap() > 60.0, "{status}");
    assert!(status["state"]["bytes"].as_u64().unwrap() > 0 && status["state"]["keys"].as_u64().unwrap() > 0);
    assert_eq!(status["state"]["bytes_max"], 256 << 20);
    let rules = &status["rules"];
    assert_eq!(rules["disabled"], json!([]));
    let slowest = rules["slowest"].as_array().unwrap();
    let shares: f64 = slowest.iter().map(|rule| rule["cost"].as_f64().unwrap()).sum();
    assert!(!slowest.is_empty() && shares <= 1.000_001, "{slowest:?}");
    let (silent, loaded) = (rules["silent"]["count"].as_u64().unwrap(), rules["loaded"].as_u64().unwrap());
    assert!(silent > 0 && silent < loaded, "{rules}");
    let fields = status["memo"]["fields"].as_array().unwrap();
    let outcome = fields.iter().find(|field| field["field"] == "event.outcome").unwrap();
    assert_eq!(outcome["hits"].as_u64().unwrap() + outcome["misses"].as_u64().unwrap(), 11);

    let told = site.folder.run(&["status", "--data", "data"]);
    assert_eq!(told.code, 0, "{}", told.err);
    for line in [
        "records   received 12 = accepted 11 + rejected 1 (unknown_format 1)\n",
        "          accepted 11 = processed 11 + quarantined 0 + in flight 0\n",
        "never matched since the start:\n",
    ] {
        assert!(told.out.contains(line), "{}", told.out);
    }
    assert!(told.out.lines().next().unwrap().ends_with(": ready"), "{}", told.out);
}

#[test]
fn the_ledger_and_state_are_of_the_tenant_that_is_asked_for() {
    let folder = Folder::new();
    let key = tenant_key(&folder, "acme", "ingest");
    let server = Server::start(&folder);
    let events: String = failed_logins(3, "192.0.2.1").iter().map(|event| format!("{event}\n")).collect();
    assert_eq!(server.post_events(&key, &events).status, 202);
    let acme = measured(&folder, &server, &["--tenant", "acme"], 3);
    let other = measured(&folder, &server, &[], 3);
    assert_eq!((&acme["ledger"]["accepted"], &other["ledger"]["accepted"]), (&json!(3), &json!(0)));
    assert_ne!(acme["state"]["keys"], 0);
    assert_eq!((&other["state"]["keys"], &other["rules"]["largest"]), (&json!(0), &json!([])));
    assert_eq!(other["watermark"], Value::Null);
}

#[test]
fn a_token_of_ones_own_and_an_address_will_do() {
    let site = Site::with("");
    let url = format!("http://{}/", site.server.address());
    let elsewhere = Folder::new();
    let told = elsewhere.run(&["status", "--url", &url, "--token", &site.analyst, "--json"]);
    assert_eq!(told.code, 0, "{}", told.err);
    refused(
        &elsewhere.run(&["status", "--url", &url]),
        2,
        &["holds no secret to sign a token with", "--data", "--token"],
    );
    refused(
        &elsewhere.run(&["status", "--url", &url, "--token", "a.b.c"]),
        2,
        &["refuses the token given with --token", "tocsin token create"],
    );
    refused(
        &site.folder.run(&["status", "--data", "data", "--tenant", "nobody"]),
        2,
        &["refuses a token for the tenant `nobody`", "--tenant"],
    );
    refused(&elsewhere.run(&["status", "--url", "https://127.0.0.1"]), 2, &["is not http"]);
    assert!(!elsewhere.path().join("tocsin-data").exists(), "asking makes nothing");
}

#[test]
fn without_a_server_it_says_what_to_do() {
    let folder = Folder::new();
    token(&folder, "ann", "viewer");
    let server = Server::start_with(&folder, &Start::default());
    let (code, told) = server.stop();
    assert_eq!(code, Some(0), "{told:?}");
    assert!(!folder.path().join("data/listening").exists(), "a server that ended is not told of");
    // A port that nobody has.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", taken.local_addr().unwrap());
    drop(taken);
    let told = folder.run(&["status", "--data", "data", "--url", &url]);
    refused(&told, 3, &[&format!("no server answers at {url}"), "tocsin run", "--url"]);
}
