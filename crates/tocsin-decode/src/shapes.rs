//! The key sequences seen so far.
//!
//! Events of one source send the same keys in the same order, so the sequence of keys is a path in
//! a tree that is almost always already there. A node knows what its key fills; following a known
//! edge costs one comparison of bytes, and proves at once that no key occurs twice, because an
//! edge to a repeated key is never made.

use hashbrown::HashMap;

use tocsin_core::limits::OBJECT_KEYS_MAX;
use tocsin_core::value::unescape;

use crate::taxonomy::{Target, Taxonomy};

/// Nodes held at most. Above it the tree is emptied and grows anew; only speed is lost.
const NODES_MAX: usize = 65_536;

/// A node: a key after the keys before it in the same object. 0 is the beginning of a record.
pub type NodeId = u32;

/// The beginning of a record's outermost object.
pub const ROOT: NodeId = 0;

const NONE: NodeId = NodeId::MAX;

#[derive(Debug)]
struct Node {
    /// The key as written between its quotes; empty for the beginning of an object.
    key: Box<[u8]>,
    /// The key and its closing quote as one word, and which bits of it count; both 0 when they
    /// do not fit.
    word: u128,
    mask: u128,
    /// The key, unescaped.
    name: Box<str>,
    /// How many keys the object has with this one.
    keys: u32,
    /// Path from the outermost object, keys joined by dots.
    path: Box<str>,
    /// What a value under this key fills.
    targets: Box<[Target]>,
    /// The key before it in the same object, or itself at the beginning.
    before: NodeId,
    /// The keys that last followed it.
    next: [NodeId; 2],
    /// Beginning of the objects found under this key.
    inside: NodeId,
}

/// The tree.
#[derive(Debug)]
pub struct Shapes {
    taxonomy: Taxonomy,
    nodes: Vec<Node>,
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

impl Shapes {
    /// An empty tree that fills the fields of a taxonomy.
    #[must_use]
    pub fn new(taxonomy: Taxonomy) -> Shapes {
        let mut shapes = Shapes { taxonomy, nodes: Vec::new(), edges: HashMap::new() };
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
        self.edges.clear();
        self.begin_object(Box::default());
    }

    /// Whether the text goes on with a key that usually follows, up to and with its closing quote.
    #[inline]
    #[must_use]
    pub fn predict(&self, at: NodeId, text: &[u8]) -> Option<(NodeId, usize)> {
        let ahead = text.first_chunk::<16>().map(|ahead| u128::from_le_bytes(*ahead));
        for next in self.nodes[at as usize].next {
            let node = self.nodes.get(next as usize)?;
            let same = match ahead {
                Some(ahead) if node.mask != 0 => ahead & node.mask == node.word,
                _ => text.starts_with(&node.key) && text.get(node.key.len()) == Some(&b'"'),
            };
            if same {
                return Some((next, node.key.len()));
            }
        }
        None
    }

    /// The node of a key that was not predicted, made if it is new.
    ///
    /// # Errors
    /// [`BadKey`] when the object has this key already, or too many.
    pub fn follow(&mut self, at: NodeId, key: &[u8]) -> Result<NodeId, BadKey> {
        let edge = (at, Box::from(key));
        let node = match self.edges.get(&edge) {
            Some(node) => *node,
            None => {
                let node = self.make_key(at, key)?;
                self.edges.insert(edge, node);
                node
            }
        };
        let next = &mut self.nodes[at as usize].next;
        *next = [node, next[0]];
        Ok(node)
    }

    /// What a value under this key fills.
    #[inline]
    #[must_use]
    pub fn targets(&self, node: NodeId) -> &[Target] {
        &self.nodes[node as usize].targets
    }

    /// The path of a node.
    #[must_use]
    pub fn path(&self, node: NodeId) -> &str {
        &self.nodes[node as usize].path
    }

    /// Beginning of an object found under this key.
    pub fn inside(&mut self, node: NodeId) -> NodeId {
        if self.nodes[node as usize].inside == NONE {
            let path = self.nodes[node as usize].path.clone();
            self.nodes[node as usize].inside = self.begin_object(path);
        }
        self.nodes[node as usize].inside
    }

    fn begin_object(&mut self, path: Box<str>) -> NodeId {
        let id = self.nodes.len() as NodeId;
        self.nodes.push(Node {
            key: Box::default(),
            word: 0,
            mask: 0,
            name: Box::default(),
            keys: 0,
            path,
            targets: Box::default(),
            before: id,
            next: [NONE; 2],
            inside: NONE,
        });
        id
    }

    fn make_key(&mut self, at: NodeId, key: &[u8]) -> Result<NodeId, BadKey> {
        let keys = self.nodes[at as usize].keys + 1;
        if keys > OBJECT_KEYS_MAX {
            return Err(BadKey::TooMany);
        }
        let name = unescape(std::str::from_utf8(key).unwrap_or_default());
        let mut beginning = at;
        while self.nodes[beginning as usize].before != beginning {
            if *self.nodes[beginning as usize].name == *name {
                return Err(BadKey::Duplicate);
            }
            beginning = self.nodes[beginning as usize].before;
        }
        let outer = &*self.nodes[beginning as usize].path;
        let path = if outer.is_empty() { name.to_string() } else { format!("{outer}.{name}") };
        let targets = self.taxonomy.targets(&path).into_boxed_slice();
        let id = self.nodes.len() as NodeId;
        let (word, mask) = as_word(key);
        self.nodes.push(Node {
            key: key.into(),
            word,
            mask,
            name: name.as_ref().into(),
            keys,
            path: path.into(),
            targets,
            before: at,
            next: [NONE; 2],
            inside: NONE,
        });
        Ok(id)
    }
}

/// A key with its closing quote as the low bytes of a word, and the mask of those bytes.
fn as_word(key: &[u8]) -> (u128, u128) {
    if key.len() >= 16 {
        return (0, 0);
    }
    let mut bytes = [0; 16];
    bytes[..key.len()].copy_from_slice(key);
    bytes[key.len()] = b'"';
    (u128::from_le_bytes(bytes), u128::MAX >> ((15 - key.len()) * 8))
}
