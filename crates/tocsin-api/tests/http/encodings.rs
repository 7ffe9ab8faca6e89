//! Compressed bodies, and bombs.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::client::Reply;
use crate::house::House;

const EVENTS: &[u8] = b"{\"a\":1}\n{\"a\":2}\n";

fn post(house: &House, encoding: &str, body: &[u8]) -> Reply {
    let headers = [
        ("X-Api-Key", house.ingest.as_str()),
        ("Content-Type", "application/x-ndjson"),
        ("Content-Encoding", encoding),
    ];
    house.client().ask("POST", "/api/v1/events", &headers, body)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

/// Lines that do not compress a hundredfold.
fn ordinary(bytes: usize) -> Vec<u8> {
    let mut text = String::new();
    let mut number = 7u64;
    while text.len() < bytes {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("{{\"source_ip\":\"192.0.2.1\",\"n\":{number}}}\n"));
    }
    text.into_bytes()
}

#[test]
fn gzip_and_zstd_are_taken_off() {
    let house = House::open();
    let ordinary = ordinary(3 << 20);
    for (encoding, body, expect) in [
        ("gzip", gzip(EVENTS), EVENTS),
        ("GZip", gzip(EVENTS), EVENTS),
        ("x-gzip", gzip(EVENTS), EVENTS),
        ("gzip", [gzip(&EVENTS[..8]), gzip(&EVENTS[8..])].concat(), EVENTS),
        ("zstd", zstd(EVENTS), EVENTS),
        ("zstd", [zstd(&EVENTS[..8]), zstd(&EVENTS[8..])].concat(), EVENTS),
        ("identity", EVENTS.to_vec(), EVENTS),
        ("gzip", gzip(&ordinary), &ordinary),
        ("zstd", zstd(&ordinary), &ordinary),
    ] {
        let reply = post(&house, encoding, &body);
        assert_eq!(reply.status, 202, "{encoding}: {}", reply.text());
        assert!(house.taken.lock().unwrap().pop().unwrap().body == expect, "{encoding}");
    }
}

#[test]
fn what_we_cannot_take_off_is_refused_by_name() {
    let house = House::open();
    for encoding in ["br", "deflate", "gzip, gzip", "gzip,zstd", "compress", "", "gzip;q=1"] {
        assert!(post(&house, encoding, &gzip(EVENTS)).problem(415).contains("gzip, zstd"), "{encoding}");
    }
    let two =
        [("X-Api-Key", house.ingest.as_str()), ("Content-Encoding", "gzip"), ("Content-Encoding", "gzip")];
    assert_eq!(house.client().ask("POST", "/api/v1/events", &two, &gzip(EVENTS)).status, 415);
}

#[test]
fn half_of_it_is_none_of_it() {
    let house = House::open();
    let (gz, zs) = (gzip(EVENTS), zstd(EVENTS));
    let mut damaged = gz.clone();
    let at = damaged.len() - 6;
    damaged[at] ^= 1;
    for (encoding, body) in [
        ("gzip", &gz[..gz.len() - 1]),
        ("gzip", &gz[..12]),
        ("gzip", b""),
        ("gzip", EVENTS),
        ("gzip", &damaged),
        ("gzip", &zs),
        ("gzip", &[gz.as_slice(), b"tail"].concat()),
        ("zstd", &zs[..zs.len() - 1]),
        ("zstd", &zs[..5]),
        ("zstd", EVENTS),
        ("zstd", &gz),
        ("zstd", &[zs.as_slice(), b"tail"].concat()),
    ] {
        let reply = post(&house, encoding, body);
        assert_eq!(reply.status, 400, "{encoding} of {}: {}", body.len(), reply.text());
    }
    assert_eq!(post(&house, "zstd", b"").status, 400);
    assert!(house.taken.lock().unwrap().is_empty());
}

#[test]
fn bombs_are_refused_while_they_are_small() {
    let house = House::open();
    let zeros = vec![b'0'; 64 << 20];
    let mut gigabyte = GzEncoder::new(Vec::new(), Compression::default());
    for _ in 0..16 {
        gigabyte.write_all(&zeros).unwrap();
    }
    let gigabyte = gigabyte.finish().unwrap();
    let mut long_window = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    long_window.window_log(27).unwrap();
    long_window.write_all(&zeros).unwrap();
    let long_window = long_window.finish().unwrap();
    let before = resident_bytes();
    for (what, encoding, body) in [
        ("a gigabyte of gzip", "gzip", gigabyte.clone()),
        ("many members", "gzip", gzip(&zeros).repeat(8)),
        ("zstd", "zstd", zstd(&zeros)),
        ("a long window", "zstd", long_window),
        ("gzip in gzip", "gzip", gzip(&gzip(&zeros).repeat(300))),
        ("just too large", "gzip", gzip(&ordinary((16 << 20) + 1))),
    ] {
        let reply = post(&house, encoding, &body);
        assert_eq!(reply.status, 413, "{what}: {}", reply.text());
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more than before");
    assert!(house.taken.lock().unwrap().is_empty());
}

/// What this process holds in memory.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}
