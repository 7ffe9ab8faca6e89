//! The seam to stateless rules: events become rule matches.

use crate::batch::EventBatch;

/// Number of a rule within one loaded rule set.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct RuleIdx(pub u32);

impl RuleIdx {
    /// The number as an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One event meets one stateless rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleMatch {
    /// Index of the event in its batch.
    pub event: u32,
    /// The rule.
    pub rule: RuleIdx,
}

/// All stateless rules as one function. One per worker; its memos never change a result.
pub trait Matcher: Send {
    /// Appends every match of the batch, in order of event, then rule.
    fn matches(&mut self, batch: &EventBatch, out: &mut Vec<RuleMatch>);

    /// How often so far something seen before did not have to be judged again.
    fn memo_hits(&self) -> u64 {
        0
    }
}
