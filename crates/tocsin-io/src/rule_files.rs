//! Rule files: a path is a file or a folder; in a folder every `.yml` and `.yaml`, in order of
//! path.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tocsin_pipeline::plan::RuleFile;

/// Folders nested deeper than this are not entered.
const FOLDER_DEPTH_MAX: usize = 32;

/// A path that cannot be read.
#[derive(Debug, Error)]
#[error("{path}: {error}", path = path.display())]
pub struct UnreadablePath {
    /// The path.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

/// All rule files under these paths. Bytes that are not UTF-8 become U+FFFD, which the parser
/// refuses with its place.
///
/// # Errors
/// [`UnreadablePath`] for the first path that cannot be read.
pub fn read(paths: &[PathBuf]) -> Result<Vec<RuleFile>, UnreadablePath> {
    let mut files = Vec::new();
    for path in paths {
        for path in list(path, &["yml", "yaml"])? {
            let bytes = fs::read(&path).map_err(|error| UnreadablePath { path: path.clone(), error })?;
            files.push(RuleFile { text: String::from_utf8_lossy(&bytes).into_owned(), path });
        }
    }
    Ok(files)
}

/// The files with one of these endings under a path, in order of path; a path that is a file is
/// its own list whatever its ending.
///
/// # Errors
/// [`UnreadablePath`] for the first path that cannot be read.
pub fn list(path: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, UnreadablePath> {
    let mut found = Vec::new();
    collect(path, endings, 0, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(
    path: &Path,
    endings: &[&str],
    depth: usize,
    found: &mut Vec<PathBuf>,
) -> Result<(), UnreadablePath> {
    let unreadable = |error| UnreadablePath { path: path.to_path_buf(), error };
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        found.push(path.to_path_buf());
        return Ok(());
    }
    if depth >= FOLDER_DEPTH_MAX {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let inner = entry.map_err(unreadable)?.path();
        let wanted = inner.extension().is_some_and(|ending| endings.iter().any(|e| *ending == **e));
        if inner.is_dir() || wanted {
            collect(&inner, endings, depth + 1, found)?;
        }
    }
    Ok(())
}
