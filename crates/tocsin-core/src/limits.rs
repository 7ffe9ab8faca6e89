//! Every bound of the pure floors, in one place.
//!
//! A name ends in its unit and `MAX`; the comment says what happens above it. Reaching a bound is
//! counted and reported, never silent. Bounds of the edge (files, sockets) live with the edge.

/// Bytes of one record. A longer one is quarantined as `record_too_large`.
pub const RECORD_BYTES_MAX: usize = 8 << 20;

/// Nesting depth of a JSON record. A deeper one is quarantined as `too_deep`.
pub const JSON_DEPTH_MAX: usize = 64;

/// Keys of one JSON object. An object with more quarantines its record as `too_many_keys`.
pub const OBJECT_KEYS_MAX: u32 = 1_024;

/// Distinct field names one [`crate::field::FieldTable`] may hold. Rules beyond it do not load.
pub const FIELDS_MAX: usize = 16_384;

/// Bytes of one part of a group key. A longer value is cut there and marked, so that a hostile
/// value cannot make state entries grow without end.
pub const KEY_PART_BYTES_MAX: usize = 1_024;

/// Contributing events an alert carries whole; those after it are given by id.
pub const EVIDENCE_EVENTS_MAX: usize = 20;

/// Contributing events an alert names at all; those after it are only counted.
pub const EVIDENCE_IDS_MAX: usize = 256;

/// Events of one group key that wait for the watermark before the middle of a burst is folded
/// into a counter (`crate::timeline`). Folding changes no result.
pub const PENDING_ENTRIES_MAX: usize = 4_096;

/// Events of one group key that may wait for the watermark where there is no room. Above it the older
/// half is settled early, which blurs the order of what comes late, before any key loses its state.
pub const PRESSED_ENTRIES_MAX: usize = 512;

/// Events of one key a window holds before its oldest are joined: longer runs that a following
/// event must end are counted with the times of their beginning blurred.
pub const WINDOW_ENTRIES_MAX: usize = 8_192;

/// Threshold up to which event counts are exact at any rate. Above it a burst blurs times within a
/// sixtieth of the window, and alerts of it are marked as approximate.
pub const EXACT_THRESHOLD_MAX: u64 = 1_024;

/// Different values one key of one rule tells apart. A rule with a higher threshold does not load.
pub const VALUES_THRESHOLD_MAX: usize = 1_000_000;

/// Bytes of state one tenant's rules may hold unless configured otherwise. Beyond it new keys are
/// only counted in a sketch until they are worth exact counting; what cannot be sketched drops the
/// keys that would expire first, counted as `state_evicted`.
pub const STATE_BYTES_PER_TENANT_MAX: usize = 256 << 20;

/// The part of a tenant's state bytes that the keys of one rule may hold, in sixteenths.
pub const RULE_KEYS_SIXTEENTHS_MAX: usize = 9;

/// The part of a tenant's state bytes kept for sketches, in eighths. Rules that need one share it.
pub const SKETCHES_EIGHTHS_MAX: usize = 3;

/// The part of the bytes of keys that is kept for those a sketch admits, in eighths.
pub const ADMITTED_KEYS_EIGHTHS_MAX: usize = 1;

/// Cells of one stretch of a sketch, of one rule in one of the 64 shards: 2^24 for a rule.
pub const SKETCH_CELLS_MAX: usize = 1 << 18;

/// Entries one rule in one shard holds of keys without state. Above it the older half is dropped
/// and counted as `state_evicted`.
pub const ORPHANS_PER_RULE_MAX: usize = 16_384;

/// Partitions (input files, connections) one engine follows at once.
pub const PARTITIONS_MAX: usize = 16_384;

/// Sources (API keys) of one tenant whose clocks are followed at once; beyond it the one that sent
/// nothing for longest is forgotten, and counts as new when it sends again.
pub const SOURCES_PER_TENANT_MAX: usize = 4_096;

/// Weight of one record (`message repeated N times`). A larger claim is cut to this.
pub const RECORD_WEIGHT_MAX: u32 = 1_000_000;

/// Events one rule may fail on (a panic: a defect) in one worker. Then it is switched off there, for
/// each failure costs a search for the rule that caused it.
pub const RULE_PANICS_MAX: u32 = 3;
