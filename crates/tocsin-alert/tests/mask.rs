//! What a viewer sees: every form the contract names, and what must stay as it is.

use serde_json::{Value, json};
use tocsin_alert::role::View;

fn masked(mut value: Value) -> Value {
    View::Masked.apply(&mut value);
    let once = value.clone();
    View::Masked.apply(&mut value);
    assert_eq!(value, once, "masking twice is masking once");
    value
}

fn check(cases: &[(&str, &str)]) {
    for (text, expect) in cases {
        assert_eq!(masked(json!(text)), json!(expect), "{text}");
    }
}

fn same(cases: &[&str]) {
    for text in cases {
        assert_eq!(masked(json!(text)), json!(text));
    }
}

#[test]
fn a_plain_view_changes_nothing() {
    let value = json!({"source.ip": "10.0.0.1", "api_key": "abcdefghij", "user.email": "alice@example.com"});
    let mut shown = value.clone();
    View::Plain.apply(&mut shown);
    assert_eq!(shown, value);
}

#[test]
fn the_contracts_forms() {
    let event = json!({
        "source_ip": "10.0.12.34", "client_ip": "2001:DB8:0:0::1", "remote_addr": "::ffff:10.0.0.1",
        "user_email": "alice@example.com", "user": {"email": "ali@x.y"},
        "api_key": "abcdefgh", "x-api-key": "abcdefg"
    });
    let expect = json!({
        "source_ip": "10.0.xxx.xxx", "client_ip": "2001:db8:xxxx", "remote_addr": "10.0.xxx.xxx",
        "user_email": "ali***@example.com", "user": {"email": "***@x.y"},
        "api_key": "abcd***", "x-api-key": "***"
    });
    assert_eq!(masked(event), expect);
}

#[test]
fn derived_text_is_masked_too() {
    check(&[
        (
            "Brute force attack detected from IP: 192.168.1.1",
            "Brute force attack detected from IP: 192.168.xxx.xxx",
        ),
        ("High traffic detected from IP: 2001:db8::1.", "High traffic detected from IP: 2001:db8:xxxx."),
        (
            "11 failed logins of alice@example.com within 5 minutes",
            "11 failed logins of ali***@example.com within 5 minutes",
        ),
    ]);
}

#[test]
fn ipv4_addresses_in_their_surroundings() {
    check(&[
        ("10.1.2.3", "10.1.xxx.xxx"),
        ("010.001.002.003", "10.1.xxx.xxx"),
        ("1.2.3.4:80", "1.2.xxx.xxx:80"),
        ("(1.2.3.4)", "(1.2.xxx.xxx)"),
        ("[1.2.3.4]", "[1.2.xxx.xxx]"),
        ("http://1.2.3.4/a?b=5.6.7.8#9.9.9.9", "http://1.2.xxx.xxx/a?b=5.6.xxx.xxx#9.9.xxx.xxx"),
        ("from 1.2.3.4.", "from 1.2.xxx.xxx."),
        ("...1.2.3.4...", "...1.2.xxx.xxx..."),
        ("1.2.3.4..5.6.7.8", "1.2.xxx.xxx..5.6.xxx.xxx"),
        ("1.2.3.4,5.6.7.8", "1.2.xxx.xxx,5.6.xxx.xxx"),
        ("10.0.0.0/8", "10.0.xxx.xxx/8"),
        ("IP 10.0.0.1.44321 > 10.0.0.2.443", "IP 10.0.xxx.xxx.44321 > 10.0.xxx.xxx.443"),
        ("ip1.2.3.4x", "ip1.2.xxx.xxxx"),
        ("www.1.2.3.4.nip.io", "www.1.2.xxx.xxx.nip.io"),
        ("é1.2.3.4é", "é1.2.xxx.xxxé"),
        ("ip%3D1%2E2%2E3%2E4", "ip%3D1.2.xxx.xxx"),
    ]);
}

#[test]
fn ipv6_addresses_in_every_spelling() {
    check(&[
        ("2001:db8::1", "2001:db8:xxxx"),
        ("2001:DB8::1", "2001:db8:xxxx"),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8:xxxx"),
        ("::1", "0:0:xxxx"),
        ("[::1]:80", "[0:0:xxxx]:80"),
        ("http://[2001:db8::1]:8080/x", "http://[2001:db8:xxxx]:8080/x"),
        ("fe80::1%eth0", "fe80:0:xxxx"),
        ("fe80::1%25eth0 up", "fe80:0:xxxx up"),
        ("::ffff:192.168.1.1", "192.168.xxx.xxx"),
        ("::FFFF:c0a8:0101", "192.168.xxx.xxx"),
        ("64:ff9b::192.0.2.33", "64:ff9b:xxxx"),
        ("2001:db8::", "2001:db8:xxxx"),
        ("2001:db8:0:0:0:0:0:1:443", "2001:db8:xxxx:443"),
        ("IPv6:2001:db8::1", "IPv6:2001:db8:xxxx"),
        ("addr:2001:db8::1,", "addr:2001:db8:xxxx,"),
        ("2001:db8::/32", "2001:db8:xxxx/32"),
        ("from 2001:db8::1: no", "from 2001:db8:xxxx: no"),
        ("at 12:00:00 from 2001:db8::1", "at 12:00:00 from 2001:db8:xxxx"),
        ("x=2001%3Adb8%3A%3A1&y", "x=2001:db8:xxxx&y"),
    ]);
}

#[test]
fn email_addresses_with_names_of_all_kinds() {
    check(&[
        ("alice@example.com", "ali***@example.com"),
        ("alic@example.com", "ali***@example.com"),
        ("ali@x.y", "***@x.y"),
        ("<mailto:bob.smith+tag@mail.example.co.uk>", "<mailto:bob***@mail.example.co.uk>"),
        ("Élodie@exämple.de", "Élo***@exämple.de"),
        ("用户名字@例子.公司", "用户名***@例子.公司"),
        ("\"john doe\"@example.com", "\"joh***\"@example.com"),
        ("o'brien@example.com", "o'b***@example.com"),
        ("email='alice@example.com'", "email='ali***@example.com'"),
        ("/reset?email=alice%40example.com&x", "/reset?email=ali***%40example.com&x"),
        (r#"{"to":"alice\u0040example.com"}"#, r#"{"to":"ali***@example.com"}"#),
        ("{\"to\":\"alice@example.com\"", "{\"to\":\"ali***@example.com\""),
        ("alice＠example.com", "ali***＠example.com"),
        ("root@10.0.0.1", "roo***@10.0.xxx.xxx"),
        ("postmaster@[192.0.2.1]", "pos***@[192.0.xxx.xxx]"),
        ("postmaster@[IPv6:2001:db8::1]", "pos***@[IPv6:2001:db8:xxxx]"),
        ("a@b.c,d@e.f", "***@b.c,***@e.f"),
        ("alice@laptop", "ali***@laptop"),
        ("10.0.0.1@example.com", "10.***@example.com"),
    ]);
}

#[test]
fn secrets_anywhere_are_cut() {
    check(&[
        ("used eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl now", "used *** now"),
        ("key tocsin_0123abcd_c2VjcmV0c2VjcmV0.", "key ***."),
        ("AKIAIOSFODNN7EXAMPLE and ASIAIOSFODNN7EXAMPLE", "*** and ***"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("curl -H 'x: Bearer x'", "curl -H 'x: Bearer ***'"),
        ("basic dXNlcjpwYXNz", "basic ***"),
        ("user=bob&password=hunter2&x=1", "user=bob&password=***&x=1"),
        ("Password: hunter2, user: bob", "Password: ***, user: bob"),
        ("password=a,b;c d", "password=*** d"),
        ("{\"password\": \"a\\\"b c\", \"n\": 1", "{\"password\": \"***\", \"n\": 1"),
        (r#"said \"api_key\":\"abc def\" twice"#, r#"said \"api_key\":\"***\" twice"#),
        ("'token' => 'abc def'", "'token' => '***'"),
        ("{secret:{a:1,b:[2]},c:3}", "{secret:***,c:3}"),
        ("mysql --user bob --password hunter2 db", "mysql --user bob --password *** db"),
        ("Cookie: a=1; b=2", "Cookie: ***"),
        ("postgres://bob:p@ss@db/x", "postgres://***@db/x"),
        ("https://x/?access_token=abc#f", "https://x/?access_token=***"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- x", "*** x"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE", "***"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "***"),
        ("password%3Dhunter2%26x", "password%3D***%26x"),
    ]);
}

#[test]
fn what_only_looks_alike_stays() {
    same(&[
        "12:00:00",
        "12:00:00.123",
        "2026-11-20T12:00:00.123456Z",
        "2026-11-20T12:00:00+02:00",
        "20/Nov/2026:12:00:00 +0000",
        "00:1a:2b:3c:4d:5e",
        "001a.2b3c.4d5e",
        "aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99",
        "550e8400-e29b-41d4-a716-446655440000",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "v1.2.3",
        "1.2.3-beta.4",
        "1.3.6.1.4.1.311",
        "300.1.2.3",
        "Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36",
        "Chrome/120.0.6099.109",
        "std::vec::Vec",
        "[Convert]::FromBase64String",
        "[bool]::add",
        "lodash@4.17.21",
        "@timestamp",
        "PWD=/home/bob ; USER=root ; COMMAND=/bin/sh",
        "Failed password for root",
        "Basic authentication",
        "tocsin_sse_connections",
        "attack.t1110.001",
        "C:\\Windows\\System32\\cmd.exe",
        "::",
        "a:b:c",
        "***",
        "",
        r#"{"a": 1, "b": "x"}"#,
    ]);
}

#[test]
fn values_under_telling_names_are_masked_whatever_they_are() {
    for (value, expect) in [
        (json!({"source": {"ip": "gateway-one"}}), json!({"source": {"ip": "gate***"}})),
        (json!({"source.ip": "unknown"}), json!({"source.ip": "***"})),
        (json!({"src_ip": 3_232_235_777_u64}), json!({"src_ip": "3232***"})),
        (
            json!({"src_ip": ["10.0.0.1", "::1", null, 7]}),
            json!({"src_ip": ["10.0.xxx.xxx", "0:0:xxxx", null, "***"]}),
        ),
        (json!({"X-Forwarded-For": "10.0.0.1, ::1"}), json!({"X-Forwarded-For": "10.0.xxx.xxx, 0:0:xxxx"})),
        (json!({"client_ip": "[::1]:80"}), json!({"client_ip": "0:0:xxxx"})),
        (json!({"client_ip": "1.2.3.4:80"}), json!({"client_ip": "1.2.xxx.xxx"})),
        (json!({"client_ip": {"a": "host-name"}}), json!({"client_ip": {"a": "host***"}})),
        (json!({"user_email": "Alice <alice@example.com>"}), json!({"user_email": "Alic***"})),
        (json!({"api_key": 1234567890}), json!({"api_key": "1234***"})),
        (json!({"api_key": true}), json!({"api_key": "***"})),
        (json!({"api_key": {"a": 1}}), json!({"api_key": "***"})),
        (json!({"api_key": ["a"]}), json!({"api_key": "***"})),
        (json!({"api_key": null}), json!({"api_key": null})),
        (json!({"authorization": "Bearer abcdefgh"}), json!({"authorization": "Bear***"})),
        (json!({"password": "correct horse"}), json!({"password": "***"})),
        (json!({"password": 12345678}), json!({"password": "***"})),
        (json!({"kind": "address", "value": "gateway-one"}), json!({"kind": "address", "value": "gate***"})),
        (json!({"raw": r#"{"client_ip":"gateway-one"}"#}), json!({"raw": r#"{"client_ip":"gate***"}"#})),
    ] {
        assert_eq!(masked(value.clone()), expect, "{value}");
    }
}

#[test]
fn names_are_masked_and_none_is_lost() {
    let value = json!({"10.0.0.1": 1, "10.0.0.2": 2, "alice@example.com": {"::1": 3}});
    let expect = json!({"10.0.xxx.xxx": 1, "10.0.xxx.xxx (2)": 2, "ali***@example.com": {"0:0:xxxx": 3}});
    assert_eq!(masked(value), expect);
}

#[test]
fn what_a_field_holds_is_found_in_other_texts() {
    let value = json!({
        "key": {"api_key": "k3y-of-bob"}, "source_ip": "gateway-one",
        "message": "k3y-of-bob used from gateway-one", "password": "allowed", "outcome": "allowed"
    });
    let expect = json!({
        "key": {"api_key": "k3y-***"}, "source_ip": "gate***",
        "message": "*** used from ***", "password": "***", "outcome": "allowed"
    });
    assert_eq!(masked(value), expect);
    let keys: Vec<Value> = (0..100).map(|n| json!({"api_key": format!("prefix-{n:04}")})).collect();
    let shown = masked(json!({"events": keys, "message": "used prefix-0099 and more"}));
    assert_eq!(shown["message"], "used *** and more");
}

#[test]
fn ids_severities_and_times_survive() {
    let value = json!({
        "alert_id": "7f3a9c0d2b1e4f5a8c6d7e8f9a0b1c2d", "incident_id": "550e8400-e29b-41d4-a716-446655440000",
        "event_id": "0:1234567", "timestamp": "2026-11-20T12:00:00.000000001Z", "severity": "critical",
        "count": 11, "confidence": 0.9, "provisional": false, "session_id": "abc123",
        "rule": {"id": "bruteforce_401", "hash": "e3b0c44298fc1c14", "tags": ["attack.t1110.001"]},
        "recommended_actions": ["block_address", "revoke_tokens"], "superseded_by": null
    });
    assert_eq!(masked(value.clone()), value);
}
