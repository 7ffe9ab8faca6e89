//! `tocsin check`: everything there is to say about rules and configurations, before they run.

use std::cmp::Reverse;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use tocsin_decode::known;
use tocsin_pipeline::plan::{LoadOptions, Loaded, RuleFile, load};
use tocsin_sigma::ast::{Diagnostic, Severity};
use tocsin_sigma::finding::bounded;
use tocsin_sigma::lint::{FieldNames, lint, lint_conditions};

use crate::cli::{CheckArgs, DenyArg};
use crate::commands::{FINDINGS, FINE, UsageError};
use crate::config;
use crate::loading;
use crate::output::{complain, diagnostics, navigator, unless_closed};

/// Runs the command.
///
/// # Errors
/// Wrong usage, or results that cannot be written.
pub fn run(args: &CheckArgs) -> anyhow::Result<u8> {
    let Asked { files, configs, unreadable } = asked(args)?;
    let nothing = files.is_empty() && configs.is_empty();
    let (local, told) = loading::local(&args.local)?;
    let loaded = load(&files, LoadOptions { gate: true, seed: 0, local });
    if let Some(file) = &args.navigator {
        write_layer(file, &loaded)?;
    }
    let found = findings(&files, &configs, unreadable.into_iter().chain(told).collect(), loaded);
    let sources: Vec<RuleFile> = files.into_iter().chain(configs).collect();
    let mut out = BufWriter::new(io::stdout().lock());
    let written = if args.json {
        diagnostics::write_json(&mut out, &found)
    } else {
        diagnostics::write_text(&mut out, &found, &sources)
    };
    unless_closed(written.and_then(|()| out.flush()))?;
    if nothing {
        return Err(
            UsageError("there is no rule file or configuration (.yml, .yaml) to check".to_string()).into()
        );
    }
    complain(&count(&found, sources.len()));
    let denied = match args.deny {
        None => Severity::Error,
        Some(DenyArg::Warnings) => Severity::Warning,
        Some(DenyArg::Notes) => Severity::Info,
    };
    let broken = found.iter().any(|finding| finding.severity >= denied);
    Ok(if broken { FINDINGS } else { FINE })
}

/// Writes the techniques of the rules that load.
fn write_layer(file: &Path, loaded: &Loaded) -> anyhow::Result<()> {
    let rules = loaded.rules.rules.iter().map(|rule| (rule.meta.title.as_str(), rule.meta.tags.as_slice()));
    let mut text = format!("{:#}", navigator::layer(rules));
    text.push('\n');
    std::fs::write(file, text).with_context(|| file.display().to_string())
}

/// What is to be checked.
struct Asked {
    files: Vec<RuleFile>,
    configs: Vec<RuleFile>,
    unreadable: Vec<Diagnostic>,
}

/// The files of these arguments: rules, and what is a configuration by its name or its keys.
fn asked(args: &CheckArgs) -> anyhow::Result<Asked> {
    let named: Vec<PathBuf> = args.config.iter().cloned().collect();
    let mut configs = if named.is_empty() { Vec::new() } else { loading::rule_files(&named)?.0 };
    if !named.is_empty() && args.paths.is_empty() {
        return Ok(Asked { files: Vec::new(), configs, unreadable: Vec::new() });
    }
    let (found, unreadable) = loading::rule_files(&args.paths)?;
    let is_config = |file: &RuleFile| config::is_config(&file.path, &file.text);
    let (more, files): (Vec<RuleFile>, Vec<RuleFile>) = found.into_iter().partition(is_config);
    configs.extend(more.into_iter().filter(|file| !named.contains(&file.path)));
    Ok(Asked { files, configs, unreadable })
}

/// What cannot be read, what loading says, what the lints say and what is wrong with
/// configurations, in order of file and place.
fn findings(
    files: &[RuleFile],
    configs: &[RuleFile],
    unreadable: Vec<Diagnostic>,
    loaded: Loaded,
) -> Vec<Diagnostic> {
    let mut found = unreadable;
    let names = FieldNames::new(known::names()).used_in(&loaded.rules);
    found.extend(lint_conditions(&loaded.rules));
    found.extend(loaded.diagnostics);
    for file in files {
        found.extend(lint(&Arc::new(file.path.clone()), &file.text, &names));
    }
    for file in configs {
        found.extend(config::check(&file.path, &file.text));
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
