//! Other rules become active between two batches. A rule is the same as before if its id and its
//! logic are: then its state goes on under its new number, and watermarks go on for all. State of
//! every other rule ends, and its alerts end well.
//!
//! What rules over rules count is handed up to the watermark before anything changes, and episodes that
//! are over are closed in the words of then, so that which rules these meet does not depend on when
//! keys were last looked at.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::batch::TenantId;
use crate::chain;
use crate::detector::{Found, StepContext};
use crate::engine::{Correlator, Output};
use crate::matcher::RuleIdx;
use crate::plan::{Plan, PlannedRule};
use crate::shard::rule_hash;
use crate::time::Span;
use crate::value_hash::ValueHasher;

/// What the state of a rule has to do where other rules become active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandOver {
    /// Settle everything the watermark has passed, for every key.
    Settle,
    /// Settle, then tell what is open as closed and what was claimed ahead of the watermark as
    /// withdrawn: the rule raises no alert any more. The state itself stays as it is.
    End,
    /// Go on among other rules: under another number, and with what else is new about the rule.
    GoOn(Move),
}

/// What a rule that goes on is from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Its new number.
    pub rule: RuleIdx,
    /// Length of its episodes.
    pub episode: Span,
    /// Whether other stateful rules count what it finds.
    pub chained: bool,
    /// Whether its text has changed, if not its logic.
    pub has_other_words: bool,
    /// Whether it raises alerts no longer, though its state goes on for those that count it.
    pub is_silenced: bool,
}

/// Where the state of each rule goes; nowhere where it ends.
pub(crate) struct Moves<'a> {
    old: &'a Plan,
    places: Vec<Option<Move>>,
}

impl<'a> Moves<'a> {
    fn between(old: &'a Plan, new: &Plan) -> Moves<'a> {
        let mut places: BTreeMap<(&str, &str), VecDeque<RuleIdx>> = BTreeMap::new();
        for (index, rule) in new.rules.iter().enumerate() {
            places.entry(name(rule)).or_default().push_back(RuleIdx(index as u32));
        }
        let place = |before: &'a PlannedRule| {
            // Rules that share both, which only rules without an id can, keep their order.
            let rule = places.get_mut(&name(before))?.pop_front()?;
            let now = &new.rules[rule.index()];
            now.detector.as_ref()?;
            let is_silenced = before.meta.alerts && !now.meta.alerts;
            Some(Move {
                rule,
                episode: now.meta.episode,
                chained: !now.chains.is_empty(),
                has_other_words: before.meta.hash != now.meta.hash,
                is_silenced,
            })
        };
        Moves { old, places: old.rules.iter().map(place).collect() }
    }

    pub(crate) fn of(&self, rule: RuleIdx) -> Option<Move> {
        self.places.get(rule.index()).copied().flatten()
    }

    /// How many rules lie below an old one.
    pub(crate) fn level(&self, rule: RuleIdx) -> u8 {
        self.old.rules[rule.index()].level
    }

    /// Whether an old rule must be settled before anything changes: others count what it finds, before
    /// or after, or its alerts will have other words.
    pub(crate) fn settles(&self, rule: RuleIdx) -> bool {
        let counts = |to: Move| to.chained || to.has_other_words;
        !self.old.rules[rule.index()].chains.is_empty() || self.of(rule).is_some_and(counts)
    }

    fn any_settles(&self) -> bool {
        (0..self.places.len() as u32).any(|rule| self.settles(RuleIdx(rule)))
    }
}

fn name(rule: &PlannedRule) -> (&str, &str) {
    (&rule.meta.id, &rule.meta.logic_hash)
}

/// What steps of each tenant need to know, by level.
pub(crate) type Contexts = Vec<Vec<StepContext>>;

impl Correlator {
    /// The rules that are active.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// These rules are active from now on, instead of those before. Batches matched before must have
    /// been taken in; the detections that come out are of the rules before, by their numbers.
    pub fn activate(&mut self, plan: Arc<Plan>) -> Output {
        let old = Arc::clone(&self.plan);
        let moves = Moves::between(&old, &plan);
        let mut found = Found::default();
        let levels = 0..=self.levels;
        let of_tenant = |(tenant, marks): (usize, &crate::watermark::Watermarks)| -> Vec<StepContext> {
            let tenant = TenantId(tenant as u32);
            levels.clone().map(|level| self.context(tenant, marks.of_level(level))).collect()
        };
        let contexts: Contexts = self.tenants.iter().enumerate().map(of_tenant).collect();
        if moves.any_settles() {
            for tenant in (0..self.tenants.len() as u32).map(TenantId) {
                for shard in &mut self.shards {
                    shard.settle(tenant, &moves, &contexts, &mut found);
                }
                self.climb(&chain::none(tenant), &[], false, &mut found);
                found.holds.clear();
            }
        }
        for shard in &mut self.shards {
            shard.activate(&moves, &contexts, &mut found);
        }
        self.rule_hashes = plan.rules.iter().map(|rule| rule_hash(&rule.meta)).collect();
        self.levels = plan.rules.iter().map(|rule| rule.level).max().unwrap_or(0);
        self.hasher = ValueHasher::new(plan.seed);
        self.plan = plan;
        Output { detections: found.detections, late_dropped: 0 }
    }
}
