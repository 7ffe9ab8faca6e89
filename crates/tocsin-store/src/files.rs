//! Files and folders of the house: private to their owner, and whole or not there at all.
//!
//! A name appears only once its content is on the disk; the folder is synced after, so that the
//! name survives a power cut too.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::encoding::hex;
use crate::random::random;

/// Folders are their owner's alone.
const FOLDER_MODE: u32 = 0o700;

/// Files are their owner's alone.
const FILE_MODE: u32 = 0o600;

/// What a file is called while it is being written.
pub const UNFINISHED: &str = "new";

/// Makes a folder, with those above it, if it is not there. One that is there keeps its mode.
///
/// # Errors
/// What the system says.
pub fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)?;
    sync_folder(parent(path))
}

/// Makes a file with this content unless there is one of that name already, whoever made it. Of
/// several that try at once one succeeds, and all find its content. Says whether this one did.
///
/// # Errors
/// What the system says.
pub fn make_once(path: &Path, content: &[u8]) -> io::Result<bool> {
    if path.exists() {
        return Ok(false);
    }
    let unfinished = Unfinished::write(path, &[content])?;
    unfinished.sync()?;
    match fs::hard_link(&unfinished.path, path) {
        Ok(()) => sync_folder(parent(path)).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// A file that is being made. It bears no final name yet, and is deleted when this is dropped
/// before it got one.
#[derive(Debug)]
pub struct Unfinished {
    file: File,
    path: PathBuf,
}

impl Unfinished {
    /// Writes parts, one after the other, to a file beside `path`; not durable yet.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(path: &Path, parts: &[&[u8]]) -> io::Result<Unfinished> {
        let path = path.with_extension(format!("{}.{UNFINISHED}", hex(&random::<8>()?)));
        let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&path)?;
        let mut unfinished = Unfinished { file, path };
        parts.iter().try_for_each(|part| unfinished.file.write_all(part))?;
        Ok(unfinished)
    }

    /// Makes the content durable.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Gives the file its name, in place of a file that has it. The folder is not synced yet.
    ///
    /// # Errors
    /// What the system says.
    pub fn rename(self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After a rename there is nothing to delete; a file that stays behind is never read.
        drop(fs::remove_file(&self.path));
    }
}

/// Waits until nobody else holds this file, made if there is none, and holds it until the handle is
/// dropped.
///
/// # Errors
/// What the system says.
pub fn lock(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(path)?;
    file.lock()?;
    Ok(file)
}

/// Makes the names in a folder durable.
///
/// # Errors
/// What the system says.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The folder a path lies in.
fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn of_many_that_make_a_file_at_once_one_succeeds_and_all_read_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let outcomes: Vec<(bool, Vec<u8>)> = std::thread::scope(|scope| {
            let make = |number: u8| {
                let path = &path;
                scope.spawn(move || {
                    let made = make_once(path, &[number; 4_096]).unwrap();
                    (made, fs::read(path).unwrap())
                })
            };
            let racing: Vec<_> = (0..16).map(make).collect();
            racing.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(outcomes.iter().filter(|(made, _)| *made).count(), 1);
        assert!(outcomes.iter().all(|(_, read)| *read == outcomes[0].1));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing unfinished is left");
    }

    #[test]
    fn what_is_made_is_the_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("a/b");
        make_folder(&made).unwrap();
        make_once(&made.join("file"), b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&made), mode(&made.join("file"))), (0o700, 0o600));
    }
}
