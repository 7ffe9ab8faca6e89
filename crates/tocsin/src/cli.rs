//! The command line: every command, flag and help text.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Real-time security event detection in one binary.
#[derive(Debug, Parser)]
#[command(name = "tocsin", version, about, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// Data folder of the server.
    #[arg(long, global = true, value_name = "DIR", default_value = "./tocsin-data")]
    pub data: PathBuf,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find attacks in recorded logs.
    Scan(ScanArgs),
    /// Check rules: every diagnostic with file, line, column and what to do.
    Check(CheckArgs),
    /// Run the tests that lie beside rules.
    Test(TestArgs),
    /// Explain why a rule matches an event or does not.
    Explain(ExplainArgs),
}

/// `tocsin scan`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tocsin scan /var/log/auth.log
  tocsin scan access.log.gz auth.log.gz --as-of 2026-01-31T00:00:00Z
  journalctl -o short | tocsin scan - --json | jq .message
  tocsin scan events.ndjson -r my-rules/ --fail-on high

Exit status: 0 fine, 1 findings at or above --fail-on, 2 wrong usage or no rule left, 3 an input failed.")]
pub struct ScanArgs {
    /// Log files, plain or gzip; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Rule file or folder, repeatable. Without it the shipped rules run.
    #[arg(short, long = "rules", value_name = "PATH")]
    pub rules: Vec<PathBuf>,

    /// Reference time for lines without a year (default: the file's time). Later times are clamped.
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,

    /// Format of the records.
    #[arg(long, default_value = "auto", value_name = "FORMAT")]
    pub format: String,

    /// Alerts as JSON, one per line (default when piped).
    #[arg(long, group = "output")]
    pub json: bool,

    /// Alerts as CSV.
    #[arg(long, group = "output")]
    pub csv: bool,

    /// Alerts as a table (default on a terminal).
    #[arg(long, group = "output")]
    pub table: bool,

    /// Every stateless rule match instead of alerts: {"line":n,"rule":"id"}.
    #[arg(long, group = "output", conflicts_with = "fail_on")]
    pub matches: bool,

    /// Exit with 1 when there is an alert of this level or above.
    #[arg(long, value_name = "LEVEL")]
    pub fail_on: Option<LevelArg>,

    /// Worker threads (default: all cores).
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,

    /// Match rules whatever their log source says, to compare with engines that ignore it.
    #[arg(long)]
    pub ungated: bool,
}

/// `tocsin check`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tocsin check my-rules/
  tocsin check rule.yml --json

Exit status: 0 fine, 1 diagnostics of level error, 2 wrong usage.")]
pub struct CheckArgs {
    /// Rule files or folders (default: the shipped rules).
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// One JSON object per diagnostic.
    #[arg(long)]
    pub json: bool,
}

/// `tocsin test`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tocsin test rules/
  tocsin test rules/sshd/ssh_brute_force.trace --junit report.xml

Exit status: 0 all passed, 1 failures, 2 wrong usage or no test found.")]
pub struct TestArgs {
    /// Traces, rules or folders (default: the folder `rules`).
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Also write a JUnit report.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// `tocsin explain`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tocsin explain -r rule.yml event.json
  grep Failed auth.log | head -1 | tocsin explain -r rules -

Exit status: 0 a rule matches, 1 none does, 2 wrong usage, 3 the event cannot be read.")]
pub struct ExplainArgs {
    /// Rule file or folder.
    #[arg(short, long = "rule", required = true, value_name = "RULE")]
    pub rules: Vec<PathBuf>,

    /// File with one event, JSON or a log line; `-` is standard input.
    #[arg(value_name = "EVENT")]
    pub event: PathBuf,

    /// Reference time for lines without a year (default: the file's time).
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,

    /// The explanation as JSON.
    #[arg(long)]
    pub json: bool,
}

/// A severity level as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LevelArg {
    /// Marks only.
    Informational,
    /// Worth a look in bulk.
    Low,
    /// The default of rules.
    Medium,
    /// Look today.
    High,
    /// Look now.
    Critical,
}
