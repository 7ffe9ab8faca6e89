//! The house rules, as checks over the [`Tree`]. Each is one function and one line in [`CHECKS`],
//! and has a test that makes it fail.

mod crates;
mod links;
mod purity;
mod registry;
mod rules;
mod sizes;
mod words;

use std::fmt;

use crate::tree::Tree;

/// Something to mend.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub what: String,
}

/// A check: appends what it finds.
pub type Check = fn(&Tree, &mut Vec<Finding>);

/// All checks.
pub const CHECKS: &[Check] = &[
    crates::edges,
    crates::third_party,
    links::links,
    purity::clippy_bans,
    registry::registries,
    rules::traces,
    sizes::files,
    sizes::functions,
    words::headers,
    words::limits,
    words::machine_paths,
    words::markers,
    words::silenced_lints,
    words::unbounded_queues,
    words::unwraps,
];

/// Runs every check.
pub fn run(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for check in CHECKS {
        check(tree, &mut found);
    }
    found.sort();
    found
}

impl Finding {
    /// A finding at a line of a file.
    pub fn new(path: &str, line: usize, what: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    /// `path:line: what`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::tree::tests::tree;

    /// What one check finds in these files, as `path:line`.
    pub fn places(check: Check, files: &[(&str, &str)]) -> Vec<String> {
        let mut found = Vec::new();
        check(&tree(files), &mut found);
        found.sort();
        found.iter().map(|finding| format!("{}:{}", finding.path, finding.line)).collect()
    }

    #[test]
    fn a_finding_names_its_place() {
        assert_eq!(Finding::new("a.rs", 3, "split it").to_string(), "a.rs:3: split it");
    }

    #[test]
    fn every_check_runs() {
        let bad = tree(&[("crates/tocsin-core/src/lib.rs", "fn f() { x.unwrap() }\n")]);
        assert!(run(&bad).iter().any(|finding| finding.what.contains("unwrap")));
        assert!(run(&bad).iter().any(|finding| finding.what.contains("//!")));
    }
}
