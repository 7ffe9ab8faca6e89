//! Rules for a command: the shipped ones or those of `-r`, with their diagnostics told.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::Context;
use tocsin_core::time::Timestamp;
use tocsin_io::rule_files;
use tocsin_pipeline::plan::{LoadOptions, Loaded, RuleFile, load};
use tocsin_sigma::ast::{Diagnostic, Severity};

use crate::commands::UsageError;

mod shipped {
    include!(concat!(env!("OUT_DIR"), "/shipped_rules.rs"));
}

/// The rule files of these paths, or the shipped ones if there are none.
///
/// # Errors
/// [`UsageError`] when a path cannot be read.
pub fn rule_files(paths: &[PathBuf]) -> anyhow::Result<Vec<RuleFile>> {
    if paths.is_empty() {
        let file = |(name, text): &(&str, &str)| RuleFile {
            path: PathBuf::from("rules").join(name),
            text: (*text).to_string(),
        };
        return Ok(shipped::FILES.iter().map(file).collect());
    }
    rule_files::read(paths).map_err(|error| UsageError(error.to_string()).into())
}

/// Loads the rules of these paths.
///
/// # Errors
/// [`UsageError`] when a path cannot be read.
pub fn rules(paths: &[PathBuf], gate: bool) -> anyhow::Result<Loaded> {
    Ok(load(&rule_files(paths)?, LoadOptions { gate, seed: seed() }))
}

/// A random key for hash tables that hold attacker-chosen strings. It never shows in a result.
fn seed() -> u64 {
    RandomState::new().hash_one(0)
}

/// A diagnostic as one line, with its hint on a second.
#[must_use]
pub fn written(diagnostic: &Diagnostic) -> String {
    let place = diagnostic.place;
    let mut text = format!(
        "{}:{}:{}: {}: {} [{}]",
        diagnostic.file.display(),
        place.line,
        place.column,
        diagnostic.severity.as_str(),
        diagnostic.reason,
        diagnostic.code
    );
    if let Some(hint) = &diagnostic.hint {
        text.push_str("\n  hint: ");
        text.push_str(hint);
    }
    text
}

/// The diagnostics a run should tell: those that keep a rule from working.
pub fn worth_telling(diagnostics: &[Diagnostic]) -> impl Iterator<Item = &Diagnostic> {
    diagnostics.iter().filter(|diagnostic| diagnostic.severity >= Severity::Warning)
}

/// A time argument.
///
/// # Errors
/// [`UsageError`] when it is not RFC 3339.
pub fn time_argument(name: &str, text: &str) -> anyhow::Result<Timestamp> {
    Timestamp::parse(text.as_bytes()).ok_or_else(|| {
        let message = format!("{name}: `{text}` is not a time such as 2026-01-31T00:00:00Z");
        UsageError(message).into()
    })
}

/// A system time as a timestamp.
///
/// # Errors
/// When it lies outside what timestamps hold.
pub fn timestamp(time: SystemTime) -> anyhow::Result<Timestamp> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).context("the time lies before 1970")?;
    Ok(Timestamp(i64::try_from(since.as_nanos()).context("the time lies after 2262")?))
}
