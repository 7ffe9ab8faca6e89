//! `--matches`: one line per rule match, for comparison with other engines.

use std::io::{self, Write};

use tocsin_core::engine::MatchedBatch;
use tocsin_core::offset::PartitionId;
use tocsin_core::plan::Plan;

/// Writes matches as JSON lines.
pub struct MatchWriter<W> {
    out: W,
    /// `,"rule":"…"` by rule, escaped once.
    rules: Vec<String>,
    /// `,"file":"…"` by partition; empty with a single input.
    files: Vec<String>,
    line: Vec<u8>,
}

impl<W: Write> MatchWriter<W> {
    /// A writer; `names` are the inputs by partition.
    #[must_use]
    pub fn new(out: W, plan: &Plan, names: &[String]) -> MatchWriter<W> {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let rules = plan.rules.iter().map(|rule| format!(",\"rule\":{}", quoted(&rule.meta.id))).collect();
        let file = |name: &String| format!(",\"file\":{}", quoted(name));
        let files = if names.len() > 1 { names.iter().map(file).collect() } else { Vec::new() };
        MatchWriter { out, rules, files, line: Vec::new() }
    }

    /// Writes the matches of a batch.
    ///
    /// # Errors
    /// What the output says.
    pub fn write(&mut self, batch: &MatchedBatch) -> io::Result<()> {
        let PartitionId(partition) = batch.raw.partition;
        let file = self.files.get(usize::from(partition)).map_or("", String::as_str);
        for found in &batch.matches {
            let number = batch.raw.first_record + u64::from(found.event) + 1;
            self.line.clear();
            let rule = &self.rules[found.rule.index()];
            writeln!(self.line, "{{\"line\":{number}{rule}{file}}}")?;
            self.out.write_all(&self.line)?;
        }
        Ok(())
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// What the output says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
