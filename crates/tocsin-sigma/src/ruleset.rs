//! A compiled rule set: what [`crate::compile`] makes and the matchers of all workers share.

use std::sync::Arc;

use hashbrown::HashMap;
use tocsin_core::correlation::CorrelationSpec;
use tocsin_core::field::{FieldId, FieldTable};
use tocsin_core::matcher::{Matcher, RuleIdx};
use tocsin_core::rule::RuleMeta;

use crate::ast::Document;
use crate::atom::{Atom, AtomId};
use crate::matcher::SigmaMatcher;
use crate::predicate::Predicates;
use crate::program::RuleProgram;
use crate::whole_event::Late;

/// The stateless rules of a set, compiled into one matcher.
#[derive(Debug)]
pub struct Compiled {
    /// All tests, by atom.
    pub(crate) atoms: Arc<[Atom]>,
    /// Whether a field has tests, by its id: beside `by_field` because every value asks for it.
    pub(crate) has_tests: Vec<bool>,
    /// Tests by field id; `None` where no rule tests the field.
    pub(crate) by_field: Vec<Option<Predicates>>,
    /// Tests that no single value decides.
    pub(crate) late: Late,
    /// Conditions by rule; `None` for stateful rules.
    pub(crate) programs: Vec<Option<RuleProgram>>,
    /// How many filters all rules of the set have together.
    pub(crate) filters: usize,
    /// Rules to try when an atom is set, by atom.
    pub(crate) by_witness: Vec<Vec<RuleIdx>>,
    /// Rules that can match without any atom.
    pub(crate) without_witness: Vec<RuleIdx>,
}

impl Compiled {
    /// Whether some rule tests a field.
    #[inline]
    pub(crate) fn has_tests(&self, field: FieldId) -> bool {
        self.has_tests.get(field.index()).is_some_and(|has| *has)
    }

    /// The tests of a field.
    pub(crate) fn predicates(&self, field: FieldId) -> Option<&Predicates> {
        self.by_field.get(field.index())?.as_ref()
    }
}

/// A rule that feeds a stateful rule.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The rule whose matches count, or, where it is stateful itself, whose detections do.
    pub rule: RuleIdx,
    /// The part they play.
    pub role: u8,
    /// The fields of the group key in its events (aliases resolved). Of a stateful rule: names
    /// among its own `group-by`.
    pub key: Vec<String>,
    /// The fields whose values are counted or added up, named in the same way; empty for types
    /// that only count events.
    pub value: Vec<String>,
}

/// One loaded rule.
#[derive(Debug)]
pub struct Rule {
    /// What alerts say about it.
    pub meta: RuleMeta,
    /// The document it came from.
    pub document: Document,
    /// For a stateful rule: what it asks for and who feeds it.
    pub stateful: Option<(CorrelationSpec, Vec<Feed>)>,
    /// The filters whose conditions stand in its condition, in order.
    pub filters: Vec<AppliedFilter>,
}

/// A filter that applies to a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedFilter {
    /// Its id, else its name, else its title.
    pub id: String,
    /// Its title, under which its condition stands in the rule's.
    pub title: String,
}

/// A rule set.
#[derive(Debug)]
pub struct RuleSet {
    /// All rules, by [`RuleIdx`].
    pub rules: Vec<Rule>,
    /// Every field a rule tests or groups by.
    pub table: FieldTable,
    /// The stateless rules as one matcher.
    pub compiled: Arc<Compiled>,
    pub(crate) by_reference: HashMap<String, RuleIdx>,
}

impl RuleSet {
    /// The rule of an id or name.
    #[must_use]
    pub fn find(&self, reference: &str) -> Option<&Rule> {
        self.by_reference.get(reference).map(|rule| &self.rules[rule.index()])
    }

    /// Builds matchers, one per worker. `seed` keys their memories.
    pub fn matcher_factory(&self, seed: u64) -> impl Fn() -> Box<dyn Matcher> + Send + Sync + 'static {
        let compiled = Arc::clone(&self.compiled);
        move || Box::new(SigmaMatcher::new(Arc::clone(&compiled), seed))
    }
}

/// An index from atoms to the rules they may make match.
pub(crate) fn index_witnesses(
    atoms: usize,
    witnesses: impl Iterator<Item = (RuleIdx, Option<Vec<AtomId>>)>,
) -> (Vec<Vec<RuleIdx>>, Vec<RuleIdx>) {
    let mut by_witness = vec![Vec::new(); atoms];
    let mut without = Vec::new();
    for (rule, witness) in witnesses {
        match witness {
            Some(witness) => {
                for atom in witness {
                    by_witness[atom as usize].push(rule);
                }
            }
            None => without.push(rule),
        }
    }
    (by_witness, without)
}
