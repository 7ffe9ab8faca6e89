//! Rules changed while the server runs: what changes, what goes on over the change, and what a wrong
//! set leaves alone.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server_support::{Answer, Server, Start, key, token};
use crate::support::Folder;

/// Failed logins; feeds the others.
pub const BASE: &str = "
title: Failed login
name: failure
level: low
logsource: {category: authentication}
detection: {a: {event.outcome: failure}, condition: a}
";

/// Files are read when somebody asks, and not before; alerts are final soon.
const UNWATCHED: &str = "
rules: {paths: [rules], watch: false}
detect: {lateness: 1s, idle: 1s}
";

/// So many failures of one `field` within an hour.
pub fn counting(id: &str, field: &str, threshold: usize) -> String {
    format!(
        "title: {id}\nid: {id}\nlevel: high\ncorrelation:\n  type: event_count\n  rules: [failure]\n  \
         group-by: [{field}]\n  timespan: 1h\n  condition: {{gte: {threshold}}}\n"
    )
}

/// A folder with rules: five failures of an address, and of a user.
fn folder() -> Folder {
    Folder::new()
        .with("rules/base.yml", BASE)
        .with("rules/address.yml", counting("by-address", "source.ip", 5))
        .with("rules/user.yml", counting("by-user", "user.name", 5))
}

fn write(folder: &Folder, name: &str, text: &str) {
    std::fs::write(folder.path().join(name), text).unwrap();
}

/// Failed logins of one user from one address.
fn failures(number: usize) -> String {
    "{\"type\":\"login\",\"status\":\"failure\",\"source_ip\":\"203.0.113.7\",\"user\":\"eve\"}\n"
        .repeat(number)
}

/// How long alerts may take to be as they stay.
const SETTLING: Duration = Duration::from_secs(20);

struct World {
    folder: Folder,
    server: Server,
    key: String,
    admin: String,
}

impl World {
    fn start(folder: Folder, config: &str) -> World {
        let (key, admin) = (key(&folder, "ingest"), token(&folder, "ann", "admin"));
        let server = Server::start_with(&folder, &Start { config, ..Start::default() });
        World { folder, server, key, admin }
    }

    fn fail(&self, number: usize) {
        let answer = self.server.post_events(&self.key, &failures(number));
        assert_eq!(answer.status, 202, "{}", answer.text());
        self.server.at_rest(&self.admin);
    }

    fn reload(&self) -> Answer {
        let bearer = format!("Bearer {}", self.admin);
        self.server.send("POST", "/api/v1/rules/reload", &[("Authorization", &bearer)], b"")
    }

    fn rules(&self) -> Value {
        self.server.json("/api/v1/rules", &self.admin)
    }

    /// The alerts that stand: rule and count, in order.
    fn alerts(&self) -> Vec<(String, u64)> {
        let found = crate::server_alerts::standing(&self.server, &self.admin);
        let told = |alert: &Value| {
            (alert["rule"]["id"].as_str().unwrap().to_string(), alert["count"].as_u64().unwrap())
        };
        let mut alerts: Vec<(String, u64)> = found.values().map(told).collect();
        alerts.sort();
        alerts
    }

    /// Waits until these are the alerts that stand, or says which do.
    fn wait_for_alerts(&self, expect: &[(&str, u64)]) {
        let expect: Vec<(String, u64)> =
            expect.iter().map(|(id, count)| ((*id).to_string(), *count)).collect();
        let until = Instant::now() + SETTLING;
        while self.alerts() != expect && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(self.alerts(), expect);
    }

    /// Waits until no alert can change when it began any more.
    fn wait_for_final_alerts(&self) {
        self.server.wait_for("final alerts", |server| {
            let page = server.json("/api/v1/alerts", &self.admin);
            page["items"].as_array().unwrap().iter().all(|alert| alert["provisional"] == false).then_some(())
        });
    }

    /// Waits until another set is active than this one; the list then.
    /// The rules once others than those of before are active, and it is told what changed them.
    fn wait_for_other_than(&self, before: &Value) -> Value {
        self.server.wait_for("other rules", |_| {
            let rules = self.rules();
            let changed = |what: &str| rules[what] != before[what];
            (changed("rule_set") && changed("last_reload")).then_some(rules)
        })
    }

    fn metric(&self, line: &str) -> Option<f64> {
        let metrics = self.server.get("/metrics", "").text();
        metrics.lines().find_map(|told| told.strip_prefix(line)?.trim().parse().ok())
    }
}

/// Counts of an answer: loaded, unchanged, edited, added, removed.
fn counts(answer: &Answer) -> [u64; 5] {
    let told = answer.json();
    ["loaded", "unchanged", "edited", "added", "removed"].map(|name| told[name].as_u64().unwrap())
}

#[test]
fn an_untouched_window_goes_on_over_an_edit_and_an_edited_rule_starts_empty() {
    let world = World::start(folder(), UNWATCHED);
    world.fail(4);
    assert!(world.alerts().is_empty());
    write(&world.folder, "rules/user.yml", &counting("by-user", "user.name", 3));
    write(&world.folder, "rules/new.yml", &counting("new", "source.ip", 2));
    let answer = world.reload();
    assert_eq!((answer.status, counts(&answer)), (200, [4, 2, 1, 1, 0]), "{}", answer.text());
    assert_eq!(answer.json()["result"], "activated");
    world.fail(1);
    world.wait_for_alerts(&[("by-address", 5)]); // Four before the edit, the fifth after it.
    world.fail(2);
    world.wait_for_alerts(&[("by-address", 7), ("by-user", 3), ("new", 3)]);
}

#[test]
fn a_new_title_keeps_state_and_id_and_is_told_from_then_on() {
    let world = World::start(folder(), UNWATCHED);
    world.fail(5);
    let text = counting("by-user", "user.name", 5).replace("title: by-user", "title: Somebody guesses");
    write(&world.folder, "rules/user.yml", &text);
    assert_eq!(counts(&world.reload()), [3, 3, 0, 0, 0]);
    world.fail(1);
    world.wait_for_alerts(&[("by-address", 6), ("by-user", 6)]);
    let rules = world.rules();
    let titles: Vec<&str> =
        rules["items"].as_array().unwrap().iter().map(|rule| rule["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["Failed login", "by-address", "Somebody guesses"], "those that feed others first");
}

#[test]
fn an_alert_of_a_rule_that_goes_ends_well() {
    let world = World::start(folder(), UNWATCHED);
    world.fail(5);
    // The watermark passes the last event with the next one, or when nothing comes for a while.
    world.wait_for_final_alerts();
    assert_eq!(world.alerts().len(), 2);
    std::fs::remove_file(world.folder.path().join("rules/user.yml")).unwrap();
    assert_eq!(counts(&world.reload()), [2, 2, 0, 0, 1]);
    world.fail(1);
    world.wait_for_alerts(&[("by-address", 6), ("by-user", 5)]);
}

#[test]
fn what_was_claimed_ahead_of_the_watermark_is_withdrawn_with_its_rule() {
    let world = World::start(folder(), "rules: {paths: [rules], watch: false}");
    world.fail(5);
    assert_eq!(world.alerts().len(), 2);
    std::fs::remove_file(world.folder.path().join("rules/user.yml")).unwrap();
    assert_eq!(world.reload().status, 200);
    world.server.wait_for("a withdrawn alert", |_| (world.alerts().len() == 1).then_some(()));
    let withdrawn = world.server.json("/api/v1/alerts?status=withdrawn", &world.admin);
    assert_eq!(withdrawn["items"][0]["rule"]["id"], "by-user");
    assert_eq!(withdrawn["items"][0]["provisional"], false);
}

#[test]
fn a_wrong_set_changes_nothing_and_says_where() {
    let world = World::start(folder(), UNWATCHED);
    world.fail(4);
    let before = world.rules();
    let broken = counting("by-user", "user.name", 3).replace("[failure]", "[nobody]");
    write(&world.folder, "rules/user.yml", &broken);
    write(&world.folder, "rules/address.yml", &counting("by-address", "source.ip", 2));
    let answer = world.reload();
    assert_eq!(answer.status, 422);
    let told = answer.json();
    let error = &told["errors"][0];
    assert_eq!(
        (&error["file"], &error["code"]),
        (&json!("rules/user.yml"), &json!("unknown_rule")),
        "{told}"
    );
    assert!(error["line"].as_u64().unwrap() > 1 && error["reason"].as_str().unwrap().contains("nobody"));
    let after = world.rules();
    assert_eq!((&after["rule_set"], &after["items"]), (&before["rule_set"], &before["items"]));
    assert_eq!(after["last_reload"]["result"], "refused");
    assert_eq!(after["last_reload"]["by"], "ann");
    assert_eq!(world.metric("tocsin_rule_reloads_total{result=\"refused\"}"), Some(1.0));
    world.fail(1);
    world.wait_for_alerts(&[("by-address", 5), ("by-user", 5)]);

    // Mended, it counts.
    write(&world.folder, "rules/user.yml", &counting("by-user", "user.name", 5));
    assert_eq!(counts(&world.reload()), [3, 2, 1, 0, 0]);
    // Without any rule there would be nothing left to run.
    for name in ["base", "address", "user"] {
        std::fs::remove_file(world.folder.path().join(format!("rules/{name}.yml"))).unwrap();
    }
    let answer = world.reload();
    assert_eq!((answer.status, &answer.json()["errors"][0]["code"]), (422, &json!("no_rules")));
    std::fs::remove_dir(world.folder.path().join("rules")).unwrap();
    assert_eq!(world.reload().status, 422);
    assert_eq!(world.rules()["items"].as_array().unwrap().len(), 3);
}

#[test]
fn a_new_file_that_is_broken_changes_nothing() {
    let world = World::start(folder(), UNWATCHED);
    let before = world.rules();
    write(&world.folder, "rules/bad.yml", "title: x\n");
    write(&world.folder, "rules/good.yml", &counting("good", "source.ip", 1));
    let answer = world.reload();
    let error = &answer.json()["errors"][0];
    assert_eq!((answer.status, &error["file"], &error["line"]), (422, &json!("rules/bad.yml"), &json!(1)));
    assert_eq!(world.rules()["rule_set"], before["rule_set"]);
    std::fs::remove_file(world.folder.path().join("rules/bad.yml")).unwrap();
    assert_eq!(counts(&world.reload()), [4, 3, 0, 1, 0]);
}

/// At a start one bad rule never keeps the others from running; nor does it stand in the way of changes.
#[test]
fn a_file_that_was_broken_at_the_start_stays_left_out() {
    let folder = folder();
    write(&folder, "rules/bad.yml", "title: x\n");
    let world = World::start(folder, UNWATCHED);
    write(&world.folder, "rules/good.yml", &counting("good", "source.ip", 1));
    let answer = world.reload();
    assert_eq!((answer.status, counts(&answer)), (200, [4, 3, 0, 1, 0]));
    let told = answer.json();
    let is_error = |found: &&Value| found["severity"] == "error";
    let error = told["diagnostics"].as_array().unwrap().iter().find(is_error).unwrap();
    assert_eq!((&error["file"], &error["line"]), (&json!("rules/bad.yml"), &json!(1)));
    write(&world.folder, "rules/good.yml", &counting("good", "source.ip", 2));
    assert_eq!(counts(&world.reload()), [4, 3, 1, 0, 0]);
    let again = world.reload();
    assert_eq!((&again.json()["result"], counts(&again)), (&json!("unchanged"), [4, 4, 0, 0, 0]));
}

#[test]
fn a_signal_reloads_and_leaves_the_server_running() {
    let world = World::start(folder(), UNWATCHED);
    let before = world.rules();
    write(&world.folder, "rules/user.yml", &counting("by-user", "user.name", 1));
    let id = world.server.process().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    let after = world.wait_for_other_than(&before);
    assert_eq!((&after["last_reload"]["by"], &after["last_reload"]["edited"]), (&json!("signal"), &json!(1)));
    world.fail(1);
    world.wait_for_alerts(&[("by-user", 1)]);
    let told = world.server.stop().1;
    let lines: Vec<&String> = told.iter().filter(|line| line.contains("rules reloaded")).collect();
    assert_eq!(lines.len(), 1, "{told:?}");
}

#[test]
fn a_changed_file_is_noticed_once_it_is_written() {
    let world = World::start(folder(), "rules: [rules]");
    let before = world.rules();
    // Written bit by bit, as a slow copy does: each bit alone is wrong.
    let text = counting("by-user", "user.name", 1);
    let half = text.len() / 2;
    for upto in [0, 10, half, half + 10] {
        write(&world.folder, "rules/user.yml", &text[..upto]);
        std::thread::sleep(Duration::from_millis(400));
    }
    write(&world.folder, "rules/user.yml", &text);
    let after = world.wait_for_other_than(&before);
    assert_eq!((&after["last_reload"]["by"], &after["last_reload"]["edited"]), (&json!("files"), &json!(1)));
    // Put in its place whole, as editors do.
    write(&world.folder, "rules/.user.yml.swp", &counting("by-user", "user.name", 2));
    let path = |name: &str| world.folder.path().join(name);
    std::fs::rename(path("rules/.user.yml.swp"), path("rules/user.yml")).unwrap();
    let again = world.wait_for_other_than(&after);
    assert_eq!(again["last_reload"]["edited"], 1);
    assert_eq!(world.metric("tocsin_rule_reloads_total{result=\"activated\"}"), Some(2.0));
    assert_eq!(world.metric("tocsin_rule_reloads_total{result=\"refused\"}"), None);
    // A wrong edit is told, and tried again once the file changes.
    write(&world.folder, "rules/user.yml", "title: x\n");
    let refused = || (world.rules()["last_reload"]["result"] == "refused").then_some(());
    world.server.wait_for("a refusal", |_| refused());
    assert_eq!(world.rules()["rule_set"], again["rule_set"]);
    write(&world.folder, "rules/user.yml", &counting("by-user", "user.name", 3));
    world.wait_for_other_than(&again);
    assert!(world.server.told().iter().any(|line| line.contains("rules/user.yml:1:1: error: ")));
}

#[test]
fn only_an_admin_reloads_and_everybody_may_look() {
    let world = World::start(folder(), UNWATCHED);
    let post = |credential: &str| {
        let bearer = format!("Bearer {credential}");
        world.server.send("POST", "/api/v1/rules/reload", &[("Authorization", &bearer)], b"").status
    };
    let responder = token(&world.folder, "bob", "responder");
    let viewer = token(&world.folder, "eve", "viewer");
    assert_eq!([&world.key, &viewer, &responder, &world.admin].map(|one| post(one)), [401, 403, 403, 200]);
    assert_eq!(world.server.get("/api/v1/rules", &world.key).status, 401);
    world.fail(6);
    let rules = world.server.json("/api/v1/rules", &viewer);
    let of = |id: &str| {
        let items = rules["items"].as_array().unwrap();
        let rule = items.iter().find(|rule| rule["id"] == id).unwrap();
        ["level", "enabled", "raises_alerts", "file", "matches", "alerts"].map(|name| rule[name].clone())
    };
    assert_eq!(
        of("failure"),
        [json!("low"), json!(true), json!(false), json!("rules/base.yml"), json!(6), json!(0)]
    );
    assert_eq!(
        of("by-user"),
        [json!("high"), json!(true), json!(true), json!("rules/user.yml"), json!(0), json!(1)]
    );
    assert_eq!(world.metric("tocsin_rules_loaded"), Some(3.0));
}

#[test]
fn reloads_at_once_are_done_one_after_the_other_and_the_latest_wins() {
    let world = World::start(folder(), UNWATCHED);
    for round in 1..6 {
        std::thread::scope(|scope| {
            for number in 0..6 {
                let world = &world;
                scope.spawn(move || {
                    let text = counting("by-user", "user.name", round * 10 + number);
                    let name = world.folder.path().join(format!("{round}-{number}"));
                    std::fs::write(&name, text).unwrap();
                    std::fs::rename(&name, world.folder.path().join("rules/user.yml")).unwrap();
                    assert_eq!(world.reload().status, 200);
                });
            }
        });
        let now = world.rules()["rule_set"].clone();
        let again = world.reload().json();
        assert_eq!((&again["result"], &again["rule_set"]), (&json!("unchanged"), &now), "round {round}");
    }
}

#[test]
fn after_a_restart_what_came_before_an_edit_meets_the_rules_of_then() {
    let folder = folder();
    let world = World::start(folder, UNWATCHED);
    world.fail(4);
    write(&world.folder, "rules/user.yml", &counting("by-user", "user.name", 3));
    assert_eq!(world.reload().status, 200);
    world.fail(1);
    world.wait_for_alerts(&[("by-address", 5)]);
    world.wait_for_final_alerts();
    let World { folder, server, key, admin } = world;
    server.kill();
    // Changed while nothing ran: active from the next start on.
    write(&folder, "rules/address.yml", &counting("by-address", "source.ip", 2));
    let server = Server::start_with(&folder, &Start { config: UNWATCHED, ..Start::default() });
    let world = World { folder, server, key, admin };
    world.server.at_rest(&world.admin);
    // The alert of then, and no second one; the edited rule has seen none, then one, then two events.
    world.wait_for_alerts(&[("by-address", 5)]);
    world.fail(1);
    world.wait_for_alerts(&[("by-address", 5)]);
    world.fail(1);
    let expect = [("by-address", 2), ("by-address", 5), ("by-user", 3)];
    world.wait_for_alerts(&expect);
    let World { folder, server, .. } = world;
    server.kill();
    let counts = |extra: &[&str]| {
        let replay =
            folder.run(&[&["replay", "--journal", "data", "--json", "-c", "tocsin.yaml"], extra].concat());
        assert_eq!(replay.code, 0, "{}", replay.err);
        let alert = |line: &str| {
            let alert: Value = serde_json::from_str(line).unwrap();
            (alert["rule"]["id"].as_str().unwrap().to_string(), alert["count"].as_u64().unwrap())
        };
        let mut alerts: Vec<(String, u64)> = replay.out.lines().map(alert).collect();
        alerts.sort();
        alerts
    };
    let expect = expect.map(|(id, count)| (id.to_string(), count));
    assert_eq!(counts(&[]), expect, "each record meets the rules it met then");
    let now = [("by-address".to_string(), 7), ("by-user".to_string(), 7)];
    assert_eq!(counts(&["--current-rules"]), now, "the rules of today over all of it");
    assert_eq!(counts(&["-r", "rules/base.yml"]), [("failure".to_string(), 7)]);
}

/// Rules whose frame cannot be written wait at the head of the line: nothing is taken in before them.
#[test]
fn rules_that_the_journal_cannot_take_become_active_once_it_can() {
    let world = World::start(folder(), UNWATCHED);
    world.fail(4);
    let before = world.rules();
    let Some(mut tracer) = crate::server_disk::failing(&world.server, "fdatasync", "EIO") else {
        eprintln!("skipped: this needs strace and the right to use it");
        return;
    };
    write(&world.folder, "rules/user.yml", &counting("by-user", "user.name", 2));
    let answer = world.reload();
    let detail = answer.json()["detail"].as_str().unwrap().to_string();
    assert_eq!(answer.status, 503);
    assert!(
        detail.ends_with("the new rules become active as soon as the journal can be written"),
        "{detail}"
    );
    assert_eq!(world.server.post_events(&world.key, &failures(1)).status, 503);
    assert_eq!(world.rules()["rule_set"], before["rule_set"]);
    let id = tracer.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    tracer.wait().unwrap();
    world.server.wait_for("a journal that takes events", |_| {
        (world.server.post_events(&world.key, &failures(1)).status == 202).then_some(())
    });
    world.server.at_rest(&world.admin);
    assert_ne!(world.rules()["rule_set"], before["rule_set"]);
    world.wait_for_alerts(&[("by-address", 5)]);
    world.fail(1);
    world.wait_for_alerts(&[("by-address", 6), ("by-user", 2)]);
}
