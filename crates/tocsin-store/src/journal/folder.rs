//! The folder of a journal: which files are its segments, how a new one comes to be, and who may
//! write there.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::crash::{self, Point};
use crate::journal::format::{HEADER_BYTES, Header, SALT_BYTES, Seal, header, read_header};
use crate::journal::hole::{Hole, HoleReason};
use crate::journal::limits::{LOCK_TRIES_MAX, POSITION_MAX};

const EXTENSION: &str = ".log";
const BASE_DIGITS: usize = 20;
const LOCK: &str = "lock";
const NEXT: &str = "next.tmp";
const SET_ASIDE: &str = "damaged";
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// A file that is the segment its name says.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Where it begins.
    pub base: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// One past the last position that is its own: where its file ends or the next one begins.
    pub limit: u64,
    /// The file.
    pub path: PathBuf,
    /// Its seal.
    pub seal: Seal,
}

/// A file with the name of a segment that is none.
#[derive(Clone, Debug)]
pub struct Stray {
    /// Where it would begin.
    pub base: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// The file.
    pub path: PathBuf,
    /// Whether a newer version wrote it.
    pub newer: bool,
}

/// The segments of a folder, in order.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The segments.
    pub segments: Vec<Segment>,
    /// The files that are none.
    pub strays: Vec<Stray>,
}

impl Listing {
    /// Lists a folder.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn of(folder: &Path) -> io::Result<Listing> {
        Listing::default().renewed(folder)
    }

    /// Lists a folder again. The headers of segments known before are not read, but that of the
    /// newest: one that failed before its first sync is replaced by another of the same name.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn renewed(&self, folder: &Path) -> io::Result<Listing> {
        let settled = self.segments.split_last().map_or(&[][..], |(_, settled)| settled);
        let mut listing = Listing::default();
        for (base, bytes, path) in named(folder)? {
            let found = match settled.binary_search_by_key(&base, |segment| segment.base) {
                Ok(index) => Header::Sound(settled[index].seal),
                Err(_) => header_of(&path, base),
            };
            match found {
                Header::Sound(seal) => {
                    listing.segments.push(Segment { base, bytes, limit: base + bytes, path, seal });
                }
                other => listing.strays.push(Stray { base, bytes, path, newer: other == Header::Newer }),
            }
        }
        for index in 1..listing.segments.len() {
            let next = listing.segments[index].base;
            let segment = &mut listing.segments[index - 1];
            segment.limit = segment.limit.min(next);
        }
        Ok(listing)
    }

    /// Where the oldest frame may begin.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.segments.first().map_or(0, |segment| segment.base + HEADER_BYTES)
    }

    /// The stretches between segments that none of them holds, in order.
    pub fn gaps(&self) -> impl Iterator<Item = Hole> {
        let between = |pair: &[Segment]| (pair[0].limit, pair[1].base);
        let gaps = self.segments.windows(2).map(between).filter(|(from, to)| from < to);
        gaps.map(|(from, to)| Hole { from, to, reason: HoleReason::Missing })
    }

    /// Where the newest segment ends. One whose header is lost still takes its place there, so that
    /// no position is given twice.
    #[must_use]
    pub fn end(&self) -> u64 {
        let mut end = self.segments.last().map_or(0, |segment| segment.limit);
        for stray in &self.strays {
            if stray.base == end && stray.bytes > HEADER_BYTES {
                end += stray.bytes;
            }
        }
        end
    }
}

/// The files with the name of a segment, in order: base, bytes, path.
fn named(folder: &Path) -> io::Result<Vec<(u64, u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(base) = entry.file_name().to_str().and_then(base_of) else { continue };
        match entry.metadata() {
            Ok(metadata) if metadata.is_file() => found.push((base, metadata.len(), entry.path())),
            Ok(_) => {}
            // It was freed just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn base_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(EXTENSION)?;
    let is_number = digits.len() == BASE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten().filter(|base| *base <= POSITION_MAX)
}

/// The header of a file; one that cannot be read is unreadable, whatever the cause.
fn header_of(path: &Path, base: u64) -> Header {
    header_block(path).map_or(Header::Unreadable, |block| read_header(&block, base))
}

/// The bytes of a file that should be a header, as far as there are some.
///
/// # Errors
/// The file is gone or cannot be read.
pub fn header_block(path: &Path) -> io::Result<Vec<u8>> {
    let mut block = Vec::with_capacity(HEADER_BYTES as usize);
    File::open(path)?.take(HEADER_BYTES).read_to_end(&mut block)?;
    Ok(block)
}

/// The folder in the hands of the one who writes it.
#[derive(Debug)]
pub struct Owned {
    path: PathBuf,
    handle: File,
    _lock: File,
}

/// Somebody else writes this journal, or it cannot be reached.
#[derive(Debug)]
pub enum NotOwned {
    /// Another process has it.
    InUse,
    /// The disk says no.
    Disk(io::Error),
}

impl From<io::Error> for NotOwned {
    fn from(error: io::Error) -> NotOwned {
        NotOwned::Disk(error)
    }
}

impl Owned {
    /// Takes a folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`NotOwned`].
    pub fn take(path: &Path) -> Result<Owned, NotOwned> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let lock = lock_file(&path.join(LOCK))?;
        lock_patiently(&lock)?;
        Ok(Owned { path: path.to_path_buf(), handle: File::open(path)?, _lock: lock })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a segment that begins at `base`, durable before it has its name. Gives its file, to
    /// write behind the header.
    ///
    /// # Errors
    /// The disk is full or cannot be written, or there are no positions left; there is no such
    /// segment then, or an empty one.
    pub fn new_segment(&self, base: u64) -> io::Result<(File, Seal)> {
        if base > POSITION_MAX {
            return Err(io::Error::other("all positions are used up: begin a new data folder"));
        }
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|error| io::Error::other(error.to_string()))?;
        let next = self.path.join(NEXT);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&next)?;
        file.write_all(&header(base, &salt))?;
        file.sync_all()?;
        crash::point(Point::SegmentTempWritten);
        let path = self.segment_path(base);
        set_aside(&path, base)?;
        fs::rename(&next, &path)?;
        crash::point(Point::SegmentRenamed);
        self.handle.sync_all()?;
        Ok((file, Seal::new(&salt)))
    }

    /// The file of a segment that begins at `base`.
    #[must_use]
    pub fn segment_path(&self, base: u64) -> PathBuf {
        self.path.join(format!("{base:0BASE_DIGITS$}{EXTENSION}"))
    }
}

/// A file in the way of a new segment that is none itself is kept for people under another name.
fn set_aside(path: &Path, base: u64) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > HEADER_BYTES && header_of(path, base) == Header::Unreadable => {
            fs::rename(path, path.with_added_extension(SET_ASIDE))
        }
        _ => Ok(()),
    }
}

/// Opened for reading where it is there, so that a read-only disk is no obstacle.
fn lock_file(path: &Path) -> io::Result<File> {
    let make = || OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    File::open(path).or_else(|_| make())
}

/// Whoever only looks whether the journal is in use holds the lock for an instant.
fn lock_patiently(lock: &File) -> Result<(), NotOwned> {
    for _ in 0..LOCK_TRIES_MAX {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    Err(NotOwned::InUse)
}

/// Whether somebody writes the journal in this folder now.
#[must_use]
pub fn is_in_use(folder: &Path) -> bool {
    File::open(folder.join(LOCK))
        .is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_name_of_a_segment_is_one() {
        let cases = [
            ("00000000000000000000.log", Some(0)),
            ("00000000000067108864.log", Some(67_108_864)),
            ("0000000000067108864.log", None),
            ("+0000000000067108864.log", None),
            ("00000000000067108864.log.damaged", None),
            ("99999999999999999999.log", None),
            ("09999999999999999999.log", None),
            ("next.tmp", None),
        ];
        for (name, base) in cases {
            assert_eq!(base_of(name), base, "{name}");
        }
    }

    #[test]
    fn a_folder_belongs_to_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Owned::take(folder.path()).expect("free");
        assert!(is_in_use(folder.path()));
        assert!(matches!(Owned::take(folder.path()), Err(NotOwned::InUse)));
        drop(first);
        assert!(!is_in_use(folder.path()));
        assert!(Owned::take(folder.path()).is_ok());
    }

    #[test]
    fn what_is_in_the_way_of_a_new_segment_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let owned = Owned::take(folder.path()).expect("free");
        let path = owned.segment_path(5);
        fs::write(&path, vec![7; 10_000]).unwrap();
        owned.new_segment(5).unwrap();
        assert_eq!(fs::read(path.with_added_extension(SET_ASIDE)).unwrap(), vec![7; 10_000]);
        assert_eq!(Listing::of(folder.path()).unwrap().segments.len(), 1);
    }
}
