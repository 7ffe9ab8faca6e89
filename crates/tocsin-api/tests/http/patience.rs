//! Peers who are slow in every way there is, and the many.

use std::io::Read;
use std::time::{Duration, Instant};

use tocsin_api::HttpLimits;
use tocsin_pipeline::readiness::Part;

use crate::client::{Client, request};
use crate::house::House;

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(30);

fn house(change: impl FnOnce(&mut HttpLimits)) -> House {
    House::with(|config| change(&mut config.limits))
}

/// Sends a byte at a time until the connection ends; how long that took.
fn trickle(client: &mut Client, byte: u8) -> Duration {
    let began = Instant::now();
    client.stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut space = [0; 1024];
    loop {
        match client.stream.read(&mut space) {
            Ok(0) => return began.elapsed(),
            Ok(_) => {}
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) =>
            {
                client.send_until_closed(&[byte]);
            }
            Err(_) => return began.elapsed(),
        }
        assert!(began.elapsed() < LONG, "the connection does not end");
    }
}

#[test]
fn a_head_that_never_comes_or_trickles_ends_the_connection() {
    let house = house(|limits| limits.head_patience = SHORT);
    let began = Instant::now();
    assert_eq!(house.client().rest(), b"");
    assert!(began.elapsed() >= SHORT, "{:?}", began.elapsed());
    let mut client = house.client();
    client.send("GET /healthz HTTP/1.1\r\nX: ");
    assert!(trickle(&mut client, b'x') < Duration::from_secs(5));
}

#[test]
fn an_idle_connection_lives_longer_than_a_head_may_take() {
    let house = house(|limits| {
        limits.head_patience = SHORT;
        limits.idle_patience = 4 * SHORT;
    });
    let mut client = house.client();
    assert_eq!(client.ask("GET", "/healthz", &[], b"").status, 200);
    // Not waiting for anything but time: what must not happen cannot be awaited.
    let mut space = [0; 16];
    client.stream.set_read_timeout(Some(2 * SHORT)).unwrap();
    assert!(client.stream.read(&mut space).is_err(), "nothing has come, and no end either");
    client.stream.set_read_timeout(Some(LONG)).unwrap();
    assert_eq!(client.ask("GET", "/healthz", &[], b"").status, 200);
    let began = Instant::now();
    assert_eq!(client.rest(), b"");
    assert!(began.elapsed() >= 3 * SHORT, "{:?}", began.elapsed());
    let mut client = house.client();
    assert_eq!(client.ask("GET", "/healthz", &[], b"").status, 200);
    client.send("G");
    let began = Instant::now();
    client.rest();
    assert!(began.elapsed() < 3 * SHORT, "a head has begun: {:?}", began.elapsed());
}

#[test]
fn a_body_that_trickles_is_refused() {
    let house = house(|limits| limits.body_grace = SHORT);
    for framing in [("Content-Length", "100000"), ("Transfer-Encoding", "chunked")] {
        let mut client = house.client();
        let headers = [("X-Api-Key", house.ingest.as_str()), framing];
        client.send(request("POST", "/api/v1/events", &headers, b""));
        client.send(if framing.1 == "chunked" { "100\r\n{" } else { "{" });
        let reply = client.reply();
        assert!(reply.problem(408).contains("slowly"));
        assert_eq!(reply.header("connection"), Some("close"));
        client.rest();
    }
    let mut client = house.client();
    let headers = [("X-Api-Key", house.ingest.as_str()), ("Content-Length", "100000")];
    client.send(request("POST", "/api/v1/events", &headers, b""));
    assert!(trickle(&mut client, b' ') < Duration::from_secs(5));
    assert!(house.taken.lock().unwrap().is_empty());
}

#[test]
fn a_body_that_comes_steadily_may_take_its_time_up_to_a_point() {
    let house = house(|limits| {
        limits.body_grace = Duration::from_millis(1);
        limits.body_patience = 3 * SHORT;
    });
    let mut client = house.client();
    let headers = [("X-Api-Key", house.ingest.as_str()), ("Content-Length", "9000000")];
    client.send(request("POST", "/api/v1/events", &headers, &[b' '; 90_000]));
    let began = Instant::now();
    assert_eq!(client.reply().status, 408);
    assert!(began.elapsed() >= 2 * SHORT, "{:?}", began.elapsed());
}

#[test]
fn a_peer_who_does_not_read_is_cut() {
    let house = house(|limits| {
        limits.stall_patience = SHORT;
        limits.connections_max = 1;
    });
    house.readiness.set(Part::Store, Some("x".repeat(1 << 20)));
    let mut client = house.client();
    // The answers fill every buffer between us; then nothing moves.
    client.send(request("GET", "/readyz", &[], b"").repeat(100));
    wait_for_a_place(&house);
    let mut got = 0;
    let mut space = vec![0; 1 << 20];
    while let Ok(count @ 1..) = client.stream.read(&mut space) {
        got += count;
    }
    assert!(got < 90 << 20, "{got} bytes came: it was not cut");
}

#[test]
fn a_thousand_silent_connections_keep_nobody_else_waiting() {
    let house = house(|limits| limits.head_patience = LONG);
    let silent: Vec<Client> = (0..1_000).map(|_| house.client()).collect();
    let mut client = house.client();
    let began = Instant::now();
    for _ in 0..200 {
        assert_eq!(client.ask("GET", "/healthz", &[], b"").status, 200);
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    drop(silent);
}

#[test]
fn connections_beyond_the_bounds_are_closed_at_once() {
    for per_peer in [true, false] {
        let house = house(|limits| {
            let bound =
                if per_peer { &mut limits.connections_per_peer_max } else { &mut limits.connections_max };
            *bound = 3;
        });
        let mut inside: Vec<Client> = (0..3).map(|_| house.client()).collect();
        for client in &mut inside {
            assert_eq!(client.ask("GET", "/healthz", &[], b"").status, 200);
        }
        assert_eq!(house.client().rest(), b"", "one too many");
        drop(inside.pop());
        wait_for_a_place(&house);
    }
}

/// Knocks until somebody is let in.
fn wait_for_a_place(house: &House) {
    let began = Instant::now();
    loop {
        let mut client = house.client();
        client.send_until_closed(&request("GET", "/healthz", &[("Connection", "close")], b""));
        if client.rest().starts_with(b"HTTP/1.1 200") {
            return;
        }
        assert!(began.elapsed() < LONG, "no place became free");
    }
}

#[test]
fn stopping_ends_idle_connections_and_lets_requests_finish() {
    let house = House::open();
    let mut idle = house.client();
    assert_eq!(idle.ask("GET", "/healthz", &[], b"").status, 200);
    let mut stream = house.client();
    let bearer = format!("Bearer {}", house.token(&["analyst"]));
    stream.send(request("GET", "/events/security", &[("Authorization", &bearer)], b""));
    let mut first = [0; 15];
    stream.stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    let mut busy = house.client();
    begin_body(&mut busy, &house);
    house.stop.stop();
    assert_eq!(idle.rest(), b"");
    busy.send(b"{\"a\":1}");
    assert_eq!(busy.reply().status, 202);
    assert_eq!(busy.rest(), b"");
    stream.rest();
    house.close();
}

#[test]
fn a_request_that_will_not_end_is_cut_when_the_server_stops() {
    let house = house(|limits| limits.stop_patience = SHORT);
    let mut client = house.client();
    begin_body(&mut client, &house);
    house.stop.stop();
    let began = Instant::now();
    client.rest();
    assert!(began.elapsed() < LONG / 3, "{:?}", began.elapsed());
    house.close();
}

/// Sends a head, and returns once the handler waits for the body.
fn begin_body(client: &mut Client, house: &House) {
    let headers = [("X-Api-Key", house.ingest.as_str()), ("Content-Length", "7"), ("Expect", "100-continue")];
    client.send(request("POST", "/api/v1/events", &headers, b""));
    let mut space = [0; 25];
    client.stream.read_exact(&mut space).unwrap();
    assert_eq!(&space, b"HTTP/1.1 100 Continue\r\n\r\n");
}
