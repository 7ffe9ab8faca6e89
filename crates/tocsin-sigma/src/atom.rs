//! Atoms: the distinct tests of all rules. Each is a bit; conditions are programs over bits.

use hashbrown::HashMap;
use tocsin_core::field::FieldId;

use crate::ast::{Cidr, DatePart, Ordering, Pattern};

/// Number of an atom within one program.
pub type AtomId = u32;

/// What an atom tests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AtomTest {
    /// The field is there, whatever its value.
    Exists,
    /// The value is null.
    IsNull,
    /// The whole value matches.
    Pattern(Pattern),
    /// The value contains a match of the expression, its flags included.
    Regex(String),
    /// The value is this number (bits of the f64) or reads as this text.
    Number(u64, String),
    /// The value is this boolean or its word.
    Bool(bool),
    /// The value compares so with this number (bits of the f64).
    Compare(CompareOp, u64),
    /// This part of the time the value tells compares so with this number (bits of the f64); `None`
    /// is equality.
    DatePart(DatePart, Option<CompareOp>, u64),
    /// The value is an address in this range.
    Cidr(Cidr),
    /// The value relates so to another field's.
    FieldRef {
        /// The other field.
        other: FieldId,
        /// The value may begin with more.
        open_start: bool,
        /// The value may go on.
        open_end: bool,
        /// Case counts.
        cased: bool,
    },
}

/// [`Ordering`] as part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
}

impl From<CompareOp> for Ordering {
    fn from(op: CompareOp) -> Ordering {
        match op {
            CompareOp::Lt => Ordering::Lt,
            CompareOp::Lte => Ordering::Lte,
            CompareOp::Gt => Ordering::Gt,
            CompareOp::Gte => Ordering::Gte,
        }
    }
}

impl From<Ordering> for CompareOp {
    fn from(ordering: Ordering) -> CompareOp {
        match ordering {
            Ordering::Lt => CompareOp::Lt,
            Ordering::Lte => CompareOp::Lte,
            Ordering::Gt => CompareOp::Gt,
            Ordering::Gte => CompareOp::Gte,
        }
    }
}

/// An atom: a test of a field, or of the whole record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Atom {
    /// The field; `None`: anywhere in the record.
    pub field: Option<FieldId>,
    /// The test.
    pub test: AtomTest,
}

/// All atoms, each once.
#[derive(Debug, Default)]
pub struct Atoms {
    list: Vec<Atom>,
    ids: HashMap<Atom, AtomId>,
}

impl Atoms {
    /// The id of an atom, added if it is new.
    pub fn intern(&mut self, atom: Atom) -> AtomId {
        if let Some(id) = self.ids.get(&atom) {
            return *id;
        }
        let id = self.list.len() as AtomId;
        self.list.push(atom.clone());
        self.ids.insert(atom, id);
        id
    }

    /// All atoms, by id, for good.
    #[must_use]
    pub fn into_list(self) -> Vec<Atom> {
        self.list
    }

    /// All atoms, by id.
    #[must_use]
    pub fn list(&self) -> &[Atom] {
        &self.list
    }
}
