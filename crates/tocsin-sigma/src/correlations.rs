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
        all.depths = all.find_depths();
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
        let below = self.by_name.get(reference).into_iter().flatten();
        let depth = below.map(|index| self.depths[*index]).max_by_key(|depth| depth.unwrap_or(usize::MAX));
        match depth.flatten() {
            None if depth.is_some() && self.leads_to(reference, &is_own) => Link::Back,
            Some(depth) if depth >= CHAIN_DEPTH_MAX => Link::TooDeep,
            _ => Link::Onward,
        }
    }

    fn leads_to(&self, reference: &str, is_own: &dyn Fn(&str) -> bool) -> bool {
        let mut seen = vec![false; self.references.len()];
        let mut open = vec![reference];
        while let Some(reference) = open.pop() {
            for index in self.by_name.get(reference).into_iter().flatten().copied() {
                if std::mem::replace(&mut seen[index], true) {
                    continue;
                }
                let further = self.references[index].iter().map(String::as_str);
                if further.clone().any(is_own) {
                    return true;
                }
                open.extend(further);
            }
        }
        false
    }

    /// Takes away, again and again, those that refer to none that is left (A. B. Kahn, 1962).
    fn find_depths(&self) -> Vec<Option<usize>> {
        let count = self.references.len();
        let mut above: Vec<Vec<usize>> = vec![Vec::new(); count];
        let mut open = vec![0_usize; count];
        for (index, references) in self.references.iter().enumerate() {
            for below in references.iter().filter_map(|name| self.by_name.get(name)).flatten() {
                above[*below].push(index);
                open[index] += 1;
            }
        }
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
