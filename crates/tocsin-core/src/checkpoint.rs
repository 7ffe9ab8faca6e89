//! All state of the correlator as one cut, and its bytes.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::detector::SnapshotError;
use crate::guard::Failure;
use crate::shard::RuleState;
use crate::watermark::Watermarks;

/// Version of the bytes; a checkpoint of another version is refused.
const VERSION: u32 = 7;

/// The version of the program.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// Watermarks and the state of every shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Watermarks by tenant.
    pub tenants: Vec<Watermarks>,
    /// State by shard and rule.
    pub shards: Vec<Vec<RuleState>>,
    /// Rules that have failed.
    pub failures: Failures,
}

/// Rules that have failed, under the version of the program that failed. Another version may have what
/// they failed on mended, so there they begin anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    version: String,
    rules: Vec<Failure>,
}

impl Failures {
    /// These have failed, in this version.
    #[must_use]
    pub fn now(rules: Vec<Failure>) -> Failures {
        Failures { version: PROGRAM.to_string(), rules }
    }

    /// Those that count in this version.
    #[must_use]
    pub fn counting(&self) -> &[Failure] {
        if self.version == PROGRAM { &self.rules } else { &[] }
    }
}

/// A checkpoint that cannot be used.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// Written by another version.
    #[error("the checkpoint has version {0}, this program reads {VERSION}")]
    Version(u32),
    /// Not a checkpoint, or damaged.
    #[error("the checkpoint is damaged: {0}")]
    Damaged(String),
    /// A different number of shards.
    #[error("the checkpoint has {0} shards")]
    Shards(usize),
    /// State that does not fit the rule set.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

impl Checkpoint {
    /// The checkpoint as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_stdvec(&(VERSION, self)).unwrap_or_default()
    }

    /// Reads a checkpoint from its bytes.
    ///
    /// # Errors
    /// [`CheckpointError`] when they are no checkpoint of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
        let damaged = |error: postcard::Error| CheckpointError::Damaged(error.to_string());
        let (version, rest) = postcard::take_from_bytes::<u32>(bytes).map_err(damaged)?;
        if version != VERSION {
            return Err(CheckpointError::Version(version));
        }
        postcard::from_bytes(rest).map_err(damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_begins_anew_with_what_failed() {
        let failure = Failure { rule_id: "some".to_string(), logic_hash: "hash".to_string(), events: 3 };
        let mut failures = Failures::now(vec![failure]);
        assert_eq!(failures.counting().len(), 1);
        failures.version.push_str("-other");
        assert!(failures.counting().is_empty());
    }
}
