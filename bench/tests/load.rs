//! The load client against a small server that takes every body and raises an alert for each marked
//! event, over a stream in chunks cut at odd places.

#![expect(clippy::unwrap_used, reason = "a server that cannot play its part fails the test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tocsin_bench::load::{Load, run};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};

const KEY: &str = "a-key";
const TOKEN: &str = "a-token";

/// Where alerts are read from by the one stream.
type Alerts = Arc<Mutex<Receiver<String>>>;

/// A server that answers bodies with this status and skips the alert of this body.
async fn fake(status: &'static str, skipped: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (raise, alerts) = channel(1_000);
    let alerts: Alerts = Arc::new(Mutex::new(alerts));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, status, skipped, raise.clone(), Arc::clone(&alerts)));
        }
    });
    address
}

async fn serve(
    stream: TcpStream,
    status: &'static str,
    skipped: usize,
    raise: Sender<String>,
    alerts: Alerts,
) {
    let mut stream = BufReader::new(stream);
    while let Some((head, body)) = request(&mut stream).await {
        if head.starts_with("GET /events/security ") {
            assert!(head.contains(&format!("Authorization: Bearer {TOKEN}\r\n")), "{head}");
            return follow(stream, alerts).await;
        }
        assert!(head.starts_with("POST /api/v1/events "), "{head}");
        assert!(head.contains(&format!("X-Api-Key: {KEY}\r\n")), "{head}");
        let reply = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}");
        stream.write_all(reply.as_bytes()).await.unwrap();
        for line in body.lines().filter(|line| line.contains("login_marked")) {
            if !line.contains(&format!("-{skipped}.")) {
                raise.send(line.to_owned()).await.unwrap();
            }
        }
    }
}

async fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.unwrap() == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    Some((head, String::from_utf8(body).unwrap()))
}

/// Writes alerts in chunks of seven bytes.
async fn follow(mut stream: BufReader<TcpStream>, alerts: Alerts) {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    while let Some(alert) = alerts.lock().await.recv().await {
        let frames =
            format!(": heartbeat\n\nevent: alert\ndata: {alert}\n\nevent: alert_updated\ndata: {alert}\n\n");
        for piece in frames.as_bytes().chunks(7) {
            let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
            if stream.write_all(&chunk).await.is_err() {
                return;
            }
        }
    }
}

fn load(address: SocketAddr) -> Load {
    Load {
        address,
        key: KEY.to_owned(),
        token: TOKEN.to_owned(),
        rate: 20_000.0,
        events: 100,
        every: 4,
        time: Duration::from_millis(200),
        connections: 3,
        patience: Duration::from_secs(30),
    }
}

#[tokio::test]
async fn every_body_is_sent_when_due_and_every_alert_seen_once() {
    let report = run(load(fake("202 Accepted", 1).await)).await.unwrap();
    // 20,000 events a second for 0.2 s in bodies of 100.
    assert_eq!(report["statuses"], serde_json::json!({ "202": 40 }));
    assert_eq!((&report["marked"], &report["seen"]), (&10.into(), &10.into()));
    let times = &report["seen_ms"];
    assert!(times["p50"].as_f64().unwrap() <= times["max"].as_f64().unwrap(), "{report}");
    assert!(report["seconds"].as_f64().unwrap() >= 0.19, "{report}");
}

#[tokio::test]
async fn what_is_turned_away_counts_neither_as_marked_nor_as_seen() {
    let report = run(load(fake("429 Too Many Requests", 1).await)).await.unwrap();
    assert_eq!(report["statuses"], serde_json::json!({ "429": 40 }));
    assert_eq!((&report["marked"], &report["answered_ms"]["p50"]), (&0.into(), &serde_json::Value::Null));
}

#[tokio::test]
async fn an_alert_that_never_comes_is_reported() {
    let patience = Duration::from_millis(50);
    let load = Load { patience, ..load(fake("202 Accepted", 8).await) };
    let report = run(load).await.unwrap();
    assert_eq!((&report["marked"], &report["seen"]), (&10.into(), &9.into()));
}
