//! From the atoms and conditions of all rules to the one matcher they share.

use tocsin_core::field::FieldTable;
use tocsin_core::matcher::RuleIdx;

use crate::ast::Part;
use crate::atom::{Atom, AtomId, AtomTest, Atoms};
use crate::predicate::{Predicates, Uncompilable};
use crate::program::{Logic, Program, witness};
use crate::ruleset::{Compiled, index_witnesses};
use crate::whole_event::{FieldRefs, Keywords};

/// Builds the matcher. `logic` holds the condition of each rule, by index; `None` for rules without
/// one (stateful rules). What could not be built comes back in sentences; the rest works.
pub(crate) fn link(
    atoms: &Atoms,
    logic: &[Option<Logic>],
    table: &FieldTable,
) -> (Compiled, Vec<Uncompilable>) {
    let mut compiled = Compiled { atoms: atoms.list().len(), ..Compiled::default() };
    compiled.by_field.resize_with(table.len(), || None);
    let mut keywords = Keywords::default();
    let mut field_refs = FieldRefs::default();
    let mut failures = Vec::new();
    for (id, atom) in atoms.list().iter().enumerate() {
        let id = id as AtomId;
        field_refs.add(atom, id);
        let added = match atom.field {
            None => keywords.add(atom, id),
            Some(_) if matches!(atom.test, AtomTest::FieldRef { .. }) => Ok(()),
            Some(field) => {
                compiled.by_field[field.index()].get_or_insert_with(Predicates::default).add(atom, id)
            }
        };
        failures.extend(added.err());
    }
    let has_keywords = atoms.list().iter().any(|atom| atom.field.is_none());
    failures.extend(compiled.by_field.iter_mut().flatten().filter_map(|field| field.finish().err()));
    failures.extend(keywords.finish().err());
    compiled.keywords = has_keywords.then_some(keywords);
    compiled.field_refs = field_refs;
    let cost = |atom: AtomId| cost(&atoms.list()[atom as usize], table);
    let witnesses = logic
        .iter()
        .enumerate()
        .filter_map(|(index, logic)| Some((RuleIdx(index as u32), witness(logic.as_ref()?, &cost))));
    (compiled.by_witness, compiled.without_witness) = index_witnesses(compiled.atoms, witnesses);
    compiled.programs = logic.iter().map(|logic| logic.as_ref().map(Program::compile)).collect();
    (compiled, failures)
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
