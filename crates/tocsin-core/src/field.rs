//! Field names, interned once at load.
//!
//! Whatever asks for a field (rules, group keys, alerts) interns its name here, and the decoder
//! fills slots for exactly these names. After load the table never changes.

use hashbrown::HashMap;
use thiserror::Error;

use crate::limits::FIELDS_MAX;

/// Number of a field name within one [`FieldTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(pub u16);

impl FieldId {
    /// The id as an index.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// More distinct field names than [`FIELDS_MAX`].
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the rules name more than {FIELDS_MAX} different fields")]
pub struct TooManyFields;

/// All wanted field names. Names are either taxonomy names (`source.ip`) or names as sent
/// (`client_ip`, `EventData.Image`); both are fields.
#[derive(Debug, Default)]
pub struct FieldTable {
    names: Vec<Box<str>>,
    ids: HashMap<Box<str>, FieldId>,
}

impl FieldTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> FieldTable {
        FieldTable::default()
    }

    /// A table of these names, as many as it holds.
    #[must_use]
    pub fn of(names: &[&str]) -> FieldTable {
        let mut table = FieldTable::new();
        names.iter().take_while(|name| table.intern(name).is_ok()).for_each(drop);
        table
    }

    /// The id of a name, added if it is new.
    ///
    /// # Errors
    /// [`TooManyFields`] when the table is full; the table is unchanged then.
    pub fn intern(&mut self, name: &str) -> Result<FieldId, TooManyFields> {
        if let Some(id) = self.ids.get(name) {
            return Ok(*id);
        }
        if self.names.len() >= FIELDS_MAX {
            return Err(TooManyFields);
        }
        let id = FieldId(self.names.len() as u16);
        self.names.push(name.into());
        self.ids.insert(name.into(), id);
        Ok(id)
    }

    /// The id of a name somebody asked for at load.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<FieldId> {
        self.ids.get(name).copied()
    }

    /// The name of an id of this table.
    #[must_use]
    pub fn name(&self, id: FieldId) -> &str {
        &self.names[id.index()]
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether nothing was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// All ids with their names, in order of interning.
    pub fn iter(&self) -> impl Iterator<Item = (FieldId, &str)> {
        self.names.iter().enumerate().map(|(i, name)| (FieldId(i as u16), &**name))
    }
}
