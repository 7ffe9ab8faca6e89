//! Which correlations refer to which: what comes first, what leads back, what is too deep.

use hashbrown::HashMap;

use crate::ast::{Body, Document, Head};
use crate::limits::CHAIN_DEPTH_MAX;

/// The stateful rules of a set, loaded or not, in their order.
#[derive(Debug, Default)]
pub(crate) struct Correlations {
    /// What each refers to.
    references: Vec<Vec<String>>,
    /// Their indices by id and name.
    by_name: HashMap<String, Vec<usize>>,
    /// How many stand one upon the other, from 1; `None` for those in a ring or above one.
    depths: Vec<Option<usize>>,
    /// The ring each is in; of its own number where it is in none.
    rings: Vec<usize>,
}

/// What a correlation's reference leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// Something below it, or nothing.
    Onward,
    /// The correlation that refers.
    Itself,
    /// A correlation that leads back to it, directly or over others.
    Back,
    /// A chain with more links than there may be.
    TooDeep,
}

impl Correlations {
    /// The correlations among documents.
    pub fn of(documents: &[Document]) -> Correlations {
        let mut all = Correlations::default();
        for document in documents {
            let Body::Correlation(correlation) = &document.body else { continue };
            for name in names(&document.head) {
                all.by_name.entry(name.to_owned()).or_default().push(all.references.len());
            }
            let lists = [&correlation.rules, &correlation.interrupted_by, &correlation.followed_by];
            let references = lists.into_iter().flatten().map(|(reference, _)| reference.clone());
            all.references.push(references.collect());
        }
        let above = all.above();
        all.depths = all.find_depths(&above);
        all.rings = all.find_rings(&above);
        all
    }

    /// Their indices, each behind those it refers to; otherwise in order.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.references.len()).collect();
        order.sort_by_key(|index| self.depths[*index].unwrap_or(usize::MAX));
        order
    }

    /// Whether one has that id or name.
    pub fn names(&self, reference: &str) -> bool {
        self.by_name.contains_key(reference)
    }

    /// What a reference leads to from the correlation of that head.
    pub fn link(&self, reference: &str, from: &Head) -> Link {
        let is_own = |reference: &str| names(from).any(|name| name == reference);
        if is_own(reference) {
            return Link::Itself;
        }
        let below = || self.by_name.get(reference).into_iter().flatten().copied();
        let ring = |name: &str| self.by_name.get(name).into_iter().flatten().map(|index| self.rings[*index]);
        let own: Vec<usize> = names(from).flat_map(ring).collect();
        if below().any(|index| own.contains(&self.rings[index])) {
            return Link::Back;
        }
        let depth = below().filter_map(|index| self.depths[index]).max();
        if depth.is_some_and(|depth| depth >= CHAIN_DEPTH_MAX) { Link::TooDeep } else { Link::Onward }
    }

    /// The rings: two are in one where each leads to the other (S. R. Kosaraju, 1978; M. Sharir,
    /// 1981). Only those that have no depth can be in any.
    fn find_rings(&self, above: &[Vec<usize>]) -> Vec<usize> {
        let count = self.references.len();
        let is_open = |index: &usize| self.depths[*index].is_none();
        let below = |index: usize| {
            let names = self.references[index].iter().filter_map(|name| self.by_name.get(name));
            names.flatten().copied().filter(is_open).collect::<Vec<usize>>()
        };
        let mut finished = Vec::new();
        let mut seen = vec![false; count];
        for start in (0..count).filter(is_open) {
            let mut path =
                if std::mem::replace(&mut seen[start], true) { vec![] } else { vec![(start, below(start))] };
            while let Some((index, open)) = path.last_mut() {
                match open.pop() {
                    Some(next) if !std::mem::replace(&mut seen[next], true) => path.push((next, below(next))),
                    Some(_) => {}
                    None => {
                        finished.push(*index);
                        path.pop();
                    }
                }
            }
        }
        let mut rings: Vec<usize> = (0..count).collect();
        let mut placed = vec![false; count];
        for start in finished.into_iter().rev() {
            let mut open = vec![start];
            while let Some(index) = open.pop() {
                if !std::mem::replace(&mut placed[index], true) {
                    rings[index] = start;
                    open.extend(
                        above[index].iter().copied().filter(|index| is_open(index) && !placed[*index]),
                    );
                }
            }
        }
        rings
    }

    /// Which refer to each.
    fn above(&self) -> Vec<Vec<usize>> {
        let mut above: Vec<Vec<usize>> = vec![Vec::new(); self.references.len()];
        for (index, references) in self.references.iter().enumerate() {
            for below in references.iter().filter_map(|name| self.by_name.get(name)).flatten() {
                above[*below].push(index);
            }
        }
        above
    }

    /// Takes away, again and again, those that refer to none that is left (A. B. Kahn, 1962).
    fn find_depths(&self, above: &[Vec<usize>]) -> Vec<Option<usize>> {
        let count = self.references.len();
        let mut open = vec![0_usize; count];
        above.iter().flatten().for_each(|index| open[*index] += 1);
        let mut depths = vec![None; count];
        let mut reached = vec![1_usize; count];
        let mut ready: Vec<usize> = (0..count).filter(|index| open[*index] == 0).collect();
        while let Some(index) = ready.pop() {
            depths[index] = Some(reached[index]);
            for above in &above[index] {
                reached[*above] = reached[*above].max(reached[index] + 1);
                open[*above] -= 1;
                if open[*above] == 0 {
                    ready.push(*above);
                }
            }
        }
        depths
    }
}

fn names(head: &Head) -> impl Iterator<Item = &str> {
    [&head.id, &head.name].into_iter().flatten().map(String::as_str)
}
