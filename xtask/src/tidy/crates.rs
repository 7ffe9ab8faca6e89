//! Which crate may use what: the floors of the house as a table (invariant I2), and the third-party
//! crates the pure floors may use (invariant I1).

use super::Finding;
use crate::manifest::{Dependency, dependencies};
use crate::tree::{File, Tree};

const CORE: &str = "tocsin-core";
const SIGMA: &str = "tocsin-sigma";
const DECODE: &str = "tocsin-decode";
const DETECT: &str = "tocsin-detect";
const ALERT: &str = "tocsin-alert";
const PIPELINE: &str = "tocsin-pipeline";
const IO: &str = "tocsin-io";
const STORE: &str = "tocsin-store";
const API: &str = "tocsin-api";
const TESTKIT: &str = "tocsin-testkit";

/// Every crate of the workspace with the crates of the workspace it may use, in code and tests.
const EDGES: &[(&str, &[&str])] = &[
    (CORE, &[]),
    (SIGMA, &[CORE]),
    (DECODE, &[CORE]),
    (DETECT, &[CORE]),
    (ALERT, &[CORE]),
    (PIPELINE, &[CORE, SIGMA, DECODE, DETECT, ALERT]),
    (IO, &[CORE, SIGMA, DECODE, DETECT, ALERT, PIPELINE]),
    (STORE, &[CORE, SIGMA, DECODE, DETECT, ALERT, PIPELINE]),
    (API, &[CORE, SIGMA, DECODE, DETECT, ALERT, PIPELINE, IO, STORE, TESTKIT]),
    (TESTKIT, &[CORE, SIGMA, DECODE, DETECT, ALERT, PIPELINE, IO]),
    ("tocsin", &[CORE, SIGMA, DECODE, DETECT, ALERT, PIPELINE, IO, STORE, API, TESTKIT]),
    ("bench", &[CORE, SIGMA, DECODE, DETECT, ALERT, PIPELINE, IO, STORE, API]),
    ("xtask", &[]),
];

/// The pure crates with the third-party crates their code may use. None of these reads a clock,
/// a file, a socket or a random source, or starts a thread. Tests may use more.
pub const PURE: &[(&str, &[&str])] = &[
    (CORE, &["ahash", "blake3", "hashbrown", "postcard", "serde", "smallvec", "thiserror"]),
    (SIGMA, &["ahash", "foldhash", "granit-parser", "hashbrown", "memchr", "regex-automata", "regex-syntax"]),
    (DECODE, &["hashbrown", "memchr", "serde_json"]),
    (DETECT, &["hashbrown", "serde", "smallvec"]),
    (ALERT, &["serde", "serde_json"]),
];

/// Crate edges go down the floors only, and every crate is in the table.
pub fn edges(tree: &Tree, found: &mut Vec<Finding>) {
    for (name, file) in manifests(tree) {
        let Some((_, allowed)) = EDGES.iter().find(|(known, _)| *known == name) else {
            let what = format!("`{name}` has no floor: add it to EDGES in xtask/src/tidy/crates.rs");
            found.push(Finding::new(&file.path, 1, what));
            continue;
        };
        for Dependency { name: used, line, .. } in dependencies(file) {
            let ours = used == "tocsin" || used == "xtask" || used.starts_with("tocsin-");
            if ours && !allowed.contains(&used.as_str()) {
                let what = format!(
                    "`{name}` may not use `{used}`: move what is shared to a lower floor (ARCHITECTURE.md)"
                );
                found.push(Finding::new(&file.path, line, what));
            }
        }
    }
}

/// A pure crate uses only third-party crates known to be pure.
pub fn third_party(tree: &Tree, found: &mut Vec<Finding>) {
    for (name, file) in manifests(tree) {
        let Some((_, allowed)) = PURE.iter().find(|(pure, _)| *pure == name) else { continue };
        for Dependency { name: used, line, dev } in dependencies(file) {
            if !dev && !used.starts_with("tocsin-") && !allowed.contains(&used.as_str()) {
                let what = format!(
                    "`{used}` is not on the list of `{name}`: do without, or add it to PURE in \
                     xtask/src/tidy/crates.rs if it reads no clock, file, socket or random source"
                );
                found.push(Finding::new(&file.path, line, what));
            }
        }
    }
}

/// The manifests of all crates, with the crate's name (its folder's).
fn manifests(tree: &Tree) -> impl Iterator<Item = (&str, &File)> {
    tree.files.iter().filter_map(|file| {
        let folder = file.path.strip_suffix("/Cargo.toml")?;
        let name = folder.strip_prefix("crates/").unwrap_or(folder);
        (!name.contains('/')).then_some((name, file))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    #[test]
    fn an_edge_sideways_or_up_is_found() {
        let sideways = "[dependencies]\ntocsin-core.workspace = true\ntocsin-sigma.workspace = true\n";
        assert_eq!(
            places(edges, &[("crates/tocsin-decode/Cargo.toml", sideways)]),
            ["crates/tocsin-decode/Cargo.toml:3"]
        );
        let up = "[dev-dependencies]\ntocsin-io = { path = \"../tocsin-io\" }\n";
        assert_eq!(
            places(edges, &[("crates/tocsin-core/Cargo.toml", up)]),
            ["crates/tocsin-core/Cargo.toml:2"]
        );
        assert_eq!(places(edges, &[("crates/tocsin/Cargo.toml", sideways)]), [""; 0]);
    }

    #[test]
    fn a_crate_without_floor_is_found() {
        assert_eq!(
            places(edges, &[("crates/tocsin-utils/Cargo.toml", "")]),
            ["crates/tocsin-utils/Cargo.toml:1"]
        );
    }

    #[test]
    fn an_impure_dependency_is_found() {
        let manifest =
            "[dependencies]\nrand = \"0.9\"\nserde.workspace = true\n[dev-dependencies]\nproptest = \"1\"\n";
        assert_eq!(
            places(third_party, &[("crates/tocsin-core/Cargo.toml", manifest)]),
            ["crates/tocsin-core/Cargo.toml:2"]
        );
        assert_eq!(places(third_party, &[("crates/tocsin-io/Cargo.toml", manifest)]), [""; 0]);
    }
}
