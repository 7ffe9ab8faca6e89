//! Every shipped rule file has its trace, and every trace passes.

use std::fs;
use std::path::{Path, PathBuf};

/// All files under the shipped rules with this ending, sorted.
fn shipped(ending: &str) -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of rules") {
            let path = entry.expect("an entry of it").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[test]
fn every_rule_file_has_its_trace() {
    let stems =
        |ending| -> Vec<PathBuf> { shipped(ending).iter().map(|file| file.with_extension("")).collect() };
    assert_eq!(stems("yml"), stems("trace"));
}

#[test]
fn every_trace_passes() {
    let mut failed = String::new();
    for file in shipped("trace") {
        failed.push_str(&tocsin_testkit::run(&file).to_string());
    }
    assert!(failed.is_empty(), "\n{failed}");
}
