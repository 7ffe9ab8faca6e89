//! What `test` and `conformance` share: reports told as they come, and what they add up to.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;
use tocsin_testkit::Report;
use tocsin_testkit::report::{Failure, StoryReport};

use crate::commands::{FINDINGS, FINE};
use crate::output::{junit, sanitise, unless_closed};

/// How reports are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A line for each file; files are counted.
    Files,
    /// A line for each story; stories are counted.
    Stories,
    /// An object for each story.
    Json,
}

/// Tells reports as they come; gives the exit status, or `None` where there was nothing to tell.
///
/// # Errors
/// Results that cannot be written.
pub fn tell_all(
    reports: impl Iterator<Item = Report>,
    command: &str,
    form: Form,
    junit_file: Option<&PathBuf>,
) -> anyhow::Result<Option<u8>> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut told: Vec<Report> = Vec::new();
    let mut reader_left = false;
    for report in reports {
        if !reader_left {
            let written = tell(&mut out, &report, form).and_then(|()| out.flush());
            reader_left = written.is_err();
            unless_closed(written)?;
        }
        told.push(report);
    }
    if told.is_empty() {
        return Ok(None);
    }
    if let Some(file) = junit_file {
        let document = junit::document(command, &told);
        std::fs::write(file, document).with_context(|| file.display().to_string())?;
    }
    if !reader_left && form != Form::Json {
        let (passed, failed) = counted(&told, form);
        unless_closed(writeln!(out, "{passed} passed, {failed} failed").and_then(|()| out.flush()))?;
    }
    Ok(Some(if told.iter().all(Report::passed) { FINE } else { FINDINGS }))
}

/// How many passed and failed. A file that cannot be played counts as one story.
fn counted(reports: &[Report], form: Form) -> (usize, usize) {
    let passed: Vec<bool> = match form {
        Form::Files => reports.iter().map(Report::passed).collect(),
        Form::Stories | Form::Json => {
            let faults = reports.iter().filter(|report| !report.faults.is_empty()).map(|_| false);
            let stories = reports.iter().flat_map(|report| &report.stories);
            stories.map(StoryReport::passed).chain(faults).collect()
        }
    };
    let good = passed.iter().filter(|passed| **passed).count();
    (good, passed.len() - good)
}

fn tell(out: &mut impl Write, report: &Report, form: Form) -> io::Result<()> {
    match form {
        Form::Files => tell_file(out, report),
        Form::Stories => tell_stories(out, report),
        Form::Json => tell_json(out, report),
    }
}

/// One line for a file, and what differs.
fn tell_file(out: &mut impl Write, report: &Report) -> io::Result<()> {
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

/// One line for a story, and what differs.
fn tell_stories(out: &mut impl Write, report: &Report) -> io::Result<()> {
    if !report.faults.is_empty() {
        return tell_file(out, report);
    }
    let file = shown(&report.file);
    for story in &report.stories {
        let verdict = if story.passed() { "ok" } else { "FAILED" };
        writeln!(out, "{verdict} {file}:{} {}", story.line, sanitise::text(&story.name))?;
        let lines = story.failures.iter().map(Failure::to_string);
        for text in lines {
            text.lines().try_for_each(|line| writeln!(out, "  {}", sanitise::text(line)))?;
        }
    }
    Ok(())
}

/// One object for a story; one for a file that cannot be played.
fn tell_json(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let file = report.file.display().to_string();
    if !report.faults.is_empty() {
        writeln!(out, "{}", json!({ "file": file, "passed": false, "faults": report.faults }))?;
    }
    for story in &report.stories {
        let failures: Vec<_> = story.failures.iter().map(failure).collect();
        let told = json!({
            "file": file,
            "line": story.line,
            "story": story.name,
            "about": story.about,
            "passed": story.passed(),
            "events": story.events,
            "alerts": story.alerts,
            "failures": failures,
        });
        writeln!(out, "{told}")?;
    }
    Ok(())
}

fn failure(failure: &Failure) -> serde_json::Value {
    let line = Some(failure.line).filter(|line| *line > 0);
    json!({ "line": line, "reason": failure.reason, "details": failure.details })
}

fn shown(path: &Path) -> String {
    sanitise::text(&path.display().to_string()).into_owned()
}
