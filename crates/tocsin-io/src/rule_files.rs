//! Rule files: a path is a file or a folder; in a folder every `.yml` and `.yaml`, in order of
//! path.
//!
//! A path that was named must be readable. What is found in a folder and cannot be read is a
//! problem of its own and hides none of the others. Nothing but plain files is opened there: a
//! named pipe would be waited for.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;
use tocsin_pipeline::plan::RuleFile;
use tocsin_sigma::limits::FILE_BYTES_MAX;

/// Folders nested deeper than this are not entered.
pub(crate) const FOLDER_DEPTH_MAX: usize = 32;

/// How rule files in a folder end.
pub(crate) const ENDINGS: [&str; 2] = ["yml", "yaml"];

/// A path that cannot be read.
#[derive(Debug, Error)]
#[error("{path}: {reason}", path = path.display())]
pub struct UnreadablePath {
    /// The path.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// What was found under paths.
#[derive(Debug)]
pub struct Found<T> {
    /// What can be read; of a file that is reached in several ways, the first.
    pub items: Vec<T>,
    /// What cannot, in order of path.
    pub problems: Vec<UnreadablePath>,
}

/// All rule files under these paths. Bytes that are not UTF-8 become U+FFFD, which the parser
/// refuses with its place.
///
/// # Errors
/// [`UnreadablePath`] for the first of these paths that cannot be read.
pub fn read(paths: &[PathBuf]) -> Result<Found<RuleFile>, UnreadablePath> {
    let mut files = Vec::new();
    let mut seen = HashSet::new();
    let mut problems = Vec::new();
    for path in paths {
        let found = list(path, &ENDINGS)?;
        problems.extend(found.problems);
        for inner in found.items {
            if !seen.insert(canonical(&inner)) {
                continue;
            }
            match read_some(&inner) {
                Ok(bytes) => {
                    files.push(RuleFile { text: String::from_utf8_lossy(&bytes).into_owned(), path: inner });
                }
                Err(error) if inner == *path => return Err(unreadable(path, &error)),
                Err(error) => problems.push(unreadable(&inner, &error)),
            }
        }
    }
    problems.sort_by(|a, b| a.path.cmp(&b.path));
    problems.dedup_by(|a, b| a.path == b.path);
    Ok(Found { items: files, problems })
}

/// The bytes of a file, no more of them than the parser needs to see that there are too many.
fn read_some(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The files with one of these endings under a path, in order of path; a path that is a file is
/// its own list whatever its ending.
///
/// # Errors
/// [`UnreadablePath`] when the path itself cannot be read.
pub fn list(path: &Path, endings: &[&str]) -> Result<Found<PathBuf>, UnreadablePath> {
    if !fs::metadata(path).map_err(|error| unreadable(path, &error))?.is_dir() {
        return Ok(Found { items: vec![path.to_path_buf()], problems: Vec::new() });
    }
    let mut walk = Walk { endings, root: canonical(path), files: Vec::new(), problems: Vec::new() };
    walk.folder(path, 0).map_err(|error| unreadable(path, &error))?;
    walk.files.sort();
    walk.problems.sort_by(|a, b| a.path.cmp(&b.path));
    let mut seen = HashSet::new();
    walk.files.retain(|file| seen.insert(canonical(file)));
    Ok(Found { items: walk.files, problems: walk.problems })
}

struct Walk<'a> {
    endings: &'a [&'a str],
    /// The folder the walk began in, without links.
    root: PathBuf,
    files: Vec<PathBuf>,
    problems: Vec<UnreadablePath>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, depth: usize) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            self.entry(entry?.path(), depth);
        }
        Ok(())
    }

    fn entry(&mut self, path: PathBuf, depth: usize) {
        let wanted = path.extension().is_some_and(|ending| self.endings.iter().any(|e| *ending == **e));
        let is_link = fs::symlink_metadata(&path).is_ok_and(|itself| itself.is_symlink());
        match fs::metadata(&path) {
            Ok(target) if target.is_dir() && is_link => {
                // What lies in this tree is read anyway, or read already.
                let target = canonical(&path);
                if !target.starts_with(&self.root) && !self.root.starts_with(&target) {
                    self.problem(path, "a link to a folder is not followed; name the folder itself");
                }
            }
            Ok(target) if target.is_dir() && depth + 1 >= FOLDER_DEPTH_MAX => {
                self.problem(path, "folders nested this deeply are not read");
            }
            Ok(target) if target.is_dir() => {
                if let Err(error) = self.folder(&path, depth + 1) {
                    self.problems.push(unreadable(&path, &error));
                }
            }
            Ok(target) if wanted && target.is_file() => self.files.push(path),
            Ok(_) if wanted => self.problem(path, "this is no plain file and is not read"),
            Err(error) if wanted && is_link && error.kind() == io::ErrorKind::NotFound => {
                self.problem(path, "the link leads nowhere");
            }
            Err(error) if wanted => self.problems.push(unreadable(&path, &error)),
            Ok(_) | Err(_) => {}
        }
    }

    fn problem(&mut self, path: PathBuf, reason: &str) {
        self.problems.push(UnreadablePath { path, reason: reason.to_string() });
    }
}

fn unreadable(path: &Path, error: &io::Error) -> UnreadablePath {
    UnreadablePath { path: path.to_path_buf(), reason: error.to_string() }
}

/// The path without links; as it is where it has no such form, as that of a pipe.
fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}
