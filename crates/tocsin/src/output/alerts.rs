//! Alerts as JSON lines, as CSV, or as a table.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use serde_json::Value;
use tocsin_alert::Alert;
use tocsin_core::rule::Level;

use crate::output::sanitise;

/// How alerts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One JSON object per line.
    Json,
    /// Comma-separated values with a header.
    Csv,
    /// A table, at the end.
    Table,
}

/// Rows a table shows at most; the rest is told as a number.
const TABLE_ROWS_MAX: usize = 200;

/// Columns of the table are narrowed to fit this width where the terminal's is unknown.
const TABLE_WIDTH: u16 = 140;

const CSV_HEADER: [&str; 14] = [
    "timestamp",
    "severity",
    "type",
    "title",
    "message",
    "count",
    "first_seen",
    "last_seen",
    "source.ip",
    "user.name",
    "host.name",
    "confidence",
    "rule_id",
    "alert_id",
];

/// Writes alerts as they come.
pub enum AlertWriter<W: Write> {
    /// One JSON object per line.
    Json(W),
    /// Comma-separated values.
    Csv(Box<csv::Writer<W>>),
    /// A table, at the end.
    Table(TableWriter<W>),
}

/// Gathers rows for a table.
pub struct TableWriter<W> {
    out: W,
    rows: Vec<[String; 5]>,
    levels: Vec<Level>,
    more: usize,
}

impl<W: Write> AlertWriter<W> {
    /// A writer of a shape.
    ///
    /// # Errors
    /// What the output says of the CSV header.
    pub fn new(shape: Shape, out: W) -> io::Result<AlertWriter<W>> {
        Ok(match shape {
            Shape::Json => AlertWriter::Json(out),
            Shape::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(CSV_HEADER)?;
                AlertWriter::Csv(Box::new(writer))
            }
            Shape::Table => {
                AlertWriter::Table(TableWriter { out, rows: Vec::new(), levels: Vec::new(), more: 0 })
            }
        })
    }

    /// Takes in one alert.
    ///
    /// # Errors
    /// What the output says.
    pub fn write(&mut self, alert: &Alert) -> io::Result<()> {
        match self {
            AlertWriter::Json(out) => {
                serde_json::to_writer(&mut *out, alert)?;
                out.write_all(b"\n")
            }
            AlertWriter::Csv(writer) => Ok(writer.write_record(csv_row(alert))?),
            AlertWriter::Table(table) => {
                table.take(alert);
                Ok(())
            }
        }
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// What the output says.
    pub fn finish(self) -> io::Result<()> {
        match self {
            AlertWriter::Json(mut out) => out.flush(),
            AlertWriter::Csv(mut writer) => writer.flush(),
            AlertWriter::Table(table) => table.finish(),
        }
    }
}

fn csv_row(alert: &Alert) -> [String; 14] {
    let entity = |kind: &str| {
        let of_kind = alert.entities.iter().filter(|entity| entity.kind == kind);
        let values: Vec<&str> = of_kind.map(|entity| entity.value.as_str()).collect();
        values.join(" ")
    };
    let plain = [
        &alert.timestamp,
        alert.severity.as_str(),
        &alert.kind,
        &alert.title,
        &alert.message,
        &alert.count.to_string(),
        &alert.first_seen,
        &alert.last_seen,
        &entity("address"),
        &entity("user"),
        &entity("host"),
        &alert.confidence.to_string(),
        &alert.rule.id,
        &alert.alert_id,
    ];
    plain.map(sanitise::cell)
}

impl<W: Write> TableWriter<W> {
    fn take(&mut self, alert: &Alert) {
        if self.rows.len() >= TABLE_ROWS_MAX {
            self.more += 1;
            return;
        }
        let tactic = alert.context.attack_chain_position.as_deref().unwrap_or("").replace('_', " ");
        self.rows.push([
            short_time(&alert.timestamp),
            alert.severity.as_str().to_string(),
            sanitise::text(&alert.message).into_owned(),
            alert.count.to_string(),
            tactic,
        ]);
        self.levels.push(alert.severity);
    }

    fn finish(mut self) -> io::Result<()> {
        if self.rows.is_empty() {
            writeln!(self.out, "No alerts.")?;
            return self.out.flush();
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        if table.width().is_none() {
            table.set_width(TABLE_WIDTH);
        }
        let title = |text: &str| Cell::new(text).add_attribute(Attribute::Bold);
        table.set_header(["time (UTC)", "severity", "what happened", "events", "attack stage"].map(title));
        for (row, level) in self.rows.iter().zip(&self.levels) {
            let [time, severity, message, count, tactic] = row;
            table.add_row([
                Cell::new(time),
                Cell::new(severity).fg(color(*level)),
                Cell::new(message),
                Cell::new(count).set_alignment(CellAlignment::Right),
                Cell::new(tactic),
            ]);
        }
        writeln!(self.out, "{table}")?;
        if self.more > 0 {
            writeln!(self.out, "… and {} more alerts; see all with --json or --csv", self.more)?;
        }
        self.out.flush()
    }
}

fn color(level: Level) -> Color {
    match level {
        Level::Critical => Color::Red,
        Level::High => Color::Yellow,
        Level::Medium => Color::Cyan,
        Level::Low | Level::Informational => Color::Reset,
    }
}

/// A time to the second, as a person reads it.
fn short_time(time: &str) -> String {
    time.get(..19).unwrap_or(time).replace('T', " ")
}

/// The number of alerts by rule, as the summary gives it.
#[must_use]
pub fn count_map(counts: &std::collections::BTreeMap<String, u64>) -> Value {
    counts
        .iter()
        .map(|(rule, count)| (rule.clone(), Value::from(*count)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
