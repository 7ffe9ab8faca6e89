//! Derived alert ids (invariant I11): the same events give the same ids, whatever the order,
//! batching, workers, crashes and replays.

use std::fmt;

use crate::detection::Clock;
use crate::time::Timestamp;

/// An alert's id: 128 bits of a BLAKE3 hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId([u8; 16]);

impl AlertId {
    /// The id of the alert of a rule, key and episode. `t0` is the event time of the event that
    /// completes the condition in event-time order. No position, arrival time or random value
    /// enters; on ingest time t0 is when that event came, and the clock is part of the id.
    #[must_use]
    pub fn derive(
        tenant: &str,
        rule_id: &str,
        logic_hash: &str,
        key: &[u8],
        t0: Timestamp,
        clock: Clock,
    ) -> AlertId {
        let mut hasher = blake3::Hasher::new();
        for part in [tenant.as_bytes(), rule_id.as_bytes(), logic_hash.as_bytes(), key] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.update(&t0.0.to_le_bytes());
        if clock == Clock::Ingest {
            hasher.update(b"ingest");
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        AlertId(id)
    }
}

impl fmt::Display for AlertId {
    /// 32 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A content hash as text, for rules and tables: 32 hexadecimal digits of BLAKE3.
#[must_use]
pub fn content_hash(content: &[u8]) -> String {
    blake3::hash(content).to_hex()[..32].to_string()
}
