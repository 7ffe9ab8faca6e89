//! Conditions as jump programs over atoms, and what each rule needs at least.

use crate::atom::AtomId;

/// A condition over atoms.
#[derive(Clone, Debug, PartialEq)]
pub enum Logic {
    /// All hold.
    And(Vec<Logic>),
    /// Any holds.
    Or(Vec<Logic>),
    /// It does not hold.
    Not(Box<Logic>),
    /// The atom's bit.
    Atom(AtomId),
}

/// What a rule asks of an event: its own condition with its log source, and the conditions of filters
/// behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Its own.
    pub own: Logic,
    /// Those of filters, in order.
    pub filters: Vec<Logic>,
}

/// A rule's condition, compiled.
#[derive(Clone, Debug)]
pub struct RuleProgram {
    /// Its own.
    pub own: Program,
    /// Those of filters.
    pub filters: Vec<Program>,
    /// The number of the first of them among the filters of all rules.
    pub first_filter: u32,
}

impl RuleProgram {
    /// Compiles conditions, the filters of all of them numbered in order.
    #[must_use]
    pub fn compile_all(conditions: &[Option<Condition>]) -> Vec<Option<RuleProgram>> {
        let mut next = 0;
        let mut compile = |condition: &Condition| {
            let first_filter = next;
            next += condition.filters.len() as u32;
            let filters = condition.filters.iter().map(Program::compile).collect();
            RuleProgram { own: Program::compile(&condition.own), filters, first_filter }
        };
        conditions.iter().map(|condition| condition.as_ref().map(&mut compile)).collect()
    }

    /// The atoms it tests, some more than once.
    pub fn atoms(&self) -> impl Iterator<Item = AtomId> {
        self.own.atoms().chain(self.filters.iter().flat_map(Program::atoms))
    }
}

/// One step: test a bit, go on at one of two places.
#[derive(Clone, Copy, Debug)]
struct Step {
    atom: AtomId,
    yes: u32,
    no: u32,
}

const ACCEPT: u32 = u32::MAX;
const REJECT: u32 = u32::MAX - 1;

/// A condition, compiled: every atom is tested at most once on each way through.
#[derive(Clone, Debug)]
pub struct Program {
    steps: Vec<Step>,
    entry: u32,
}

impl Program {
    /// Compiles a condition.
    #[must_use]
    pub fn compile(logic: &Logic) -> Program {
        let mut steps = Vec::new();
        let entry = emit(logic, ACCEPT, REJECT, &mut steps);
        Program { steps, entry }
    }

    /// The atoms it tests, some more than once.
    pub fn atoms(&self) -> impl Iterator<Item = AtomId> {
        self.steps.iter().map(|step| step.atom)
    }

    /// Runs it over bits.
    #[inline]
    #[must_use]
    pub fn holds(&self, bits: &[u64]) -> bool {
        let mut at = self.entry;
        while at < REJECT {
            let step = self.steps[at as usize];
            let set = bits[step.atom as usize >> 6] >> (step.atom & 63) & 1 != 0;
            at = if set { step.yes } else { step.no };
        }
        at == ACCEPT
    }
}

/// Emits the steps of a condition that goes on at `yes` or `no`; returns where it begins.
fn emit(logic: &Logic, yes: u32, no: u32, steps: &mut Vec<Step>) -> u32 {
    match logic {
        Logic::Atom(atom) => {
            steps.push(Step { atom: *atom, yes, no });
            (steps.len() - 1) as u32
        }
        Logic::Not(inner) => emit(inner, no, yes, steps),
        Logic::And(parts) => parts.iter().rev().fold(yes, |next, part| emit(part, next, no, steps)),
        Logic::Or(parts) => parts.iter().rev().fold(no, |next, part| emit(part, yes, next, steps)),
    }
}

/// Atoms of which at least one is set whenever the condition holds, the cheapest such set by
/// `cost`; `None` when the condition can hold without any. Atoms without a cost are not used.
#[must_use]
pub fn witness(logic: &Logic, cost: &dyn Fn(AtomId) -> Option<u32>) -> Option<Vec<AtomId>> {
    match logic {
        Logic::Atom(atom) => cost(*atom).map(|_| vec![*atom]),
        Logic::Not(inner) => match &**inner {
            Logic::Not(twice) => witness(twice, cost),
            Logic::And(parts) => witness(&Logic::Or(parts.iter().map(negate).collect()), cost),
            Logic::Or(parts) => witness(&Logic::And(parts.iter().map(negate).collect()), cost),
            Logic::Atom(_) => None,
        },
        Logic::And(parts) => parts
            .iter()
            .filter_map(|part| witness(part, cost))
            .min_by_key(|set| set.iter().map(|atom| u64::from(cost(*atom).unwrap_or(0))).sum::<u64>()),
        Logic::Or(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(witness(part, cost)?);
            }
            Some(all)
        }
    }
}

fn negate(logic: &Logic) -> Logic {
    Logic::Not(Box::new(logic.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn eval(logic: &Logic, bits: u64) -> bool {
        match logic {
            Logic::Atom(atom) => bits >> atom & 1 != 0,
            Logic::Not(inner) => !eval(inner, bits),
            Logic::And(parts) => parts.iter().all(|part| eval(part, bits)),
            Logic::Or(parts) => parts.iter().any(|part| eval(part, bits)),
        }
    }

    fn logic() -> impl Strategy<Value = Logic> {
        (0..8_u32).prop_map(Logic::Atom).prop_recursive(5, 40, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Logic::And),
                prop::collection::vec(inner.clone(), 0..4).prop_map(Logic::Or),
                inner.prop_map(|logic| Logic::Not(Box::new(logic))),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_program_says_what_its_condition_says(logic in logic(), bits in 0..256_u64) {
            let holds = eval(&logic, bits);
            prop_assert_eq!(Program::compile(&logic).holds(&[bits]), holds);
            if let Some(witness) = witness(&logic, &|_| Some(1)) {
                prop_assert!(!holds || witness.iter().any(|atom| bits >> atom & 1 != 0));
            }
        }
    }
}
