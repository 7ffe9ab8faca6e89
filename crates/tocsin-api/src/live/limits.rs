//! The bounds of the live streams that nobody chooses; the others are in the config.

/// Bytes queued for one connection, of frames it shares with others. Above it as above
/// `stream.queue`: the client is told how many events it missed, alerts are read again from the
/// store. A single frame is always taken.
pub const QUEUED_BYTES_MAX: usize = 1 << 20;

/// Bytes written to a connection at a time. A single frame may be longer.
pub const CHUNK_BYTES_MAX: usize = 64 << 10;

/// Bytes of records read from history at a time. What is beyond comes with the next page; a frame
/// of the journal is always read whole.
pub const PAGE_BYTES_MAX: usize = 1 << 20;

/// Changes read from history at a time. What is beyond comes with the next page.
pub const PAGE_CHANGES_MAX: usize = 64;

/// Pages read from history at the same moment, all connections together. Others wait their turn.
pub const CATCH_UPS_MAX: usize = 4;

/// Frames of a catch-up round that count as few: after such a round the connection goes live.
pub const LAST_ROUND_FRAMES_MAX: usize = 64;

/// Rounds of catching up. After them the connection goes live with what is left to read, and may
/// get a `gap` if it cannot keep up.
pub const ROUNDS_MAX: usize = 16;

/// Bytes of a resume id. A longer one is nobody's.
pub const RESUME_ID_BYTES_MAX: usize = 128;

/// Bytes of the journal looked at for one page, other tenants' included. What is beyond comes with
/// the next page.
pub const SCANNED_BYTES_MAX: u64 = 64 << 20;

/// Places in the journal that are remembered to begin pages at. Above it the oldest is forgotten.
pub const KNOWN_FRAMES_MAX: usize = 1_024;
