//! A subscriber that is cut off a hundred times, over restarts too, sees each event and each alert
//! once, in order.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tocsin_testkit::sse::{Client, Message};

use crate::server_alerts::id_of;
use crate::server_load::numbers_in;
use crate::server_support::{PATIENCE, Server, Start, key, token};
use crate::support::Folder;

/// Every event of a user raises an alert of its own.
const RULE: &str = "
title: Somebody is there
id: 10000000-0000-4000-8000-00000000000a
logsource: {category: authentication}
detection: {selection: {event.outcome: success}, condition: selection}
level: high
";

const CONFIG: &str = "
rules: [rule.yml]
detect: {lateness: 1s, idle: 1s}
stream: {max_per_user: 200}
log: {level: error}
";

/// How often the subscriber is cut off.
const CUTS: usize = 100;

/// Events sent between two cuts; each becomes an event and an alert on the stream.
const BURSTS: [u64; 7] = [0, 1, 3, 40, 9, 110, 2];

/// A subscriber that comes back with the id it saw last.
#[derive(Default)]
struct Subscriber {
    last_id: String,
    events: Vec<u64>,
    alerts: Vec<String>,
    places: Vec<(u64, u64)>,
}

impl Subscriber {
    /// Connects; reads so many messages, or until it has seen all events, and is cut off.
    fn follow(&mut self, server: &Server, token: &str, messages: usize) {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("Authorization", bearer.as_str())];
        if !self.last_id.is_empty() {
            headers.push(("Last-Event-ID", self.last_id.as_str()));
        }
        let mut stream = Client::open(server.address(), "/events/security", &headers, PATIENCE).unwrap();
        while stream.lint().last_event_id().is_empty() {
            stream.read_chunk().unwrap();
        }
        if self.last_id.is_empty() {
            self.last_id = stream.lint().last_event_id().to_string();
        }
        for _ in 0..messages {
            let message = stream.next_event().unwrap().unwrap();
            self.take(message);
        }
    }

    fn take(&mut self, message: Message) {
        match message.kind.as_str() {
            "security_event" => self.events.extend(numbers_in(message.data.as_bytes())),
            "alert" => self.alerts.push(id_of(&serde_json::from_str::<Value>(&message.data).unwrap())),
            "alert_updated" => {}
            other => panic!("{other}: {}", message.data),
        }
        let mut parts = message.last_event_id.split('.').map(|part| part.parse::<u64>().unwrap_or(0));
        self.places.push((parts.next().unwrap(), parts.next().unwrap()));
        self.last_id = message.last_event_id;
    }
}

fn burst(server: &Server, key: &str, from: u64, count: u64) {
    let event = |number: u64| {
        format!("{{\"type\":\"login_success\",\"user\":\"u{number}\",\"number\":\"#{number}#\"}}\n")
    };
    let body: String = (from..from + count).map(event).collect();
    if count > 0 {
        assert_eq!(server.post_events(key, &body).status, 202);
    }
}

#[test]
fn a_subscriber_cut_off_a_hundred_times_sees_each_alert_once_in_order() {
    let folder = Folder::new().with("rule.yml", RULE);
    let (key, token) = (key(&folder, "ingest"), token(&folder, "ann", "analyst"));
    let start = Start { config: CONFIG, ..Start::default() };
    let mut server = Server::start_with(&folder, &start);
    let mut subscriber = Subscriber::default();
    subscriber.follow(&server, &token, 0);
    let mut sent = 0;
    for cut in 0..CUTS {
        let count = BURSTS[cut % BURSTS.len()];
        burst(&server, &key, sent, count);
        sent += count;
        match cut % 25 {
            11 => {
                server.stop();
                server = Server::start_with(&folder, &start);
            }
            23 => {
                server.kill();
                server = Server::start_with(&folder, &start);
            }
            _ => {}
        }
        // Never to the end: the rest of the stretch belongs to the next connection.
        let behind = (2 * sent) as usize - subscriber.events.len() - subscriber.alerts.len();
        subscriber.follow(&server, &token, behind * (cut % 4) / 4);
    }
    let behind = (2 * sent) as usize - subscriber.events.len() - subscriber.alerts.len();
    subscriber.follow(&server, &token, behind);

    assert_eq!(subscriber.events, (0..sent).collect::<Vec<u64>>());
    let once: BTreeSet<&String> = subscriber.alerts.iter().collect();
    assert_eq!((once.len(), subscriber.alerts.len()), (sent as usize, sent as usize));
    assert!(subscriber.places.is_sorted_by(|one, next| one < next), "out of order");
    let told = server.told();
    assert!(told.iter().all(|line| line.starts_with("[ALERT] ")), "{told:?}");
}

/// Live, a slow subscriber is told what it missed, and misses no alert.
#[test]
fn a_subscriber_that_reads_nothing_for_a_while_is_told_the_gap_and_misses_no_alert() {
    let folder = Folder::new().with("rule.yml", RULE);
    let (key, token) = (key(&folder, "ingest"), token(&folder, "ann", "analyst"));
    let server = Server::start_with(&folder, &Start { config: CONFIG, ..Start::default() });
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str())];
    let mut stream = Client::open(server.address(), "/events/security", &headers, PATIENCE).unwrap();
    while stream.lint().last_event_id().is_empty() {
        stream.read_chunk().unwrap();
    }
    let padding = "x".repeat(4_000);
    let mut sent = 0;
    while sent < 12_000 {
        let event = |number: u64| {
            let kind = if number.is_multiple_of(100) { "login_success" } else { "login_failed" };
            format!("{{\"type\":\"{kind}\",\"user\":\"u{number}\",\"pad\":\"{padding}\"}}\n")
        };
        let body: String = (sent..sent + 1_000).map(event).collect();
        assert_eq!(server.post_events(&key, &body).status, 202);
        sent += 1_000;
    }
    server.at_rest(&token);
    std::thread::park_timeout(Duration::from_millis(100));
    let (mut events, mut missed, mut alerts) = (0, 0, 0);
    while events + missed < sent || alerts < sent / 100 {
        let message = stream.next_event().unwrap().unwrap();
        match message.kind.as_str() {
            "security_event" => events += 1,
            "alert" => alerts += 1,
            "gap" => {
                let gap: Value = serde_json::from_str(&message.data).unwrap();
                assert_eq!(gap["reason"], "overflow");
                missed += gap["missed"].as_u64().unwrap();
            }
            _ => {}
        }
    }
    assert_eq!((events + missed, alerts), (sent, sent / 100));
    assert!(missed > 0);
}
