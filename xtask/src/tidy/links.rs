//! Links between pages lead somewhere.

use super::Finding;
use crate::tree::Tree;

/// Every relative link in a Markdown page names a file or folder that is there.
pub fn links(tree: &Tree, found: &mut Vec<Finding>) {
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        for (index, line) in file.text.lines().enumerate() {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let path = target.split('#').next().unwrap_or_default();
                if path.is_empty() || path.contains(':') {
                    continue; // a place on this page, or an address
                }
                let path = resolve(&file.path, path);
                let folder = format!("{}/", path.trim_end_matches('/'));
                let is_folder = || tree.files.iter().any(|file| file.path.starts_with(&folder));
                if tree.get(&path).is_none() && !is_folder() {
                    found.push(Finding::new(
                        &file.path,
                        index + 1,
                        format!("the link leads to {path}, which is not there"),
                    ));
                }
            }
        }
    }
}

/// A path relative to a page, from the root.
fn resolve(page: &str, path: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    #[test]
    fn a_dead_link_is_found() {
        let page = "[a](b.md#x) [c](../d/e.md)\n[f](g/) [h](https://i.org) [j](#k)\n[l](m.md)\n";
        let files = [("docs/a.md", page), ("docs/b.md", ""), ("d/e.md", ""), ("docs/g/x.md", "")];
        assert_eq!(places(links, &files), ["docs/a.md:3"]);
    }
}
