//! Runs sigma-rust over a file of events, one JSON object a line: every rule against every event, as its
//! documentation shows it. Each match is a line `{"rule":"id","line":n}`; the last line of the messages says
//! how many rules were loaded and refused, how many events were read, and how long loading took.
//!
//! ```text
//! sigma-rust-runner RULES FILE
//! ```

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;
use sigma_rust::{Rule, event_from_json, rule_from_yaml};

const BUFFER_BYTES: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [rules, events] = arguments.as_slice() else {
        return Err("usage: sigma-rust-runner RULES FILE".into());
    };
    let began = Instant::now();
    let (rules, refused) = load(rules)?;
    let load_seconds = began.elapsed().as_secs_f64();
    let (events, unreadable, matches) = evaluate(&rules, events)?;
    let summary = json!({
        "rules": rules.len(),
        "refused": refused,
        "events": events,
        "unreadable": unreadable,
        "matches": matches,
        "load_seconds": load_seconds,
    });
    writeln!(stderr(), "{summary}")?;
    Ok(())
}

/// The rules of a file or a folder with their ids as JSON, and how many it refuses.
fn load(path: &Path) -> Result<(Vec<(String, Rule)>, usize), Box<dyn Error>> {
    let mut files = vec![path.to_path_buf()];
    if path.is_dir() {
        files = std::fs::read_dir(path)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        files.sort();
    }
    let (mut rules, mut refused) = (Vec::new(), 0);
    for file in files {
        match rule_from_yaml(&std::fs::read_to_string(file)?) {
            Ok(rule) => rules.push((json!(rule.id).to_string(), rule)),
            Err(_) => refused += 1,
        }
    }
    Ok((rules, refused))
}

/// Every rule against every event; how many events were read, how many were not, how often a rule matched.
fn evaluate(rules: &[(String, Rule)], path: &Path) -> Result<(u64, u64, u64), Box<dyn Error>> {
    let mut input = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
    let mut output = BufWriter::with_capacity(BUFFER_BYTES, stdout().lock());
    let (mut line, mut events, mut unreadable, mut matches) = (String::new(), 0, 0, 0);
    while input.read_line(&mut line)? > 0 {
        events += 1;
        match event_from_json(line.trim_end()) {
            Ok(event) => {
                for (id, _) in rules.iter().filter(|(_, rule)| rule.is_match(&event)) {
                    matches += 1;
                    writeln!(output, "{{\"rule\":{id},\"line\":{events}}}")?;
                }
            }
            Err(_) => unreadable += 1,
        }
        line.clear();
    }
    output.flush()?;
    Ok((events, unreadable, matches))
}
