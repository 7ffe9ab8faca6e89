//! Rules for a command: the shipped ones or those of `-r`, with their diagnostics told.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use tocsin_core::time::Timestamp;
use tocsin_io::rule_files::{self, UnreadablePath};
use tocsin_pipeline::plan::{LoadOptions, Loaded, RuleFile, load};
use tocsin_pipeline::rules::RuleTexts;
use tocsin_sigma::ast::{Diagnostic, Place, Severity};
use tocsin_sigma::finding::bounded;
use tocsin_sigma::limits::FILE_BYTES_MAX;
use tocsin_sigma::local::{Local, Placeholders};
use tocsin_sigma::logsource::OwnSources;

use crate::cli::LocalArgs;
use crate::commands::UsageError;

/// The code of a diagnostic about a path that cannot be read.
pub const UNREADABLE: &str = "unreadable_path";

mod shipped {
    include!(concat!(env!("OUT_DIR"), "/shipped_rules.rs"));
}

/// The rule files of these paths, or the shipped ones if there are none, and what in the folders
/// among them cannot be read.
///
/// # Errors
/// [`UsageError`] when a path cannot be read.
pub fn rule_files(paths: &[PathBuf]) -> anyhow::Result<(Vec<RuleFile>, Vec<Diagnostic>)> {
    if paths.is_empty() {
        let file = |(name, text): &(&str, &str)| RuleFile {
            path: PathBuf::from("rules").join(name),
            text: (*text).to_string(),
        };
        return Ok((shipped::FILES.iter().map(file).collect(), Vec::new()));
    }
    let found = rule_files::read(paths).map_err(|error| UsageError(error.to_string()))?;
    Ok((found.items, found.problems.into_iter().map(unreadable).collect()))
}

/// A path that cannot be read, as a diagnostic.
pub fn unreadable(problem: UnreadablePath) -> Diagnostic {
    Diagnostic {
        file: Arc::new(problem.path),
        place: Place::default(),
        severity: Severity::Warning,
        code: UNREADABLE,
        reason: problem.reason,
        hint: None,
    }
}

/// Loads the rules of these paths.
///
/// # Errors
/// [`UsageError`] when a path cannot be read.
pub fn rules(paths: &[PathBuf], local: &LocalArgs, gate: bool) -> anyhow::Result<Loaded> {
    rules_with_seed(paths, local, gate, seed())
}

/// Loads the rules of these paths, with the key of the hash tables that a data folder has.
///
/// # Errors
/// [`UsageError`] when a path cannot be read.
pub fn rules_with_seed(
    paths: &[PathBuf],
    local: &LocalArgs,
    gate: bool,
    seed: u64,
) -> anyhow::Result<Loaded> {
    let (texts, unreadable) = texts(paths, local)?;
    Ok(rules_of(&texts, unreadable, gate, seed))
}

/// Everything that decides what the rules of these paths mean, and what in the folders among them
/// cannot be read.
///
/// # Errors
/// [`UsageError`] when a path cannot be read.
pub fn texts(paths: &[PathBuf], local: &LocalArgs) -> anyhow::Result<(RuleTexts, Vec<Diagnostic>)> {
    let (files, unreadable) = rule_files(paths)?;
    Ok((with_local(files, local)?, unreadable))
}

fn with_local(files: Vec<RuleFile>, local: &LocalArgs) -> anyhow::Result<RuleTexts> {
    let read = |path: &PathBuf| anyhow::Ok(RuleFile { text: text(path)?, path: path.clone() });
    let placeholders = local.placeholders.as_ref().map(read).transpose()?;
    let logsources = local.logsources.as_ref().map(read).transpose()?;
    Ok(RuleTexts { files, placeholders, logsources })
}

/// Loads these texts; `unreadable` is what cannot be read beside them.
#[must_use]
pub fn rules_of(texts: &RuleTexts, unreadable: Vec<Diagnostic>, gate: bool, seed: u64) -> Loaded {
    let (local, found) = local_of(texts);
    let mut loaded = load(&texts.files, LoadOptions { gate, seed, local });
    loaded.diagnostics.extend(unreadable);
    loaded.diagnostics.extend(found);
    loaded.diagnostics = bounded(loaded.diagnostics);
    loaded
}

/// What the house adds to the language of rules, and what is wrong with it.
///
/// # Errors
/// [`UsageError`] when a file cannot be read.
pub fn local(args: &LocalArgs) -> anyhow::Result<(Arc<Local>, Vec<Diagnostic>)> {
    Ok(local_of(&with_local(Vec::new(), args)?))
}

fn local_of(texts: &RuleTexts) -> (Arc<Local>, Vec<Diagnostic>) {
    let mut local = Local::default();
    let mut found = Vec::new();
    if let Some(RuleFile { path, text }) = &texts.placeholders {
        let (placeholders, reported) = Placeholders::read(&Arc::new(path.clone()), text);
        local.placeholders = placeholders;
        found.extend(reported);
    }
    if let Some(RuleFile { path, text }) = &texts.logsources {
        let (logsources, reported) = OwnSources::read(&Arc::new(path.clone()), text);
        local.logsources = logsources;
        found.extend(reported);
    }
    (Arc::new(local), found)
}

/// The text of a file, no more of it than is looked at.
fn text(path: &Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| UsageError(format!("{}: {error}", path.display())))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A random key for hash tables that hold attacker-chosen strings. It never shows in a result.
#[must_use]
pub fn seed() -> u64 {
    RandomState::new().hash_one(0)
}

/// A diagnostic as one line, with its hint on a second. One about a file as a whole has no place.
#[must_use]
pub fn written(diagnostic: &Diagnostic) -> String {
    let place = diagnostic.place;
    let mut text = match diagnostic.file.display() {
        file if place != Place::default() => format!("{file}:{}:{}: ", place.line, place.column),
        _ if diagnostic.file.as_os_str().is_empty() => String::new(),
        file => format!("{file}: "),
    };
    text.push_str(&format!("{}: {} [{}]", diagnostic.severity.as_str(), diagnostic.reason, diagnostic.code));
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
