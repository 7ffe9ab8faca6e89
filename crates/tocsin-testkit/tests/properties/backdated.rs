//! Back-dating hides nothing: whatever times an attacker writes on his events, on one of the two clocks
//! they lie together.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tocsin_core::batch::RawBatch;
use tocsin_core::detection::{Clock, Detection, Phase};
use tocsin_core::time::Timestamp;

use crate::harness::{START_MS, Told, World, record_batch};

const MINUTE: i64 = 60_000;

/// Takes in everybody's events as they come, one a second from the others; the attacker's at these
/// (arrival, claimed time) pairs in milliseconds.
fn live(world: &World, attack: &[(i64, i64)]) -> Vec<Detection> {
    let mut arrivals: Vec<(i64, Told)> = (0..900).map(|n| (n * 1_000, quiet(n * 1_000))).collect();
    arrivals.extend(attack.iter().map(|(at, claimed)| (*at, Told::failure(*claimed, 66))));
    arrivals.sort_by_key(|(at, _)| *at);
    let (mut worker, mut correlator) = (world.worker(true), world.correlator(&[], true));
    let (mut found, mut from) = (Vec::new(), 0);
    for (at, told) in arrivals {
        let batch = record_batch(&told, from);
        from = batch.offsets.to;
        let ingest = Some(Timestamp((START_MS + at) * 1_000_000));
        let output = correlator.step(&mut worker.step(RawBatch { ingest, ..batch }));
        found.extend(output.detections);
    }
    let attackers = found.into_iter().filter(|found| found.key.ends_with(b".66"));
    attackers.filter(|found| world.is_rule(found, "five")).collect()
}

fn quiet(millis: i64) -> Told {
    Told { failed: millis % 20_000 == 0, ..Told::failure(millis, (millis / 1_000 % 50) as u8) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_times_an_attacker_claims_he_is_seen(
        begin in 3 * MINUTE..10 * MINUTE,
        events in prop::collection::vec((0..MINUTE, prop_oneof![
            Just(0), 1_000..10 * MINUTE, 10 * MINUTE..30 * 24 * 60 * MINUTE
        ]), 5..9),
    ) {
        let world = World::new();
        let attack: Vec<(i64, i64)> =
            events.iter().map(|(delay, back)| (begin + delay, begin + delay - back)).collect();
        let found = live(&world, &attack);
        let stands = |found: &&Detection| matches!(found.phase, Phase::Provisional | Phase::Open | Phase::Closed);
        prop_assert!(found.iter().any(|found| stands(&found)), "{:?}", attack);
    }
}

#[test]
fn an_honest_attack_is_told_once() {
    let world = World::new();
    let attack: Vec<(i64, i64)> = (0..8).map(|n| (4 * MINUTE + n * 5_000, 4 * MINUTE + n * 5_000)).collect();
    let found = live(&world, &attack);
    let times: BTreeSet<Timestamp> = found.iter().map(|found| found.t0).collect();
    assert_eq!((times.len(), found.iter().all(|found| found.clock == Clock::Event)), (1, true));
}

#[test]
fn a_back_dated_attack_stands_at_its_ingest_time() {
    let world = World::new();
    let (day, begin) = (24 * 60 * MINUTE, 4 * MINUTE);
    let attack: Vec<(i64, i64)> = (0..5).map(|n| (begin + n * 1_000, begin - n * day)).collect();
    let found = live(&world, &attack);
    let told = found.iter().find(|found| found.clock == Clock::Ingest).unwrap();
    assert_eq!(told.t0, Timestamp((START_MS + begin + 4_000) * 1_000_000));
    assert_eq!((told.count, told.late), (5, true));
}
