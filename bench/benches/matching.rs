//! Matching: decoded events against rules, memory warm, as in the middle of a stream.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use flate2::read::MultiGzDecoder;
use tocsin_bench::{samples, setup};
use tocsin_core::batch::EventBatch;
use tocsin_core::plan::Plan;
use tocsin_pipeline::plan::RuleFile;

const LINES: usize = 20_000;

fn main() {
    divan::main();
}

#[divan::bench]
fn one_rule_auth(bencher: Bencher<'_, '_>) {
    let plan = setup::plan(&[setup::bench_rule("failed_login.yml")]);
    matching(bencher, &plan, &setup::decoded(&plan, &samples::auth(LINES)));
}

#[divan::bench]
fn shipped_rules_auth(bencher: Bencher<'_, '_>) {
    let plan = setup::plan(&[setup::shipped_rules()]);
    matching(bencher, &plan, &setup::decoded(&plan, &samples::auth(LINES)));
}

#[divan::bench]
fn shipped_rules_access(bencher: Bencher<'_, '_>) {
    let plan = setup::plan(&[setup::shipped_rules()]);
    matching(bencher, &plan, &setup::decoded(&plan, &samples::access(LINES)));
}

/// Measures nothing where the recordings are not beside the checkout.
#[divan::bench(args = recordings())]
fn windows_rules(bencher: Bencher<'_, '_>, recording: &str) {
    let plan = setup::plan_of(&windows_rule_files(), false);
    let path = windows_folder().join(format!("{recording}.jsonl.gz"));
    let text: String = gunzipped(&path).flat_map(|line| [line, "\n".to_string()]).collect();
    matching(bencher, &plan, &setup::decoded(&plan, &text));
}

fn matching(bencher: Bencher<'_, '_>, plan: &Arc<Plan>, batches: &[EventBatch]) {
    let mut matcher = (plan.matcher)();
    let mut found = Vec::new();
    let events: usize = batches.iter().map(|batch| batch.events.len()).sum();
    bencher.counter(ItemsCount::new(events)).bench_local(|| {
        for batch in batches {
            found.clear();
            matcher.matches(batch, &mut found);
            black_box(&found);
        }
    });
}

fn windows_folder() -> PathBuf {
    setup::recordings().join("windows/otrf")
}

/// The three largest recordings that are there.
fn recordings() -> Vec<String> {
    let entries = fs::read_dir(windows_folder()).into_iter().flatten().flatten();
    let mut sized: Vec<(u64, String)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().to_str()?.strip_suffix(".jsonl.gz")?.to_string();
            Some((entry.metadata().ok()?.len(), name))
        })
        .collect();
    sized.sort();
    sized.into_iter().rev().take(3).map(|(_, name)| name).collect()
}

fn windows_rule_files() -> Vec<RuleFile> {
    let list = setup::recordings().join("sigma_rules/sigma_windows_and_cloud_rules.jsonl.gz");
    let rule = |line: String| {
        let rule: serde_json::Value = serde_json::from_str(&line).ok()?;
        let (path, text) = (rule["path"].as_str()?, rule["yaml"].as_str()?);
        let windows = path.starts_with("rules/windows/");
        windows.then(|| RuleFile { path: PathBuf::from(path), text: text.to_string() })
    };
    gunzipped(&list).filter_map(rule).collect()
}

fn gunzipped(path: &Path) -> impl Iterator<Item = String> {
    let file = File::open(path).ok().map(MultiGzDecoder::new).map(BufReader::new);
    file.into_iter().flat_map(BufRead::lines).map_while(Result::ok)
}
