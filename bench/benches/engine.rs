//! The engine: decoded events through matching and an exact sliding window by address.

use std::sync::Arc;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use tocsin_bench::{samples, setup};
use tocsin_core::detector::Emission;
use tocsin_core::engine::{Correlator, Engine, EngineConfig, MatchStage, MatchedBatch};
use tocsin_core::plan::Plan;

const LINES: usize = 100_000;

fn main() {
    divan::main();
}

/// All of it.
#[divan::bench]
fn event_count_by_address(bencher: Bencher<'_, '_>) {
    let plan = brute_force();
    let text = samples::auth(LINES);
    bencher
        .counter(ItemsCount::new(LINES))
        .with_inputs(|| (Engine::new(Arc::clone(&plan), config()), setup::decoded(&plan, &text)))
        .bench_local_values(|(mut engine, batches)| {
            for batch in batches {
                black_box(engine.step(batch));
            }
            engine
        });
}

/// The stateful half alone. Its items are signals: events that count for the window.
#[divan::bench]
fn signals_by_address(bencher: Bencher<'_, '_>) {
    let plan = brute_force();
    let text = samples::auth(LINES);
    let signals: usize = matched(&plan, &text).iter().map(|batch| batch.matches.len()).sum();
    bencher
        .counter(ItemsCount::new(signals))
        .with_inputs(|| (Correlator::new(Arc::clone(&plan), config()), matched(&plan, &text)))
        .bench_local_values(|(mut correlator, mut batches)| {
            for batch in &mut batches {
                black_box(correlator.step(batch));
            }
            (correlator, batches)
        });
}

fn brute_force() -> Arc<Plan> {
    setup::plan(&[setup::bench_rule("brute_force.yml")])
}

fn matched(plan: &Arc<Plan>, text: &str) -> Vec<MatchedBatch> {
    let mut stage = MatchStage::new(Arc::clone(plan), &config());
    setup::decoded(plan, text).into_iter().map(|batch| stage.step(batch)).collect()
}

fn config() -> EngineConfig {
    EngineConfig { emission: Emission::Closed, ..EngineConfig::default() }
}
