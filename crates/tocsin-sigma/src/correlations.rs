//! Which correlations refer to which: chains of them are not supported, and a ring is told as one.

use crate::ast::{Body, Document, Head};

/// The stateful rules of a set by what they are called, loaded or not.
#[derive(Debug, Default)]
pub(crate) struct Correlations {
    rules: Vec<Referring>,
}

#[derive(Debug)]
struct Referring {
    /// Id and name.
    own: Vec<String>,
    /// The rules it refers to.
    to: Vec<String>,
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
        let referring = |document: &Document| {
            let Body::Correlation(correlation) = &document.body else { return None };
            let lists = [&correlation.rules, &correlation.interrupted_by, &correlation.followed_by];
            let to = lists.into_iter().flatten().map(|(reference, _)| reference.clone()).collect();
            let own = called(&document.head).map(str::to_owned).collect();
            Some(Referring { own, to })
        };
        Correlations { rules: documents.iter().filter_map(referring).collect() }
    }

    /// What a reference leads to from the correlation of that head.
    pub fn link(&self, reference: &str, from: &Head) -> Link {
        let is_own = |reference: &str| called(from).any(|own| own == reference);
        if is_own(reference) {
            return Link::Itself;
        }
        let mut seen = vec![false; self.rules.len()];
        let mut open = vec![reference];
        let mut link = Link::None;
        while let Some(reference) = open.pop() {
            let named = |rule: &Referring| rule.own.iter().any(|own| own == reference);
            for (index, rule) in self.rules.iter().enumerate().filter(|(_, rule)| named(rule)) {
                link = Link::Chain;
                if rule.to.iter().any(|to| is_own(to)) {
                    return Link::Back;
                }
                if !std::mem::replace(&mut seen[index], true) {
                    open.extend(rule.to.iter().map(String::as_str));
                }
            }
        }
        link
    }
}

fn called(head: &Head) -> impl Iterator<Item = &str> {
    [&head.id, &head.name].into_iter().flatten().map(String::as_str)
}
