//! The configuration: one YAML file, the environment over it, flags over both.
//!
//! Two layers: what is written, wherever that is ([`settings`], filled by [`raw`] and
//! [`environment`]), and what the server runs with ([`plan`]). [`sections`] leads from the one to
//! the other, key by key, and gathers everything that is wrong on the way instead of stopping at
//! the first of it.

mod auth;
mod bytes;
mod duration;
mod environment;
mod kinds;
pub mod plan;
mod raw;
mod section;
mod sections;
mod settings;

#[cfg(test)]
mod messages_tests;
#[cfg(test)]
mod rules_tests;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tocsin_sigma::ast::{Diagnostic, Place, Severity};
use tocsin_sigma::finding::advise;

use crate::cli::RunArgs;

use self::plan::RunPlan;
use self::settings::{Origin, Secrets, Setting, Settings, Value};

pub use self::sections::DATA_DEFAULT;

/// The roles of a server. Today one process has all of them.
const ROLES: [&str; 5] = ["ingest", "detect", "correlate", "serve", "respond"];

/// Top-level keys of a configuration, those of later releases included: what tells one from rules.
const TOP_KEYS: [&str; 21] = [
    "alerts",
    "auth",
    "batch",
    "data",
    "detect",
    "enrich",
    "history",
    "ingest",
    "limits",
    "listen",
    "log",
    "logsources",
    "placeholders",
    "redis",
    "respond",
    "rules",
    "sinks",
    "sources",
    "store",
    "stream",
    "tenants",
];

/// Top-level keys of rules, one of which every rule has.
const RULE_KEYS: [&str; 5] = ["title", "detection", "correlation", "logsource", "filter"];

/// What a run is to be: the file that the flags name, these variables over it, the flags over both.
/// `data` is the data folder if a flag named one. Beside the plan, what is worth knowing about it.
///
/// # Errors
/// All that is wrong, in order of place. Nothing should be started then.
pub fn for_run(
    args: &RunArgs,
    data: Option<&Path>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(RunPlan, Vec<Diagnostic>), Vec<Diagnostic>> {
    let path = Arc::new(args.config.clone().unwrap_or_default());
    let mut settings = Settings::new(Arc::clone(&path), Secrets::Read);
    let mut unreadable = false;
    if args.config.is_some() {
        match read_file(&path) {
            Ok(text) => unreadable = !add_text(&mut settings, &path, &text),
            Err(finding) => return Err(vec![finding]),
        }
    }
    environment::overlay(&mut settings, variables);
    add_flags(&mut settings, args, data);
    let plan = sections::run_plan(&mut settings);
    let (findings, _) = settings.finish();
    let broken = unreadable || findings.iter().any(|finding| finding.severity == Severity::Error);
    if broken { Err(findings) } else { Ok((plan, findings)) }
}

/// Everything there is to say about a configuration file by itself, in order of place. Files it
/// names are not opened.
#[must_use]
pub fn check(path: &Path, text: &str) -> Vec<Diagnostic> {
    let path = Arc::new(path.to_path_buf());
    let mut settings = Settings::new(Arc::clone(&path), Secrets::Leave);
    add_text(&mut settings, &path, text);
    sections::run_plan(&mut settings);
    settings.finish().0
}

/// Whether a file is a configuration rather than rules: by its name, or by its top-level keys.
#[must_use]
pub fn is_config(path: &Path, text: &str) -> bool {
    if path.file_name().is_some_and(|name| name == "tocsin.yaml" || name == "tocsin.yml") {
        return true;
    }
    let mut keys = text.lines().filter_map(|line| line.split_once(':')).map(|(key, _)| key.trim_end());
    keys.clone().any(|key| TOP_KEYS.contains(&key)) && !keys.any(|key| RULE_KEYS.contains(&key))
}

/// The text of a configuration file, not more than may be in one.
fn read_file(path: &Arc<PathBuf>) -> Result<String, Diagnostic> {
    let refused = |place, code, reason: String, hint: &str| {
        let (file, hint) = (Arc::clone(path), Some(hint.to_owned()));
        Diagnostic { file, place, severity: Severity::Error, code, reason, hint }
    };
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(&**path)?.take(raw::FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| {
        let hint = "name the file with --config; without it the defaults hold";
        refused(Place::default(), "unreadable_file", format!("this cannot be read: {error}"), hint)
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() as u32 + 1;
        let place = Place { line, column: 1 };
        refused(place, "invalid_utf8", "this line is not UTF-8".to_owned(), "save the file as UTF-8")
    })
}

/// Takes in a file; whether it could be read as a mapping.
fn add_text(settings: &mut Settings, path: &Arc<PathBuf>, text: &str) -> bool {
    match raw::read(text) {
        Ok(found) => {
            found.into_iter().for_each(|(path, setting)| settings.put(path, setting));
            true
        }
        Err(raw::Unreadable { place, code, reason, hint }) => {
            let (file, hint) = (Arc::clone(path), Some(hint.to_owned()));
            let severity = Severity::Error;
            settings.tell_whole(Diagnostic { file, place, severity, code, reason, hint });
            false
        }
    }
}

fn add_flags(settings: &mut Settings, args: &RunArgs, data: Option<&Path>) {
    let data = data.map(|path| path.display().to_string());
    let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let (placeholders, logsources) = (shown(&args.local.placeholders), shown(&args.local.logsources));
    for (path, flag, text) in [
        ("listen", "--listen", &args.listen),
        ("data", "--data", &data),
        ("placeholders", "--placeholders", &placeholders),
        ("logsources", "--logsources", &logsources),
    ] {
        if let Some(text) = text {
            let (value, origin) = (Value::Text(text.clone()), Origin::Flag(flag));
            let setting = Setting { value, origin, key: Place::default() };
            settings.put(path.to_owned(), setting);
        }
    }
    if let Some(asked) = &args.roles {
        check_roles(settings, asked);
    }
}

fn check_roles(settings: &mut Settings, asked: &str) {
    let at = Origin::Flag("--roles");
    let asked: Vec<&str> = asked.split(',').map(str::trim).collect();
    if let Some(unknown) = asked.iter().find(|role| !ROLES.contains(role)) {
        let reason = format!("unknown role `{unknown}`");
        settings.tell(Severity::Error, "wrong_value", (&at, ""), &reason, Some(advise(unknown, &ROLES)));
    } else if !ROLES.iter().all(|role| asked.contains(role)) {
        let reason = "a server with only some of the roles comes with a later release";
        let hint = format!("leave it out, or name all: {}", ROLES.join(","));
        settings.tell(Severity::Error, "later_release", (&at, ""), reason, Some(hint));
    }
}
