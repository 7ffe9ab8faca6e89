//! Records read again for the evidence of alerts: from the file they came from, or, where an input
//! cannot be read twice, from what was kept of it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use hashbrown::HashMap;
use tempfile::SpooledTempFile;
use tocsin_core::limits::RECORD_BYTES_MAX;
use tocsin_core::offset::{PartitionId, Position};
use tocsin_decode::framing::{Framing, JsonCutter, cut_lines, line};
use tocsin_pipeline::records::Records;

/// Bytes of kept records held in memory; above it they go to an unnamed temporary file.
const SPOOL_BYTES_MAX: usize = 16 << 20;

/// Bytes read at once when looking for a record again.
const REREAD_BYTES: usize = 16 << 10;

/// The store of a scan.
pub struct ScanRecords {
    files: HashMap<PartitionId, Reread>,
    spool: SpooledTempFile,
    spooled: u64,
    /// Where kept records stand in the spool, and their lengths.
    kept: HashMap<Position, (u64, u32)>,
}

/// A file records are read again from.
struct Reread {
    file: File,
    framing: Framing,
}

impl Default for ScanRecords {
    fn default() -> ScanRecords {
        ScanRecords {
            files: HashMap::new(),
            spool: SpooledTempFile::new(SPOOL_BYTES_MAX),
            spooled: 0,
            kept: HashMap::new(),
        }
    }
}

impl ScanRecords {
    /// Reads a partition's records again from its file.
    ///
    /// # Errors
    /// What the operating system says when the file is opened.
    pub fn reread(&mut self, partition: PartitionId, path: &Path) -> std::io::Result<()> {
        let mut file = File::open(path)?;
        let mut first = vec![0; 64 << 10];
        let len = file.read(&mut first)?;
        let text = first[..len].strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&first[..len]);
        let framing = Framing::recognise(text);
        self.files.insert(partition, Reread { file, framing });
        Ok(())
    }
}

impl Records for ScanRecords {
    fn keep(&mut self, position: Position, record: &[u8]) {
        if self.files.contains_key(&position.partition()) || self.kept.contains_key(&position) {
            return;
        }
        // Without room for it the record is missing from evidence, where its id still stands.
        if self.spool.seek(SeekFrom::End(0)).is_ok() && self.spool.write_all(record).is_ok() {
            self.kept.insert(position, (self.spooled, record.len() as u32));
            self.spooled += record.len() as u64;
        }
    }

    fn read(&mut self, position: Position) -> Option<Vec<u8>> {
        if let Some(reread) = self.files.get_mut(&position.partition()) {
            return reread.record(position.offset());
        }
        let (start, len) = *self.kept.get(&position)?;
        let mut record = vec![0; len as usize];
        self.spool.seek(SeekFrom::Start(start)).ok()?;
        self.spool.read_exact(&mut record).ok()?;
        Some(record)
    }
}

impl Reread {
    fn record(&mut self, offset: u64) -> Option<Vec<u8>> {
        self.file.seek(SeekFrom::Start(offset)).ok()?;
        let mut bytes = Vec::new();
        let mut cutter = JsonCutter::default();
        let mut records = Vec::new();
        while bytes.len() <= RECORD_BYTES_MAX {
            let had = bytes.len();
            bytes.resize(had + REREAD_BYTES, 0);
            let len = self.file.read(&mut bytes[had..]).ok()?;
            bytes.truncate(had + len);
            match self.framing {
                Framing::Lines => cut_lines(&bytes, 0, &mut records),
                Framing::JsonStream => cutter.cut(&bytes, 0, &mut records),
            };
            if len == 0 && records.is_empty() {
                records.push(line(&bytes, 0, bytes.len()));
            }
            if let Some(first) = records.first() {
                let start = first.start as usize;
                return Some(bytes[start..start + first.len as usize].to_vec());
            }
        }
        None
    }
}
