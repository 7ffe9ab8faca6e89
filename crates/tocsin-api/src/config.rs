//! What the house decides about its HTTP side, as plain values. The config layer fills them; nothing
//! here reads files or the environment.

use std::time::Duration;

use tocsin_alert::role::Role;

use crate::limits;

/// Everything that can be chosen.
#[derive(Clone, Debug, Default)]
pub struct ApiConfig {
    /// Sizes, numbers and patience.
    pub limits: HttpLimits,
    /// How tokens are checked.
    pub auth: AuthConfig,
    /// The live streams.
    pub stream: StreamConfig,
}

/// Sizes, numbers and patience of the server. The defaults are those of [`crate::limits`].
#[derive(Clone, Debug)]
pub struct HttpLimits {
    /// Bytes of a body, as sent and decompressed. Above it: 413.
    pub body_bytes_max: usize,
    /// Connections at once. Above it a new one is closed unread.
    pub connections_max: usize,
    /// Connections at once of one peer (an IPv4 address, an IPv6 /64). Above it a new one of that
    /// peer is closed unread.
    pub connections_per_peer_max: usize,
    /// How long a request's head may take, from the connection's start or the head's first byte.
    pub head_patience: Duration,
    /// How long a connection may lie idle between requests.
    pub idle_patience: Duration,
    /// How long a peer may take none of the bytes that wait for it.
    pub stall_patience: Duration,
    /// How long a body may take before its rate is looked at.
    pub body_grace: Duration,
    /// How long a body may take in all.
    pub body_patience: Duration,
    /// How long requests and streams may take to end once the server stops.
    pub stop_patience: Duration,
}

impl Default for HttpLimits {
    fn default() -> HttpLimits {
        HttpLimits {
            body_bytes_max: limits::BODY_BYTES_MAX,
            connections_max: limits::CONNECTIONS_MAX,
            connections_per_peer_max: limits::CONNECTIONS_PER_PEER_MAX,
            head_patience: limits::HEAD_PATIENCE_MAX,
            idle_patience: limits::IDLE_PATIENCE_MAX,
            stall_patience: limits::STALL_PATIENCE_MAX,
            body_grace: limits::BODY_GRACE_MAX,
            body_patience: limits::BODY_PATIENCE_MAX,
            stop_patience: limits::STOP_PATIENCE_MAX,
        }
    }
}

/// How tokens are checked.
#[derive(Clone, Default)]
pub struct AuthConfig {
    /// The HS256 secret. Empty: no token is valid.
    pub secret: Vec<u8>,
    /// What `iss` must be, where something is asked for.
    pub issuer: Option<String>,
    /// What `aud` must be or contain, where something is asked for.
    pub audience: Option<String>,
}

impl std::fmt::Debug for AuthConfig {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthConfig")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

/// The live streams.
#[derive(Clone, Debug)]
pub struct StreamConfig {
    /// Streams at once of one user. Above it: 429.
    pub max_per_user: usize,
    /// Streams at once of one tenant. Above it: 429.
    pub max_per_tenant: usize,
    /// Streams at once. Above it: 429.
    pub max_total: usize,
    /// Time between two heartbeats.
    pub heartbeat: Duration,
    /// Frames that wait for one subscriber. Above it they are told as a gap.
    pub queue: usize,
    /// How long a browser waits before it connects again, in milliseconds.
    pub retry_ms: u64,
    /// The role from which secrets are shown on streams. `None`: masked for everyone.
    pub unmask_from: Option<Role>,
    /// Whether a stream may take its token from `?token=`.
    pub token_in_url: bool,
}

impl Default for StreamConfig {
    fn default() -> StreamConfig {
        StreamConfig {
            max_per_user: 5,
            max_per_tenant: 500,
            max_total: 10_000,
            heartbeat: Duration::from_secs(30),
            queue: 256,
            retry_ms: 3_000,
            unmask_from: None,
            token_in_url: false,
        }
    }
}
