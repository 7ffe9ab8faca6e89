//! `tocsin test`: the stories that lie beside rules, played.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tocsin_io::rule_files::list;
use tocsin_testkit::Report;

use crate::cli::TestArgs;
use crate::commands::{FINDINGS, FINE, UsageError};
use crate::loading;
use crate::output::{complain, junit, sanitise, unless_closed};

/// What is tested when nothing is named.
const DEFAULT_FOLDER: &str = "rules";

const TRACE: &str = "trace";

/// Runs the command.
///
/// # Errors
/// Wrong usage, or results that cannot be written.
pub fn run(args: &TestArgs) -> anyhow::Result<u8> {
    let traces = traces(&args.paths)?;
    let (local, found) = loading::local(&args.local)?;
    found.iter().for_each(|finding| complain(&loading::written(finding)));
    let mut out = BufWriter::new(io::stdout().lock());
    let mut reports = Vec::with_capacity(traces.len());
    let mut reader_left = false;
    for trace in &traces {
        let report = tocsin_testkit::run_with(trace, &local);
        if !reader_left {
            let written = tell(&mut out, &report).and_then(|()| out.flush());
            reader_left = written.is_err();
            unless_closed(written)?;
        }
        reports.push(report);
    }
    if let Some(file) = &args.junit {
        std::fs::write(file, junit::document(&reports)).with_context(|| file.display().to_string())?;
    }
    let failed = reports.iter().filter(|report| !report.passed()).count();
    if !reader_left {
        let passed = reports.len() - failed;
        unless_closed(writeln!(out, "{passed} passed, {failed} failed").and_then(|()| out.flush()))?;
    }
    Ok(if failed > 0 { FINDINGS } else { FINE })
}

/// The traces of these paths: a trace itself, the one beside a rule, all in a folder.
fn traces(paths: &[PathBuf]) -> anyhow::Result<BTreeSet<PathBuf>> {
    let default = [PathBuf::from(DEFAULT_FOLDER)];
    let paths = if paths.is_empty() { &default } else { paths };
    let mut traces = BTreeSet::new();
    for path in paths {
        let found = list(path, &[TRACE]).map_err(|error| UsageError(error.to_string()))?;
        for problem in found.problems {
            complain(&loading::written(&loading::unreadable(problem)));
        }
        if path.is_dir() {
            traces.extend(found.items);
            continue;
        }
        let trace = path.with_extension(TRACE);
        if !trace.is_file() {
            let message = format!("{}: there is no test beside it ({})", path.display(), trace.display());
            return Err(UsageError(message).into());
        }
        traces.insert(trace);
    }
    if traces.is_empty() {
        let message = "there is no test (.trace) to run".to_string();
        return Err(UsageError(message).into());
    }
    Ok(traces)
}

/// One line for a trace, and what differs.
fn tell(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let file = shown(&report.file);
    let stories = report.stories.len();
    let plural = if stories == 1 { "story" } else { "stories" };
    if report.passed() {
        return writeln!(out, "ok {file} ({stories} {plural})");
    }
    if report.faults.is_empty() {
        let failed = report.stories.iter().filter(|story| !story.passed()).count();
        writeln!(out, "FAILED {file} ({failed} of {stories} {plural})")?;
    } else {
        writeln!(out, "FAILED {file} (not played)")?;
    }
    report.to_string().lines().try_for_each(|line| writeln!(out, "  {}", sanitise::text(line)))
}

fn shown(path: &Path) -> String {
    sanitise::text(&path.display().to_string()).into_owned()
}
