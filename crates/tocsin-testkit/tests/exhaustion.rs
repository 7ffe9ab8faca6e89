//! A flood of forged keys must neither fill the memory nor hide an attack, nor touch another tenant.
//!
//! `EXHAUSTION_KEYS` says how many keys (`make exhaustion` takes 100 million). All of it goes through
//! the decoder, the matcher and the correlator, as it would in a server.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tocsin_core::batch::{RawBatch, RecordSpan, TenantId};
use tocsin_core::detection::{Detection, Phase};
use tocsin_core::detector::{Emission, Usage};
use tocsin_core::engine::{Correlator, EngineConfig, MatchStage};
use tocsin_core::key;
use tocsin_core::offset::{OffsetRange, PartitionId};
use tocsin_core::time::Timestamp;
use tocsin_decode::decoder::RecordDecoder;
use tocsin_decode::format::FormatContext;
use tocsin_decode::taxonomy::Taxonomy;
use tocsin_pipeline::plan::{LoadOptions, Loaded, RuleFile, load};
use tocsin_pipeline::pool::Worker;

const RULES: &str = "
title: Failure
name: failure
logsource: {category: authentication}
detection: {sel: {event.outcome: failure}, condition: sel}
level: informational
---
title: Ten failures in five minutes
name: ten
correlation: {type: event_count, rules: [failure], group-by: [source.ip], timespan: 5m, condition: {gte: 10}}
level: high
";

/// 2026-01-15T08:00:00Z.
const START: i64 = 1_768_464_000;
/// Forged keys in a window of five minutes.
const KEYS_PER_WINDOW: u64 = 10_000_000;
/// Attackers of ten events each, within a window; as many again stop at the ninth.
const ATTACKERS: u64 = 1_000;
const BATCH: u64 = 4_096;
const FLOODED: TenantId = TenantId(0);
const QUIET: TenantId = TenantId(1);

/// Whose key holds more than a shard's share of the state.
const MANY_USERS: &str = "
title: Failure
name: failure
logsource: {category: authentication}
detection: {sel: {event.outcome: failure}, condition: sel}
level: informational
---
title: A hundred thousand users within five minutes
name: many
correlation:
  type: value_count
  rules: [failure]
  group-by: [source.ip]
  timespan: 5m
  condition: {field: user.name, gte: 100000}
level: high
";

/// Where order counts: what waits for the watermark cannot be joined.
const SUCCESS_AFTER: &str = "
title: Failure
name: failure
logsource: {category: authentication}
detection: {sel: {event.outcome: failure}, other: {user.name: u7}, condition: sel and not other}
level: informational
---
title: The one that gets in
name: inside
logsource: {category: authentication}
detection: {sel: {user.name: u7}, condition: sel}
level: informational
---
title: One gets in after fifty failures
name: after
correlation:
  type: consecutive
  rules: [failure]
  followed-by: [inside]
  group-by: [source.ip]
  timespan: 10m
  condition: {gte: 50}
level: critical
";

struct World {
    loaded: Loaded,
    worker: Worker,
    correlator: Correlator,
    offsets: BTreeMap<TenantId, u64>,
    found: Vec<Detection>,
    text: String,
}

impl World {
    fn new() -> World {
        World::of(RULES.to_string(), EngineConfig::default().state_bytes_max)
    }

    fn of(text: String, state_bytes_max: usize) -> World {
        let file = RuleFile { path: PathBuf::from("rules.yml"), text };
        let loaded = load(&[file], LoadOptions { gate: true, seed: 7, ..LoadOptions::default() });
        let config = EngineConfig { emission: Emission::Closed, state_bytes_max, ..EngineConfig::default() };
        let taxonomy = Taxonomy::new(Arc::clone(&loaded.plan.table));
        let decoder = RecordDecoder::auto(FormatContext { taxonomy, as_of: Timestamp::MAX });
        let matching = MatchStage::new(Arc::clone(&loaded.plan), &config);
        let worker = Worker { decoder: Box::new(decoder), matching };
        let correlator = Correlator::new(Arc::clone(&loaded.plan), config);
        let (offsets, found, text) = (BTreeMap::new(), Vec::new(), String::new());
        World { loaded, worker, correlator, offsets, found, text }
    }

    /// Takes in failures of these (millisecond, address) pairs.
    fn take(&mut self, tenant: TenantId, events: impl Iterator<Item = (i64, String)>) {
        self.take_users(tenant, events.map(|(millis, address)| (millis, address, 0)));
    }

    /// The same, with the number of a user.
    fn take_users(&mut self, tenant: TenantId, events: impl Iterator<Item = (i64, String, u64)>) {
        let mut batch = RawBatch { tenant, partition: PartitionId(tenant.0 as u16), ..RawBatch::default() };
        for (millis, address, user) in events {
            self.text.clear();
            let time = Timestamp((START * 1_000 + millis) * 1_000_000);
            let fields = r#""type":"login","status":"failure","source_port":1"#;
            write!(
                self.text,
                r#"{{"timestamp":"{time}","source_ip":"{address}",{fields},"user":"u{user}"}}"#
            )
            .unwrap();
            let start = batch.bytes.len() as u32;
            batch.records.push(RecordSpan { start, len: self.text.len() as u32 });
            batch.bytes.extend_from_slice(self.text.as_bytes());
            batch.bytes.push(b'\n');
        }
        let from = self.offsets.entry(tenant).or_default();
        batch.offsets = OffsetRange { from: *from, to: *from + batch.bytes.len() as u64 };
        *from = batch.offsets.to;
        let output = self.correlator.step(&mut self.worker.step(batch));
        self.found.extend(output.detections.into_iter().filter(|found| found.phase == Phase::Closed));
    }

    fn end(&mut self) {
        for tenant in [FLOODED, QUIET] {
            let output = self.correlator.leave(tenant, PartitionId(tenant.0 as u16));
            self.found.extend(output.detections);
        }
    }

    /// What one tenant's rule found, by rule id and key.
    fn keys(&self, tenant: TenantId, rule: &str) -> Vec<(String, bool)> {
        let plan = &self.loaded.plan;
        let mine = self.found.iter().filter(|found| found.tenant == tenant);
        let of_rule = mine.filter(|found| plan.meta(found.rule).id == rule);
        let part =
            |found: &Detection| key::parts(&found.key).next().flatten().unwrap_or_default().to_string();
        of_rule.map(|found| (part(found), found.approximate)).collect()
    }

    fn quiet_alerts(&self) -> Vec<String> {
        let mut told: Vec<String> = self
            .found
            .iter()
            .filter(|found| found.tenant == QUIET)
            .map(|found| format!("{found:?}"))
            .collect();
        told.sort_unstable();
        told
    }
}

/// A number that looks random, the same every time.
fn mix(n: u64) -> u64 {
    let n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ n >> 31
}

/// The nth forged address: no two alike, and hardly two of one network.
fn forged(n: u64) -> String {
    let r = mix(n);
    format!("2001:{:x}:{:x}:{:x}::{:x}", r >> 48, r >> 32 & 0xffff, r >> 16 & 0xffff, r & 0xffff)
}

/// Where the attackers' events lie in the flood, by its event: each attacker within one window.
fn attacks(keys: u64) -> BTreeMap<u64, Vec<String>> {
    let window = KEYS_PER_WINDOW.min(keys);
    let mut attacks: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for attacker in 0..2 * ATTACKERS {
        let start = mix(attacker + 1) % (keys - window + 1);
        let events = if attacker < ATTACKERS { 10 } else { 9 };
        for event in 0..events {
            let at = start + mix(attacker << 8 | event) % (window - 1).max(1);
            attacks.entry(at).or_default().push(attacker_address(attacker));
        }
    }
    attacks
}

fn attacker_address(attacker: u64) -> String {
    format!("100.{}.{}.{}", 64 + attacker / 62_500, attacker / 250 % 250, 1 + attacker % 250)
}

/// When the nth forged event is, in milliseconds.
fn millis(n: u64) -> i64 {
    (n * 300_000 / KEYS_PER_WINDOW) as i64
}

/// The quiet tenant's own story: an address fails every 30 s, five fail eleven times in a minute.
fn quiet(world: &mut World, from: u64, to: u64) {
    let mut events = Vec::new();
    for second in from..to {
        let hour = second % 600;
        if hour.is_multiple_of(30) {
            events.push((second as i64 * 1_000, "192.0.2.9".to_string()));
        }
        if (100..155).contains(&hour) {
            events.push((second as i64 * 1_000, format!("192.0.2.{}", 100 + hour % 5)));
        }
    }
    if !events.is_empty() {
        world.take(QUIET, events.into_iter());
    }
}

/// Runs the flood (or, with `alike`, as many events of a thousand keys) beside the quiet tenant.
fn run(keys: u64, flood: bool, alike: bool) -> (World, f64, Usage) {
    let mut world = World::new();
    let attacks = if flood && !alike { attacks(keys) } else { BTreeMap::new() };
    let (mut told, mut most, begun) = (0, Usage::default(), Instant::now());
    for first in (0..keys).step_by(BATCH as usize) {
        let last = (first + BATCH).min(keys);
        if flood {
            let own = |n: u64| (millis(n), forged(if alike { n % 1_000 } else { n }));
            let planted = attacks
                .range(first..last)
                .flat_map(|(n, who)| who.iter().map(|address| (millis(*n), address.clone())));
            world.take(FLOODED, (first..last).map(own).chain(planted));
        }
        let second = millis(last) as u64 / 1_000;
        if second >= told + 10 {
            quiet(&mut world, told, second);
            told = second;
        }
        if first.is_multiple_of(BATCH * 256) {
            let usage = world.correlator.usage();
            most = if usage.bytes > most.bytes { usage } else { most };
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let last = world.correlator.usage();
    world.end();
    let usage = Usage { sketched: last.sketched, evicted: last.evicted, ..most };
    (world, seconds, usage)
}

/// Rules that count the same failures: by ten and more of them, and by different users.
fn many_rules(rules: usize) -> String {
    let mut text = RULES.to_string();
    for n in 1..rules {
        let (kind, field) =
            if n % 2 == 0 { ("event_count", "") } else { ("value_count", "field: user.name, ") };
        let counts = format!("type: {kind}, rules: [failure], group-by: [source.ip], timespan: {n}h");
        writeln!(text, "---\ntitle: r{n}\nname: r{n}\nlevel: high").unwrap();
        writeln!(text, "correlation: {{{counts}, condition: {{{field}gte: {}}}}}", 10 + n / 8).unwrap();
    }
    text
}

/// A rule that has to keep every key, as no count says which are worth it.
const SUMS: &str = "---
title: Ports
name: ports
level: high
correlation: {type: value_median, rules: [failure], group-by: [source.ip], timespan: 1h, condition: {field: source.port, gt: 1}}
";

/// All rules that a flood reaches share the memory; each still finds who hides in it.
#[test]
fn a_flood_blinds_none_of_many_rules() {
    const KEYS: u64 = 200_000;
    const HIDDEN: u64 = 50;
    for (rules, mib, more) in [(8, 16, ""), (24, 128, ""), (8, 16, SUMS)] {
        let mut world = World::of(many_rules(rules) + more, mib << 20);
        let mut most = 0;
        for first in (0..KEYS).step_by(BATCH as usize) {
            let flood = (first..first + BATCH).map(|n| (n as i64, forged(n), n));
            let whose = |n: u64| (n / 200 % HIDDEN, n / 200 / HIDDEN);
            let hidden = (first..first + BATCH)
                .filter(|n| *n >= KEYS * 3 / 10 && n.is_multiple_of(200))
                .map(|n| (n as i64, attacker_address(whose(n).0), whose(n).1));
            world.take_users(FLOODED, flood.chain(hidden));
            most = most.max(world.correlator.usage().bytes);
        }
        world.end();
        for rule in std::iter::once("ten".to_string()).chain((1..8).map(|n| format!("r{n}"))) {
            let found = world.keys(FLOODED, &rule);
            let alerted: BTreeSet<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
            let caught = |who: &u64| {
                let address = attacker_address(*who);
                let network = address.rsplit_once('.').map(|(net, _)| format!("{net}.0/24")).unwrap();
                alerted.contains(&*address) || alerted.contains(&*network)
            };
            let missed = (0..HIDDEN).filter(|who| !caught(who)).count();
            assert_eq!(missed, 0, "{rules} rules, {mib} MiB, `{rule}`");
            let wrong = found.iter().filter(|(key, _)| !key.starts_with("100."));
            assert!(wrong.clone().count() as u64 <= KEYS / 1_000, "{rules} rules, `{rule}`");
            assert!(wrong.clone().all(|(_, approximate)| *approximate), "{rules} rules, `{rule}`");
        }
        let bound = ((mib as u64) << 20) / 8 * 9;
        assert!(most <= bound, "{rules} rules take {most} of {mib} MiB");
    }
}

/// The most memory this process had so far, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1_024
}

#[test]
fn a_flood_of_forged_keys_hides_nothing_and_touches_nobody_else() {
    let keys = std::env::var("EXHAUSTION_KEYS").map_or(10_000_000, |keys| keys.parse().unwrap());
    let (alone, _, _) = run(keys, false, false);
    let (flooded, seconds, usage) = run(keys, true, false);
    let peak = peak_mib();
    let sample = keys.min(1_000_000);
    let (_, calm, _) = run(sample, true, true);

    let attackers: BTreeSet<String> = (0..ATTACKERS).map(attacker_address).collect();
    let found = flooded.keys(FLOODED, "ten");
    let alerted: BTreeSet<String> = found.iter().map(|(key, _)| key.clone()).collect();
    let networks: BTreeSet<&str> = alerted.iter().filter_map(|key| key.strip_suffix(".0/24")).collect();
    let caught = |address: &String| {
        alerted.contains(address) || address.rsplit_once('.').is_some_and(|(net, _)| networks.contains(net))
    };
    let missed: Vec<&String> = attackers.iter().filter(|address| !caught(address)).collect();
    let is_false = |(key, _): &&(String, bool)| !attackers.contains(key);
    let wrong: Vec<_> = found.iter().filter(is_false).collect();
    let pressure = flooded.keys(FLOODED, "tocsin.state_pressure");
    let rate = keys as f64 / seconds / (sample as f64 / calm);
    eprintln!(
        "{keys} keys in {seconds:.1} s, {:.0} % of the rate of a thousand keys; peak {peak} MiB, state {} MiB of {} \
         keys, {} events sketched, {} keys dropped; {} of {} attackers found, {} other alerts",
        rate * 100.0,
        usage.bytes >> 20,
        usage.keys,
        usage.sketched,
        usage.evicted,
        attackers.len() - missed.len(),
        attackers.len(),
        wrong.len(),
    );
    assert!(missed.is_empty(), "{} missed, {:?} first", missed.len(), missed.first());
    assert!(wrong.len() as u64 <= keys / 1_000, "{}", wrong.len());
    assert!(wrong.iter().all(|(_, approximate)| *approximate), "a false alert is not marked");
    assert_eq!(flooded.quiet_alerts(), alone.quiet_alerts());
    assert!(!alone.quiet_alerts().is_empty() || keys < KEYS_PER_WINDOW);
    assert!(peak < 512, "{peak} MiB");
    if usage.sketched > 0 {
        assert_eq!(pressure, [("ten".to_string(), false)]);
    }
}

#[test]
fn one_key_with_very_much_state_is_not_cut_while_there_is_room() {
    let mut world = World::of(MANY_USERS.to_string(), EngineConfig::default().state_bytes_max);
    let users: Vec<u64> = (0..110_000).collect();
    for some in users.chunks(BATCH as usize) {
        let tried = some.iter().map(|n| (*n as i64 * 2, "203.0.113.9".to_string(), n % 100_000));
        world.take_users(FLOODED, tried);
    }
    let usage = world.correlator.usage();
    world.end();
    assert_eq!(world.keys(FLOODED, "many"), [("203.0.113.9".to_string(), false)]);
    assert_eq!((usage.keys, usage.evicted, usage.sketched), (1, 0, 0));
}

/// Twenty addresses send more within the lateness than there is room for. Each gets in a few times,
/// which is one alert each: their keys are neither dropped nor told anew.
#[test]
fn what_waits_of_loud_keys_does_not_cost_them_their_state() {
    let mut world = World::of(SUCCESS_AFTER.to_string(), 16 << 20);
    let events: Vec<u64> = (0..400_000).collect();
    for some in events.chunks(BATCH as usize) {
        let tried = some.iter().map(|n| {
            let (address, round) = (n % 20, n / 20);
            let user = if round % 1_000 == 999 { 7 } else { round % 5 };
            (*n as i64 / 10, format!("203.0.113.{address}"), user)
        });
        world.take_users(FLOODED, tried);
    }
    let usage = world.correlator.usage();
    world.end();
    let found = world.keys(FLOODED, "after");
    let addresses: BTreeSet<&String> = found.iter().map(|(address, _)| address).collect();
    assert_eq!((found.len(), addresses.len()), (20, 20), "{found:?}");
    assert_eq!((usage.evicted, usage.sketched), (0, 0));
    let plan = &world.loaded.plan;
    let of_rule = world.found.iter().filter(|found| plan.meta(found.rule).id == "after");
    assert_eq!(of_rule.map(|found| found.count).collect::<Vec<u64>>(), vec![20_000; 20]);
    assert_eq!(world.found.len(), 21, "and the alert of the pressure");
}
