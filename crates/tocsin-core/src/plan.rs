//! A loaded rule set as the engine runs it: who gets which match, under which key.

use std::sync::Arc;

use crate::detector::Detector;
use crate::field::{FieldId, FieldTable};
use crate::key::Missing;
use crate::matcher::{Matcher, MatcherStats, RuleIdx};
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
    /// What the event brings to be counted or added up.
    pub value: ValueOf,
}

/// What an event brings to a rule besides being one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ValueOf {
    /// Nothing.
    #[default]
    Nothing,
    /// A value to tell from others: the hash of these fields together.
    Distinct(Vec<FieldId>),
    /// A number to add up: the bits of a 64-bit float.
    Number(FieldId),
}

/// Where what a stateful rule finds goes: to a rule that counts it.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The rule that counts.
    pub rule: RuleIdx,
    /// The part it plays for it.
    pub role: Role,
    /// The parts of the key, by their place in the key of the rule that finds.
    pub key: Vec<usize>,
    /// What it brings: places of the key to tell apart, or of the number to add up.
    pub value: ChainValue,
    /// Whether every moment at which the condition holds counts, or only the beginning of each
    /// episode.
    pub every_moment: bool,
}

/// What a finding brings to the rule that counts it; the numbers are places in its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ChainValue {
    /// Nothing.
    #[default]
    Nothing,
    /// A value to tell from others.
    Distinct(Vec<usize>),
    /// A number to add up.
    Number(usize),
}

/// One loaded rule.
pub struct PlannedRule {
    /// What alerts say about it.
    pub meta: RuleMeta,
    /// Where its matches go, for a stateless rule.
    pub routes: Vec<Route>,
    /// Where what it finds goes, for a stateful rule that others count.
    pub chains: Vec<Chain>,
    /// How many stateful rules lie below it: what it counts may come from the level before.
    pub level: u8,
    /// Its state, for every rule whose detections are wanted.
    pub detector: Option<Arc<dyn Detector>>,
    /// The ids of the filters behind its condition, in order.
    pub filters: Vec<String>,
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
    /// The rule that tells of rules whose state has reached its bound.
    pub state_pressure: Option<RuleIdx>,
    /// The rule that tells of rules that were switched off because they failed.
    pub rule_disabled: Option<RuleIdx>,
    /// Key of the hash tables that hold attacker-chosen strings: random per data folder.
    pub seed: u64,
}

impl Plan {
    /// What filters have kept back, as (rule, filter, matches): all filters of all rules, in order.
    pub fn suppressed<'a>(&'a self, stats: &MatcherStats) -> impl Iterator<Item = (&'a str, &'a str, u64)> {
        let of_rule = |rule: &'a PlannedRule| rule.filters.iter().map(|filter| (&*rule.meta.id, &**filter));
        let counted = self.rules.iter().flat_map(of_rule).zip(&stats.suppressed);
        counted.map(|((rule, filter), count)| (rule, filter, *count))
    }

    /// What alerts say about a rule.
    #[must_use]
    pub fn meta(&self, rule: RuleIdx) -> &RuleMeta {
        &self.rules[rule.index()].meta
    }
}
