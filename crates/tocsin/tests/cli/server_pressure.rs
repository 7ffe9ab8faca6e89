//! A flood of forged keys against a server with little room for state: an alert tells of it within
//! seconds, and another tenant does not notice.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server_alerts::{assert_same, standing};
use crate::server_contract_support::{at, failed_login, failed_logins, lines};
use crate::server_support::{Server, Start, key, tenant_key, tenant_token, token};
use crate::support::Folder;

/// The least there may be.
const CONFIG: &str = "detect.state_bytes_max: 8MiB\ntenants: [default, quiet]";

/// Forged addresses of one request.
const FORGED: u32 = 20_000;

/// Requests of the flood: about three times the keys there is room for.
const REQUESTS: u32 = 5;

/// How soon after the flood was taken the alert must be there.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// Failed logins, each from another address.
fn forged(request: u32) -> String {
    let record = |number: u32| {
        let [_, b, c, d] = (request * FORGED + number).to_be_bytes();
        format!(
            "{{\"timestamp\":\"{}\",\"type\":\"login_failed\",\"source_ip\":\"10.{b}.{c}.{d}\"}}\n",
            at(1)
        )
    };
    (0..FORGED).map(record).collect()
}

/// The alerts of the tenant `quiet`, final ones among them, beside a flood or none.
fn quiet_alerts(with_flood: bool) -> BTreeMap<String, Value> {
    let folder = Folder::new();
    let (flooding, calm) = (key(&folder, "ingest"), tenant_key(&folder, "quiet", "ingest"));
    let ann = token(&folder, "ann", "analyst");
    let bob = tenant_token(&folder, "bob", "quiet", "analyst");
    let server = Server::start_with(&folder, &Start { config: CONFIG, ..Start::default() });
    let send = |key: &str, body: &str| {
        let answer = server.post_events(key, body);
        assert_eq!(answer.status, 202, "{}", answer.text());
    };
    let attack = failed_logins(24, "192.0.2.1");
    let (first, rest) = attack.split_at(6);
    send(&calm, &lines(first));
    if with_flood {
        for request in 0..REQUESTS {
            send(&flooding, &forged(request));
        }
        let taken = Instant::now();
        let told = server.wait_for("the alert", |server| {
            let path = "/api/v1/alerts?rule=tocsin.state_pressure";
            server.json(path, &ann)["items"].as_array()?.first().cloned()
        });
        assert!(taken.elapsed() < TOLD_WITHIN, "after {:?}", taken.elapsed());
        assert_eq!(told["severity"], "high");
        let said = told["message"].as_str().unwrap();
        assert!(said.contains("new keys are estimated before they are counted"), "{said}");
        // What is stored is told right after.
        server.wait_for("the line", |server| {
            server.told().into_iter().find(|line| line.starts_with("[ALERT]") && line.contains(said))
        });
    }
    send(&calm, &lines(rest));
    // Time goes on, so that the episode's begin is final.
    send(&calm, &lines(&[failed_login(600, "198.51.100.1")]));
    server.at_rest(&bob);
    let alerts = standing(&server, &bob);
    let of_pressure = |alert: &Value| alert["rule"]["id"] == "tocsin.state_pressure";
    assert!(!alerts.is_empty() && !alerts.values().any(of_pressure), "{alerts:#?}");
    assert!(alerts.values().any(|alert| alert["provisional"] == false), "{alerts:#?}");
    alerts
}

#[test]
fn a_flood_of_keys_is_told_within_seconds_and_no_other_tenant_notices() {
    assert_same(&quiet_alerts(true), &quiet_alerts(false));
}
