//! The texts of rule sets that were active: a file each in `DATA/rules`, named by its content, there
//! before the journal's frame that names it, and kept as long as the journal holds frames that were
//! taken in under it.
//!
//! A file is a magic number, a version, the content's length, and the content, compressed: of rule
//! files, placeholders and log sources each the number of files, then for each of them the length of its
//! path, the path, the length of its text, the text.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tocsin_pipeline::commit::StoreError;
use tocsin_pipeline::plan::RuleFile;
use tocsin_pipeline::rules::{RuleSetId, RuleTexts};

use crate::activations;
use crate::checkpoints;
use crate::database::{Database, failed};
use crate::files::{self, Unfinished};
use crate::journal::folder::Listing;

/// The folder within the data folder.
pub const RULES_FOLDER: &str = "rules";

/// Sets kept that only a replay would ask for. Beyond it the oldest go.
const KEPT_SETS_MAX: usize = 1_000;

/// Bytes of a set's content. A larger one is refused.
const SET_BYTES_MAX: usize = 512 << 20;

const EXTENSION: &str = "rules";
const MAGIC: &[u8; 8] = b"TOCSINRS";
const VERSION: u32 = 1;

/// Magic, version, length of the content.
const HEADER_BYTES: usize = 8 + 4 + 8;

/// How hard texts are compressed: they are written seldom and small at any level.
const COMPRESSION: i32 = 3;

/// A rule set that cannot be kept or read.
#[derive(Debug, Error)]
pub enum RuleSetError {
    /// More than a set may have.
    #[error("the rules have {0} bytes, at most {SET_BYTES_MAX}: run fewer")]
    TooLarge(usize),
    /// The disk says no.
    #[error("{path}: {reason}; free some room, or give the data folder's owner the right to write there")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
}

/// The rule sets of a data folder.
#[derive(Clone, Debug)]
pub struct RuleSetStore {
    data: PathBuf,
}

impl RuleSetStore {
    /// Those of this data folder. Nothing is read or made yet.
    #[must_use]
    pub fn new(data: &Path) -> RuleSetStore {
        RuleSetStore { data: data.to_path_buf() }
    }

    /// The id of a set.
    #[must_use]
    pub fn id(set: &RuleTexts) -> RuleSetId {
        id_of(&encode(set))
    }

    /// Keeps a set; when this returns it is durable.
    ///
    /// # Errors
    /// [`RuleSetError`]; nothing is kept then.
    pub fn keep(&self, set: &RuleTexts) -> Result<RuleSetId, RuleSetError> {
        let content = encode(set);
        if content.len() > SET_BYTES_MAX {
            return Err(RuleSetError::TooLarge(content.len()));
        }
        let id = id_of(&content);
        let path = self.path(id);
        // A file of that name that does not read back is replaced.
        if self.read(id).is_none() {
            self.write(&path, &content).map_err(|reason| RuleSetError::Disk { path, reason })?;
        }
        Ok(id)
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let folder = self.data.join(RULES_FOLDER);
        files::make_folder(&folder)?;
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(MAGIC);
        header[8..12].copy_from_slice(&VERSION.to_le_bytes());
        header[12..].copy_from_slice(&(content.len() as u64).to_le_bytes());
        let unfinished = Unfinished::write(path, &[&header, &zstd::bulk::compress(content, COMPRESSION)?])?;
        unfinished.sync()?;
        unfinished.rename(path)?;
        files::sync_folder(&folder)
    }

    /// The files of a set; `None` if it is not there, or not whole.
    #[must_use]
    pub fn read(&self, id: RuleSetId) -> Option<RuleTexts> {
        let bytes = fs::read(self.path(id)).ok()?;
        let (header, packed) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let (head, length) = header.split_last_chunk::<8>()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok().filter(|len| *len <= SET_BYTES_MAX)?;
        if head[..8] != *MAGIC || head[8..] != VERSION.to_le_bytes() {
            return None;
        }
        let content = zstd::bulk::decompress(packed, length).ok().filter(|content| id_of(content) == id)?;
        decode(&content)
    }

    /// Lets go of what no frame of the journal was taken in under any more. `known` is a position up
    /// to which every activation must be committed: while it is not, nothing is let go of.
    ///
    /// # Errors
    /// [`StoreError`] when the database or a folder cannot be read.
    pub fn tidy(&self, journal: &Path, known: u64) -> Result<(), StoreError> {
        let unreadable = |error: io::Error| StoreError(format!("{}: {error}", journal.display()));
        let first = Listing::of(journal).map_err(unreadable)?.first();
        let database = Database::open(&self.data).map_err(|error| StoreError(error.to_string()))?;
        let connection = &database.connection;
        if activations::newest(connection).map_err(failed)? < known {
            return Ok(());
        }
        let floor = checkpoints::floor(connection).map_err(failed)?;
        activations::forget(connection, first, floor, KEPT_SETS_MAX).map_err(failed)?;
        let named = activations::named(connection).map_err(failed)?;
        let Ok(entries) = fs::read_dir(self.data.join(RULES_FOLDER)) else { return Ok(()) };
        for entry in entries.flatten() {
            let path = PathBuf::from(entry.file_name());
            let ours = path.extension().is_some_and(|end| end == EXTENSION || end == files::UNFINISHED);
            let id = path.file_stem().and_then(OsStr::to_str).and_then(RuleSetId::parse);
            if ours && !id.is_some_and(|id| named.contains(&id)) {
                // What cannot be deleted now is tried again the next time.
                drop(fs::remove_file(entry.path()));
            }
        }
        Ok(())
    }

    fn path(&self, id: RuleSetId) -> PathBuf {
        self.data.join(RULES_FOLDER).join(format!("{id}.{EXTENSION}"))
    }
}

fn id_of(content: &[u8]) -> RuleSetId {
    let mut id = RuleSetId::default();
    let bytes = id.0.len();
    id.0.copy_from_slice(&blake3::hash(content).as_bytes()[..bytes]);
    id
}

fn encode(set: &RuleTexts) -> Vec<u8> {
    let mut content = Vec::new();
    for files in [&set.files[..], set.placeholders.as_slice(), set.logsources.as_slice()] {
        content.extend_from_slice(&(files.len() as u64).to_le_bytes());
        for file in files {
            for part in [file.path.as_os_str().as_bytes(), file.text.as_bytes()] {
                content.extend_from_slice(&(part.len() as u64).to_le_bytes());
                content.extend_from_slice(part);
            }
        }
    }
    content
}

fn decode(content: &[u8]) -> Option<RuleTexts> {
    let mut rest = Rest(content);
    let (files, placeholders, logsources) = (rest.files()?, rest.files()?, rest.files()?);
    let (placeholders, logsources) = (placeholders.into_iter().next(), logsources.into_iter().next());
    rest.0.is_empty().then_some(RuleTexts { files, placeholders, logsources })
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn files(&mut self) -> Option<Vec<RuleFile>> {
        let mut files = Vec::new();
        for _ in 0..self.number()? {
            let path = PathBuf::from(OsStr::from_bytes(self.part()?));
            files.push(RuleFile { path, text: String::from_utf8(self.part()?.to_vec()).ok()? });
        }
        Some(files)
    }

    fn part(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        let (part, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }

    fn number(&mut self) -> Option<usize> {
        let (number, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        usize::try_from(u64::from_le_bytes(*number)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file((path, text): &(&str, &str)) -> RuleFile {
        RuleFile { path: path.into(), text: (*text).to_string() }
    }

    fn set(texts: &[(&str, &str)]) -> RuleTexts {
        RuleTexts { files: texts.iter().map(file).collect(), ..RuleTexts::default() }
    }

    #[test]
    fn a_set_is_read_as_it_was_kept_and_names_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let store = RuleSetStore::new(folder.path());
        let some = set(&[("a.yml", "x"), ("b/ö.yml", "")]);
        let local = Some(file(&("c.yml", "y")));
        let sets = [
            set(&[]),
            some.clone(),
            set(&[("a.ymlx", ""), ("b/ö.yml", "")]),
            RuleTexts { placeholders: local.clone(), ..some.clone() },
            RuleTexts { logsources: local, ..some },
        ];
        let ids: Vec<RuleSetId> = sets.iter().map(|set| store.keep(set).unwrap()).collect();
        for (set, id) in sets.iter().zip(&ids) {
            assert_eq!(store.read(*id).as_ref(), Some(set));
            assert_eq!(RuleSetStore::id(set), *id);
        }
        let different: std::collections::BTreeSet<&RuleSetId> = ids.iter().collect();
        assert_eq!(different.len(), sets.len());
        assert_eq!(store.read(RuleSetId([7; 16])), None);
    }

    #[test]
    fn a_damaged_file_is_none_and_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = RuleSetStore::new(folder.path());
        let rules = set(&[("a.yml", &"title: x\n".repeat(100))]);
        let id = store.keep(&rules).unwrap();
        let whole = fs::read(store.path(id)).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x41;
            fs::write(store.path(id), &damaged).unwrap();
            let read = store.read(id);
            assert!(read.is_none_or(|read| read == rules), "byte {at}");
            fs::write(store.path(id), &whole[..at]).unwrap();
            assert!(store.read(id).is_none(), "cut at {at}");
        }
        assert_eq!(store.keep(&rules).unwrap(), id);
        assert_eq!(store.read(id), Some(rules));
    }
}
