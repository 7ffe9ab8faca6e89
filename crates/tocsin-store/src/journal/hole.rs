//! Stretches of a journal without frames that should have some.

use std::fmt;

use serde::Serialize;

/// A stretch without a readable frame, exactly: one ends before it, and one begins behind it or the
/// journal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Hole {
    /// First position without a frame.
    pub from: u64,
    /// Where the next frame may begin.
    pub to: u64,
    /// What its first bytes suffer from.
    pub reason: HoleReason,
}

/// Why there is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HoleReason {
    /// No segment holds these positions: freed, deleted, cut short, or its header lost.
    Missing,
    /// Bytes that fail their checksum.
    Damaged,
    /// The disk does not give the bytes.
    Unreadable,
    /// Sound bytes that this version cannot read: a newer one may have written them.
    Unknown,
}

impl Hole {
    /// How many bytes it spans.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.to - self.from
    }
}

impl HoleReason {
    /// The reason in words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            HoleReason::Missing => "missing",
            HoleReason::Damaged => "damaged",
            HoleReason::Unreadable => "unreadable",
            HoleReason::Unknown => "of an unknown kind",
        }
    }
}

impl fmt::Display for Hole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{} ({} bytes) {}", self.from, self.to, self.bytes(), self.reason.describe())
    }
}
