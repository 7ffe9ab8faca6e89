//! Every bound of the HTTP side, with its unit and what happens above it.

use std::time::Duration;

/// Bytes of a body, as sent and decompressed. Above it: 413, the rest is not read.
pub const BODY_BYTES_MAX: usize = 16 << 20;

/// Bytes of a body of `POST /logs`: one entry. Above it: 413.
pub const LOG_BODY_BYTES_MAX: usize = 64 << 10;

/// Bytes of all bodies that are being received. Above it senders get 429 and come back.
pub const BODIES_BYTES_MAX: usize = 256 << 20;

/// Bytes set aside for a body before its first byte is there, whatever its announced length.
pub const BODY_RESERVED_BYTES_MAX: usize = 64 << 10;

/// Decompressed bytes per compressed byte, looked at beyond [`UNRATED_BYTES_MAX`]. Above it:
/// 413.
pub const BODY_RATIO_MAX: usize = 100;

/// Decompressed bytes up to which no ratio is too high.
pub const UNRATED_BYTES_MAX: usize = 1 << 20;

/// Compressed bytes decoded in one go, before other requests have their turn.
pub const DECODE_STEP_BYTES_MAX: usize = 64 << 10;

/// Binary logarithm of the zstd window. Above it the body is refused: 413.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How long a body may take before its rate is looked at.
pub const BODY_GRACE_MAX: Duration = Duration::from_secs(5);

/// How long a body may take in all. Above it: 408.
pub const BODY_PATIENCE_MAX: Duration = Duration::from_secs(120);

/// How long a request's head may take. Above it the connection is cut.
pub const HEAD_PATIENCE_MAX: Duration = Duration::from_secs(5);

/// How long a connection may lie idle between requests. Above it the connection is cut.
pub const IDLE_PATIENCE_MAX: Duration = Duration::from_secs(75);

/// How long a peer may take none of the bytes that wait for it. Above it the connection is cut.
pub const STALL_PATIENCE_MAX: Duration = Duration::from_secs(10);

/// How long requests and streams may take to end once the server stops. Above it they are cut.
pub const STOP_PATIENCE_MAX: Duration = Duration::from_secs(10);

/// How long a closed connection is read on, so that its last answer is not lost to a reset.
pub const LINGER_PATIENCE_MAX: Duration = Duration::from_secs(2);

/// Bytes read from a closed connection before it is let go.
pub const LINGER_BYTES_MAX: usize = 64 << 20;

/// Connections at once. Above it a new one is closed unread and counted.
pub const CONNECTIONS_MAX: usize = 12_288;

/// Connections at once of one peer. Above it a new one is closed unread and counted.
pub const CONNECTIONS_PER_PEER_MAX: usize = 4_096;

/// Connections the kernel holds before they are accepted. Above it the kernel lets peers wait.
pub const BACKLOG_MAX: i32 = 1_024;

/// Bytes of a request's head. Above it: 431.
pub const HEAD_BYTES_MAX: usize = 32 << 10;

/// Bytes read from a connection before they are looked at. What comes beyond it waits in the kernel.
pub const READ_BYTES_MAX: usize = 64 << 10;

/// Unsent bytes the kernel keeps for a connection. Above it writing waits, and the stall clock runs.
pub const UNSENT_BYTES_MAX: u32 = 32 << 10;

/// Bytes of a credential. Above it: 401.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;

/// Seconds two clocks may differ when a token's times are checked.
pub const TOKEN_LEEWAY_SECONDS_MAX: u64 = 30;

/// The last second a token may name as its end: the year 9999. Above it: 401.
pub const TOKEN_EXP_SECONDS_MAX: u64 = 253_402_300_799;

/// Verified tokens remembered. Above it the cache is emptied and filled again.
pub const TOKENS_CACHED_MAX: usize = 4_096;

/// Characters of an idempotency key. Above it: 400.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;

/// Alerts on one page. Above it: 400.
pub const PAGE_ALERTS_MAX: usize = 1_000;

/// Bytes of one query parameter. Above it: 400.
pub const PARAMETER_BYTES_MAX: usize = 1 << 10;

/// Answers of `GET /alerts` remembered. Above it the cache is emptied and filled again.
pub const ANSWERS_CACHED_MAX: usize = 256;

/// Bytes of an answer that is remembered. Above it the answer is made anew each time.
pub const ANSWER_CACHED_BYTES_MAX: usize = 64 << 10;

/// Rows of each table in the answer of `/api/v1/status`: the first of them; `/api/v1/rules` has all.
pub const STATUS_ROWS_MAX: usize = 20;
