//! What people and machines see: tables, lines, CSV, progress.

use std::io::Write;

pub mod alerts;
pub mod matches;
pub mod progress;
pub mod sanitise;

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
