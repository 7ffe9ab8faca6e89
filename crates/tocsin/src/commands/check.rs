//! `tocsin check`: everything there is to say about rules, before they run.

use std::cmp::Reverse;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use tocsin_decode::known::is_known;
use tocsin_pipeline::plan::{LoadOptions, RuleFile, load};
use tocsin_sigma::ast::{Diagnostic, Severity};
use tocsin_sigma::finding::bounded;
use tocsin_sigma::lint::lint;

use crate::cli::CheckArgs;
use crate::commands::{FINDINGS, FINE, UsageError};
use crate::loading;
use crate::output::{complain, diagnostics, unless_closed};

/// Runs the command.
///
/// # Errors
/// Wrong usage, or results that cannot be written.
pub fn run(args: &CheckArgs) -> anyhow::Result<u8> {
    let (files, unreadable) = loading::rule_files(&args.paths)?;
    let nothing = files.is_empty();
    let found = findings(&files, unreadable);
    let mut out = BufWriter::new(io::stdout().lock());
    let written = if args.json {
        diagnostics::write_json(&mut out, &found)
    } else {
        diagnostics::write_text(&mut out, &found, &files)
    };
    unless_closed(written.and_then(|()| out.flush()))?;
    if nothing {
        return Err(UsageError("there is no rule file (.yml, .yaml) to check".to_string()).into());
    }
    complain(&count(&found, files.len()));
    let broken = found.iter().any(|finding| finding.severity == Severity::Error);
    Ok(if broken { FINDINGS } else { FINE })
}

/// What cannot be read, what loading says and what the lints say, in order of file and place.
fn findings(files: &[RuleFile], unreadable: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut found = unreadable;
    found.extend(load(files, LoadOptions { gate: true, seed: 0 }).diagnostics);
    for file in files {
        found.extend(lint(&Arc::new(file.path.clone()), &file.text, &is_known));
    }
    let order = |found: &Diagnostic| (found.place, Reverse(found.severity), found.code);
    found.sort_by(|a, b| a.file.cmp(&b.file).then_with(|| order(a).cmp(&order(b))));
    found.dedup();
    bounded(found)
}

/// How many there are of each severity.
fn count(found: &[Diagnostic], files: usize) -> String {
    let of = |severity| found.iter().filter(|finding| finding.severity == severity).count();
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    format!(
        "{}, {}, {} in {}",
        plural(of(Severity::Error), "error"),
        plural(of(Severity::Warning), "warning"),
        plural(of(Severity::Info), "note"),
        plural(files, "file")
    )
}
