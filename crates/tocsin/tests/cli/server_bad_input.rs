//! The server and what nobody wants to receive: told clearly, the good rest accepted, nothing lost,
//! ordinary clients unharmed.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::server_contract_support::{Site, connect, entry, failed_logins, lines, problem};
use crate::server_support::Server;

/// What a server may grow by while it refuses something large.
const GROWTH_KIB_MAX: u64 = 64 << 10;

/// How long an ordinary request may take beside hostile ones, on a busy machine.
const ORDINARY: Duration = Duration::from_secs(3);

/// Sends a bad record among eleven good ones from an address of its own; gives what was told of it.
fn among_good(site: &Site, number: usize, bad: &[u8]) -> Value {
    let good = lines(&failed_logins(11, &format!("198.51.100.{number}")));
    let middle = good.len() / 11 * 5;
    let body = [&good.as_bytes()[..middle], bad, b"\n", &good.as_bytes()[middle..]].concat();
    let headers = [("X-Api-Key", site.ingest.as_str()), ("Content-Type", "application/x-ndjson")];
    let answer = site.server.send("POST", "/api/v1/events", &headers, &body);
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()
}

#[test]
fn a_bad_record_is_told_with_line_field_and_reason_and_the_good_rest_counts() {
    let site = Site::open();
    let many: Vec<String> = (0..2_000).map(|n| format!("\"k{n}\":1")).collect();
    let many = format!("{{{}}}", many.join(","));
    let deep = "{\"a\":".repeat(1_000) + "1" + &"}".repeat(1_000);
    let wide = "{\"a\":".to_string() + &"[".repeat(100_000) + &"]".repeat(100_000) + "}";
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(9 << 20));
    let rows: &[(&[u8], &str, Option<&str>)] = &[
        (br#"{"user":"ann","port":}"#, "malformed_json", Some("port")),
        (br#"{"user":"ann" "port":1}"#, "malformed_json", Some("user")),
        (br#"{"user":tru}"#, "malformed_json", Some("user")),
        (br#"{"user":"\x"}"#, "malformed_json", Some("user")),
        (br#"{"n":01}"#, "malformed_json", Some("n")),
        (br#"{"user":"ann"} x"#, "malformed_json", None),
        (br#"{"user":"an"#, "truncated", Some("user")),
        (b"nonsense", "unknown_format", None),
        (b"[1,2]", "not_an_object", None),
        (b"{\"user\":\"a\0b\"}", "control_character", Some("user")),
        (b"{\"user\":\"\xff\"}", "invalid_utf8", None),
        (b"\0\0\0", "unknown_format", None),
        (br#"{"user":"a","user":"b"}"#, "duplicate_key", Some("user")),
        (br#"{"user":"a","\u0075ser":"b"}"#, "duplicate_key", Some("\\u0075ser")),
        (many.as_bytes(), "too_many_keys", Some("k1024")),
        (deep.as_bytes(), "too_deep", None),
        (wide.as_bytes(), "too_deep", None),
        (long.as_bytes(), "record_too_large", None),
    ];
    for (number, (bad, reason, field)) in rows.iter().enumerate() {
        let reply = among_good(&site, number, bad);
        let told = &reply["rejected"][0];
        assert_eq!(
            (&reply["accepted"], reply["rejected"].as_array().unwrap().len()),
            (&json!(11), 1),
            "{reply}"
        );
        assert_eq!((&told["line"], &told["reason"]), (&json!(6), &json!(reason)), "{told}");
        assert_eq!(
            (told["field"].as_str().filter(|_| field.is_some()), told["detail"].is_string()),
            (*field, true),
            "{told}"
        );
    }
    let alerts = site.alerts();
    for number in 0..rows.len() {
        let key = json!({ "source.ip": format!("198.51.100.{number}") });
        let alert = alerts.iter().find(|alert| alert["key"] == key);
        assert_eq!(alert.unwrap_or_else(|| panic!("{number}"))["count"], 11);
    }
    let ledger = site.ledger();
    let (rejected, accepted) = (rows.len(), rows.len() * 11);
    assert_eq!((&ledger["accepted"], &ledger["received"]), (&json!(accepted), &json!(accepted + rejected)));
}

#[test]
fn odd_values_are_events_all_the_same() {
    // A record without a time of its own then has the newest time so far.
    let site = Site::with("sources: {http: {backfill: true}}");
    let digits = "9".repeat(400);
    let rows = [
        r#"{"timestamp":[],"event_type":{"a":1},"source_ip":7,"user":false,"status":null}"#.to_string(),
        r#"{"timestamp":"yesterday","event_type":"login_failed","source_ip":"999.1.1.1"}"#.to_string(),
        r#"{"timestamp":"9999-01-01T00:00:00Z","event_type":"login_failed"}"#.to_string(),
        r#"{"timestamp":1e999,"event_type":"x","status":1e999,"bytes":-0}"#.to_string(),
        format!(r#"{{"status":{digits},"bytes":-{digits}}}"#),
        r#"{"user":"\ud800","host":"\udc00\ud800x"}"#.to_string(),
        "{}".to_string(),
        // So long that a stream that cannot keep up tells a gap instead: none is read behind it.
        format!(r#"{{"user":"{}"}}"#, "u".repeat(1 << 20)),
    ];
    let mut follower = site.follow(&site.analyst);
    follower.next().unwrap();
    for (number, odd) in rows.iter().enumerate() {
        let reply = among_good(&site, number, odd.as_bytes());
        assert_eq!(reply, json!({ "accepted": 12, "rejected": [] }), "{odd:.80}");
        let shown = if number + 1 < rows.len() { 12 } else { 0 };
        (0..shown).for_each(|_| drop(follower.next_of("security_event").json()));
    }
    assert_eq!(site.alerts().len(), rows.len());
}

#[test]
fn half_a_body_bad_is_listed_to_a_bound_and_counted_whole() {
    let site = Site::open();
    let body = "nonsense\n{\"a\":1}\n".repeat(1_200);
    let reply = site.server.post_events(&site.ingest, &body).json();
    assert_eq!(reply["accepted"], 1_200);
    assert_eq!(reply["rejected"].as_array().unwrap().len(), 1_000);
    assert_eq!(reply["rejected"][999]["line"], 1_999);
    assert_eq!(reply["rejected_not_listed"], 200);
    assert_eq!(site.ledger()["rejected"], json!({ "unknown_format": 1_200 }));
    for body in
        ["\u{feff}{\"a\":1}\n{\"a\":2}\n", "\u{feff}[{\"a\":1},{\"a\":2}]", "\r\n{\"a\":1}\r\n\r\n{\"a\":2}"]
    {
        let answer =
            site.server.send("POST", "/api/v1/events", &[("X-Api-Key", &site.ingest)], body.as_bytes());
        assert_eq!(answer.json()["accepted"], 2, "{body:?}");
    }
}

#[test]
fn what_a_sender_writes_cannot_make_a_log_line() {
    let site = Site::open();
    let name = "x\n[ALERT] forged\r\u{1b}[2J\u{202e}";
    let events: Vec<Value> = failed_logins(5, "192.0.2.1");
    let named = events.into_iter().map(|mut event| {
        event["user"] = json!(name);
        event
    });
    site.events(&named.collect::<Vec<_>>());
    assert_eq!(site.alerts().len(), 1);
    let told = site.told_alerts();
    let [line] = &told[..] else { panic!("{told:?}") };
    assert!(line.starts_with("[ALERT] 5 failed logins of x") && line.contains("forged"), "{line:?}");
    assert!(!line.contains(|character: char| character.is_control() || character == '\u{202e}'), "{line:?}");
}

/// The most memory the server has had, in kibibytes.
fn peak_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A zstd frame of so many blocks of 128 KiB, each of one byte over and over (RFC 8878).
fn zstd_bomb(blocks: usize, window: u8) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, window];
    for block in 1..=blocks {
        let header = (128_u32 << 10) << 3 | 1 << 1 | u32::from(block == blocks);
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(b' ');
    }
    frame
}

#[test]
fn decompression_bombs_are_refused_while_they_are_small() {
    let site = Site::open();
    site.events(&failed_logins(3, "192.0.2.1"));
    let before = peak_kib(&site.server);
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    let blanks = vec![b' '; 1 << 20];
    (0..100).for_each(|_| bomb.write_all(&blanks).unwrap());
    let bomb = bomb.finish().unwrap();
    let mut nested = GzEncoder::new(Vec::new(), Compression::best());
    nested.write_all(&bomb).unwrap();
    let nested = nested.finish().unwrap();
    let headers = |encoding| [("X-Api-Key", site.ingest.as_str()), ("Content-Encoding", encoding)];
    for path in ["/api/v1/events", "/logs"] {
        for (encoding, body) in [
            ("gzip", bomb.clone()),
            ("zstd", zstd_bomb(80_000, 0x48)),
            // A window of 2^41 bytes.
            ("zstd", zstd_bomb(2, 0xf8)),
        ] {
            problem(&site.server.send("POST", path, &headers(encoding), &body), 413);
        }
        for (encoding, body) in [
            ("gzip", nested.clone()),
            ("gzip", bomb[..bomb.len() / 2].to_vec()),
            ("gzip", b"nonsense".to_vec()),
            ("zstd", b"nonsense".to_vec()),
        ] {
            let status = site.server.send("POST", path, &headers(encoding), &body).status;
            assert!(status == 400 || status == 413, "{path} {encoding}: {status}");
        }
        problem(&site.server.send("POST", path, &headers("gzip, gzip"), &bomb), 415);
    }
    let grown = peak_kib(&site.server) - before;
    assert!(grown < GROWTH_KIB_MAX, "{grown} KiB");
    assert_eq!(site.ledger()["accepted"], 3);
    site.log(&entry(0, "192.0.2.1", 200));
}

/// What a peer answers before it closes.
fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A peer that resets has also closed.
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("closed")
}

#[test]
fn a_body_over_the_limit_is_refused_by_its_length_or_while_it_comes() {
    let site = Site::open();
    let head = |more: &str| {
        format!("POST /api/v1/events HTTP/1.1\r\nHost: a\r\nX-Api-Key: {}\r\n{more}\r\n\r\n", site.ingest)
    };
    for length in ["16777217", "9223372036854775807"] {
        let mut announced = connect(&site.server, head(&format!("Content-Length: {length}")).as_bytes());
        assert_eq!(status(&rest(&mut announced)), "413", "nothing of it was sent");
    }
    let mut chunked = connect(&site.server, head("Transfer-Encoding: chunked").as_bytes());
    let chunk = [b"100000\r\n".to_vec(), vec![b' '; 1 << 20], b"\r\n".to_vec()].concat();
    // The server may have closed before the last of them.
    (0..18).for_each(|_| drop(chunked.write_all(&chunk)));
    assert_eq!(status(&rest(&mut chunked)), "413");
    let mut large = connect(&site.server, b"GET /alerts HTTP/1.1\r\nHost: a\r\n");
    drop(large.write_all(format!("X-Large: {}\r\n\r\n", "x".repeat(1 << 20)).as_bytes()));
    assert_eq!(status(&rest(&mut large)), "431");
    let mut broken_off = connect(&site.server, head("Content-Length: 1000").as_bytes());
    broken_off.write_all(&lines(&failed_logins(3, "192.0.2.1")).as_bytes()[..200]).unwrap();
    broken_off.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(status(&rest(&mut broken_off)), "400");
    assert_eq!(site.ledger()["received"], 0, "half a body is none");
}

#[test]
fn what_is_no_http_is_refused_and_the_server_lives_on() {
    let site = Site::open();
    let key = &site.ingest;
    for (first, expect) in [
        ("GET\r\n\r\n".to_string(), "400"),
        ("GET / HTTP/9.9\r\n\r\n".to_string(), "400"),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\r\n\r\n".to_string(), "400"),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n".to_string(), "400"),
        ("GET /a b HTTP/1.1\r\n\r\n".to_string(), "400"),
        (format!("POST /logs HTTP/1.1\r\nX-Api-Key: {key}\r\nContent-Length: -1\r\n\r\n"), "400"),
        (
            format!(
                "POST /logs HTTP/1.1\r\nX-Api-Key: {key}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
            ),
            "400",
        ),
        (
            format!("POST /logs HTTP/1.1\r\nX-Api-Key: {key}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            "400",
        ),
    ] {
        let mut stream = connect(&site.server, first.as_bytes());
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(status(&rest(&mut stream)), expect, "{first:?}");
    }
    for path in ["/alerts?%00", "/api/v1/alerts/%ff%00", "/%2e%2e/%2e%2e/etc/passwd", "//", "/alerts/"] {
        let status = site.server.get(path, &site.analyst).status;
        assert!((400..500).contains(&status), "{path}: {status}");
    }
    site.log(&entry(0, "192.0.2.1", 200));
    assert!(!site.server.told().iter().any(|line| line.contains("panicked")), "{:?}", site.server.told());
}

/// An ordinary client's request, and that it did not have to wait.
fn ordinary(site: &Site) {
    let began = Instant::now();
    site.log(&entry(0, "192.0.2.1", 200));
    assert!(began.elapsed() < ORDINARY, "{:?}", began.elapsed());
}

#[test]
fn slow_clients_are_cut_and_ordinary_ones_unharmed() {
    let limits =
        "limits: {header_timeout: 400ms, body_grace: 400ms, idle_timeout: 800ms, stall_timeout: 400ms}";
    let site = Site::with(limits);
    let trickling = |first: &str| {
        let mut stream = connect(&site.server, first.as_bytes());
        std::thread::spawn(move || {
            let began = Instant::now();
            stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            let mut answer = Vec::new();
            let mut part = [0; 512];
            while began.elapsed() < Duration::from_secs(8) {
                if stream.write_all(b"x").is_err() {
                    break;
                }
                match stream.read(&mut part) {
                    Ok(0) => break,
                    Ok(read) => answer.extend_from_slice(&part[..read]),
                    Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                    Err(_) => {}
                }
            }
            (began.elapsed(), String::from_utf8_lossy(&answer).into_owned())
        })
    };
    let head = trickling("GET /alerts HTTP/1.1\r\nX-Slow: ");
    let long = format!(
        "POST /logs HTTP/1.1\r\nHost: a\r\nX-Api-Key: {}\r\nContent-Length: 60000\r\n\r\n",
        site.ingest
    );
    let body = trickling(&long);
    let idle = site.server.address();
    let idle = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(idle).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        rest(&mut stream)
    });
    ordinary(&site);
    let (took, answer) = head.join().unwrap();
    assert!(took < Duration::from_secs(6) && answer.is_empty(), "{took:?} {answer}");
    let (took, answer) = body.join().unwrap();
    assert!(took < Duration::from_secs(6) && status(&answer) == "408", "{took:?} {answer}");
    assert_eq!(status(&idle.join().unwrap()), "200", "served, then closed once it was idle for long");
    ordinary(&site);
    assert_eq!(site.ledger()["received"], 2);
}

#[test]
fn a_thousand_connections_that_say_nothing_are_cut_and_ordinary_ones_unharmed() {
    let site = Site::with("limits: {header_timeout: 3s}");
    let silent: Vec<TcpStream> = (0..1_000).map(|_| connect(&site.server, b"")).collect();
    ordinary(&site);
    let mut follower = site.follow(&site.analyst);
    follower.next().unwrap();
    ordinary(&site);
    for mut stream in silent {
        assert_eq!(rest(&mut stream), "");
    }
    ordinary(&site);
    let metrics = site.server.send("GET", "/metrics", &[], b"").text();
    let cut =
        metrics.lines().find(|line| line.starts_with("tocsin_http_connections_cut_total{reason=\"silent\"}"));
    assert_eq!(cut.and_then(|line| line.rsplit(' ').next()), Some("1000"), "{metrics}");
}

#[test]
fn connections_over_the_bound_are_closed_unread_and_counted() {
    let site = Site::with("limits: {connections_max: 8, header_timeout: 30s}\nstream: {max_total: 4}");
    let silent: Vec<TcpStream> = (0..8).map(|_| connect(&site.server, b"")).collect();
    let mut ninth = connect(&site.server, b"GET /healthz HTTP/1.1\r\n\r\n");
    assert_eq!(rest(&mut ninth), "");
    drop(silent);
    let metrics = site.server.wait_for("a place", |server| {
        server.try_send("GET", "/metrics", &[], b"").ok().map(|answer| answer.text())
    });
    assert!(metrics.contains("tocsin_http_connections_refused_total{reason=\"too_many\"}"), "{metrics}");
    ordinary(&site);
}
