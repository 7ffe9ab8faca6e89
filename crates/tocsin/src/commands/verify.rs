//! `tocsin verify`: every frame of a journal checked, and what is damaged, exactly. Changes nothing
//! and works beside a running server.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::json;
use tocsin_store::journal::verify::Report;
use tocsin_store::journal::{Hole, verify};

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
    let report = verify(&folder).with_context(|| folder.display().to_string())?;
    let mut out = io::stdout().lock();
    let written =
        if args.json { write_json(&mut out, &folder, &report) } else { write_table(&mut out, &report) };
    unless_closed(written.and_then(|()| out.flush()))?;
    Ok(if report.is_sound() { FINE } else { FINDINGS })
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

fn write_json(out: &mut impl Write, folder: &Path, report: &Report) -> io::Result<()> {
    let mut value = json!({ "folder": folder, "sound": report.is_sound() });
    if let (Some(fields), Ok(serde_json::Value::Object(found))) =
        (value.as_object_mut(), serde_json::to_value(report))
    {
        fields.extend(found);
    }
    writeln!(out, "{value}")
}

fn write_table(out: &mut impl Write, report: &Report) -> io::Result<()> {
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
    writeln!(out, "{}", table.trim_fmt())?;
    writeln!(out)?;
    for hole in &report.holes {
        writeln!(out, "hole: {hole}")?;
    }
    if report.holes_not_listed > 0 {
        writeln!(out, "hole: {} more, not listed", report.holes_not_listed)?;
    }
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
    for stray in &report.strays {
        writeln!(out, "not a segment of this journal: {}", sanitise::line(stray))?;
    }
    writeln!(out, "{}", summary(report))
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
