//! The key sequences seen so far.
//!
//! Events of one source send the same keys in the same order, so the sequence of keys is a path in
//! a tree that is almost always already there. A node knows what its key fills; following a known
//! edge costs one comparison of bytes, and proves at once that no key occurs twice, because an
//! edge to a repeated key is never made.
//!
//! What is compared is everything between two values, as it was written last: comma, spaces, key
//! and colon. Nobody's spaces cost anything after the first record.

use hashbrown::{Equivalent, HashMap};

use tocsin_core::limits::OBJECT_KEYS_MAX;
use tocsin_core::value::unescape;

use crate::taxonomy::{Target, Taxonomy};

/// Nodes held at most. Above it the tree is emptied and grows anew; only speed is lost.
const NODES_MAX: usize = 65_536;

/// Bytes compared at once: keys of up to 28 bytes, written without spaces. A longer one is looked up
/// every time.
pub const LEAD_BYTES: usize = 32;

/// A node: a key after the keys before it in the same object. 0 is the beginning of a record.
pub type NodeId = u32;

/// The beginning of a record's outermost object.
pub const ROOT: NodeId = 0;

const NONE: NodeId = NodeId::MAX;

/// What is looked at for every key; aligned, so that it spans no more cache lines than it must.
#[derive(Debug)]
#[repr(align(64))]
struct Node {
    /// The keys that last followed it, the latest first.
    next: [Way; 2],
    /// What a value under this key fills.
    wanted: Wanted,
    /// Beginning of the objects found under this key.
    inside: NodeId,
}

/// The way to a key from the one before it, or from the brace.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// The bytes from the end of the value before to the value of the key.
    lead: [u64; LEAD_BYTES / 8],
    /// Which bits of them count.
    mask: [u64; LEAD_BYTES / 8],
    /// How many bytes count.
    pub len: u32,
    /// The key.
    pub to: NodeId,
    /// What its value fills.
    pub wanted: Wanted,
}

/// A way that no text takes: these bytes are not UTF-8.
const NOWHERE: Way = Way { lead: [u64::MAX; 4], mask: [u64::MAX; 4], len: 0, to: NONE, wanted: UNWANTED };

/// What a value fills. Most fill one thing, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The first thing it fills.
    pub first: Option<Target>,
    /// The others: a range of all targets.
    others: (u32, u32),
}

/// Nothing.
const UNWANTED: Wanted = Wanted { first: None, others: (0, 0) };

impl Wanted {
    /// Whether it fills more than one thing.
    #[inline(always)]
    #[must_use]
    pub fn several(self) -> bool {
        self.others.0 != self.others.1
    }
}

/// What is looked at when something new is met, or something is wrong.
#[derive(Debug)]
struct Details {
    /// The key, unescaped.
    name: Box<str>,
    /// How many keys the object has with this one.
    keys: u32,
    /// Path from the outermost object, keys joined by dots.
    path: Box<str>,
    /// The key before it in the same object, or itself at the beginning.
    before: NodeId,
}

/// The tree.
#[derive(Debug)]
pub struct Shapes {
    taxonomy: Taxonomy,
    nodes: Vec<Node>,
    details: Vec<Details>,
    targets: Vec<Target>,
    edges: HashMap<(NodeId, Box<[u8]>), NodeId>,
}

/// Why a key cannot follow.
#[derive(Debug, PartialEq, Eq)]
pub enum BadKey {
    /// The object already has it.
    Duplicate,
    /// The object has as many as it may have.
    TooMany,
}

/// A key of the map of edges, borrowed.
#[derive(Hash)]
struct KeyAfter<'a>(NodeId, &'a [u8]);

impl Equivalent<(NodeId, Box<[u8]>)> for KeyAfter<'_> {
    fn equivalent(&self, edge: &(NodeId, Box<[u8]>)) -> bool {
        self.0 == edge.0 && *self.1 == *edge.1
    }
}

impl Shapes {
    /// An empty tree that fills the fields of a taxonomy.
    #[must_use]
    pub fn new(taxonomy: Taxonomy) -> Shapes {
        let mut shapes = Shapes {
            taxonomy,
            nodes: Vec::new(),
            details: Vec::new(),
            targets: Vec::new(),
            edges: HashMap::new(),
        };
        shapes.forget();
        shapes
    }

    /// Empties the tree if it has reached its bound. Only between records: ids become invalid.
    pub fn make_room(&mut self) {
        if self.nodes.len() >= NODES_MAX {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.nodes.clear();
        self.details.clear();
        self.targets.clear();
        self.edges.clear();
        self.begin_object(Box::default());
    }

    /// The way that was taken last from a node.
    #[inline(always)]
    #[must_use]
    pub fn usual(&self, at: NodeId) -> &Way {
        &self.nodes[at as usize].next[0]
    }

    /// The way that was taken before that, if a text takes it; it becomes the usual one.
    pub fn other(&mut self, at: NodeId, text: &[u8; LEAD_BYTES]) -> Option<Way> {
        let next = &mut self.nodes[at as usize].next;
        if !next[1].begins(text) {
            return None;
        }
        next.swap(0, 1);
        Some(next[0])
    }

    /// The node of a key that was not predicted, made if it is new.
    ///
    /// # Errors
    /// [`BadKey`] when the object has this key already, or too many.
    pub fn follow(&mut self, at: NodeId, key: &[u8]) -> Result<NodeId, BadKey> {
        if let Some(node) = self.edges.get(&KeyAfter(at, key)) {
            return Ok(*node);
        }
        let node = self.make_key(at, key)?;
        self.edges.insert((at, key.into()), node);
        Ok(node)
    }

    /// Remembers how a key was written after a node: everything from the value before, or the
    /// brace, to the value of the key. Only what is short enough is remembered.
    pub fn remember(&mut self, at: NodeId, to: NodeId, lead: &[u8]) {
        if lead.len() <= LEAD_BYTES {
            let way = Way::new(lead, to, self.wanted(to));
            let next = &mut self.nodes[at as usize].next;
            *next = if next[0].to == to { [way, next[1]] } else { [way, next[0]] };
        }
    }

    /// What a value under a key fills.
    #[inline(always)]
    #[must_use]
    pub fn wanted(&self, node: NodeId) -> Wanted {
        self.nodes[node as usize].wanted
    }

    /// What it fills after the first.
    #[must_use]
    pub fn others(&self, wanted: Wanted) -> &[Target] {
        let (from, to) = wanted.others;
        &self.targets[from as usize..to as usize]
    }

    /// Whether a node is the beginning of an object.
    #[must_use]
    pub fn is_beginning(&self, node: NodeId) -> bool {
        self.details[node as usize].before == node
    }

    /// The path of a node.
    #[must_use]
    pub fn path(&self, node: NodeId) -> &str {
        &self.details[node as usize].path
    }

    /// Beginning of an object found under this key.
    pub fn inside(&mut self, node: NodeId) -> NodeId {
        if self.nodes[node as usize].inside == NONE {
            let path = self.details[node as usize].path.clone();
            self.nodes[node as usize].inside = self.begin_object(path);
        }
        self.nodes[node as usize].inside
    }

    fn begin_object(&mut self, path: Box<str>) -> NodeId {
        let id = self.nodes.len() as NodeId;
        self.add(Details { name: Box::default(), keys: 0, path, before: id }, &[])
    }

    fn make_key(&mut self, at: NodeId, key: &[u8]) -> Result<NodeId, BadKey> {
        let keys = self.details[at as usize].keys + 1;
        if keys > OBJECT_KEYS_MAX {
            return Err(BadKey::TooMany);
        }
        let name = unescape(std::str::from_utf8(key).unwrap_or_default());
        let mut beginning = at;
        while self.details[beginning as usize].before != beginning {
            if *self.details[beginning as usize].name == *name {
                return Err(BadKey::Duplicate);
            }
            beginning = self.details[beginning as usize].before;
        }
        let outer = &*self.details[beginning as usize].path;
        let path = if outer.is_empty() { name.to_string() } else { format!("{outer}.{name}") };
        let targets = self.taxonomy.targets(&path);
        let name = name.as_ref().into();
        let details = Details { name, keys, path: path.into(), before: at };
        Ok(self.add(details, &targets))
    }

    fn add(&mut self, details: Details, targets: &[Target]) -> NodeId {
        let (first, others) = targets.split_first().unzip();
        let from = self.targets.len() as u32;
        self.targets.extend_from_slice(others.unwrap_or_default());
        let wanted = Wanted { first: first.copied(), others: (from, self.targets.len() as u32) };
        self.nodes.push(Node { next: [NOWHERE; 2], wanted, inside: NONE });
        self.details.push(details);
        self.nodes.len() as NodeId - 1
    }
}

impl Way {
    fn new(written: &[u8], to: NodeId, wanted: Wanted) -> Way {
        let mut lead = [0; LEAD_BYTES];
        let mut mask = [0; LEAD_BYTES];
        lead[..written.len()].copy_from_slice(written);
        mask[..written.len()].fill(0xff);
        Way { lead: words(&lead), mask: words(&mask), len: written.len() as u32, to, wanted }
    }

    /// Whether a text begins so.
    #[inline(always)]
    #[must_use]
    pub fn begins(&self, text: &[u8; LEAD_BYTES]) -> bool {
        let text = words(text);
        let differ = |at: usize| (text[at] ^ self.lead[at]) & self.mask[at];
        differ(0) | differ(1) | differ(2) | differ(3) == 0
    }
}

#[inline(always)]
fn words(bytes: &[u8; LEAD_BYTES]) -> [u64; LEAD_BYTES / 8] {
    let (words, _) = bytes.as_chunks::<8>();
    // Spelt out, as a function for each would be a call.
    [
        u64::from_le_bytes(words[0]),
        u64::from_le_bytes(words[1]),
        u64::from_le_bytes(words[2]),
        u64::from_le_bytes(words[3]),
    ]
}
