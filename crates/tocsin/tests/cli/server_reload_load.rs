//! Reloads under load, and kills around them: no event is lost, no untouched window begins anew, no
//! alert is told twice, and a replay of the journal gives the same alerts.
//!
//! `make reload-test` runs the long form: `RELOADS=1000` and `CRASH_KILLS=20`.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]
#![expect(clippy::print_stdout, reason = "figures are told")]

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tocsin_testkit::sse::Client;

use crate::server_alerts::{assert_same, canonical, id_of, standing};
use crate::server_load::{Load, Sent};
use crate::server_reload::{BASE, counting};
use crate::server_support::{PATIENCE, Server, Start, key, token};
use crate::support::Folder;

/// Alerts at once, so that whoever follows knows that nothing else comes.
const LAST: &str = "
title: The last one
id: last
level: high
logsource: {category: authentication}
detection: {a: {user.name: last}, condition: a}
";

/// Short times, so that all settles; frequent checkpoints, so that they fall between reloads.
const CONFIG: &str = "
rules: {paths: [rules], watch: false}
detect: {lateness: 1s, grace: 1s, idle: 1s}
store: {checkpoint_bytes: 4MiB, checkpoint_interval: 1s}
stream: {queue: 65536}
log: {level: error}
";

/// The same, with small segments that go soon, so that rule sets go too.
const SMALL: &str = "
rules: {paths: [rules], watch: false}
detect: {lateness: 1s, grace: 1s, idle: 1s}
store: {journal_segment_bytes: 64KiB, checkpoint_bytes: 64KiB, checkpoint_interval: 1s}
log: {level: error}
";

/// Reloads in the short form.
const RELOADS: usize = 50;

/// Kills in the short form.
const KILLS: usize = 3;

/// Reloads before a kill falls somewhere.
const LIVES: u64 = 8;

/// Requests of one sender: more than it gets to send.
const REQUESTS: u64 = 1_000_000;

/// Time between two requests of a sender while rules are reloaded.
const PACE: Duration = Duration::from_millis(20);

/// How long after the last event alerts may take to settle.
const SETTLING: Duration = Duration::from_secs(30);

/// How long a busy server may need for what it has acknowledged.
const RESTING: Duration = Duration::from_secs(600);

fn asked(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).map_or(otherwise, |number| number.parse().unwrap())
}

/// Rules of which one is never touched, one changes its logic with each reload, one only its title,
/// one comes and goes.
fn folder(untouched: usize) -> Folder {
    let folder = Folder::new()
        .with("rules/base.yml", BASE)
        .with("rules/untouched.yml", counting("untouched", "user.name", untouched))
        .with("rules/last.yml", LAST);
    edit(folder.path(), 0);
    folder
}

/// The rules after so many edits.
fn edit(folder: &Path, number: usize) {
    let put = |name: &str, text: String| {
        let (new, path) = (folder.join(format!("{name}.new")), folder.join(format!("rules/{name}.yml")));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, path).unwrap();
    };
    put("edited", counting("edited", "source.ip", 5 + number % 7));
    put(
        "titled",
        counting("titled", "source.ip", 20).replace("title: titled", &format!("title: Nr. {number}")),
    );
    match number % 2 {
        0 => put("coming", counting("coming", "source.ip", 3)),
        _ => std::fs::remove_file(folder.join("rules/coming.yml")).unwrap(),
    }
}

struct House {
    folder: Folder,
    key: String,
    token: String,
}

impl House {
    fn new(untouched: usize) -> House {
        let folder = folder(untouched);
        let (key, token) = (key(&folder, "ingest"), token(&folder, "ann", "admin"));
        House { folder, key, token }
    }

    fn start(&self, config: &str) -> Server {
        Server::start_with(&self.folder, &Start { config, ..Start::default() })
    }

    fn load(&self, server: &Server, sent: &Sent) -> Vec<Load> {
        (0..2).map(|_| sent.load(server.address(), &self.key, REQUESTS)).collect()
    }

    fn reload(&self, server: &Server) -> std::io::Result<Value> {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("Authorization", bearer.as_str())];
        let answer = server.try_send("POST", "/api/v1/rules/reload", &headers, b"")?;
        if answer.status != 200 {
            return Err(std::io::Error::other(answer.text()));
        }
        Ok(answer.json())
    }

    /// The alerts of a replay, each record under the rules of then.
    fn replayed(&self) -> BTreeMap<String, Value> {
        let replay = self.folder.run(&["replay", "--journal", "data", "--json", "-c", "tocsin.yaml"]);
        assert_eq!(replay.code, 0, "{}", replay.err);
        let alerts = replay.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        without_words(alerts.map(|alert| (id_of(&alert), canonical(alert))).collect())
    }

    /// The alerts that stand, once they are those of the replay, or cannot be expected to become so
    /// any more.
    fn settled(&self, server: &Server, replayed: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
        let until = Instant::now() + SETTLING;
        loop {
            let found = without_words(standing(server, &self.token));
            if found == *replayed || Instant::now() > until {
                return found;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn follow(&self, server: &Server) -> Client {
        let bearer = format!("Bearer {}", self.token);
        Client::open(server.address(), "/events/security", &[("Authorization", &bearer)], PATIENCE).unwrap()
    }
}

/// One more failed login of somebody whom no load knows.
fn probe(house: &House, server: &Server) -> Duration {
    let begun = Instant::now();
    let event = "{\"type\":\"login\",\"status\":\"failure\",\"user\":\"probe\"}\n";
    assert_eq!(server.post_events(&house.key, event).status, 202);
    begun.elapsed()
}

/// Ids of alerts as a subscriber is told, up to the last one. A subscriber that is too slow for all
/// events is told that it missed some; of alerts it misses none.
fn told(mut stream: Client) -> Vec<String> {
    let mut alerts = Vec::new();
    while let Ok(Some(message)) = stream.next_event() {
        if message.kind == "alert" {
            let alert: Value = serde_json::from_str(&message.data).unwrap();
            alerts.push(id_of(&alert));
            if alert["rule"]["id"] == "last" {
                break;
            }
        }
    }
    alerts
}

/// Waits until nothing is on its way: a busy machine has much to catch up with.
fn rest(house: &House, server: &Server) -> Value {
    let until = Instant::now() + RESTING;
    loop {
        let ledger = server.json("/api/v1/ledger", &house.token);
        if ledger["in_flight"] == 0 {
            return ledger;
        }
        assert!(Instant::now() < until, "it never comes to rest: {ledger}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Alerts without their words: one that is still open was told in the words of then, and a replay
/// ends it in those of the end.
fn without_words(alerts: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let strip = |(id, mut alert): (String, Value)| {
        for word in ["title", "message"] {
            alert[word].take();
        }
        for word in ["title", "hash"] {
            alert["rule"][word].take();
        }
        for claim in alert["detections"].as_array_mut().unwrap() {
            claim["description"].take();
        }
        (id, alert)
    };
    alerts.into_iter().map(strip).collect()
}

fn quantile(sorted: &[Duration], share: f64) -> Duration {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

#[test]
fn reloads_under_load_lose_no_event_reset_no_window_and_tell_no_alert_twice() {
    let reloads = asked("RELOADS", RELOADS);
    let house = House::new(reloads + 1);
    let server = house.start(CONFIG);
    // What a server in a debug build on a busy machine can follow: a reload waits for what came before it.
    let sent = Sent::paced(PACE);
    let stream = house.follow(&server);
    let (mut waits, mut taken) = (Vec::new(), Vec::new());
    let alerts = std::thread::scope(|scope| {
        let following = scope.spawn(|| told(stream));
        let loads = house.load(&server, &sent);
        waits.push(probe(&house, &server));
        for number in 1..=reloads {
            edit(house.folder.path(), number);
            let begun = Instant::now();
            let answer = house.reload(&server).unwrap();
            taken.push(begun.elapsed());
            assert_eq!((&answer["result"], &answer["edited"]), (&"activated".into(), &1.into()), "{answer}");
            waits.push(probe(&house, &server));
        }
        sent.end();
        loads.into_iter().for_each(Load::join);
        rest(&house, &server);
        let last = "{\"type\":\"login\",\"status\":\"success\",\"user\":\"last\"}\n";
        assert_eq!(server.post_events(&house.key, last).status, 202);
        following.join().unwrap()
    });
    let ledger = rest(&house, &server);
    let acknowledged = sent.acknowledged().len();
    assert_eq!(ledger["accepted"].as_u64().unwrap() as usize, acknowledged + waits.len() + 1);
    assert_eq!(ledger["processed"], ledger["accepted"], "nothing was lost, nothing quarantined");

    let replayed = house.replayed();
    let stored = house.settled(&server, &replayed);
    assert_same(&stored, &replayed);
    let untouched: Vec<&Value> = stored
        .values()
        .filter(|alert| alert["rule"]["id"] == "untouched" && alert["key"]["user.name"] == "probe")
        .collect();
    assert_eq!(untouched.len(), 1, "one window over all reloads");
    assert_eq!(untouched[0]["count"], reloads + 1);
    let once: BTreeSet<&String> = alerts.iter().collect();
    assert_eq!(once.len(), alerts.len(), "an alert was told twice");
    let missing: Vec<&String> = stored.keys().filter(|id| !once.contains(id)).collect();
    assert!(missing.is_empty(), "{} of {} alerts were never told", missing.len(), stored.len());
    tell_pauses(&server, reloads, &sent, &mut taken, &mut waits);
}

/// Figures for whoever runs the long form.
fn tell_pauses(server: &Server, reloads: usize, sent: &Sent, taken: &mut [Duration], waits: &mut [Duration]) {
    taken.sort_unstable();
    waits.sort_unstable();
    let metrics = server.get("/metrics", "").text();
    let swap = |quantile: &str| {
        let name = format!("tocsin_rule_swap_seconds{{quantile=\"{quantile}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or("?").to_string()
    };
    println!(
        "{reloads} reloads beside {} events: pause of the engine p50 {} s, p99 {} s, most {} s; \
         a reload took p50 {:?}, p99 {:?}; an event behind it was acknowledged after p50 {:?}, p99 {:?}",
        sent.acknowledged().len(),
        swap("0.5"),
        swap("0.99"),
        swap("1"),
        quantile(taken, 0.5),
        quantile(taken, 0.99),
        quantile(waits, 0.5),
        quantile(waits, 0.99),
    );
}

#[test]
fn kills_around_reloads_leave_the_alerts_of_a_replay() {
    let house = House::new(1_000_000);
    let sent = Sent::default();
    let seed = RandomState::new();
    let mut number = 0;
    for kill in 0..asked("CRASH_KILLS", KILLS) as u64 {
        let server = house.start(SMALL);
        let loads = house.load(&server, &sent);
        for _ in 0..seed.hash_one(kill) % LIVES {
            number += 1;
            edit(house.folder.path(), number);
            house.reload(&server).unwrap();
        }
        number += 1;
        edit(house.folder.path(), number);
        // The kill falls somewhere within a reload.
        std::thread::scope(|scope| {
            let reloading = scope.spawn(|| house.reload(&server).is_ok());
            std::thread::sleep(Duration::from_millis(seed.hash_one((kill, 1)) % 60));
            server.kill_now();
            reloading.join().unwrap();
        });
        loads.into_iter().for_each(Load::join);
    }
    // What changed while nothing ran is active from the next start on.
    edit(house.folder.path(), number + 1);
    let server = house.start(SMALL);
    let ledger = rest(&house, &server);
    assert!(ledger["accepted"].as_u64().unwrap() as usize >= sent.acknowledged().len());
    assert_eq!(ledger["processed"], ledger["accepted"]);
    let replayed = house.replayed();
    assert!(!replayed.is_empty());
    assert_same(&house.settled(&server, &replayed), &replayed);
    println!("{} reloads, {} events acknowledged", number, sent.acknowledged().len());
}
