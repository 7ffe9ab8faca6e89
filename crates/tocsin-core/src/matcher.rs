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

/// How often values of one field were known already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldStats {
    /// Values known as a whole.
    pub hits: u64,
    /// Values judged as a whole.
    pub misses: u64,
    /// Pieces of long values, cut at line ends, that were known.
    pub line_hits: u64,
    /// Pieces of long values that were judged.
    pub line_misses: u64,
}

impl FieldStats {
    /// Values and pieces looked at.
    #[must_use]
    pub fn looked_at(&self) -> u64 {
        self.hits + self.misses + self.line_hits + self.line_misses
    }

    fn add(&mut self, other: &FieldStats) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.line_hits += other.line_hits;
        self.line_misses += other.line_misses;
    }
}

/// What a rule found and cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleStats {
    /// Events it matched.
    pub matches: u64,
    /// How often its condition was worked out: for combinations of values not seen before.
    pub evaluated: u64,
    /// Events it failed on: a defect.
    pub panics: u64,
}

/// What a matcher has counted. All of it is about speed; none of it is about results.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatcherStats {
    /// By field id.
    pub fields: Vec<FieldStats>,
    /// By rule.
    pub rules: Vec<RuleStats>,
    /// Matches that a filter kept from being one, by filter of each rule that has any: in order of rule,
    /// then of its filters.
    pub suppressed: Vec<u64>,
    /// Events whose combination of values was known.
    pub signature_hits: u64,
    /// Events whose rules had to be worked out.
    pub signature_misses: u64,
    /// How often the memory was full and everything was forgotten.
    pub forgets: u64,
}

impl MatcherStats {
    /// Adds what another worker's matcher of the same rules counted.
    pub fn add(&mut self, other: &MatcherStats) {
        self.fields.resize(self.fields.len().max(other.fields.len()), FieldStats::default());
        self.rules.resize(self.rules.len().max(other.rules.len()), RuleStats::default());
        for (mine, theirs) in self.fields.iter_mut().zip(&other.fields) {
            mine.add(theirs);
        }
        for (mine, theirs) in self.rules.iter_mut().zip(&other.rules) {
            mine.matches += theirs.matches;
            mine.evaluated += theirs.evaluated;
            mine.panics += theirs.panics;
        }
        self.suppressed.resize(self.suppressed.len().max(other.suppressed.len()), 0);
        for (mine, theirs) in self.suppressed.iter_mut().zip(&other.suppressed) {
            *mine += theirs;
        }
        self.signature_hits += other.signature_hits;
        self.signature_misses += other.signature_misses;
        self.forgets += other.forgets;
    }
}

/// All stateless rules as one function. One per worker; its memos never change a result.
pub trait Matcher: Send {
    /// Appends every match of the batch, in order of event, then rule.
    fn matches(&mut self, batch: &EventBatch, out: &mut Vec<RuleMatch>);

    /// How often so far something seen before did not have to be judged again.
    fn memo_hits(&self) -> u64 {
        0
    }

    /// What was counted so far.
    fn stats(&self) -> MatcherStats {
        MatcherStats::default()
    }

    /// The rules that run.
    fn rules(&self) -> Vec<RuleIdx>;

    /// A matcher that runs one of these rules alone; `None` if it does not run here. For finding out
    /// which rule fails, so it may be slow.
    fn only(&self, rule: RuleIdx) -> Option<Box<dyn Matcher>>;

    /// A fresh matcher that runs these rules but for some, and makes no test that only those ask
    /// for. It remembers nothing.
    fn without(&self, rules: &[RuleIdx]) -> Box<dyn Matcher>;
}
