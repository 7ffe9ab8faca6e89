//! Registry = files = docs = tests: what can be plugged in is one file, one line in a `const`
//! table, one page and at least one test, and all four are there.

use super::Finding;
use crate::tree::{File, Tree};

/// A table of things of one kind.
struct Registry {
    /// The file that holds the table.
    file: &'static str,
    /// How the table begins.
    table: &'static str,
    /// Folder of the entries' files.
    sources: &'static str,
    /// Folder of the entries' pages.
    pages: &'static str,
}

const REGISTRIES: &[Registry] = &[
    Registry {
        file: "crates/tocsin-decode/src/registry.rs",
        table: "pub const FORMATS",
        sources: "crates/tocsin-decode/src/formats/",
        pages: "docs/formats/",
    },
    Registry {
        file: "crates/tocsin-detect/src/registry.rs",
        table: "pub const DETECTORS",
        sources: "crates/tocsin-detect/src/detectors/",
        pages: "docs/detectors/",
    },
];

/// Every entry has its file, page and test, in alphabetical order, and nothing lies about unlisted.
pub fn registries(tree: &Tree, found: &mut Vec<Finding>) {
    for registry in REGISTRIES {
        let Some(file) = tree.get(registry.file) else { continue };
        match entries(file, registry.table) {
            Some((line, names)) => check(tree, registry, line, &names, found),
            None => found.push(Finding::new(registry.file, 1, format!("`{}` is missing", registry.table))),
        }
    }
}

fn check(tree: &Tree, registry: &Registry, line: usize, names: &[String], found: &mut Vec<Finding>) {
    let mut at_table = |what: String| found.push(Finding::new(registry.file, line, what));
    if !names.is_sorted() {
        at_table(format!("keep `{}` in alphabetical order", registry.table));
    }
    for name in names {
        for path in [format!("{}{name}.rs", registry.sources), format!("{}{name}.md", registry.pages)] {
            if tree.get(&path).is_none() {
                at_table(format!("`{name}` is registered, but {path} is missing"));
            }
        }
        if !tested(tree, registry, name) {
            at_table(format!("no test names `{name}`: write one in {}{name}.rs", registry.sources));
        }
    }
    let lying_about = tree.folder(registry.sources).chain(tree.folder(registry.pages));
    for file in lying_about.filter(|file| !["mod", "README"].contains(&file.stem())) {
        if !names.iter().any(|name| name == file.stem()) {
            let what = format!("`{}` is not in `{}` of {}", file.stem(), registry.table, registry.file);
            found.push(Finding::new(&file.path, 1, what));
        }
    }
}

/// The names in a table: what follows `name:`, or the modules of `module::ENTRY`.
fn entries(file: &File, table: &str) -> Option<(usize, Vec<String>)> {
    let source = file.rust.as_ref()?;
    let (line, range) = source.item(table)?;
    let text: String = file.text.chars().skip(range.start).take(range.len()).collect();
    let (_, list) = text.split_once('=')?;
    let named = list.split("name:").skip(1).filter_map(|rest| rest.split('"').nth(1));
    let names: Vec<String> = named.map(str::to_owned).collect();
    if !names.is_empty() {
        return Some((line, names));
    }
    let paths = list.split(|c: char| !(c.is_alphanumeric() || "_:".contains(c)));
    let modules = paths.filter_map(|path| path.rsplit("::").nth(1));
    Some((line, modules.map(str::to_owned).collect()))
}

/// Whether the entry's own file has tests, or another test of its crate names it.
fn tested(tree: &Tree, registry: &Registry, name: &str) -> bool {
    let own = format!("{}{name}", registry.sources);
    let of_crate = registry.sources.split("src/").next().unwrap_or_default();
    tree.rust().filter(|(file, _)| file.path.starts_with(of_crate)).any(|(file, source)| {
        let is_own = file.path.strip_prefix(&own).is_some_and(|rest| rest.starts_with(['.', '/']));
        if is_own && source.code_lines().any(|(_, code)| code.contains("#[test]")) {
            return true;
        }
        let mut lines = file.text.lines().enumerate();
        lines.any(|(index, line)| file.is_test_line(index + 1) && line.contains(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    const TABLE: &str = "crates/tocsin-detect/src/registry.rs";
    const SOURCE: &str = "crates/tocsin-detect/src/detectors/a.rs";
    const PAGE: &str = "docs/detectors/a.md";
    const TEST: &str = "#[cfg(test)]\nmod tests {\n #[test]\n fn a() {}\n}\n";

    #[test]
    fn a_complete_entry_is_fine_in_either_spelling() {
        for table in [
            "pub const DETECTORS: &[D] = &[a::DETECTOR];",
            "pub const DETECTORS: &[D] = &[D { name: \"a\" }];",
        ] {
            assert_eq!(places(registries, &[(TABLE, table), (SOURCE, TEST), (PAGE, "")]), [""; 0], "{table}");
        }
    }

    #[test]
    fn a_missing_file_page_or_test_is_found() {
        let table = (TABLE, "//! Table.\npub const DETECTORS: &[D] = &[a::DETECTOR];");
        let line = format!("{TABLE}:2");
        assert_eq!(
            places(registries, &[table, (PAGE, ""), ("crates/tocsin-detect/tests/x.rs", "fn a() {}")]),
            [line.as_str()]
        );
        assert_eq!(places(registries, &[table, (SOURCE, TEST)]), [line.as_str()]);
        let elsewhere = ("crates/tocsin/tests/x.rs", "fn a() {}");
        assert_eq!(
            places(registries, &[table, elsewhere, (SOURCE, "fn b() {}"), (PAGE, "")]),
            [line.as_str()]
        );
    }

    #[test]
    fn an_unlisted_file_or_page_is_found() {
        let table = (TABLE, "pub const DETECTORS: &[D] = &[];");
        let expected = [format!("{SOURCE}:1"), format!("{PAGE}:1")];
        assert_eq!(places(registries, &[table, (SOURCE, TEST), (PAGE, "")]), expected);
    }

    #[test]
    fn a_missing_or_unsorted_table_is_found() {
        assert_eq!(places(registries, &[(TABLE, "//! Empty.")]), [format!("{TABLE}:1")]);
        let source = "crates/tocsin-detect/src/detectors/b.rs";
        let files = [
            (TABLE, "pub const DETECTORS: &[D] = &[b::D, a::D];"),
            (SOURCE, TEST),
            (PAGE, ""),
            (source, TEST),
            ("docs/detectors/b.md", ""),
        ];
        assert_eq!(places(registries, &files), [format!("{TABLE}:1")]);
    }
}
