//! Names met in records whose fields nobody knows beforehand: each is looked up in the taxonomy
//! once.

use hashbrown::HashMap;

use crate::taxonomy::{Target, Taxonomy};
use crate::text::targets;

/// Names remembered at most. Above it the memory is emptied; only speed is lost.
const NAMES_MAX: usize = 16_384;

/// Bytes of the longest name that can fill anything. No rule asks for a longer one.
const NAME_BYTES_MAX: usize = 256;

/// What a name fills in a taxonomy.
type Resolve = fn(&Taxonomy, &str) -> Vec<Target>;

/// What the names of one kind fill.
#[derive(Debug)]
pub struct Names {
    taxonomy: Taxonomy,
    resolve: Resolve,
    known: HashMap<Vec<u8>, Box<[Target]>>,
}

impl Names {
    /// Names that fill what a function says.
    #[must_use]
    pub fn new(taxonomy: &Taxonomy, resolve: Resolve) -> Names {
        Names { taxonomy: taxonomy.clone(), resolve, known: HashMap::new() }
    }

    /// What a value under a name fills.
    pub fn targets(&mut self, name: &[u8]) -> &[Target] {
        if name.len() > NAME_BYTES_MAX {
            return &[];
        }
        if self.known.len() >= NAMES_MAX {
            self.known.clear();
        }
        let (taxonomy, resolve) = (&self.taxonomy, self.resolve);
        self.known
            .entry_ref(name)
            .or_insert_with(|| resolve(taxonomy, std::str::from_utf8(name).unwrap_or_default()).into())
    }
}

/// The names of a format, and under what further names their values go.
pub type NameTable = &'static [(&'static str, &'static [&'static str])];

/// What a name fills: one of the table its own field and those beside it, and nothing else; any
/// other what the taxonomy makes of it.
#[must_use]
pub fn by_table(table: NameTable, taxonomy: &Taxonomy, name: &str) -> Vec<Target> {
    let Some((_, fills)) = table.iter().find(|(own, _)| *own == name) else { return taxonomy.targets(name) };
    let mut filled = targets(taxonomy, fills);
    filled.extend(taxonomy.named(name).filter(|own| !filled.contains(own)));
    filled
}
