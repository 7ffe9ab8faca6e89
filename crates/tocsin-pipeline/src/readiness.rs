//! Whether the house can do its work, and if not, why: set by the stages, shown at `/readyz`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What may be in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// State is being rebuilt after a start.
    Recovery,
    /// The journal cannot be written.
    Journal,
    /// The relational store cannot be written.
    Store,
    /// A stage has ended that should not have.
    Stage,
}

/// Shared by all; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    problems: Arc<Mutex<BTreeMap<Part, String>>>,
}

impl Readiness {
    /// Notes what is in the way of a part, or that nothing is any more.
    pub fn set(&self, part: Part, problem: Option<String>) {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        match problem {
            Some(problem) => drop(problems.insert(part, problem)),
            None => drop(problems.remove(&part)),
        }
    }

    /// What is in the way; nothing when all is well.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
