//! Rule files: a path is a file or a folder; in a folder every `.yml` and `.yaml`, in order of
//! path.
//!
//! A path that was named must be readable. What is found in a folder and cannot be read is a
//! problem of its own and hides none of the others. Nothing but plain files is opened there: a
//! named pipe would be waited for.

use std::collections::HashSet;
use std::fs::{self, DirEntry, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
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
        let found = walk(path, &ENDINGS)?;
        problems.extend(found.problems);
        for Listed { path: inner, identity, len } in found.items {
            if !seen.insert(identity) {
                continue;
            }
            match read_some(&inner, len) {
                Ok(bytes) => files.push(RuleFile { text: text(bytes), path: inner }),
                Err(error) if inner == *path => return Err(unreadable(path, &error)),
                Err(error) => problems.push(unreadable(&inner, &error)),
            }
        }
    }
    problems.sort_by(|a, b| a.path.cmp(&b.path));
    problems.dedup_by(|a, b| a.path == b.path);
    Ok(Found { items: files, problems })
}

/// Bytes as text; what is not UTF-8 in it becomes U+FFFD.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The bytes of a file of this length, no more of them than the parser needs to see that there are too many.
fn read_some(path: &Path, len: u64) -> io::Result<Vec<u8>> {
    // Room for one byte more tells the end from the first read.
    let mut bytes = Vec::with_capacity(len.min(FILE_BYTES_MAX as u64) as usize + 1);
    fs::File::open(path)?.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The files with one of these endings under a path, in order of path; a path that is a file is
/// its own list whatever its ending.
///
/// # Errors
/// [`UnreadablePath`] when the path itself cannot be read.
pub fn list(path: &Path, endings: &[&str]) -> Result<Found<PathBuf>, UnreadablePath> {
    let Found { items, problems } = walk(path, endings)?;
    Ok(Found { items: items.into_iter().map(|listed| listed.path).collect(), problems })
}

/// A file, and what tells it from all others by whatever path it is reached: its device and number.
struct Listed {
    path: PathBuf,
    identity: (u64, u64),
    /// In bytes, when it was listed.
    len: u64,
}

impl Listed {
    fn new(path: PathBuf, itself: &Metadata) -> Listed {
        Listed { path, identity: (itself.dev(), itself.ino()), len: itself.len() }
    }
}

fn walk(path: &Path, endings: &[&str]) -> Result<Found<Listed>, UnreadablePath> {
    let itself = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !itself.is_dir() {
        return Ok(Found { items: vec![Listed::new(path.to_path_buf(), &itself)], problems: Vec::new() });
    }
    let mut walk = Walk { endings, root: canonical(path), files: Vec::new(), problems: Vec::new() };
    walk.folder(path, 0).map_err(|error| unreadable(path, &error))?;
    walk.problems.sort_by(|a, b| a.path.cmp(&b.path));
    let mut seen = HashSet::new();
    walk.files.retain(|file| seen.insert(file.identity));
    Ok(Found { items: walk.files, problems: walk.problems })
}

struct Walk<'a> {
    endings: &'a [&'a str],
    /// The folder the walk began in, without links.
    root: PathBuf,
    files: Vec<Listed>,
    problems: Vec<UnreadablePath>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, depth: usize) -> io::Result<()> {
        // A folder after the other in order of name is the order of paths.
        let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_cached_key(DirEntry::file_name);
        for entry in entries {
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            self.entry(entry.path(), is_link, depth);
        }
        Ok(())
    }

    fn entry(&mut self, path: PathBuf, is_link: bool, depth: usize) {
        let wanted = path.extension().is_some_and(|ending| self.endings.iter().any(|e| *ending == **e));
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
            Ok(target) if wanted && target.is_file() => self.files.push(Listed::new(path, &target)),
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
