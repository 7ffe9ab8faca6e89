//! The commands, one file each.

use crate::cli::{Cli, Command};

pub mod check;
pub mod conformance;
pub mod demo;
pub mod explain;
pub mod key;
pub mod replay;
pub mod run;
pub mod scan;
pub mod status;
mod stories;
pub mod test;
pub mod token;
pub mod verify;

/// Nothing to complain about.
pub const FINE: u8 = 0;
/// Findings, failed tests, or diagnostics of level error.
pub const FINDINGS: u8 = 1;
/// Wrong usage or configuration.
pub const USAGE: u8 = 2;
/// Failed while running.
pub const FAILED: u8 = 3;

/// Wrong usage or configuration, in a sentence that says what to do.
#[derive(Debug)]
pub struct UsageError(pub String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Runs a command; gives the exit status.
///
/// # Errors
/// Whatever ended it, see [`code_of`].
pub fn run(cli: &Cli) -> anyhow::Result<u8> {
    match &cli.command {
        Command::Run(args) => run::run(cli, args),
        Command::Demo(args) => demo::run(cli, args),
        Command::Replay(args) => replay::run(args),
        Command::Scan(args) => scan::run(args),
        Command::Check(args) => check::run(args),
        Command::Test(args) => test::run(args),
        Command::Conformance(args) => conformance::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Status(args) => status::run(cli, args),
        Command::Key(action) => key::run(cli, action),
        Command::Token(action) => token::run(cli, action),
    }
}

/// The exit status an error calls for.
#[must_use]
pub fn code_of(error: &anyhow::Error) -> u8 {
    if error.is::<UsageError>() { USAGE } else { FAILED }
}
