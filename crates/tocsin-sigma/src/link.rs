//! From the atoms and conditions of all rules to the one matcher they share.

use hashbrown::HashMap;
use tocsin_core::field::FieldTable;
use tocsin_core::matcher::RuleIdx;

use crate::ast::Part;
use crate::atom::{Atom, AtomId, AtomTest, Atoms};
use crate::compose::Composer;
use crate::grams::Frequencies;
use crate::predicate::Uncompilable;
use crate::program::{Logic, Program, witness};
use crate::ruleset::{Compiled, index_witnesses};
use crate::whole_event::{Keywords, Late};

/// Builds the matcher. `logic` holds the condition of each rule, by index; `None` for rules without
/// one (stateful rules). What could not be built comes back in sentences; the rest works.
pub(crate) fn link(
    atoms: &Atoms,
    logic: &[Option<Logic>],
    table: &FieldTable,
) -> (Compiled, Vec<Uncompilable>) {
    let atoms = atoms.list();
    let mut compiled = Compiled { atoms: atoms.len(), ..Compiled::default() };
    let failures = compose(atoms, table.len(), &mut compiled);
    let cost = |atom: AtomId| Some(cost(&atoms[atom as usize], table));
    let witnesses = logic
        .iter()
        .enumerate()
        .filter_map(|(index, logic)| Some((RuleIdx(index as u32), witness(logic.as_ref()?, &cost))));
    (compiled.by_witness, compiled.without_witness) = index_witnesses(compiled.atoms, witnesses);
    compiled.programs = logic.iter().map(|logic| logic.as_ref().map(Program::compile)).collect();
    rouse(atoms, logic, &cost, &mut compiled);
    (compiled, failures)
}

/// Puts the tests of all fields together.
fn compose(atoms: &[Atom], fields: usize, compiled: &mut Compiled) -> Vec<Uncompilable> {
    let mut by_field: Vec<Option<Composer>> = Vec::new();
    by_field.resize_with(fields, || None);
    let mut keywords: Option<Composer> = None;
    let mut failures = Vec::new();
    let mut regexes = 0;
    for (id, atom) in atoms.iter().enumerate() {
        let id = id as AtomId;
        if let AtomTest::FieldRef { .. } = atom.test {
            compiled.late.field_refs.add(atom, id);
            continue;
        }
        let composer = atom.field.map_or(&mut keywords, |field| &mut by_field[field.index()]);
        failures.extend(composer.get_or_insert_default().add(atom, id, &mut regexes).err());
    }
    let mut frequencies = Frequencies::new();
    for composer in by_field.iter().flatten().chain(&keywords) {
        composer.count_grams(&mut frequencies);
    }
    compiled.by_field = by_field.into_iter().map(|composer| Some(composer?.finish(&frequencies))).collect();
    compiled.has_tests = compiled.by_field.iter().map(Option::is_some).collect();
    compiled.late.keywords = keywords.map(|tests| Keywords::new(tests, &frequencies));
    failures
}

/// Works out which atoms wake the late tests, see [`crate::whole_event::Late`].
fn rouse(
    atoms: &[Atom],
    logic: &[Option<Logic>],
    cost: &dyn Fn(AtomId) -> Option<u32>,
    compiled: &mut Compiled,
) {
    let late = &mut compiled.late;
    let refs = late.field_refs.atoms().enumerate().map(|(number, atom)| (atom, Late::field_ref_bit(number)));
    let mut bits: HashMap<AtomId, u32> = refs.collect();
    let keywords = atoms.iter().zip(0..).filter(|(atom, _)| atom.field.is_none());
    bits.extend(keywords.map(|(_, id)| (id, Late::KEYWORDS)));
    if bits.is_empty() {
        return;
    }
    for (logic, program) in logic.iter().zip(&compiled.programs) {
        let (Some(logic), Some(program)) = (logic, program) else { continue };
        let needed = program.atoms().filter_map(|atom| bits.get(&atom)).fold(0, |all, bit| all | bit);
        if needed == 0 {
            continue;
        }
        match witness(logic, &|atom| cost(atom).filter(|_| !bits.contains_key(&atom))) {
            Some(witness) => witness.iter().for_each(|atom| *late.wakes.entry(*atom).or_insert(0) |= needed),
            None => late.awake |= needed,
        }
    }
}

/// How often an atom is likely to be set: rules are tried when their cheapest witness is.
fn cost(atom: &Atom, table: &FieldTable) -> u32 {
    let name = atom.field.map_or("", |field| table.name(field));
    let gate =
        ["EventID", "Channel", "event.category", "event.outcome", "logsource.product", "logsource.service"];
    if gate.contains(&name) {
        return 1_000;
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
