//! A `.trace` file as data: stories, their lines with all placeholders replaced, and what is
//! expected of them. The grammar is in `docs/traces.md`.
//!
//! Everything wrong with a file is reported at once, each with its line. Reading is pure: the
//! caller brings the text.

mod block;
mod expectation;
mod parse;
mod record;
mod words;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tocsin_core::rule::Level;
use tocsin_core::time::Timestamp;
use tocsin_sigma::ast::Severity;

pub use block::{Block, BlockKind, compose};

/// Lines one story may give, repeats counted. A story with more does not read.
pub const STORY_LINES_MAX: usize = 100_000;

/// Inputs one story may name. A story with more does not read.
pub const INPUTS_MAX: usize = 64;

/// The start of stories that name none.
pub const DEFAULT_START: &str = "2026-01-15T08:00:00Z";

/// A trace file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Other rule files to load, as written, each with its line.
    pub with: Vec<(String, u32)>,
    /// Whether rules match events of any log source.
    pub ungated: bool,
    /// What stands in the trace for all its stories.
    pub blocks: Vec<Block>,
    /// The stories, in order.
    pub stories: Vec<Story>,
}

/// One story: what happens, and what must come of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Story {
    /// What the story is called.
    pub name: String,
    /// Its line in the file.
    pub line: u32,
    /// What it is about, in the words of a list of things that need a story.
    pub about: Vec<String>,
    /// The time offsets count from.
    pub start: Timestamp,
    /// What stands in the story itself.
    pub blocks: Vec<Block>,
    /// The events, in order of arrival.
    pub records: Vec<Record>,
    /// Before which of the records everything is restarted, by their index.
    pub restarts: Vec<usize>,
    /// What is expected; an empty list means that nothing may be raised.
    pub expected: Vec<Expected>,
}

/// One event of a story.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// When it happens.
    pub time: Timestamp,
    /// The record as the decoder gets it.
    pub text: String,
    /// Its line in the file.
    pub line: u32,
    /// The input it arrives on, a number for each name in the order of their first appearance.
    pub input: u16,
}

/// One expectation.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// An alert.
    Alert(ExpectedAlert),
    /// Matches of a rule that raises no alert of its own.
    Matches(ExpectedMatches),
    /// Something told of the rules while they load.
    Finding(ExpectedFinding),
    /// Nothing told of the rules; the line that says so.
    Clean(u32),
}

/// An alert, as far as the story says something about it; what it leaves open is not compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExpectedAlert {
    /// Its line in the file.
    pub line: u32,
    /// Name, id or title of the rule.
    pub rule: String,
    /// The parts of the key that have a value, in order.
    pub key: Option<Vec<String>>,
    /// t0: when the condition began to hold.
    pub at: Option<Timestamp>,
    /// Time of the first contributing event.
    pub first: Option<Timestamp>,
    /// Time of the last contributing event.
    pub last: Option<Timestamp>,
    /// Contributing events.
    pub count: Option<u64>,
    /// Severity.
    pub severity: Option<Level>,
    /// Type.
    pub kind: Option<String>,
    /// Confidence, 0 to 1.
    pub confidence: Option<f64>,
    /// Message.
    pub message: Option<String>,
    /// Details.
    pub details: Option<String>,
}

/// How often a stateless rule matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpectedMatches {
    /// Its line in the file.
    pub line: u32,
    /// Name, id or title of the rule.
    pub rule: String,
    /// How many events match.
    pub count: Option<u64>,
    /// The times of those that match, in order.
    pub at: Option<Vec<Timestamp>>,
}

/// A diagnostic about the rules of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedFinding {
    /// Its line in the file.
    pub line: u32,
    /// How bad it is.
    pub severity: Severity,
    /// Its code.
    pub code: String,
    /// Words of its reason or its hint; empty where any will do.
    pub words: String,
}

/// What is wrong at a line of a trace.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub struct TraceError {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong, in a sentence without full stop.
    pub reason: String,
}

impl fmt::Display for TraceError {
    /// `file:line: reason`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.reason)
    }
}

impl Trace {
    /// Reads a trace. `file` only names it in errors.
    ///
    /// # Errors
    /// Everything that is wrong with it, in order of lines.
    pub fn parse(file: &Path, text: &str) -> Result<Trace, Vec<TraceError>> {
        parse::parse(text).map_err(|faults| {
            faults
                .into_iter()
                .map(|(line, reason)| TraceError { file: file.to_path_buf(), line, reason })
                .collect()
        })
    }
}
