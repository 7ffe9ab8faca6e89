//! The command line: every command, flag and help text.

mod credentials;

use std::path::PathBuf;

use crate::config::DATA_DEFAULT;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use credentials::{
    KeyAction, KeyCreateArgs, KeyListArgs, KeyRevokeArgs, ScopeArg, TokenAction, TokenCreateArgs,
};

/// Real-time security event detection in one binary.
#[derive(Debug, Parser)]
#[command(name = "tocsin", version, about, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// Data folder of the server [default: ./tocsin-data].
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// The data folder that is meant.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(|| PathBuf::from(DATA_DEFAULT))
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server: take in events, detect, keep, show live.
    Run(RunArgs),
    /// See it work: a server of its own, and a recorded attack that happens now.
    Demo(DemoArgs),
    /// Find attacks in recorded logs.
    Scan(ScanArgs),
    /// Run rules over a journal: what a server took in, once more.
    Replay(ReplayArgs),
    /// Check rules: every diagnostic with file, line, column and what to do.
    Check(CheckArgs),
    /// Run the tests that lie beside rules.
    Test(TestArgs),
    /// Show that known faults of other engines are none of this one, and what each point of Sigma comes to.
    Conformance(ConformanceArgs),
    /// Explain why a rule matches an event or does not.
    Explain(ExplainArgs),
    /// Check a journal: what is there, and what is damaged, exactly.
    Verify(VerifyArgs),
    /// Show how a running server is: health, ledger, lag, state, costs of rules.
    Status(StatusArgs),
    /// Make, list and revoke API keys.
    #[command(subcommand)]
    Key(KeyAction),
    /// Make tokens (JWT) for scripts and development.
    #[command(subcommand)]
    Token(TokenAction),
}

/// What a house adds to the language of rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct LocalArgs {
    /// Values for the %placeholders% of rules: a YAML file of `name: [value, value]`.
    #[arg(long, value_name = "FILE")]
    pub placeholders: Option<PathBuf>,

    /// Log sources besides the known ones: a YAML file (docs/rules.md).
    #[arg(long, value_name = "FILE")]
    pub logsources: Option<PathBuf>,
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

    /// Afterwards, where the time went: by stage, field and rule (JSON with --json or --matches).
    #[arg(long)]
    pub stats: bool,

    /// What the house adds to the language of rules.
    #[command(flatten)]
    pub local: LocalArgs,
}

/// `tocsin run`
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = "Examples:
  tocsin run
  tocsin run --config tocsin.yaml --data /var/lib/tocsin
  TOCSIN_DETECT__LATENESS=2m tocsin run --listen 0.0.0.0:8080

Variables TOCSIN_SECTION__KEY go before the file, flags before both. `tocsin check FILE` looks at a configuration.
Exit status: 0 stopped, 2 wrong usage or configuration, 3 failed while running.")]
pub struct RunArgs {
    /// Configuration file (default: none, every key at its default).
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Address and port to serve HTTP on; port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,

    /// What this process does (default: everything).
    #[arg(long, value_name = "ROLES")]
    pub roles: Option<String>,

    /// What the house adds to the language of rules.
    #[command(flatten)]
    pub local: LocalArgs,
}

/// `tocsin demo`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tocsin demo
  tocsin demo --speed 60 --once

Without --data everything lies in a temporary folder that is removed at the end.
Exit status: 0 fine, 2 wrong usage, 3 failed while running.")]
pub struct DemoArgs {
    /// Address and port to serve HTTP on (default: 127.0.0.1:8080, or a free port if that is taken).
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<std::net::SocketAddr>,

    /// How many times as fast as it happened.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub speed: u32,

    /// End when the recording has ended, with a summary.
    #[arg(long)]
    pub once: bool,
}

/// `tocsin replay`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tocsin replay --journal tocsin-data --json
  tocsin replay --journal tocsin-data -r my-rules/
  tocsin replay --journal tocsin-data -c tocsin.yaml --current-rules

Works beside a running server. Alerts come out as from a scan: final, each once, in order.
Exit status: 0 fine, 2 wrong usage or no rule left, 3 the journal cannot be read or is damaged.")]
pub struct ReplayArgs {
    /// Data folder of a server, or its journal's folder.
    #[arg(long, value_name = "DIR")]
    pub journal: PathBuf,

    /// Configuration file of the server: its rules, and how it treats time.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Rule file or folder, repeatable, for all of it. Without it each record meets the rules it met then.
    #[arg(short, long = "rules", value_name = "PATH")]
    pub rules: Vec<PathBuf>,

    /// Run the rules of the configuration, or the shipped ones, over all of it.
    #[arg(long, conflicts_with = "rules")]
    pub current_rules: bool,

    /// Alerts as JSON, one per line (default when piped).
    #[arg(long)]
    pub json: bool,

    /// What the house adds to the language of rules.
    #[command(flatten)]
    pub local: LocalArgs,
}

/// `tocsin check`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tocsin check my-rules/
  tocsin check rule.yml --json
  tocsin check my-rules/ --deny warnings --navigator layer.json
  tocsin check tocsin.yaml

A YAML file with the top-level keys of a configuration, or named tocsin.yaml, is checked as one.
Exit status: 0 fine, 1 diagnostics of level error or denied, 2 wrong usage.")]
pub struct CheckArgs {
    /// Rule files, configurations or folders (default: the shipped rules).
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// A configuration, whatever its name and keys.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// One JSON object per diagnostic.
    #[arg(long)]
    pub json: bool,

    /// Exit with 1 on warnings too, or on notes and warnings.
    #[arg(long, value_name = "SEVERITY")]
    pub deny: Option<DenyArg>,

    /// Also write which ATT&CK techniques the rules are tagged with, as a layer for the ATT&CK Navigator.
    #[arg(long, value_name = "FILE")]
    pub navigator: Option<PathBuf>,

    /// What the house adds to the language of rules.
    #[command(flatten)]
    pub local: LocalArgs,
}

/// What `check` takes for as bad as an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DenyArg {
    /// Warnings.
    Warnings,
    /// Warnings and notes.
    Notes,
}

/// `tocsin test`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tocsin test rules/
  tocsin test rules/sshd/ssh_brute_force.trace --junit report.xml

Tests are the .trace files beside rules, and the examples in rules: rsigma.exemplars and tests.
Exit status: 0 all passed, 1 failures, 2 wrong usage or no test found.")]
pub struct TestArgs {
    /// Traces, rules or folders (default: the folder `rules`).
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Also write a JUnit report.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// One JSON object per story or example.
    #[arg(long)]
    pub json: bool,

    /// What the house adds to the language of rules.
    #[command(flatten)]
    pub local: LocalArgs,
}

/// `tocsin conformance`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tocsin conformance
  tocsin conformance --json | jq 'select(.passed | not)'
  tocsin conformance my-stories/ --junit report.xml

The stories are in the binary; each is played in several ways that must come to the same (docs/traces.md).
Exit status: 0 all passed, 1 failures, 2 wrong usage or no story found.")]
pub struct ConformanceArgs {
    /// Other traces, or folders of them (default: the shipped stories).
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Also write a JUnit report.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// One JSON object per story.
    #[arg(long)]
    pub json: bool,
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

    /// What the house adds to the language of rules.
    #[command(flatten)]
    pub local: LocalArgs,
}

/// `tocsin verify`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tocsin verify ./tocsin-data
  tocsin verify ./tocsin-data/journal --json | jq .holes

Changes nothing and works beside a running server.
Exit status: 0 sound, 1 damaged, 2 wrong usage, 3 it cannot be read.")]
pub struct VerifyArgs {
    /// Data folder of a server, or its journal.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,

    /// The report as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `tocsin status`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tocsin status
  tocsin status --data /var/lib/tocsin --tenant acme
  tocsin status --url http://tocsin.example:8080 --token \"$TOKEN\" --json | jq .rules.slowest

Without --url, the server that runs on the data folder. Without --token, one is made that is good for a minute, with
the secret of the configuration, or of the data folder.
Exit status: 0 ready, 1 not ready, 2 wrong usage or the token is refused, 3 no server answers.")]
pub struct StatusArgs {
    /// Address of the server (default: told in the data folder, else http://127.0.0.1:8080).
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,

    /// A token to ask with, of any role.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,

    /// Tenant whose ledger and state are shown, where no token says so.
    #[arg(long, value_name = "TENANT", default_value = "default", conflicts_with = "token")]
    pub tenant: String,

    /// Configuration file of the server, where it has one.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// All of it as one JSON object.
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
