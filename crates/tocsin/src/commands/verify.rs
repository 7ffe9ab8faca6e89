//! `tocsin verify`: every frame of a journal checked, and what is damaged or missing, exactly.
//! Changes nothing of it and works beside a running server.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::json;
use tocsin_store::journal::verify::{DamagedHeader, Report};
use tocsin_store::journal::{Hole, verify};
use tocsin_store::{DATABASE_FILE, Reader};

use crate::cli::VerifyArgs;
use crate::commands::{FINDINGS, FINE, UsageError};
use crate::output::{sanitise, unless_closed};

/// Where a data folder has its journal.
const JOURNAL: &str = "journal";

/// How the name of a journal's file ends.
const SEGMENT: &str = "log";

/// Runs the command.
///
/// # Errors
/// Wrong usage, or a journal that cannot be read.
pub fn run(args: &VerifyArgs) -> anyhow::Result<u8> {
    let folder = journal_of(&args.folder)?;
    // First the database, then the journal, which a running server takes further meanwhile.
    let (committed, not_compared) = match committed(&args.folder) {
        Ok(committed) => (committed, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let report =
        verify(&folder, committed.unwrap_or_default()).with_context(|| folder.display().to_string())?;
    let mut out = io::stdout().lock();
    let written = if args.json {
        write_json(&mut out, &folder, committed, &report)
    } else {
        write_text(&mut out, &report, not_compared.as_deref())
    };
    unless_closed(written.and_then(|()| out.flush()))?;
    Ok(if report.is_sound() { FINE } else { FINDINGS })
}

/// The position that the database of a data folder has reached. None where there is no database: it
/// would be made.
fn committed(folder: &Path) -> anyhow::Result<Option<u64>> {
    if !folder.join(DATABASE_FILE).is_file() || !folder.join(JOURNAL).is_dir() {
        return Ok(None);
    }
    Ok(Some(Reader::open(folder)?.committed()?))
}

/// The journal's folder: this one, or the one in it.
fn journal_of(folder: &Path) -> anyhow::Result<PathBuf> {
    let inner = folder.join(JOURNAL);
    if inner.is_dir() {
        return Ok(inner);
    }
    if !folder.is_dir() {
        return Err(UsageError(format!("{}: there is no such folder", folder.display())).into());
    }
    let is_segment = |path: PathBuf| path.extension().is_some_and(|extension| extension == SEGMENT);
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let has_segment = entries.filter_map(Result::ok).any(|entry| is_segment(entry.path()));
    if has_segment || folder.file_name().is_some_and(|name| name == JOURNAL) {
        return Ok(folder.to_path_buf());
    }
    let message =
        format!("{}: no journal here: name a server's data folder or its journal", folder.display());
    Err(UsageError(message).into())
}

fn write_json(
    out: &mut impl Write,
    folder: &Path,
    committed: Option<u64>,
    report: &Report,
) -> io::Result<()> {
    let mut value = json!({ "folder": folder, "committed": committed, "sound": report.is_sound() });
    if let (Some(fields), Ok(serde_json::Value::Object(found))) =
        (value.as_object_mut(), serde_json::to_value(report))
    {
        fields.extend(found);
    }
    writeln!(out, "{value}")
}

fn write_text(out: &mut impl Write, report: &Report, not_compared: Option<&str>) -> io::Result<()> {
    writeln!(out, "{}", table(report).trim_fmt())?;
    writeln!(out)?;
    write_losses(out, report)?;
    write_tail(out, report)?;
    for stray in &report.strays {
        writeln!(out, "not a segment of this journal: {}", sanitise::line(stray))?;
    }
    if let Some(reason) = not_compared {
        writeln!(out, "the end is not compared with the database: {}", sanitise::line(reason))?;
    }
    writeln!(out, "{}", summary(report))
}

/// The segments.
fn table(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(["SEGMENT", "FRAMES", "RECORDS", "BYTES"]);
    for segment in &report.segments {
        table.add_row([
            segment.file.clone(),
            segment.frames.to_string(),
            segment.records.to_string(),
            segment.bytes.to_string(),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// What is damaged or gone.
fn write_losses(out: &mut impl Write, report: &Report) -> io::Result<()> {
    for DamagedHeader { file, copy, from, to } in &report.headers {
        writeln!(out, "head: {file}: copy {copy} of 2 (bytes {from}..{to}) damaged; the other one is read")?;
    }
    for hole in &report.holes {
        writeln!(out, "hole: {hole}")?;
    }
    if report.holes_not_listed > 0 {
        writeln!(out, "hole: {} more, not listed", report.holes_not_listed)?;
    }
    if let Some(missing) = report.missing_end {
        writeln!(out, "end: {missing}; the database has reached {}", missing.to)?;
    }
    Ok(())
}

/// The end of the newest segment, if it is no frame.
fn write_tail(out: &mut impl Write, report: &Report) -> io::Result<()> {
    for (tail, what) in [
        (
            report.torn,
            "torn tail: a write that a crash cut short, or a damaged last frame; the next start takes it away",
        ),
        (report.being_written, "still being written"),
    ] {
        if let Some(Hole { from, to, .. }) = tail {
            writeln!(out, "{what}: {from}..{to} ({} bytes)", to - from)?;
        }
    }
    Ok(())
}

/// One line for all of it.
fn summary(report: &Report) -> String {
    let held = format!(
        "{} segments, {} frames, {} records, {} bytes",
        report.segments.len(),
        report.frames,
        report.records,
        report.bytes
    );
    let holes = report.holes.len() as u64 + report.holes_not_listed;
    match (report.is_sound(), holes) {
        (true, _) => format!("sound: {held}"),
        (false, 0) => format!("not sound: {held}"),
        (false, _) => format!("damaged: {held}; {holes} holes of {} bytes", report.hole_bytes),
    }
}
