//! The bounds of the journal.

/// Bytes of one frame. A frame above it is refused when it is written: the caller cuts its batch.
pub const FRAME_BYTES_MAX: usize = 256 << 20;

/// Bytes of the journal that only ticks may use. Records are refused before them.
pub const KEPT_BACK_BYTES_MAX: u64 = 64 << 10;

/// Positions: what an event id can name (2^48). A file that claims to begin above it is not read.
pub const POSITION_MAX: u64 = (1 << 48) - 1;

/// Bytes of the name of a tenant or source. A frame with a longer one is refused.
pub const NAME_BYTES_MAX: usize = u16::MAX as usize;

/// Zeros written at once ahead of small groups. A segment that is killed keeps that many behind its
/// last frame until the next start.
pub const AHEAD_BYTES_MAX: u64 = 1 << 20;

/// Bytes of a group that zeros are written ahead for. A larger one makes its file longer by itself.
pub const SMALL_GROUP_BYTES_MAX: u64 = (64 << 10) - 1;

/// Holes that are listed one by one. Those after it are only counted.
pub const HOLES_LISTED_MAX: usize = 1_000;

/// Frames kept in memory for records that are asked for again. Above it the oldest goes.
pub const CACHED_FRAMES_MAX: usize = 8;

/// Bytes of those frames. Above it the oldest goes; a single larger one is still kept.
pub const CACHED_BYTES_MAX: usize = 32 << 20;

/// Segments whose places of frames are remembered. Above it the one longest not asked for is
/// forgotten and walked again.
pub const INDEXED_SEGMENTS_MAX: usize = 256;

/// Tries to get the journal for oneself, 25 ms apart. After them somebody else has it.
pub const LOCK_TRIES_MAX: u32 = 20;

/// Looks at a damaged end of a journal that is being written. After them it is taken as it is.
pub const LOOKS_MAX: u32 = 5;
