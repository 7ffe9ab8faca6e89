//! A loaded rule set as the engine runs it: who gets which match, under which key.

use std::sync::Arc;

use crate::detector::Detector;
use crate::field::{FieldId, FieldTable};
use crate::key::Missing;
use crate::matcher::{Matcher, RuleIdx};
use crate::rule::RuleMeta;
use crate::signal::Role;

/// Where a match of a stateless rule goes.
#[derive(Clone, Debug)]
pub struct Route {
    /// The rule that keeps state.
    pub rule: RuleIdx,
    /// The part the match plays for it.
    pub role: Role,
    /// The fields of its key.
    pub key: Vec<FieldId>,
    /// What to do with events that lack a part of it.
    pub missing: Missing,
}

/// One loaded rule.
pub struct PlannedRule {
    /// What alerts say about it.
    pub meta: RuleMeta,
    /// Where its matches go, for a stateless rule.
    pub routes: Vec<Route>,
    /// Its state, for every rule whose detections are wanted.
    pub detector: Option<Arc<dyn Detector>>,
}

/// Builds one worker's matcher.
pub type MatcherFactory = Box<dyn Fn() -> Box<dyn Matcher> + Send + Sync>;

/// A rule set, compiled.
pub struct Plan {
    /// All rules, by [`RuleIdx`].
    pub rules: Vec<PlannedRule>,
    /// All fields anybody asked for.
    pub table: Arc<FieldTable>,
    /// The stateless rules as one function, one instance per worker.
    pub matcher: MatcherFactory,
    /// Key of the hash tables that hold attacker-chosen strings: random per data folder.
    pub seed: u64,
}

impl Plan {
    /// What alerts say about a rule.
    #[must_use]
    pub fn meta(&self, rule: RuleIdx) -> &RuleMeta {
        &self.rules[rule.index()].meta
    }
}
