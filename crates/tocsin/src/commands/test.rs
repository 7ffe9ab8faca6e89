//! `tocsin test`: the stories that lie beside rules and the examples that stand in them, played.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tocsin_io::rule_files::{self, list};
use tocsin_pipeline::plan::RuleFile;
use tocsin_testkit::Report;
use tocsin_testkit::examples::{may_have_examples, run_examples};

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
    let Asked { traces, files } = asked(&args.paths)?;
    let (local, found) = loading::local(&args.local)?;
    found.iter().for_each(|finding| complain(&loading::written(finding)));
    let mut out = BufWriter::new(io::stdout().lock());
    let mut reports = Vec::with_capacity(traces.len());
    let mut reader_left = false;
    let played = traces.iter().map(|trace| tocsin_testkit::run_with(trace, &local));
    let examples = files.iter().filter_map(|file| run_examples(file, &files, &local));
    for report in played.chain(examples) {
        if !reader_left {
            let written = tell(&mut out, &report).and_then(|()| out.flush());
            reader_left = written.is_err();
            unless_closed(written)?;
        }
        reports.push(report);
    }
    if reports.is_empty() {
        let message = "there is no test to run: no .trace, and no examples in rules".to_string();
        return Err(UsageError(message).into());
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

/// What is to be tested.
struct Asked {
    traces: BTreeSet<PathBuf>,
    /// Rules, of which some may hold examples.
    files: Vec<RuleFile>,
}

/// The tests of these paths: a trace itself, the one beside a rule, all in a folder.
fn asked(paths: &[PathBuf]) -> anyhow::Result<Asked> {
    let default = [PathBuf::from(DEFAULT_FOLDER)];
    let paths = if paths.is_empty() { &default } else { paths };
    let mut traces = BTreeSet::new();
    let mut rules = Vec::new();
    let mut alone = BTreeSet::new();
    let mut problems = BTreeSet::new();
    for path in paths {
        let found = list(path, &[TRACE]).map_err(|error| UsageError(error.to_string()))?;
        problems.extend(found.problems.into_iter().map(|p| loading::written(&loading::unreadable(p))));
        if path.is_dir() {
            traces.extend(found.items);
            rules.push(path.clone());
            continue;
        }
        let trace = path.with_extension(TRACE);
        if *path != trace {
            rules.push(path.clone());
        }
        if trace.is_file() {
            traces.insert(trace);
        } else {
            alone.insert(path);
        }
    }
    let found = rule_files::read(&rules).map_err(|error| UsageError(error.to_string()))?;
    problems.extend(found.problems.into_iter().map(|p| loading::written(&loading::unreadable(p))));
    problems.iter().for_each(|problem| complain(problem));
    let untested =
        found.items.iter().find(|file| alone.contains(&file.path) && !may_have_examples(&file.text));
    if let Some(file) = untested {
        let trace = file.path.with_extension(TRACE);
        let (file, trace) = (file.path.display(), trace.display());
        let message = format!("{file}: there is no test in it (`tests`) nor beside it ({trace})");
        return Err(UsageError(message).into());
    }
    Ok(Asked { traces, files: found.items })
}

/// One line for a file, and what differs.
fn tell(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let file = shown(&report.file);
    let stories = report.stories.len();
    let plural = report.cases.word(stories);
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
