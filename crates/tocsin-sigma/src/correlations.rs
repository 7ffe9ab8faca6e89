//! Which correlations refer to which: chains of them are not supported, and a ring is told as one.

use hashbrown::HashMap;

use crate::ast::{Body, Document, Head};

/// The stateful rules of a set, loaded or not.
#[derive(Debug, Default)]
pub(crate) struct Correlations {
    /// What each refers to.
    references: Vec<Vec<String>>,
    /// Their indices by id and name.
    by_name: HashMap<String, Vec<usize>>,
}

/// What a correlation's reference leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// No correlation.
    None,
    /// The correlation that refers.
    Itself,
    /// A correlation that leads back to it, directly or over others.
    Back,
    /// Any other correlation.
    Chain,
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
        all
    }

    /// What a reference leads to from the correlation of that head.
    pub fn link(&self, reference: &str, from: &Head) -> Link {
        let is_own = |reference: &str| names(from).any(|name| name == reference);
        if is_own(reference) {
            return Link::Itself;
        }
        let mut seen = vec![false; self.references.len()];
        let mut open = vec![reference];
        let mut link = Link::None;
        while let Some(reference) = open.pop() {
            for index in self.by_name.get(reference).into_iter().flatten().copied() {
                link = Link::Chain;
                if std::mem::replace(&mut seen[index], true) {
                    continue;
                }
                let further = self.references[index].iter().map(String::as_str);
                if further.clone().any(is_own) {
                    return Link::Back;
                }
                open.extend(further);
            }
        }
        link
    }
}

fn names(head: &Head) -> impl Iterator<Item = &str> {
    [&head.id, &head.name].into_iter().flatten().map(String::as_str)
}
