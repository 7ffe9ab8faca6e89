//! What people and machines see: tables, lines, CSV, progress.

use std::io::Write;

pub mod alerts;
pub mod diagnostics;
pub mod junit;
pub mod matches;
pub mod navigator;
pub mod progress;
pub mod sanitise;
pub mod stats;
pub mod status;
pub mod tree;
pub mod tree_json;

/// Writes one line to standard error. If that fails there is nobody left to tell.
pub fn complain(line: &str) {
    let mut stderr = std::io::stderr().lock();
    drop(writeln!(stderr, "{}", sanitise::line(line)));
}

/// Whether an error says that the reader of our output has gone away.
#[must_use]
pub fn is_closed_pipe(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::BrokenPipe
}

/// What writing results came to; a reader that has gone away is no failure.
///
/// # Errors
/// What else the output says.
pub fn unless_closed(outcome: std::io::Result<()>) -> std::io::Result<()> {
    outcome.or_else(|error| if is_closed_pipe(&error) { Ok(()) } else { Err(error) })
}
