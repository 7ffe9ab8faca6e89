//! What `tocsin run` runs with: every choice made, every value checked. Nothing here is optional
//! that is not optional for the server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tocsin_alert::role::View;
use tocsin_api::ApiConfig;
use tocsin_core::time::{Span, Timestamp};

use crate::cli::LocalArgs;

/// Everything `run` needs.
#[derive(Debug)]
pub struct RunPlan {
    /// Where the server listens; port 0 is a free one.
    pub listen: SocketAddr,
    /// The data folder.
    pub data: PathBuf,
    /// Tenants to create where they do not exist.
    pub tenants: Vec<String>,
    /// Rule files and folders; empty: the shipped rules.
    pub rules: Vec<PathBuf>,
    /// What the house adds to the language of rules.
    pub local: LocalArgs,
    /// Whether they are read again when one of them changes.
    pub rules_watch: bool,
    /// The HTTP side: limits, tokens, streams. An empty `auth.secret` stands for the data folder's
    /// own secret.
    pub api: ApiConfig,
    /// Records that come by HTTP.
    pub http: HttpSourcePlan,
    /// How event time is followed.
    pub detect: DetectPlan,
    /// The view of the `[ALERT]` lines.
    pub log_view: View,
    /// The journal and its checkpoints.
    pub store: StorePlan,
    /// Time between two comments that keep an attacker's stream alive.
    #[cfg_attr(not(test), expect(dead_code, reason = "checked; its stream comes with a later release"))]
    pub keepalive: Duration,
    /// The server's own log.
    pub log: LogPlan,
}

/// Records that come by HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSourcePlan {
    /// Their format; `None`: recognised record by record.
    pub format: Option<&'static str>,
    /// Whether they tell of the past on purpose.
    pub backfill: bool,
    /// Reference time of lines without a year; `None`: when they come in.
    pub as_of: Option<Timestamp>,
}

/// How event time is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetectPlan {
    /// How far behind the newest event of its source an event may come and still count fully.
    pub lateness: Span,
    /// How far behind the watermark an event may still add or revise.
    pub grace: Span,
    /// How long a source must be silent for the others not to wait for it.
    pub idle: Span,
    /// Bytes of state one tenant's rules may hold.
    pub state_bytes_max: u64,
}

/// The journal and its checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorePlan {
    /// Bytes of one segment of the journal.
    pub journal_segment_bytes: u64,
    /// Bytes of the whole journal. At the bound nothing more is accepted.
    pub journal_bytes_max: u64,
    /// Bytes of journal after which a checkpoint is written.
    pub checkpoint_bytes: u64,
    /// Time after which a checkpoint is written, however little came in.
    pub checkpoint_interval: Duration,
}

/// The server's own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPlan {
    /// The least important lines that are written.
    pub level: tracing::Level,
    /// How they are written.
    pub format: LogFormat,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
