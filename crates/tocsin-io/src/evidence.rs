//! Records read again for the evidence of alerts: from the file they came from, or, where an input
//! cannot be read twice, from what was kept of it.

use std::collections::BTreeMap;
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
const SPOOL_BYTES_MAX: usize = 4 << 20;

/// Bytes of kept records that share one entry of the index in memory: what it takes grows with the
/// input, a hundredth of a percent of it.
const BLOCK_BYTES: usize = 256 << 10;

/// Bytes first read when looking for a record again; twice as many each time it is not there yet.
const REREAD_BYTES: usize = 1 << 10;

/// The store of a scan.
#[derive(Default)]
pub struct ScanRecords {
    files: HashMap<PartitionId, Reread>,
    kept: Kept,
}

/// A file records are read again from.
struct Reread {
    file: File,
    framing: Framing,
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
    fn must_keep(&self, partition: PartitionId) -> bool {
        !self.files.contains_key(&partition)
    }

    fn keep(&mut self, position: Position, record: &[u8]) {
        self.kept.keep(position, record);
    }

    fn read(&mut self, position: Position) -> Option<Vec<u8>> {
        match self.files.get_mut(&position.partition()) {
            Some(reread) => reread.record(position.offset()),
            None => self.kept.record(position),
        }
    }
}

impl Reread {
    fn record(&mut self, offset: u64) -> Option<Vec<u8>> {
        self.file.seek(SeekFrom::Start(offset)).ok()?;
        let mut bytes = Vec::new();
        let mut cutter = JsonCutter::at_value();
        let mut records = Vec::new();
        while bytes.len() <= RECORD_BYTES_MAX {
            let had = bytes.len();
            bytes.resize(had + had.max(REREAD_BYTES), 0);
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

/// Records of inputs that cannot be read twice, in the order they came: blocks of whole records,
/// each of one partition, in a spool.
#[derive(Default)]
struct Kept {
    /// The block that is being filled.
    filling: Block,
    /// First record of every finished block, and where it stands in the spool.
    index: BTreeMap<Position, (u64, u32)>,
    spool: Option<SpooledTempFile>,
    spooled: u64,
    /// The block that was read last.
    read: Block,
}

/// Records one after the other: position, length, bytes.
#[derive(Default)]
struct Block {
    first: Option<Position>,
    last: Option<Position>,
    bytes: Vec<u8>,
}

impl Kept {
    /// Keeps a record; those of one partition come in the order of their positions.
    fn keep(&mut self, position: Position, record: &[u8]) {
        let other = self.filling.first.is_some_and(|first| first.partition() != position.partition());
        if other || self.filling.bytes.len() >= BLOCK_BYTES {
            self.finish_block();
        }
        self.filling.push(position, record);
    }

    /// Without room for it a block's records are missing from evidence, where their ids still stand.
    fn finish_block(&mut self) {
        let block = std::mem::take(&mut self.filling);
        let Some(first) = block.first else { return };
        let spool = self.spool.get_or_insert_with(|| SpooledTempFile::new(SPOOL_BYTES_MAX));
        let at = self.spooled;
        if spool.seek(SeekFrom::Start(at)).is_ok() && spool.write_all(&block.bytes).is_ok() {
            self.index.insert(first, (at, block.bytes.len() as u32));
            self.spooled += block.bytes.len() as u64;
        }
    }

    fn record(&mut self, position: Position) -> Option<Vec<u8>> {
        if self.filling.covers(position) {
            return self.filling.record(position);
        }
        if !self.read.covers(position) {
            let (first, (at, len)) = self.index.range(..=position).next_back()?;
            let spool = self.spool.as_mut()?;
            self.read = Block { first: None, last: None, bytes: vec![0; *len as usize] };
            spool.seek(SeekFrom::Start(*at)).ok()?;
            spool.read_exact(&mut self.read.bytes).ok()?;
            self.read.first = Some(*first);
            self.read.last = self.read.records().last().map(|(position, _)| position);
        }
        self.read.record(position)
    }
}

impl Block {
    fn push(&mut self, position: Position, record: &[u8]) {
        self.first.get_or_insert(position);
        self.last = Some(position);
        self.bytes.extend_from_slice(&position.offset().to_le_bytes());
        self.bytes.extend_from_slice(&(record.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(record);
    }

    fn covers(&self, position: Position) -> bool {
        self.first.is_some_and(|first| first <= position) && self.last.is_some_and(|last| position <= last)
    }

    fn record(&self, position: Position) -> Option<Vec<u8>> {
        self.records().find(|(at, _)| *at == position).map(|(_, record)| record.to_vec())
    }

    fn records(&self) -> impl Iterator<Item = (Position, &[u8])> {
        let partition = self.first.unwrap_or_default().partition();
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            let (offset, after) = rest.split_first_chunk::<8>()?;
            let (len, after) = after.split_first_chunk::<4>()?;
            let (record, after) = after.split_at_checked(u32::from_le_bytes(*len) as usize)?;
            rest = after;
            Some((Position::new(partition, u64::from_le_bytes(*offset)), record))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records of two partitions by turns, over many blocks, are all found again, in any order.
    #[test]
    fn kept_records_are_found_again() {
        let mut records = ScanRecords::default();
        let position = |n: u64| Position::new(PartitionId((n / 100 % 2) as u16), n * 10);
        let text = |n: u64| format!("{n}").repeat(n as usize % 500).into_bytes();
        for n in 0..5_000 {
            records.keep(position(n), &text(n));
        }
        assert!(records.kept.index.len() > 10, "{} blocks", records.kept.index.len());
        for n in (0..5_000).rev().chain([17, 4_999, 0]) {
            assert_eq!(records.read(position(n)), Some(text(n)), "record {n}");
        }
        assert_eq!(records.read(Position::new(PartitionId(0), 5)), None);
        assert_eq!(records.read(Position::new(PartitionId(7), 0)), None);
    }
}
