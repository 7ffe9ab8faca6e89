//! From the atoms and conditions of all rules to the one matcher they share.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use tocsin_core::field::FieldTable;
use tocsin_core::matcher::RuleIdx;

use crate::ast::Part;
use crate::atom::{Atom, AtomId, AtomTest, Atoms};
use crate::compose::Composer;
use crate::grams::Frequencies;
use crate::predicate::{Predicates, Uncompilable};
use crate::program::{Condition, RuleProgram, witness};
use crate::ruleset::{Compiled, index_witnesses};
use crate::whole_event::{Keywords, Late};

/// Builds the matcher. `conditions` are those of each rule, by index; `None` for rules without
/// one (stateful rules). What could not be built comes back in sentences; the rest works.
pub(crate) fn link(
    atoms: Atoms,
    conditions: &[Option<Condition>],
    table: &FieldTable,
) -> (Compiled, Vec<Uncompilable>) {
    let atoms: Arc<[Atom]> = atoms.into_list().into();
    let (tests, failures) = compose(&atoms, |_| true, table.len());
    let cost = |atom: AtomId| Some(cost(&atoms[atom as usize], table));
    // Not of filters: what they keep from matching is counted.
    let witnesses = conditions
        .iter()
        .zip(0..)
        .filter_map(|(condition, index)| Some((RuleIdx(index), witness(&condition.as_ref()?.own, &cost))));
    let (by_witness, without_witness) = index_witnesses(atoms.len(), witnesses);
    let programs = RuleProgram::compile_all(conditions);
    let Tests { has_tests, by_field, mut late } = tests;
    rouse(&atoms, conditions, &programs, &cost, &mut late);
    let filters = programs.iter().flatten().map(|program| program.filters.len()).sum();
    let compiled =
        Compiled { has_tests, by_field, late, programs, filters, by_witness, without_witness, atoms };
    (compiled, failures)
}

/// The same matcher with some of its rules, and only the tests those ask for.
pub(crate) fn relink(compiled: &Compiled, keep: &dyn Fn(RuleIdx) -> bool) -> Compiled {
    let kept = |(index, program): (usize, &Option<RuleProgram>)| {
        program.clone().filter(|_| keep(RuleIdx(index as u32)))
    };
    let programs: Vec<Option<RuleProgram>> = compiled.programs.iter().enumerate().map(kept).collect();
    let asked: HashSet<AtomId> = programs.iter().flatten().flat_map(RuleProgram::atoms).collect();
    // All of it was composed before.
    let (tests, _) = compose(&compiled.atoms, |atom| asked.contains(&atom), compiled.by_field.len());
    let (wakes, awake) = (compiled.late.wakes.clone(), compiled.late.awake);
    let only_kept = |rules: &Vec<RuleIdx>| rules.iter().copied().filter(|rule| keep(*rule)).collect();
    Compiled {
        has_tests: tests.has_tests,
        by_field: tests.by_field,
        late: Late { wakes, awake, ..tests.late },
        programs,
        filters: compiled.filters,
        by_witness: compiled.by_witness.iter().map(only_kept).collect(),
        without_witness: only_kept(&compiled.without_witness),
        atoms: Arc::clone(&compiled.atoms),
    }
}

/// All tests, put together.
struct Tests {
    has_tests: Vec<bool>,
    by_field: Vec<Option<Predicates>>,
    late: Late,
}

/// Puts the tests of all fields together, those that are wanted.
fn compose(atoms: &[Atom], wanted: impl Fn(AtomId) -> bool, fields: usize) -> (Tests, Vec<Uncompilable>) {
    let mut by_field: Vec<Option<Composer>> = Vec::new();
    by_field.resize_with(fields, || None);
    let mut keywords: Option<Composer> = None;
    let mut late = Late::default();
    let mut failures = Vec::new();
    let mut regexes = 0;
    for (atom, id) in atoms.iter().zip(0..) {
        if let AtomTest::FieldRef { .. } = atom.test {
            // They are numbered, so none may be left out.
            late.field_refs.add(atom, id);
        } else if wanted(id) {
            let composer = atom.field.map_or(&mut keywords, |field| &mut by_field[field.index()]);
            failures.extend(composer.get_or_insert_default().add(atom, id, &mut regexes).err());
        }
    }
    let mut frequencies = Frequencies::new();
    for composer in by_field.iter().flatten().chain(&keywords) {
        composer.count_grams(&mut frequencies);
    }
    let by_field: Vec<Option<Predicates>> =
        by_field.into_iter().map(|composer| Some(composer?.finish(&frequencies))).collect();
    let has_tests = by_field.iter().map(Option::is_some).collect();
    late.keywords = keywords.map(|tests| Keywords::new(tests, &frequencies));
    (Tests { has_tests, by_field, late }, failures)
}

/// Works out which atoms wake the late tests, see [`crate::whole_event::Late`].
fn rouse(
    atoms: &[Atom],
    conditions: &[Option<Condition>],
    programs: &[Option<RuleProgram>],
    cost: &dyn Fn(AtomId) -> Option<u32>,
    late: &mut Late,
) {
    let refs = late.field_refs.atoms().enumerate().map(|(number, atom)| (atom, Late::field_ref_bit(number)));
    let mut bits: HashMap<AtomId, u32> = refs.collect();
    let keywords = atoms.iter().zip(0..).filter(|(atom, _)| atom.field.is_none());
    bits.extend(keywords.map(|(_, id)| (id, Late::KEYWORDS)));
    if bits.is_empty() {
        return;
    }
    for (condition, program) in conditions.iter().zip(programs) {
        let (Some(condition), Some(program)) = (condition, program) else { continue };
        let needed = program.atoms().filter_map(|atom| bits.get(&atom)).fold(0, |all, bit| all | bit);
        if needed == 0 {
            continue;
        }
        match witness(&condition.own, &|atom| cost(atom).filter(|_| !bits.contains_key(&atom))) {
            Some(witness) => witness.iter().for_each(|atom| *late.wakes.entry(*atom).or_insert(0) |= needed),
            None => late.awake |= needed,
        }
    }
}

/// Cost of an atom that says from where an event comes: more than that of the longest list of values. A
/// rule is tried at every event that has its witness, and these are set in most.
const GATE_COST: u32 = 100_000_000;

/// How often an atom is likely to be set: rules are tried when their cheapest witness is.
fn cost(atom: &Atom, table: &FieldTable) -> u32 {
    let name = atom.field.map_or("", |field| table.name(field));
    let gate =
        ["EventID", "Channel", "event.category", "event.outcome", "logsource.product", "logsource.service"];
    if gate.contains(&name) {
        return GATE_COST;
    }
    match &atom.test {
        AtomTest::Exists | AtomTest::IsNull | AtomTest::Bool(_) => 500,
        AtomTest::Compare(..) | AtomTest::DatePart(..) | AtomTest::Regex(_) | AtomTest::FieldRef { .. } => 50,
        AtomTest::Pattern(pattern) => {
            let longest = pattern.parts.iter().map(|part| match part {
                Part::Literal(text) => text.len(),
                _ => 0,
            });
            (60_u32.saturating_sub(longest.max().unwrap_or(0) as u32)).max(1)
        }
        AtomTest::Number(..) | AtomTest::Cidr(..) => 20,
    }
}
