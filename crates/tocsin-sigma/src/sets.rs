//! The sets of atoms that values satisfy: each once, with the random number that stands for it.

use hashbrown::{HashMap, HashTable};

use crate::atom::AtomId;
use crate::memo::{Memo, SetId};
use crate::predicate::CHECKS;
use crate::whole_event::Late;

/// Distinct sets of atoms remembered. Above it the worker forgets everything it has learnt.
const SETS_MAX: usize = 65_536;

/// What an event needs of each of its sets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SetHead {
    /// Stands for the set in sums; 0 of the empty set.
    pub(crate) number: u128,
    /// Which late tests may matter because of it, see [`Late`].
    pub(crate) wakes: u32,
    /// Whether checks on the whole value are left to be run.
    pub(crate) asks: bool,
}

/// All sets met so far.
#[derive(Debug, Default)]
pub(crate) struct Sets {
    heads: Vec<SetHead>,
    atoms: Vec<Box<[AtomId]>>,
    ids: HashMap<Box<[AtomId]>, SetId>,
    /// Sets by the sum of the numbers of the lines' sets they are the union of.
    unions: HashTable<(u128, SetId)>,
}

impl Sets {
    /// The id of the set of these atoms, which are brought in order.
    pub(crate) fn intern(&mut self, atoms: &mut Vec<AtomId>, memo: &Memo, late: &Late) -> SetId {
        atoms.sort_unstable();
        atoms.dedup();
        if let Some(set) = self.ids.get(atoms.as_slice()) {
            return *set;
        }
        let id = self.heads.len() as SetId;
        let kept: Box<[AtomId]> = atoms.as_slice().into();
        self.heads.push(SetHead {
            number: if kept.is_empty() { 0 } else { memo.number(&kept) },
            wakes: late.woken_by(&kept),
            asks: kept.last().is_some_and(|last| *last >= CHECKS),
        });
        self.atoms.push(kept.clone());
        self.ids.insert(kept, id);
        id
    }

    /// What an event needs of a set.
    #[inline]
    pub(crate) fn head(&self, set: SetId) -> SetHead {
        self.heads[set as usize]
    }

    /// The atoms of a set, sorted.
    pub(crate) fn atoms(&self, set: SetId) -> &[AtomId] {
        &self.atoms[set as usize]
    }

    /// The set remembered for a sum.
    pub(crate) fn union(&self, sum: u128) -> Option<SetId> {
        self.unions.find(sum as u64, |entry| entry.0 == sum).map(|entry| entry.1)
    }

    /// Remembers the set for a sum.
    pub(crate) fn add_union(&mut self, sum: u128, set: SetId) {
        self.unions.insert_unique(sum as u64, (sum, set), |entry| entry.0 as u64);
    }

    /// Whether there are so many that all should be forgotten.
    pub(crate) fn is_full(&self) -> bool {
        self.heads.len() > SETS_MAX || self.unions.len() > SETS_MAX
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        *self = Sets::default();
    }
}
