//! Who is let in, and that nobody learns why they were not.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::Algorithm;
use serde_json::json;
use tocsin_core::time::Timestamp;
use tocsin_store::{Database, NewKey, Scope};

use crate::house::{House, SECRET, fresh, signed, token_of};
use crate::tokens::{CLAIMS, good, hostile, token};

const LEDGER: &str = "/api/v1/ledger";

#[test]
fn every_hostile_token_gets_the_same_answer_byte_for_byte() {
    let house = House::open();
    let mut client = house.client();
    let expect = {
        let reply = client.ask("GET", LEDGER, &[], b"");
        assert_eq!(reply.problem(401), "Invalid token");
        (bare(reply.headers), reply.body)
    };
    let hostile = hostile();
    assert!(hostile.len() >= 60, "{}", hostile.len());
    for (name, token) in &hostile {
        for (header, value) in [("Authorization", format!("Bearer {token}")), ("X-Api-Key", token.clone())] {
            let reply = client.ask("GET", LEDGER, &[(header, &value)], b"");
            assert_eq!(reply.status, 401, "{name} in {header}");
            assert_eq!((bare(reply.headers), reply.body), expect, "{name} in {header}");
        }
    }
    assert_eq!(client.get(LEDGER, &good()).status, 200, "and still a good one is good");
    for header in [
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"HS256","typ":"jwt","kid":"key-1.a_b"}"#,
        r#"{"alg":"HS256","what":"nobody knows"}"#,
    ] {
        let token = token(header, &CLAIMS.replace("ann", "bob"), SECRET, Algorithm::HS256);
        assert_eq!(client.get(LEDGER, &token).status, 200, "{header}");
    }
}

/// Headers without the time of day.
fn bare(mut headers: Vec<(String, String)>) -> Vec<(String, String)> {
    headers.retain(|(name, _)| name != "date");
    headers
}

#[test]
fn tokens_and_keys_open_what_they_are_for() {
    let house = House::open();
    let mut client = house.client();
    let token = house.token(&["viewer"]);
    let doors = [("GET", "/alerts"), ("GET", "/api/v1/alerts"), ("GET", LEDGER), ("POST", "/logs")];
    for (credential, expect) in [
        (&token, [200, 200, 200, 401]),
        (&house.read, [200, 401, 401, 401]),
        (&house.ingest, [401, 401, 401, 400]),
        (&house.bouncer, [401, 401, 401, 401]),
    ] {
        let bearer = format!("Bearer {credential}");
        let got =
            doors.map(|(method, door)| client.ask(method, door, &[("Authorization", &bearer)], b"").status);
        assert_eq!(got, expect, "{credential}");
    }
    for door in ["/api/v1/alerts/nothing", "/api/v1/alerts/%ff", "/events/security"] {
        assert_eq!(client.ask("GET", door, &[], b"").status, 401, "{door}");
    }
}

#[test]
fn a_request_brings_one_credential() {
    let house = House::open();
    let token = format!("Bearer {}", house.token(&[]));
    for headers in [
        vec![("Authorization", token.as_str()), ("Authorization", &token)],
        vec![("Authorization", &token), ("X-Api-Key", &house.read)],
        vec![("X-Api-Key", &house.read), ("X-Api-Key", &house.read)],
        vec![("Authorization", &token[7..])],
        vec![("Authorization", "Bearer")],
        vec![("Authorization", "Basic YTpi")],
        vec![("Cookie", &token)],
        vec![("Authorization", "Bearer \u{e9}")],
    ] {
        assert_eq!(house.client().ask("GET", "/alerts", &headers, b"").status, 401, "{headers:?}");
    }
    let lower = token.replace("Bearer", "bearer");
    assert_eq!(house.client().ask("GET", "/alerts", &[("Authorization", &lower)], b"").status, 200);
}

#[test]
fn times_have_a_leeway_of_half_a_minute() {
    let house = House::open();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut client = house.client();
    for (exp, nbf, expect) in [
        (now + 60, now - 60, 200),
        (now - 15, now - 60, 200),
        (now - 60, now - 90, 401),
        (now + 60, now + 15, 200),
        (now + 120, now + 60, 401),
    ] {
        let sub = format!("user {}", fresh());
        let claims = json!({ "sub": sub, "tenant_id": "acme", "exp": exp, "nbf": nbf, "iat": now });
        let reply = client.get(LEDGER, &signed(&claims, SECRET));
        assert_eq!(reply.status, expect, "exp {} nbf {}", exp as i64 - now as i64, nbf as i64 - now as i64);
    }
}

#[test]
fn issuer_and_audience_count_where_they_are_configured() {
    let house = House::with(|config| {
        config.auth.issuer = Some("https://id.example".to_string());
        config.auth.audience = Some("tocsin".to_string());
    });
    let iss = r#""iss":"https://id.example""#;
    for (more, expect) in [
        (format!(r#"{iss},"aud":"tocsin""#), 200),
        (format!(r#"{iss},"aud":["other","tocsin"]"#), 200),
        (format!(r#"{iss},"aud":"other""#), 401),
        (format!(r#"{iss},"aud":[]"#), 401),
        (format!(r#"{iss},"aud":7"#), 401),
        (format!(r#"{iss},"aud":null"#), 401),
        (format!(r#"{iss},"aud":"tocsin","aud":"tocsin""#), 401),
        (iss.to_string(), 401),
        (r#""aud":"tocsin""#.to_string(), 401),
        (r#""iss":"https://id.example/","aud":"tocsin""#.to_string(), 401),
        (r#""iss":["https://id.example"],"aud":"tocsin""#.to_string(), 401),
    ] {
        let claims = format!(r#"{{"sub":"ann","tenant_id":"acme","exp":4000000000,{more}}}"#);
        let token = token(r#"{"alg":"HS256"}"#, &claims, SECRET, Algorithm::HS256);
        assert_eq!(house.client().get(LEDGER, &token).status, expect, "{more}");
    }
}

#[test]
fn a_new_secret_ends_every_token_of_the_old_one() {
    let house = House::open();
    let mut client = house.client();
    let old = house.token(&[]);
    assert_eq!(client.get(LEDGER, &old).status, 200);
    let secret = b"the next secret, which has 32 bytes or more".to_vec();
    let mut config = house.state.config.auth.clone();
    config.secret = secret.clone();
    house.state.auth.replace(&config);
    assert_eq!(client.get(LEDGER, &old).status, 401);
    let claims = json!({ "sub": "ann", "tenant_id": "acme", "exp": 4_000_000_000u64 });
    assert_eq!(client.get(LEDGER, &signed(&claims, &secret)).status, 200);
    config.secret.clear();
    house.state.auth.replace(&config);
    assert_eq!(client.get(LEDGER, &signed(&claims, b"")).status, 401, "no secret is no secret");
}

#[test]
fn a_tenant_that_is_gone_takes_its_tokens_along() {
    let house = House::open();
    let mut client = house.client();
    let token = token_of("acme", &[]);
    assert_eq!(client.get(LEDGER, &token).status, 200);
    let others: Vec<_> = house.state.keys.ring().tenants().to_vec();
    house.state.tenants.replace(others.iter().filter(|(_, name)| name != "acme").cloned());
    assert_eq!(client.get(LEDGER, &token).status, 401);
}

#[test]
fn keys_come_and_go_beside_a_running_server() {
    let house = House::open();
    let mut client = house.client();
    let mut database = Database::open(house.folder()).unwrap();
    let new = NewKey { tenant: "acme", scope: Scope::Read, name: "", created: Timestamp(0) };
    let made = database.create_key(&new).unwrap();
    house.state.keys.refresh().unwrap();
    assert_eq!(client.get("/alerts", &made.key).status, 200);
    database.revoke_key(&made.id, Timestamp(1)).unwrap();
    house.state.keys.refresh().unwrap();
    assert_eq!(client.get("/alerts", &made.key).status, 401);
}

#[test]
fn a_token_in_an_address_is_refused_whatever_it_is() {
    let house = House::open();
    let mut client = house.client();
    let token = house.token(&[]);
    for target in [
        format!("/alerts?token={token}"),
        format!("/alerts?limit=1&%74oken={token}"),
        "/alerts?token=".to_string(),
        "/events/security?token=x".to_string(),
        "/nowhere?token=x".to_string(),
    ] {
        let reply = client.get(&target, &token);
        assert!(reply.problem(400).contains("token"), "{target}");
        assert!(!reply.text().contains(&token), "{target}");
    }
    let open = House::with(|config| config.stream.token_in_url = true);
    let mut client = open.client();
    assert_eq!(client.ask("GET", &format!("/alerts?token={token}"), &[], b"").status, 400);
    assert_eq!(client.ask("GET", "/events/security?token=x", &[], b"").status, 401);
    assert_eq!(client.ask("GET", &format!("/events/security?token={token}"), &[], b"").status, 200);
}
