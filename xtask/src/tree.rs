//! The repository's files as text, read once, so that every check is a plain function of them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::rust_source::RustSource;

/// One file, its path relative to the root with `/` between parts.
pub struct File {
    /// Where it is.
    pub path: String,
    /// What it says; empty for a file that is not text.
    pub text: String,
    /// The text seen as Rust, for `.rs` files.
    pub rust: Option<RustSource>,
    /// Whether everything in it is test or bench code.
    pub is_test: bool,
}

/// All files of the repository, sorted by path.
pub struct Tree {
    /// The files.
    pub files: Vec<File>,
}

impl Tree {
    /// Reads what git tracks or would track; ignored files are none of our business.
    pub fn load(root: &Path) -> Result<Tree> {
        let listing = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("git is needed to list the files")?;
        ensure!(
            listing.status.success(),
            "git ls-files: {}",
            String::from_utf8_lossy(&listing.stderr).trim()
        );
        let names = String::from_utf8(listing.stdout).context("a file name is not UTF-8")?;
        let read = |path: &str| Some((path.to_owned(), std::fs::read(root.join(path)).ok()?));
        let files = names.split_terminator('\0').filter_map(read);
        Ok(Tree::from_files(files.map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap_or_default()))))
    }

    /// A tree of these paths and texts.
    pub fn from_files(files: impl IntoIterator<Item = (String, String)>) -> Tree {
        let mut files: Vec<File> = files
            .into_iter()
            .map(|(path, text)| {
                let rust = path.ends_with(".rs").then(|| RustSource::new(&text));
                let is_test = is_test_path(&path);
                File { path, text, rust, is_test }
            })
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);
        let declared: Vec<String> = files.iter().flat_map(declared_tests).collect();
        for file in &mut files {
            let under = |module: &String| {
                file.path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            };
            file.is_test |= declared.iter().any(under);
        }
        Tree { files }
    }

    /// A file by its path.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok().map(|index| &self.files[index])
    }

    /// The Rust files with their sources.
    pub fn rust(&self) -> impl Iterator<Item = (&File, &RustSource)> {
        self.files.iter().filter_map(|file| Some((file, file.rust.as_ref()?)))
    }

    /// The paths directly in a folder (given with its final `/`).
    pub fn folder<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a File> {
        self.files
            .iter()
            .filter(move |file| file.path.strip_prefix(folder).is_some_and(|name| !name.contains('/')))
    }
}

impl File {
    /// Whether a line (from 1) is test code.
    pub fn is_test_line(&self, line: usize) -> bool {
        self.is_test || self.rust.as_ref().is_some_and(|source| source.in_test_module(line))
    }

    /// The file's name without folder and ending.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.split('.').next().unwrap_or_default()
    }
}

/// Whether a path alone says that everything in it is test or bench code.
fn is_test_path(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let stem = parts.next().unwrap_or_default().trim_end_matches(".rs");
    stem == "tests" || stem.ends_with("_tests") || parts.any(|part| part == "tests" || part == "benches")
}

/// Paths, without ending, of the modules a file declares for tests only.
fn declared_tests(file: &File) -> Vec<String> {
    let Some(source) = &file.rust else { return Vec::new() };
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let folder = match file.stem() {
        "lib" | "main" | "mod" => folder.to_owned(),
        stem => format!("{folder}/{stem}"),
    };
    source.test_files.iter().map(|name| format!("{folder}/{name}")).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A tree for a test.
    pub fn tree(files: &[(&str, &str)]) -> Tree {
        Tree::from_files(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())))
    }

    #[test]
    fn finds_files_by_path_and_folder() {
        let tree = tree(&[("b/c.rs", "x"), ("a", "y"), ("b/d/e.rs", "z")]);
        assert_eq!(tree.get("a").map(|file| file.text.as_str()), Some("y"));
        assert!(tree.get("b").is_none());
        assert_eq!(tree.folder("b/").map(|file| file.path.as_str()).collect::<Vec<_>>(), ["b/c.rs"]);
    }

    #[test]
    fn knows_test_files() {
        let declaring = "#[cfg(test)]\nmod z;\nmod contests;\n";
        let tree = tree(&[
            ("a/tests/x.rs", ""),
            ("a/src/tests.rs", ""),
            ("a/src/y_tests.rs", ""),
            ("a/src/lib.rs", declaring),
            ("a/src/contests.rs", declaring),
            ("a/src/z.rs", ""),
            ("a/src/contests/z/w.rs", ""),
        ]);
        let tests: Vec<_> = tree.files.iter().filter(|file| file.is_test).map(File::stem).collect();
        assert_eq!(tests, ["w", "tests", "y_tests", "z", "x"]);
    }
}
