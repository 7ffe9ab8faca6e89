//! The rules that are active, and reloads: who may ask, and what each outcome looks like.

use std::sync::Arc;

use serde_json::{Value, json};
use tocsin_core::engine::Failure;
use tocsin_pipeline::reload::{Difference, Refused, Reloaded};
use tocsin_pipeline::rules::RuleSetId;
use tocsin_sigma::ast::{Diagnostic, Place, Severity};

use crate::client::{Client, Reply};
use crate::house::House;

fn found(place: Place) -> Diagnostic {
    Diagnostic {
        file: Arc::new("rules/some.yml".into()),
        place,
        severity: Severity::Error,
        code: "unknown_rule",
        reason: "there is no such rule".to_string(),
        hint: Some("name one".to_string()),
    }
}

fn reload(client: &mut Client, token: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    client.ask("POST", "/api/v1/rules/reload", &[("Authorization", &bearer)], b"")
}

#[test]
fn the_rules_are_listed_for_every_user_and_no_key() {
    let house = House::open();
    let mut client = house.client();
    assert_eq!(client.get("/api/v1/rules", &house.read).status, 401);
    let told = client.get("/api/v1/rules", &house.token(&["viewer"])).json();
    assert_eq!((&told["rule_set"], &told["last_reload"]), (&json!("ab".repeat(16)), &Value::Null));
    let of = |name: &str| -> Vec<Value> {
        told["items"].as_array().unwrap().iter().map(|rule| rule[name].clone()).collect()
    };
    assert_eq!(of("id"), ["failure", "11111111-2222-4333-8444-555555555555"]);
    assert_eq!((of("level"), of("enabled")), (vec![json!("low"), json!("high")], vec![json!(true); 2]));
    assert_eq!(of("raises_alerts"), [json!(false), json!(true)]);
    assert_eq!((of("file"), of("alerts")), (vec![json!("rules/some.yml"); 2], vec![json!(0); 2]));
}

#[test]
fn a_rule_that_was_switched_off_is_told_with_the_reason() {
    let house = House::open();
    let active = house.state.rules.now();
    let meta = active.of_files().next().unwrap();
    let failed = |events| Failure { rule_id: meta.id.clone(), logic_hash: meta.logic_hash.clone(), events };
    let mut client = house.client();
    let viewer = house.token(&["viewer"]);
    let mut first = || client.get("/api/v1/rules", &viewer).json()["items"][0].clone();
    assert_eq!(
        (&first()["enabled"], &first()["disabled"], &first()["failures"]),
        (&json!(true), &Value::Null, &json!(0))
    );
    active.set_failures(&[failed(2)]);
    assert_eq!((&first()["enabled"], &first()["failures"]), (&json!(true), &json!(2)));
    active.set_failures(&[failed(3)]);
    let reason = "it failed on 3 events, a defect of Tocsin: edit it or report it";
    assert_eq!((&first()["enabled"], &first()["disabled"]), (&json!(false), &json!(reason)));
    assert_eq!(
        ["last_match", "evaluated", "cost", "state"].map(|name| first()[name].clone()),
        [Value::Null, json!(0), json!(0.0), json!({ "keys": 0, "bytes": 0 })]
    );
    let told = client.get("/api/v1/status", &viewer).json();
    assert_eq!(told["rules"]["disabled"], json!([{ "id": "failure", "reason": reason }]));
    // What is off is not called silent.
    assert_eq!(
        told["rules"]["silent"],
        json!({ "count": 1, "ids": ["11111111-2222-4333-8444-555555555555"] })
    );
}

#[test]
fn only_an_admin_reloads() {
    let house = House::open();
    let mut client = house.client();
    for (credential, status) in [
        (house.ingest.clone(), 401),
        (house.read.clone(), 401),
        (house.token(&[]), 403),
        (house.token(&["viewer", "custom"]), 403),
        (house.token(&["responder"]), 403),
    ] {
        reload(&mut client, &credential).problem(status);
    }
    assert_eq!(client.get("/api/v1/rules/reload", &house.token(&["admin"])).status, 405);
}

#[test]
fn each_outcome_of_a_reload_has_its_answer() {
    let house = House::open();
    let admin = house.token(&["admin"]);
    let mut client = house.client();
    let difference = Difference { loaded: 9, unchanged: 4, edited: 3, added: 2, removed: 1 };
    let done = |is_same| {
        let diagnostics = vec![found(Place { line: 3, column: 5 })];
        Ok(Reloaded { id: RuleSetId([0xCD; 16]), is_same, difference, diagnostics })
    };
    let place = Place { line: 7, column: 2 };
    let answers = [
        done(false),
        done(true),
        Err(Refused::Invalid(vec![found(place), found(Place::default())])),
        Err(Refused::Unavailable("the disk is full".to_string())),
    ];
    let mut told = Vec::new();
    for answer in answers {
        house.reloaded.lock().unwrap().push(answer);
        let reply = reload(&mut client, &admin);
        let last = client.get("/api/v1/rules", &admin).json()["last_reload"].clone();
        assert_eq!((&last["by"], &last["at"]), (&json!("ann"), &json!("1970-01-01T00:00:00Z")));
        told.push((reply.status, reply.json(), last["result"].clone()));
    }
    let [activated, unchanged, invalid, failed] = &told[..] else { panic!("{told:?}") };
    assert_eq!(
        (activated.0, &activated.1["result"], &activated.2),
        (200, &json!("activated"), &json!("activated"))
    );
    assert_eq!(
        ["rule_set", "loaded", "unchanged", "edited", "added", "removed"]
            .map(|name| activated.1[name].clone()),
        [json!("cd".repeat(16)), json!(9), json!(4), json!(3), json!(2), json!(1)]
    );
    assert_eq!(activated.1["diagnostics"][0]["line"], 3);
    assert_eq!(
        (unchanged.0, &unchanged.1["result"], &unchanged.2),
        (200, &json!("unchanged"), &json!("unchanged"))
    );
    assert_eq!((invalid.0, &invalid.2), (422, &json!("refused")));
    assert_eq!(
        invalid.1["errors"],
        json!([
            { "file": "rules/some.yml", "line": 7, "column": 2, "severity": "error", "code": "unknown_rule",
              "reason": "there is no such rule", "hint": "name one" },
            { "file": "rules/some.yml", "severity": "error", "code": "unknown_rule",
              "reason": "there is no such rule", "hint": "name one" },
        ])
    );
    assert_eq!(
        (failed.0, &failed.1["detail"], &failed.2),
        (503, &json!("the disk is full"), &json!("failed"))
    );
    // Nobody answers: the server is going down.
    reload(&mut client, &admin).problem(503);
}
