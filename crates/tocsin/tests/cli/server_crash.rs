//! Kills: at every numbered point between write, sync, commit, checkpoint and rename, then at random
//! under load. Whatever was acknowledged is in the journal; the alerts are those of a replay of the
//! journal; subscribers were told of each once.
//!
//! `make crash-test` runs the long form: `CRASH_KILLS=50` kills at random.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use serde_json::Value;
use tocsin_testkit::sse::Client;

use crate::server_alerts::{assert_same, canonical, id_of, standing};
use crate::server_load::{Sent, numbers_in};
use crate::server_support::{PATIENCE, Server, Start, key, token};
use crate::support::Folder;

/// Small segments and frequent checkpoints, so that every point is passed soon; short times, so
/// that all settles.
const CONFIG: &str = "
detect: {lateness: 1s, grace: 1s, idle: 1s}
store: {journal_segment_bytes: 64KiB, checkpoint_bytes: 64KiB, checkpoint_interval: 1s}
log: {level: error}
";

/// Points that are passed in any life of a server under load: number and how often before the kill.
const POINTS: [(u16, u32); 13] = [
    (1, 5),
    (2, 7),
    (3, 6),
    (4, 9),
    (5, 8),
    (6, 1),
    (7, 1),
    (8, 5),
    (9, 6),
    (10, 1),
    (11, 1),
    (12, 1),
    (13, 1),
];

/// How long after the last event alerts may take to settle.
const SETTLING: Duration = Duration::from_secs(20);

/// Kills at random in the short form.
const KILLS: usize = 3;

/// Requests of one sender in one life: more than it gets to send.
const REQUESTS: u64 = 4_000;

struct Trial {
    folder: Folder,
    key: String,
    token: String,
    sent: Sent,
    first_id: String,
}

impl Trial {
    /// A folder, its credentials, and the id of a stream that has seen nothing yet.
    fn new() -> Trial {
        let folder = Folder::new();
        let (key, token) = (key(&folder, "ingest"), token(&folder, "ann", "admin"));
        let server = Server::start_with(&folder, &Start { config: CONFIG, ..Start::default() });
        let mut stream = follow(&server, &token, None);
        while stream.lint().last_event_id().is_empty() {
            stream.read_chunk().unwrap();
        }
        let first_id = stream.lint().last_event_id().to_string();
        drop(stream);
        server.stop();
        Trial { folder, key, token, sent: Sent::default(), first_id }
    }

    /// One life that ends at a point. Whether the point was passed.
    fn die_at(&self, point: u16, pass: u32) -> bool {
        let at = format!("{point}:{pass}");
        let start = Start { config: CONFIG, variables: &[("TOCSIN_CRASH_AT", &at)] };
        // Some points are passed before the server listens.
        let Ok(server) = Server::try_start(&self.folder, &start) else { return true };
        let loads: Vec<_> = (0..4).map(|_| self.sent.load(server.address(), &self.key, REQUESTS)).collect();
        loads.into_iter().for_each(crate::server_load::Load::join);
        server.has_died()
    }

    /// One life that ends after this long.
    fn die_after(&self, time: Duration) {
        let start = Start { config: CONFIG, ..Start::default() };
        let server = Server::start_with(&self.folder, &start);
        let loads: Vec<_> = (0..4).map(|_| self.sent.load(server.address(), &self.key, REQUESTS)).collect();
        std::thread::park_timeout(time);
        server.kill();
        loads.into_iter().for_each(crate::server_load::Load::join);
    }

    /// Starts once more, lets all settle, and compares.
    fn check(&self) {
        let start = Start { config: CONFIG, ..Start::default() };
        let server = Server::start_with(&self.folder, &start);
        let ledger = server.at_rest(&self.token);
        let (kept, replayed) = (self.journal(), self.replayed());
        let stored = self.settled(&server, &replayed);
        assert_same(&stored, &replayed);
        let (alerts, events) = self.streamed(&server, kept.len(), &replayed);
        server.stop();

        let acknowledged = self.sent.acknowledged();
        let lost: Vec<&u64> = acknowledged.difference(&kept).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        assert!(!acknowledged.is_empty());
        assert_eq!(ledger["accepted"].as_u64().unwrap() as usize, kept.len());
        assert!(!replayed.is_empty());
        let once: BTreeSet<&String> = alerts.iter().collect();
        assert_eq!(once.len(), alerts.len(), "an alert was told twice");
        assert_eq!(events.len(), kept.len(), "events on the stream");
        assert_eq!(events.iter().copied().collect::<BTreeSet<u64>>(), kept);
    }

    /// The alerts that stand, once they are those of the replay, or cannot be expected to become so
    /// any more.
    fn settled(&self, server: &Server, replayed: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
        let until = Instant::now() + SETTLING;
        server.wait_for("settled alerts", |server| {
            let found = standing(server, &self.token);
            (found == *replayed || Instant::now() > until).then_some(found)
        })
    }

    /// What a subscriber is told who was there at the beginning, until it has seen so many events and
    /// these alerts: ids of alerts and numbers of events, in order.
    fn streamed(
        &self,
        server: &Server,
        events: usize,
        wanted: &BTreeMap<String, Value>,
    ) -> (Vec<String>, Vec<u64>) {
        let mut stream = follow(server, &self.token, Some(&self.first_id));
        let (mut alerts, mut numbers) = (Vec::new(), Vec::new());
        let mut missing: BTreeSet<&String> = wanted.keys().collect();
        while numbers.len() < events || !missing.is_empty() {
            let seen = numbers.len();
            let message = stream.next_event().unwrap_or_else(|error| {
                panic!("{error}: {seen} of {events} events were told, and not the alerts {missing:?}")
            });
            let message = message.expect("a stream that goes on");
            match message.kind.as_str() {
                "security_event" => numbers.extend(numbers_in(message.data.as_bytes())),
                "alert" => {
                    let id = id_of(&serde_json::from_str(&message.data).unwrap());
                    missing.remove(&id);
                    alerts.push(id);
                }
                "alert_updated" => {}
                other => panic!("{other}: {}", message.data),
            }
        }
        (alerts, numbers)
    }

    /// The numbers of the events that lie in the journal.
    fn journal(&self) -> BTreeSet<u64> {
        let sound = self.folder.run(&["verify", "data", "--json"]);
        assert_eq!(sound.code, 0, "{} {}", sound.out, sound.err);
        let mut numbers = BTreeSet::new();
        for entry in std::fs::read_dir(self.folder.path().join("data/journal")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "log") {
                numbers.extend(numbers_in(&std::fs::read(path).unwrap()));
            }
        }
        numbers
    }

    /// The alerts of a replay of the journal that treats time as the server does.
    fn replayed(&self) -> BTreeMap<String, Value> {
        let replay = self.folder.run(&["replay", "--journal", "data", "-c", "tocsin.yaml", "--json"]);
        assert_eq!(replay.code, 0, "{}", replay.err);
        let alerts = replay.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        alerts.map(|alert| (id_of(&alert), canonical(alert))).collect()
    }
}

fn follow(server: &Server, token: &str, from: Option<&str>) -> Client {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("Authorization", bearer.as_str())];
    headers.extend(from.map(|id| ("Last-Event-ID", id)));
    Client::open(server.address(), "/events/security", &headers, PATIENCE).unwrap()
}

#[test]
fn kills_at_every_point_and_at_random_lose_nothing_and_tell_nothing_twice() {
    let trial = Trial::new();
    for (point, pass) in POINTS {
        assert!(trial.die_at(point, pass), "point {point} was not passed");
    }
    trial.check();
    let asked = std::env::var("CRASH_KILLS").ok();
    let kills = asked.map_or(KILLS, |number| number.parse().unwrap());
    let seed = RandomState::new();
    for kill in 0..kills {
        trial.die_after(Duration::from_millis(20 + seed.hash_one(kill) % 700));
    }
    trial.check();
    println!("{} events acknowledged", trial.sent.acknowledged().len());
}

/// Freeing a segment is the one point at which the journal loses something on purpose.
#[test]
fn a_kill_while_the_journal_makes_room_leaves_it_sound() {
    let config = "
store: {journal_segment_bytes: 64KiB, journal_bytes_max: 1MiB, checkpoint_bytes: 64KiB, checkpoint_interval: 1s}
log: {level: error}
";
    let folder = Folder::new();
    let (key, token) = (key(&folder, "ingest"), token(&folder, "ann", "admin"));
    let start = Start { config, variables: &[("TOCSIN_CRASH_AT", "14:2")] };
    let server = Server::start_with(&folder, &start);
    let sent = Sent::default();
    let loads: Vec<_> = (0..4).map(|_| sent.load(server.address(), &key, REQUESTS)).collect();
    loads.into_iter().for_each(crate::server_load::Load::join);
    assert!(server.has_died(), "no segment was freed");
    let server = Server::start_with(&folder, &Start { config, ..Start::default() });
    let ledger = server.at_rest(&token);
    assert!(ledger["accepted"].as_u64().unwrap() as usize >= sent.acknowledged().len());
    assert_eq!(folder.run(&["verify", "data"]).code, 0);
}
