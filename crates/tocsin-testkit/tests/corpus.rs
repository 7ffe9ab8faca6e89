//! The public rules for Windows and cloud, all of them, as one set: each loads, or is refused for a
//! reason of a short list.

#![expect(clippy::print_stdout, reason = "a skipped test says why")]
#![expect(clippy::unwrap_used, reason = "rules in an unexpected shape fail the test")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;
use tocsin_pipeline::plan::{LoadOptions, RuleFile, load};
use tocsin_sigma::ast::Severity;

/// Rules there are.
const RULES: usize = 2_952;

/// Reasons for which a public rule may be refused, and for how many that is so.
const REFUSED: [(&str, usize); 0] = [];

/// What else is said of public rules, and of how many: `file_access` and `file_rename` are traces of
/// the Windows kernel, which no log holds.
const TOLD: [(&str, usize); 1] = [("unmapped_logsource", 15)];

fn public_rules() -> Option<Vec<RuleFile>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/sigma_rules");
    let path = folder.join("sigma_windows_and_cloud_rules.jsonl.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        println!("skipped: the public rules are not here");
        return None;
    };
    let read = |line: std::io::Result<String>| {
        let rule: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let text = |key: &str| rule[key].as_str().unwrap().to_owned();
        RuleFile { path: text("path").into(), text: text("yaml") }
    };
    Some(BufReader::new(flate2::read::GzDecoder::new(file)).lines().map(read).collect())
}

#[test]
fn every_public_rule_loads_or_is_refused_for_a_known_reason() {
    let Some(files) = public_rules() else { return };
    assert_eq!(files.len(), RULES);
    let loaded = load(&files, LoadOptions { gate: true, seed: 0, ..LoadOptions::default() });
    let mut counts: BTreeMap<(Severity, &str), usize> = BTreeMap::new();
    for found in &loaded.diagnostics {
        *counts.entry((found.severity, found.code)).or_default() += 1;
        assert!(found.place.line > 0, "{found:?}");
    }
    let of = |wanted: &dyn Fn(Severity) -> bool| -> Vec<(&str, usize)> {
        let some = counts.iter().filter(|((severity, _), _)| wanted(*severity));
        some.map(|((_, code), count)| (*code, *count)).collect()
    };
    println!("{counts:?}");
    assert_eq!(of(&|severity| severity == Severity::Error), REFUSED);
    assert_eq!(of(&|severity| severity < Severity::Error), TOLD);
    let refused: usize = REFUSED.iter().map(|(_, count)| count).sum();
    assert_eq!(loaded.rules.rules.len(), RULES - refused);
}
