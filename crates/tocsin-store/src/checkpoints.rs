//! Checkpoints: a file each in `DATA/checkpoints`, named by its position, and a row that makes it
//! count. The file is whole on the disk before the row is committed, so a row never points at less.
//!
//! The two newest are kept. If the newest cannot be read, the one before it is taken, and the journal
//! since then read again: so nothing above the older one's position may leave the journal.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use thiserror::Error;
use tocsin_pipeline::commit::{NewCheckpoint, StoreError};

use crate::crash::{Point, point};
use crate::files::{self, Unfinished};

/// The folder within the data folder.
pub const CHECKPOINTS_FOLDER: &str = "checkpoints";

/// What the files' names end in.
const EXTENSION: &str = "ckpt";

/// Checkpoints kept. Older ones are deleted once a newer one counts.
pub const KEPT_CHECKPOINTS_MAX: usize = 2;

/// How a file begins.
const MAGIC: &[u8; 8] = b"TOCSINCK";

/// The version of the header; another one is not read.
const VERSION: u32 = 1;

/// Magic, version, position, hash of the rule set's id, hash of all but this hash.
const HEADER_BYTES: usize = 8 + 4 + 8 + HASH_BYTES + HASH_BYTES;

const HASH_BYTES: usize = 32;

/// Where the hash of the whole stands in the header.
const HASH_AT: usize = HEADER_BYTES - HASH_BYTES;

/// A checkpoint as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The cut: every frame before it is in, none after.
    pub position: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    rules: [u8; HASH_BYTES],
}

impl Checkpoint {
    /// Whether it was made under the rule set of this id.
    #[must_use]
    pub fn is_of(&self, rules: &str) -> bool {
        blake3::hash(rules.as_bytes()) == self.rules
    }
}

/// The newest checkpoint that reads whole, and what was wrong with newer ones.
#[derive(Debug, Default)]
pub struct Latest {
    /// The checkpoint; without one everything begins at the journal's start.
    pub checkpoint: Option<Checkpoint>,
    /// Newer ones that cannot be read.
    pub damaged: Vec<Damaged>,
}

/// A checkpoint that cannot be read.
#[derive(Debug, Error)]
#[error("{path}: {why}")]
pub struct Damaged {
    /// Its file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

/// A file that is written but does not count yet.
#[derive(Debug)]
pub(crate) struct Written {
    position: u64,
    file: String,
    hash: [u8; HASH_BYTES],
}

/// Writes the file of a checkpoint, whole and durable.
pub(crate) fn write_file(data: &Path, new: &NewCheckpoint, rules: &str) -> Result<Written, StoreError> {
    let folder = data.join(CHECKPOINTS_FOLDER);
    let file = file_name(new.position);
    let path = folder.join(&file);
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..20].copy_from_slice(&new.position.to_le_bytes());
    header[20..HASH_AT].copy_from_slice(blake3::hash(rules.as_bytes()).as_bytes());
    let hash = hash_of(&header, &new.bytes);
    header[HASH_AT..].copy_from_slice(&hash);

    let write = || -> io::Result<()> {
        files::make_folder(&folder)?;
        let unfinished = Unfinished::write(&path, &[&header, &new.bytes])?;
        point(Point::CheckpointTempWritten);
        unfinished.sync()?;
        point(Point::CheckpointSynced);
        unfinished.rename(&path)?;
        point(Point::CheckpointRenamed);
        files::sync_folder(&folder)
    };
    let advice = "free some room, or give the data folder's owner the right to write there";
    write().map_err(|error| StoreError(format!("{}: {error}; {advice}", path.display())))?;
    Ok(Written { position: new.position, file, hash })
}

/// Makes a written checkpoint count, and lets the oldest rows go; in a transaction.
pub(crate) fn point_at(connection: &Connection, written: &Written) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO checkpoints (position, file, hash) VALUES (?1, ?2, ?3)
         ON CONFLICT (position) DO UPDATE SET file = excluded.file, hash = excluded.hash",
        params![written.position.cast_signed(), written.file, written.hash],
    )?;
    let keep = "DELETE FROM checkpoints WHERE position NOT IN
                (SELECT position FROM checkpoints ORDER BY position DESC LIMIT ?1)";
    connection.execute(keep, [KEPT_CHECKPOINTS_MAX as u32]).map(drop)
}

/// Deletes files that do not count: older ones, and what a crash left behind. What cannot be
/// deleted now is tried again with the next checkpoint.
pub(crate) fn tidy(connection: &Connection, data: &Path) {
    let Ok(counting) = pointers(connection) else { return };
    let Ok(entries) = fs::read_dir(data.join(CHECKPOINTS_FOLDER)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours =
            Path::new(&name).extension().is_some_and(|end| end == EXTENSION || end == files::UNFINISHED);
        if ours && !counting.iter().any(|pointer| *pointer.file == *name) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// The newest checkpoint that reads whole.
pub(crate) fn latest(connection: &Connection, data: &Path) -> rusqlite::Result<Latest> {
    let mut latest = Latest::default();
    for pointer in pointers(connection)? {
        let path = data.join(CHECKPOINTS_FOLDER).join(&pointer.file);
        match read_file(&path, &pointer) {
            Ok(checkpoint) => {
                latest.checkpoint = Some(checkpoint);
                break;
            }
            Err(why) => latest.damaged.push(Damaged { path, why }),
        }
    }
    Ok(latest)
}

/// What the journal may let go of: everything below the oldest checkpoint, as soon as there is one
/// to fall back to; 0 until then.
pub(crate) fn floor(connection: &Connection) -> rusqlite::Result<u64> {
    let pointers = pointers(connection)?;
    let oldest = pointers.get(KEPT_CHECKPOINTS_MAX - 1);
    Ok(oldest.map_or(0, |pointer| pointer.position))
}

/// A row: a checkpoint that counts.
struct Pointer {
    position: u64,
    file: String,
    hash: [u8; HASH_BYTES],
}

/// The checkpoints that count, newest first.
fn pointers(connection: &Connection) -> rusqlite::Result<Vec<Pointer>> {
    let mut statement =
        connection.prepare_cached("SELECT position, file, hash FROM checkpoints ORDER BY position DESC")?;
    let pointer = |row: &rusqlite::Row<'_>| {
        let position = row.get::<_, i64>(0)?.cast_unsigned();
        Ok(Pointer { position, file: row.get(1)?, hash: row.get(2)? })
    };
    statement.query_map([], pointer)?.collect()
}

fn read_file(path: &Path, pointer: &Pointer) -> Result<Checkpoint, String> {
    let mut bytes = fs::read(path).map_err(|error| error.to_string())?;
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>().copied() else {
        return Err("shorter than a header".to_string());
    };
    if header[..8] != *MAGIC || header[8..12] != VERSION.to_le_bytes() {
        return Err("no checkpoint of this version".to_string());
    }
    bytes.drain(..HEADER_BYTES);
    let whole = header[HASH_AT..] == pointer.hash && hash_of(&header, &bytes) == pointer.hash;
    if !whole || header[12..20] != pointer.position.to_le_bytes() {
        return Err("its hash is not the one it was written with".to_string());
    }
    let mut rules = [0; HASH_BYTES];
    rules.copy_from_slice(&header[20..HASH_AT]);
    Ok(Checkpoint { position: pointer.position, bytes, rules })
}

fn hash_of(header: &[u8; HEADER_BYTES], bytes: &[u8]) -> [u8; HASH_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&header[..HASH_AT]);
    hasher.update(bytes);
    *hasher.finalize().as_bytes()
}

/// Names in the order of positions.
fn file_name(position: u64) -> String {
    format!("{position:020}.{EXTENSION}")
}
