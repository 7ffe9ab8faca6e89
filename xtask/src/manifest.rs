//! The dependencies a `Cargo.toml` names, read line by line.

use crate::tree::File;

/// One dependency of a crate.
#[derive(Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// Whether only tests and benches use it.
    pub dev: bool,
    /// Its line, from 1.
    pub line: usize,
}

/// The dependencies of a manifest, of every kind and target.
pub fn dependencies(file: &File) -> Vec<Dependency> {
    let mut found: Vec<Dependency> = Vec::new();
    let mut section: Option<Section> = None;
    let mut depth = 0_usize;
    for (index, line) in file.text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let at_top = depth == 0;
        if at_top && line.starts_with('[') {
            section = Section::parse(line.trim_matches(|c| c == '[' || c == ']'));
            if let Some(Section { dev, only: Some(name) }) = &section {
                found.push(Dependency { name: name.clone(), dev: *dev, line: index + 1 });
            }
            continue;
        }
        depth += line.matches(['[', '{']).count();
        depth = depth.saturating_sub(line.matches([']', '}']).count());
        let Some(Section { dev, only }) = &section else { continue };
        let Some((key, value)) = line.split_once('=').filter(|_| at_top) else { continue };
        if let Some(renamed) = package(line) {
            match found.last_mut().filter(|_| only.is_some()) {
                Some(last) => last.name = renamed,
                None => found.push(Dependency { name: renamed, dev: *dev, line: index + 1 }),
            }
        } else if only.is_none() && !value.is_empty() {
            let name = key.split('.').next().unwrap_or_default().trim().trim_matches('"');
            found.push(Dependency { name: name.to_owned(), dev: *dev, line: index + 1 });
        }
    }
    found
}

/// A section of dependencies.
struct Section {
    dev: bool,
    /// The one dependency it is about (`[dependencies.name]`).
    only: Option<String>,
}

impl Section {
    fn parse(header: &str) -> Option<Section> {
        let kinds = [("dev-dependencies", true), ("build-dependencies", false), ("dependencies", false)];
        kinds.into_iter().find_map(|(kind, dev)| {
            let (before, after) = header.rsplit_once(kind)?;
            let whole_word = before.is_empty() || before.ends_with('.');
            let only = after.strip_prefix('.').map(|name| name.trim_matches('"').to_owned());
            (whole_word && (after.is_empty() || only.is_some())).then_some(Section { dev, only })
        })
    }
}

/// The `package = "name"` of a line: what a renamed dependency really is.
fn package(line: &str) -> Option<String> {
    let at = line.find("package").filter(|at| *at == 0 || line[..*at].ends_with(['{', ',', ' ']))?;
    let value = line[at + "package".len()..].trim_start().strip_prefix('=')?;
    Some(value.split('"').nth(1)?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    #[test]
    fn reads_every_way_to_name_a_dependency() {
        let text = "[package]\nname = \"x\"\n\n[dependencies]\na.workspace = true\n\"b\" = \"1\" # why\n\
            c = { version = \"1\", features = [\n  \"d\",\n] }\ne = { package = \"f\", version = \"1\" }\n\
            [dev-dependencies]\ng = \"1\"\n[target.'cfg(unix)'.dependencies]\nh = \"1\"\n\
            [dependencies.i]\nversion = \"1\"\n[features]\nj = []\n";
        let tree = tree(&[("Cargo.toml", text)]);
        let found = dependencies(&tree.files[0]);
        let short: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.dev, one.line)).collect();
        let expected = [
            ("a", false, 5),
            ("b", false, 6),
            ("c", false, 7),
            ("f", false, 10),
            ("g", true, 12),
            ("h", false, 14),
            ("i", false, 15),
        ];
        assert_eq!(short, expected);
    }
}
