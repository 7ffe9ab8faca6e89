//! The public rules for Windows and cloud, all of them: each loads, or says why from a short list.

#![expect(clippy::disallowed_types, reason = "a test reads the rules from their file")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tocsin_sigma::ast::Severity;

/// Reasons for which a public rule may be refused.
const REASONS: [&str; 2] = ["unsupported_modifier", "regex_value"];

#[test]
fn every_public_rule_loads_or_says_why() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/sigma_rules");
    let path = folder.join("sigma_windows_and_cloud_rules.jsonl.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        println!("skipped: the public rules are not here");
        return;
    };
    let mut rules = 0;
    let mut loaded = 0;
    let mut counts: BTreeMap<(Severity, &str), usize> = BTreeMap::new();
    let mut unexpected = Vec::new();
    for line in BufReader::new(flate2::read::GzDecoder::new(file)).lines() {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let name = line["path"].as_str().unwrap();
        let (documents, diagnostics) =
            tocsin_sigma::parse(Arc::new(PathBuf::from(name)), line["yaml"].as_str().unwrap());
        rules += 1;
        loaded += documents.len();
        for finding in &diagnostics {
            *counts.entry((finding.severity, finding.code)).or_default() += 1;
            if finding.severity == Severity::Error && !REASONS.contains(&finding.code) {
                unexpected.push(format!("{name} {finding:?}"));
            }
        }
        let errors = diagnostics.iter().filter(|finding| finding.severity == Severity::Error).count();
        assert_eq!(documents.len() == 1, errors == 0, "{name}: {diagnostics:?}");
    }
    println!("{loaded} of {rules} rules load");
    for ((severity, code), count) in &counts {
        println!("{} {code}: {count}", severity.as_str());
    }
    assert_eq!(unexpected, Vec::<String>::new());
    assert_eq!(rules, 2_952);
    assert!(loaded * 1_000 >= rules * 995, "{loaded} of {rules}");
}
