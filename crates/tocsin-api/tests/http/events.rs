//! `POST /api/v1/events`.

use serde_json::json;
use tocsin_pipeline::intake::{Answer, BodyShape};

use crate::client::{Client, Reply, request};
use crate::house::House;

fn post(client: &mut Client, house: &House, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut all = vec![("X-Api-Key", house.ingest.as_str())];
    all.extend(headers);
    client.ask("POST", "/api/v1/events", &all, body)
}

#[test]
fn bodies_are_cut_as_their_type_says_or_as_they_look() {
    let house = House::open();
    let mut client = house.client();
    let json = Some("application/json");
    let lines = Some("application/x-ndjson");
    for (kind, body, shape, accepted) in [
        (json, "{\"a\":1}", BodyShape::Lines, 1),
        (json, "{\"a\":1}\n{\"a\":2}", BodyShape::Lines, 2),
        (json, "[{\"a\":1},{\"a\":2}]", BodyShape::Json, 2),
        (Some("Application/JSON; charset=utf-8"), "{\n\"a\":1}\n{\"a\":2}", BodyShape::Json, 2),
        (lines, "{\"a\":1}\n\n{\"a\":2}\r\n{\"a\":3}", BodyShape::Lines, 3),
        (Some("application/jsonl"), "{\"a\":1}", BodyShape::Lines, 1),
        (None, "{\"a\":1}\n{\"a\":2}", BodyShape::Lines, 2),
        (None, "[{\"a\":1}]", BodyShape::Json, 1),
        (None, "{\n\"a\":1}", BodyShape::Json, 1),
        (Some("text/plain"), "{\"a\":1}", BodyShape::Lines, 1),
        (Some("application/x-www-form-urlencoded"), "[{\"a\":1}]", BodyShape::Json, 1),
    ] {
        let headers: Vec<_> = kind.iter().map(|kind| ("Content-Type", *kind)).collect();
        let reply = post(&mut client, &house, &headers, body.as_bytes());
        assert_eq!(reply.status, 202, "{kind:?} {body}: {}", reply.text());
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.json(), json!({ "accepted": accepted, "rejected": [] }));
        let taken = house.taken.lock().unwrap().pop().unwrap();
        assert_eq!((taken.shape, taken.body.as_slice()), (shape, body.as_bytes()), "{kind:?}");
        assert_eq!(taken.tenant, house.acme());
    }
}

#[test]
fn what_is_refused_is_listed_and_nothing_at_all_is_an_error() {
    let house = House::open();
    let mut client = house.client();
    let reply = post(&mut client, &house, &[], b"{\"a\":1}\nnonsense\n{\"a\":2}");
    assert_eq!(reply.status, 202);
    let told = reply.json();
    assert_eq!((&told["accepted"], &told["rejected"][0]["line"]), (&json!(2), &json!(2)));
    assert_eq!(told["rejected"][0]["reason"], "malformed_json");

    let reply = post(&mut client, &house, &[], b"nonsense\n\nmore");
    assert_eq!(reply.problem(400), "none of the events could be accepted");
    let lines: Vec<_> =
        reply.json()["errors"].as_array().unwrap().iter().map(|error| error["line"].clone()).collect();
    assert_eq!(lines, [1, 3]);
    for empty in ["", " ", "\n\n", "[]"] {
        let kind = if empty == "[]" { "application/json" } else { "application/x-ndjson" };
        let reply = post(&mut client, &house, &[("Content-Type", kind)], empty.as_bytes());
        assert_eq!(reply.problem(400), "the body holds no events", "{empty:?}");
    }
}

#[test]
fn a_request_may_be_repeated_under_its_key() {
    let house = House::open();
    let mut client = house.client();
    let key = [("Idempotency-Key", "batch-7/~")];
    let first = post(&mut client, &house, &key, b"{\"a\":1}\nnonsense");
    let again = post(&mut client, &house, &key, b"{\"a\":1}\nnonsense");
    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!(first.body, again.body);
    let packed = zstd::encode_all(&b"{\"a\":1}\nnonsense"[..], 0).unwrap();
    let headers = [key[0], ("Content-Encoding", "zstd")];
    assert_eq!(post(&mut client, &house, &headers, &packed).body, first.body, "the content is the same");
    let other = post(&mut client, &house, &key, b"{\"a\":2}");
    assert!(other.problem(422).contains("Idempotency-Key"));
}

#[test]
fn a_key_that_is_none_is_refused() {
    let house = House::open();
    let (long, longest) = ("k".repeat(256), "k".repeat(255));
    for bad in ["", "a b", "\u{e9}", "a\tb", &long] {
        let reply = post(&mut house.client(), &house, &[("Idempotency-Key", bad)], b"{}");
        assert!(reply.problem(400).starts_with("Idempotency-Key"), "{bad:?}");
        assert_eq!(reply.json()["errors"][0]["field"], "Idempotency-Key");
    }
    let two = [("Idempotency-Key", "a"), ("Idempotency-Key", "a")];
    assert_eq!(post(&mut house.client(), &house, &two, b"{}").status, 400);
    assert_eq!(post(&mut house.client(), &house, &[("Idempotency-Key", &longest)], b"{}").status, 202);
}

#[test]
fn a_stage_that_cannot_write_or_is_gone_is_told_with_a_time_to_come_back() {
    let house = House::open();
    let mut client = house.client();
    house.answers.lock().unwrap().push(Answer::Unavailable("the journal is full".into()));
    let reply = post(&mut client, &house, &[], b"{}");
    assert_eq!(reply.problem(503), "the journal is full");
    assert_eq!(reply.header("retry-after"), Some("1"));
    house.answers.lock().unwrap().push(Answer::Conflict);
    assert_eq!(post(&mut client, &house, &[], b"{}").status, 422);
}

#[test]
fn bodies_beyond_the_limit_are_refused_before_and_while_they_come() {
    let house = House::with(|config| config.limits.body_bytes_max = 100_000);
    let large = vec![b' '; 4 << 20];
    let mut client = house.client();
    let headers = [("X-Api-Key", house.ingest.as_str())];
    client.send_until_closed(&request("POST", "/api/v1/events", &headers, &large));
    assert!(client.reply().problem(413).contains("100000 bytes"), "by its length");
    client.rest();

    let mut client = house.client();
    let announced = [headers[0], ("Content-Length", "4194304")];
    client.send(request("POST", "/api/v1/events", &announced, b""));
    assert_eq!(client.reply().status, 413, "before a byte of it came");

    let mut client = house.client();
    let chunked = [headers[0], ("Transfer-Encoding", "chunked")];
    client.send(request("POST", "/api/v1/events", &chunked, b""));
    let chunk = [format!("{:x}\r\n", large.len()).as_bytes(), &large, b"\r\n0\r\n\r\n"].concat();
    client.send_until_closed(&chunk);
    assert_eq!(client.reply().status, 413, "as it grew");
    let fits = [&vec![b' '; 99_990][..], b"{\"a\":1}"].concat();
    assert_eq!(post(&mut house.client(), &house, &[], &fits).status, 202);
}

#[test]
fn a_body_that_breaks_off_is_not_taken() {
    let house = House::open();
    let mut client = house.client();
    let headers = [("X-Api-Key", house.ingest.as_str()), ("Content-Length", "100")];
    client.send(request("POST", "/api/v1/events", &headers, b"{\"a\":1}\n"));
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    client.rest();
    assert!(house.taken.lock().unwrap().is_empty());
}
