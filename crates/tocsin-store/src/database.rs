//! The database of a data folder, `tocsin.db`: how it is made and opened, and what its errors say.
//!
//! SQLite in WAL mode, `synchronous=NORMAL`: a power cut may take the last transactions back but
//! never tears one, and all but keys and tenants can be derived from the journal again. Several
//! processes may have it open; each write waits for the one before it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use thiserror::Error;
use tocsin_pipeline::commit::StoreError;

use crate::files;
use crate::schema::{self, Origin};

/// The file within the data folder.
pub const DATABASE_FILE: &str = "tocsin.db";

/// The file that is locked while the database is being opened.
const OPENING_FILE: &str = "tocsin.db.opening";

/// How long a write waits for another process's write before it fails.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// Statements a connection keeps prepared.
const STATEMENTS_MAX: usize = 32;

/// Bytes of the write-ahead log kept after it was copied back; a longer one is cut then.
const WAL_KEPT_BYTES_MAX: u64 = 64 << 20;

/// Pages of the write-ahead log after which a commit copies it back: 16 MiB.
const WAL_PAGES: u32 = 4_096;

/// Bytes of pages the writer keeps in memory.
const WRITER_CACHE_BYTES_MAX: u64 = 64 << 20;

/// The database cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The folder or the file cannot be made.
    #[error("{path}: {reason}; the data folder must be one you can write to (name another with --data)")]
    Folder {
        /// What cannot be made.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// The file is something else.
    #[error("{0}: this is no database of Tocsin; move it away, or name another folder with --data")]
    Foreign(PathBuf),
    /// The file is of a later version.
    #[error(
        "{path}: written by a newer Tocsin (schema {found}, this one knows {known}); run that version, or \
         name another folder with --data"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema known here.
        known: u32,
    },
    /// SQLite cannot open it.
    #[error("{path}: {reason}")]
    Database {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: StoreError,
    },
}

/// An open database that may be written.
#[derive(Debug)]
pub struct Database {
    pub(crate) connection: Connection,
    folder: PathBuf,
}

impl Database {
    /// Opens the database of a data folder. Folder, file and schema are made where they are
    /// missing.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do.
    pub fn open(folder: &Path) -> Result<Database, OpenError> {
        let path = folder.join(DATABASE_FILE);
        let unmade = |path: &Path| {
            let path = path.to_path_buf();
            move |reason| OpenError::Folder { path, reason }
        };
        files::make_folder(folder).map_err(unmade(folder))?;
        // One at a time: of several that switch a new file to WAL mode, SQLite turns some away.
        let opening = folder.join(OPENING_FILE);
        let opening = files::lock(&opening).map_err(unmade(&opening))?;
        // SQLite would make it readable by others. It must not exist under its name before it is
        // closed here: closing any handle to it drops this process's locks on it.
        files::make_once(&path, b"").map_err(unmade(&path))?;
        let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        check_origin(&mut connection, &path)?;
        prepare(&mut connection).map_err(|error| told(&path, error))?;
        drop(opening);
        Ok(Database { connection, folder: folder.to_path_buf() })
    }

    /// The data folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The seed for tables whose keys come from strangers: random, the same for the life of the
    /// folder.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn hash_seed(&self) -> Result<[u8; 32], StoreError> {
        schema::random_value(&self.connection, schema::HASH_SEED).map_err(failed)
    }

    /// The key under which resume ids are signed: random, the same for the life of the folder.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn mac_key(&self) -> Result<[u8; 32], StoreError> {
        schema::random_value(&self.connection, schema::MAC_KEY).map_err(failed)
    }
}

/// A connection that reads only. The database must have been made.
pub(crate) fn connect_to_read(folder: &Path) -> Result<Connection, OpenError> {
    connect(&folder.join(DATABASE_FILE), OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// What SQLite says, with what to do about it.
pub(crate) fn failed(error: rusqlite::Error) -> StoreError {
    let advice = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full: free some room",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process has held the database for long: end it, or try again"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            "the database cannot be written: give its owner the right to"
        }
        Some(ErrorCode::SystemIoFailure) => "the disk fails: look at the system's log",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "the database is damaged: bring back a backup, or move tocsin.db away: alerts are found again in the \
             journal, keys must be made again"
        }
        _ => return StoreError(format!("tocsin.db: {error}")),
    };
    StoreError(format!("tocsin.db: {advice} ({error})"))
}

fn connect(path: &Path, access: OpenFlags) -> Result<Connection, OpenError> {
    // The rest of the house decides who uses a connection when; SQLite need not lock as well.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connect = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_WAIT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(connection)
    };
    connect().map_err(|error| told(path, error))
}

fn check_origin(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    match schema::origin(connection) {
        Ok(Origin::Ours(found)) if found > schema::known() => {
            Err(OpenError::Newer { path: path.to_path_buf(), found, known: schema::known() })
        }
        Ok(Origin::Fresh | Origin::Ours(_)) => Ok(()),
        Ok(Origin::Foreign) => Err(OpenError::Foreign(path.to_path_buf())),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            Err(OpenError::Foreign(path.to_path_buf()))
        }
        Err(error) => Err(told(path, error)),
    }
}

/// Settings of a connection that writes, and the schema.
fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", WAL_KEPT_BYTES_MAX.cast_signed())?;
    // A negative size is in KiB.
    connection.pragma_update(None, "cache_size", -((WRITER_CACHE_BYTES_MAX >> 10).cast_signed()))?;
    if schema::origin(connection)? == Origin::Ours(schema::known()) {
        return Ok(());
    }
    schema::migrate(connection)
}

fn told(path: &Path, error: rusqlite::Error) -> OpenError {
    OpenError::Database { path: path.to_path_buf(), reason: failed(error) }
}
