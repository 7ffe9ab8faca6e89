//! A file as a source: plain or gzip, told by its first bytes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use tocsin_pipeline::source::Source;

/// How a gzip stream begins.
pub(crate) const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A reader that counts what passes.
pub(crate) struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R> Counted<R> {
    pub(crate) fn new(inner: R) -> Counted<R> {
        Counted { inner, count: Arc::default() }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.count.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }
}

/// An opened file.
pub struct FileSource {
    name: String,
    reader: Box<dyn Read + Send>,
    consumed: Arc<AtomicU64>,
    size: Option<u64>,
    compressed: bool,
    reported: bool,
}

impl FileSource {
    /// Opens a file. Named pipes and devices work too; they have no size.
    ///
    /// # Errors
    /// What the operating system says, and a sentence for a folder.
    pub fn open(path: &Path) -> io::Result<FileSource> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::other("this is a folder; name the files in it"));
        }
        let regular = metadata.is_file();
        let compressed = regular && begins_as_gzip(&mut file)?;
        let counted = Counted::new(file);
        let consumed = Arc::clone(&counted.count);
        let reader: Box<dyn Read + Send> =
            if compressed { Box::new(MultiGzDecoder::new(counted)) } else { Box::new(counted) };
        Ok(FileSource {
            name: path.display().to_string(),
            reader,
            consumed,
            size: regular.then_some(metadata.len()),
            compressed,
            reported: false,
        })
    }

    /// The path to read records again from, if that is possible by offset.
    #[must_use]
    pub fn rereadable(&self) -> Option<PathBuf> {
        (!self.compressed && self.size.is_some()).then(|| PathBuf::from(&self.name))
    }
}

impl Source for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let compressed = self.compressed;
        let len = self.reader.read(buffer).map_err(|error| match compressed {
            true => io::Error::new(error.kind(), format!("the gzip stream is damaged or cut off: {error}")),
            false => error,
        })?;
        let consumed = self.consumed();
        let shrank = len == 0 && !buffer.is_empty() && self.size.is_some_and(|size| consumed < size);
        if shrank && !self.reported {
            self.reported = true;
            let size = self.size.unwrap_or_default();
            return Err(io::Error::other(format!(
                "the file shrank while it was read: it had {size} bytes, only {consumed} came"
            )));
        }
        Ok(len)
    }

    fn consumed(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }

    fn size(&self) -> Option<u64> {
        self.size
    }
}

fn begins_as_gzip(file: &mut File) -> io::Result<bool> {
    let mut first = [0; 2];
    let len = file.read(&mut first)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(first[..len] == GZIP_MAGIC)
}
