//! What the contract promises about keys, tokens, tenants, roles and what each may see.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::server_contract_support::{Site, entry, failed_login, failed_logins, problem};
use crate::server_support::{Answer, key, tenant_key, tenant_token, token};

/// The addresses that ask for a credential.
const DOORS: [(&str, &str); 6] = [
    ("POST", "/logs"),
    ("POST", "/api/v1/events"),
    ("GET", "/alerts"),
    ("GET", "/api/v1/alerts"),
    ("GET", "/api/v1/ledger"),
    ("GET", "/events/security"),
];

/// How soon a key made or revoked beside the server counts.
const SOON: Duration = Duration::from_secs(1);

fn ask(site: &Site, (method, path): (&str, &str), headers: &[(&str, &str)]) -> Answer {
    site.server.send(method, path, headers, b"")
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A token of these claims, signed as the server's own are.
fn signed(site: &Site, header: &Header, claims: &Value, secret: Option<&str>) -> String {
    let own = site.folder.text("data/jwt_secret");
    let secret = secret.unwrap_or_else(|| own.trim_end());
    encode(header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn hs256(site: &Site, claims: &Value) -> String {
    signed(site, &Header::default(), claims, None)
}

/// Credentials that are no good, each in its own way.
fn bad_credentials(site: &Site) -> Vec<(&'static str, String)> {
    let now = unix_now();
    let good = json!({ "sub": "ann", "tenant_id": "default", "exp": now + 600, "roles": ["admin"] });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        hs256(site, &claims)
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        hs256(site, &claims)
    };
    let token = hs256(site, &good);
    let (head, signature) = token.rsplit_once('.').unwrap();
    let claims = head.split('.').nth(1).unwrap();
    // {"alg":"none","typ":"JWT"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let jku = Header { jku: Some("https://evil.example/keys".to_string()), ..Header::default() };
    let kid = Header { kid: Some("../../dev/null".to_string()), ..Header::default() };
    vec![
        ("a word", "secret".to_string()),
        ("a key nobody made", format!("tocsin_00000000_{}", "A".repeat(43))),
        ("a key's beginning", site.ingest[..20].to_string()),
        ("a key and more", format!("{}x", site.ingest)),
        ("expired", with("exp", json!(now - 3_600))),
        ("not yet", with("nbf", json!(now + 3_600))),
        ("another secret", signed(site, &Header::default(), &good, Some(&"x".repeat(43)))),
        ("another algorithm", signed(site, &Header::new(Algorithm::HS512), &good, None)),
        ("none", format!("{none}.{claims}.")),
        ("none with a signature", format!("{none}.{claims}.{signature}")),
        ("no signature", format!("{head}.")),
        ("a header that says where the key is", signed(site, &jku, &good, None)),
        ("a key that is a path", signed(site, &kid, &good, None)),
        ("no tenant", without("tenant_id")),
        ("no user", without("sub")),
        ("no end", without("exp")),
        ("a tenant that is not here", with("tenant_id", json!("elsewhere"))),
        ("tenants", with("tenant_id", json!(["default"]))),
        ("no roles but a word", with("roles", json!("admin"))),
        ("endless", with("exp", json!(1e300))),
        ("dots", "..".to_string()),
        ("long", "a".repeat(20_000)),
    ]
}

#[test]
fn every_401_says_the_same_words_whatever_is_wrong() {
    let site = Site::open();
    let revoked = key(&site.folder, "ingest");
    assert_eq!(site.folder.run(&["--data", "data", "key", "revoke", &revoked[7..15]]).code, 0);
    let mut bad = bad_credentials(&site);
    bad.push(("revoked", revoked));
    let bare = |answer: Answer| {
        assert_eq!(problem(&answer, 401), "Invalid token");
        let headers = answer.headers.into_iter().filter(|(name, _)| name != "date").collect::<Vec<_>>();
        (headers, answer.body)
    };
    let expect = bare(ask(&site, DOORS[0], &[]));
    for door in DOORS {
        assert_eq!(bare(ask(&site, door, &[])), expect, "{door:?}");
        for (name, credential) in &bad {
            let bearer = format!("Bearer {credential}");
            for header in [("X-Api-Key", credential.as_str()), ("Authorization", &bearer)] {
                let answer = ask(&site, door, &[header]);
                assert_eq!(answer.status, 401, "{name} at {door:?} in {}", header.0);
                assert_eq!(bare(answer), expect, "{name} at {door:?} in {}", header.0);
            }
        }
    }
    assert_eq!(site.ledger()["received"], 0);
    site.log(&entry(0, "192.0.2.1", 200));
}

#[test]
fn a_credential_opens_what_it_is_for_and_nothing_else() {
    let site = Site::open();
    let read = key(&site.folder, "read");
    let bouncer = key(&site.folder, "bouncer");
    let viewer = token(&site.folder, "eve", "viewer");
    site.server.wait_for("the keys", |server| (server.get("/alerts", &read).status == 200).then_some(()));
    // Nothing is in the bodies: who gets in is told so.
    for (name, credential, expect) in [
        ("ingest", &site.ingest, [400, 400, 401, 401, 401, 401]),
        ("read", &read, [401, 401, 200, 401, 401, 401]),
        ("bouncer", &bouncer, [401; 6]),
        ("viewer", &viewer, [401, 401, 200, 200, 200, 0]),
    ] {
        let bearer = format!("Bearer {credential}");
        for (door, expect) in DOORS.into_iter().zip(expect).filter(|(_, expect)| *expect != 0) {
            assert_eq!(ask(&site, door, &[("Authorization", &bearer)]).status, expect, "{name} {door:?}");
        }
    }
    let both = [("X-Api-Key", site.ingest.as_str()), ("Authorization", &format!("Bearer {}", site.ingest))];
    problem(&ask(&site, DOORS[0], &both), 401);
}

#[test]
fn a_key_made_or_revoked_beside_the_server_counts_within_a_second() {
    let site = Site::open();
    let status = |key: &str| site.server.post_log(key, &entry(0, "192.0.2.1", 200).to_string()).status;
    // The begin of the last request that was still told the old state.
    let settled = |key: &str, expect: u16| {
        let made = Instant::now();
        let mut last = Duration::ZERO;
        site.server.wait_for("the key", |_| {
            let begun = made.elapsed();
            let is_there = status(key) == expect;
            last = if is_there { last } else { begun };
            is_there.then_some(())
        });
        last
    };
    let new = tenant_key(&site.folder, "acme", "ingest");
    let known = settled(&new, 200);
    assert!(known < SOON, "{known:?}");
    let acme = tenant_token(&site.folder, "bob", "acme", "viewer");
    assert_eq!(site.server.at_rest(&acme)["accepted"], 1, "the tenant came with its key");
    assert_eq!(site.folder.run(&["--data", "data", "key", "revoke", &new[7..15]]).code, 0);
    let gone = settled(&new, 401);
    assert!(gone < SOON, "{gone:?}");
    assert_eq!(status(&site.ingest), 200);
}

#[test]
fn the_tenant_comes_from_the_credential_and_from_nowhere_else() {
    let site = Site::open();
    let acme = tenant_key(&site.folder, "acme", "ingest");
    let bob = tenant_token(&site.folder, "bob", "acme", "admin");
    let mut events = failed_logins(11, "192.0.2.1");
    for event in &mut events {
        event["tenant_id"] = json!("acme");
        event["tenant"] = json!("acme");
    }
    site.events(&events);
    site.server.wait_for("the tenant", |server| (server.get("/alerts", &bob).status == 200).then_some(()));
    assert_eq!(site.server.at_rest(&bob)["received"], 0);
    let own = site.alert("brute_force");
    assert_eq!(own["tenant_id"], "default");
    // The same events are another alert of another tenant.
    let answer = site.server.post_events(&acme, &crate::server_contract_support::lines(&events));
    assert_eq!(answer.status, 202);
    site.server.at_rest(&bob);
    let theirs = site.server.json("/api/v1/alerts", &bob)["items"][0].clone();
    assert_eq!((&theirs["tenant_id"], &theirs["message"]), (&json!("acme"), &own["message"]));
    assert_ne!(theirs["alert_id"], own["alert_id"]);
    let path = |alert: &Value| format!("/api/v1/alerts/{}", alert["alert_id"].as_str().unwrap());
    problem(&site.server.get(&path(&own), &bob), 404);
    problem(&site.server.get(&path(&theirs), &site.analyst), 404);
}

/// A failed login; every third one says whose it was, which is too few to be an alert of its own.
fn telling(second: u32) -> Value {
    let mut event = failed_login(second, "10.0.1.50");
    event["api_key"] = json!("abcd1234efgh");
    if second % 3 == 1 {
        event["user_email"] = json!("alice@example.com");
    }
    event
}

#[test]
fn a_viewer_sees_addresses_emails_and_keys_masked_everywhere() {
    let site = Site::open();
    site.events(&(0..11).map(telling).collect::<Vec<_>>());
    let whole = site.alert("brute_force");
    assert_eq!(whole["evidence"][0]["event"]["api_key"], "abcd1234efgh", "an analyst sees it all");
    let viewer = token(&site.folder, "eve", "viewer");
    let masked = site.server.json("/api/v1/alerts", &viewer)["items"][0].clone();
    assert_eq!(masked["message"], "11 failed logins from 10.0.xxx.xxx within 5 minutes");
    assert_eq!(masked["key"]["source.ip"], "10.0.xxx.xxx");
    assert_eq!(masked["entities"][0]["value"], "10.0.xxx.xxx");
    let event = &masked["event"];
    assert_eq!(event["user_email"], "ali***@example.com");
    assert_eq!((&event["source_ip"], &event["api_key"]), (&json!("10.0.xxx.xxx"), &json!("abcd***")));
    let one = site.server.json(&format!("/api/v1/alerts/{}", whole["alert_id"].as_str().unwrap()), &viewer);
    assert_eq!(one, masked);
    let short = site.server.json("/alerts", &viewer);
    assert_eq!(short[0]["client_ip"], "10.0.xxx.xxx");
    let all = format!("{masked}{short}");
    for hidden in ["10.0.1.50", "alice@", "1234efgh"] {
        assert!(!all.contains(hidden), "{hidden}: {all}");
    }
    // What is masked cannot be guessed at.
    for query in ["entity=10.0.1.50", "q=10.0.1.50"] {
        problem(&site.server.get(&format!("/api/v1/alerts?{query}"), &viewer), 403);
    }
    let read = key(&site.folder, "read");
    let shown = site.server.wait_for("the key", |server| {
        let answer = server.get("/alerts", &read);
        (answer.status == 200).then(|| answer.json())
    });
    assert_eq!(shown[0]["client_ip"], "10.0.1.50", "a key of scope read sees as an analyst");
    assert_eq!(site.told_alerts(), ["[ALERT] 11 failed logins from 10.0.1.50 within 5 minutes"]);
}

#[test]
fn alert_lines_are_in_the_configured_view() {
    let site = Site::with("alerts: {log_view: viewer}");
    site.events(&failed_logins(11, "10.0.1.50"));
    site.alert("brute_force");
    assert_eq!(site.told_alerts(), ["[ALERT] 11 failed logins from 10.0.xxx.xxx within 5 minutes"]);
}

#[test]
fn without_a_known_role_a_caller_reads_as_viewer_and_what_asks_for_a_role_is_withheld() {
    let site = Site::open();
    site.events(&failed_logins(11, "10.0.1.50"));
    let mut asking = failed_logins(11, "10.0.2.60");
    asking[3]["min_role"] = json!("viewer");
    site.events(&asking);
    assert_eq!(site.alerts().len(), 2);
    let count = |roles: Value| {
        let claims = json!({ "sub": "x", "tenant_id": "default", "exp": unix_now() + 600, "roles": roles });
        let list = site.server.json("/api/v1/alerts", &hs256(&site, &claims));
        let items = list["items"].as_array().unwrap().clone();
        assert!(items.iter().all(|alert| alert["key"]["source.ip"] == "10.0.xxx.xxx"), "{items:#?}");
        items.len()
    };
    assert_eq!((count(json!(["viewer"])), count(json!([])), count(json!(["legal"]))), (2, 1, 1));
    let claims = json!({ "sub": "x", "tenant_id": "default", "exp": unix_now() + 600 });
    let list = site.server.json("/alerts", &hs256(&site, &claims));
    assert_eq!(list.as_array().unwrap().len(), 1, "roles are optional");
}

#[test]
fn an_alert_asks_for_the_highest_role_of_its_events() {
    let site = Site::open();
    for (address, asked) in [("10.0.0.1", "analyst"), ("10.0.0.2", "admin"), ("10.0.0.3", "legal")] {
        let mut events = failed_logins(11, address);
        events[1]["min_role"] = json!("viewer");
        events[5]["min_role"] = json!(asked);
        site.events(&events);
    }
    site.events(&failed_logins(11, "10.0.0.4"));
    site.server.at_rest(&site.analyst);
    for (roles, expect) in
        [("viewer", 1), ("analyst", 2), ("admin", 3), ("admin,legal", 4), ("viewer,legal", 2)]
    {
        let token = token(&site.folder, "x", roles);
        let long = site.server.json("/api/v1/alerts", &token);
        let short = site.server.json("/alerts", &token);
        let counts = (long["items"].as_array().unwrap().len(), short.as_array().unwrap().len());
        assert_eq!(counts, (expect, expect), "{roles}");
    }
    let hidden = site.server.json("/api/v1/alerts", &token(&site.folder, "x", "admin,legal"));
    let legal =
        hidden["items"].as_array().unwrap().iter().find(|alert| alert["key"]["source.ip"] == "10.0.0.3");
    let path = format!("/api/v1/alerts/{}", legal.unwrap()["alert_id"].as_str().unwrap());
    problem(&site.server.get(&path, &site.analyst), 404);
}

#[test]
fn issuer_and_audience_are_required_where_they_are_configured() {
    let site = Site::with("auth: {issuer: 'https://id.example', audience: tocsin}");
    let status = |more: Value| {
        let mut claims = json!({ "sub": "ann", "tenant_id": "default", "exp": unix_now() + 600 });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        site.server.get("/api/v1/ledger", &hs256(&site, &claims)).status
    };
    assert_eq!(status(json!({ "iss": "https://id.example", "aud": "tocsin" })), 200);
    assert_eq!(status(json!({ "iss": "https://id.example", "aud": ["x", "tocsin"] })), 200);
    assert_eq!(status(json!({ "iss": "https://id.example" })), 401);
    assert_eq!(status(json!({ "iss": "https://other.example", "aud": "tocsin" })), 401);
    assert_eq!(status(json!({ "iss": "https://id.example", "aud": "other" })), 401);
}
