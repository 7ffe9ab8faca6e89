//! All state of the correlator as one cut, and its bytes.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::detector::SnapshotError;
use crate::shard::RuleState;
use crate::watermark::Watermarks;

/// Version of the bytes; a checkpoint of another version is refused.
const VERSION: u32 = 5;

/// Watermarks and the state of every shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Watermarks by tenant.
    pub tenants: Vec<Watermarks>,
    /// State by shard and rule.
    pub shards: Vec<Vec<RuleState>>,
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
