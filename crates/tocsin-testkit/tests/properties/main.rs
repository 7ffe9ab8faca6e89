//! The engine's promises as properties: the same events give byte-identical final alerts in any
//! order within the lateness, any batch cut, on any number of workers, across a snapshot and
//! restore between any two batches; and windows agree with counting by brute force.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should stop")]
#![allow(clippy::disallowed_methods, reason = "tests may use threads through the pool")]

mod backdated;
mod failing;
mod harness;
mod live;
mod oracle;
mod reload;

use harness::{Restore, Run, Told, World, events, final_alerts};
use proptest::prelude::*;
use proptest::sample::select;

fn cases() -> ProptestConfig {
    ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn order_of_arrival_within_the_lateness_does_not_show(told in events(), seed in any::<u64>()) {
        let world = World::new();
        let expect = final_alerts(&world, &told, &Run::default());
        let got = final_alerts(&world, &told, &Run { jitter: Some(seed), ..Run::default() });
        prop_assert_eq!(got, expect);
    }

    #[test]
    fn batch_cuts_and_workers_do_not_show(told in events(), cut in 1..40_usize, seed in any::<u64>()) {
        let world = World::new();
        let expect = final_alerts(&world, &told, &Run::default());
        for workers in [1, 2, 4] {
            let run = Run { cut, workers, jitter: Some(seed), ..Run::default() };
            prop_assert_eq!(&final_alerts(&world, &told, &run), &expect, "{} workers", workers);
        }
    }

    #[test]
    fn a_snapshot_between_any_two_batches_does_not_show(told in events(), cut in 1..40_usize) {
        let world = World::new();
        let expect = final_alerts(&world, &told, &Run { cut, ..Run::default() });
        for after in 0..=told.len() / cut {
            let run = Run { cut, restore: Restore::After(after), ..Run::default() };
            prop_assert_eq!(&final_alerts(&world, &told, &run), &expect, "after batch {}", after);
        }
    }

    /// Everything at once, with rules of every kind: disorder, cuts, workers, a restart between any two batches.
    #[test]
    fn restarts_between_all_batches_of_any_run_do_not_show(
        told in events(), cut in 1..40_usize, seed in any::<u64>(), workers in select(vec![1, 2, 4]), live in any::<bool>()
    ) {
        let world = World::of_all_kinds();
        let expect = final_alerts(&world, &told, &Run::default());
        let run = Run { cut, workers, jitter: Some(seed), restore: Restore::AfterEach, live };
        prop_assert_eq!(final_alerts(&world, &told, &run), expect);
    }

    #[test]
    fn partitions_do_not_show(told in events(), seed in any::<u64>()) {
        let world = World::new();
        let spread: Vec<Told> = told.iter().map(|one| Told { partition: one.partition % 3, ..one.clone() }).collect();
        let expect = final_alerts(&world, &spread, &Run { cut: 1_000, ..Run::default() });
        let got = final_alerts(&world, &spread, &Run { cut: 7, jitter: Some(seed), ..Run::default() });
        prop_assert_eq!(got, expect);
    }

    #[test]
    fn what_is_told_live_ends_where_the_scan_ends(told in events(), cut in 1..20_usize, seed in any::<u64>()) {
        let world = World::new();
        let expect = final_alerts(&world, &told, &Run { cut, jitter: Some(seed), ..Run::default() });
        let got = final_alerts(&world, &told, &Run { cut, jitter: Some(seed), live: true, ..Run::default() });
        prop_assert_eq!(got, expect);
    }

    #[test]
    fn what_is_stored_live_ends_where_the_scan_ends(
        told in events(), cut in 1..20_usize, seed in any::<u64>(), group in 1..9_usize, restart in 1..9_usize
    ) {
        let world = World::new();
        let run = Run { cut, jitter: Some(seed), ..Run::default() };
        let told: Vec<Told> = told.into_iter().map(|one| Told { partition: 0, ..one }).collect();
        let expect = final_alerts(&world, &told, &run);
        let live = live::Live::run(&world, &told, &run, group, restart);
        live.check_changes();
        prop_assert_eq!(live.final_alerts(), expect);
    }

    #[test]
    fn windows_agree_with_counting_by_brute_force(told in events(), seed in any::<u64>()) {
        let world = World::new();
        let got = world.summaries(&told, &Run { cut: 13, jitter: Some(seed), ..Run::default() });
        prop_assert_eq!(got, oracle::summaries(&told));
    }
}

#[test]
fn a_burst_beyond_every_bound_counts_exactly() {
    let world = World::new();
    let burst: Vec<Told> = (0..30_000).map(|n| Told::failure(n % 3_000, 1)).collect();
    let mut in_order = burst.clone();
    in_order.sort_by_key(|one| one.millis);
    let expect = oracle::summaries(&in_order);
    for cut in [100, 10_000] {
        assert_eq!(world.summaries(&in_order, &Run { cut, ..Run::default() }), expect);
    }
}

#[test]
fn a_snapshot_of_another_logic_starts_empty() {
    let world = World::new();
    let edited = World::edited();
    let told: Vec<Told> = (0..8).map(|n| Told::failure(n * 1_000, 1)).collect();
    let run = Run { cut: 4, restore: Restore::After(0), ..Run::default() };
    assert!(!final_alerts(&world, &told, &run).is_empty());
    let (first, second) = told.split_at(4);
    let checkpoint = world.checkpoint_after(first);
    assert!(edited.alerts_from(&checkpoint, second).iter().all(|alert| !alert.contains("Five failures")));
    assert!(world.alerts_from(&checkpoint, second).iter().any(|alert| alert.contains("Five failures")));
}

/// A provisional episode lies behind entries that go on with the one before it. The rule that counts
/// both is told of them in time all the same.
#[test]
fn what_a_claim_lies_behind_is_handed_on_in_time() {
    let failures = [(147_500, 0, 0), (147_500, 0, 0), (147_500, 0, 0), (147_500, 0, 2), (207_500, 2, 3)];
    let more = [(287_000, 0, 0), (306_000, 0, 3), (310_000, 1, 3), (345_000, 0, 0), (345_000, 0, 1)];
    let last = [(346_500, 1, 2), (386_000, 1, 4), (387_500, 0, 0)];
    let failed = [&failures[..], &more, &last].concat().into_iter();
    let failed = failed.map(|(millis, user, partition)| Told { user, partition, ..Told::failure(millis, 2) });
    // Others, by which the watermark passes.
    let others = [(401_000, 5), (407_500, 3), (458_000, 2), (522_000, 5), (532_000, 4)];
    let others = others.map(|(millis, partition)| Told { partition, ..Told::failure(millis, 1) });
    let told: Vec<Told> = failed.chain(others).collect();
    let world = World::of_all_kinds();
    let expect = final_alerts(&world, &told, &Run::default());
    assert!(expect.iter().any(|alert| alert.contains("A burst, then three in a row")));
    assert_eq!(final_alerts(&world, &told, &Run { live: true, ..Run::default() }), expect);
}
