//! Records of events just taken in, from memory; older ones from wherever they are kept.

use std::collections::VecDeque;
use std::sync::Arc;

use tocsin_core::batch::RawBatch;
use tocsin_core::offset::{PartitionId, Position};

use crate::records::Records;

/// Bytes of batches held in memory; older ones are read from the journal.
const RECENT_BYTES_MAX: usize = 16 << 20;

/// The newest batches over the journal.
pub struct LiveRecords {
    recent: VecDeque<Arc<RawBatch>>,
    bytes: usize,
    journal: Box<dyn Records + Send>,
}

impl LiveRecords {
    /// Nothing in memory yet.
    #[must_use]
    pub fn new(journal: Box<dyn Records + Send>) -> LiveRecords {
        LiveRecords { recent: VecDeque::new(), bytes: 0, journal }
    }

    /// Holds a batch that was just taken in; batches come in the order of their offsets.
    pub fn hold(&mut self, batch: &Arc<RawBatch>) {
        self.bytes += batch.bytes.len();
        self.recent.push_back(Arc::clone(batch));
        while self.bytes > RECENT_BYTES_MAX && self.recent.len() > 1 {
            let oldest = self.recent.pop_front();
            self.bytes -= oldest.map_or(0, |oldest| oldest.bytes.len());
        }
    }
}

impl Records for LiveRecords {
    fn must_keep(&self, _: PartitionId) -> bool {
        false
    }

    fn keep(&mut self, _: Position, _: &[u8]) {}

    fn read(&mut self, position: Position) -> Option<Vec<u8>> {
        let offset = position.offset();
        let after = self.recent.partition_point(|batch| batch.offsets.from <= offset);
        let batch = after.checked_sub(1).and_then(|index| self.recent.get(index));
        let Some(batch) = batch.filter(|batch| offset < batch.offsets.to) else {
            return self.journal.read(position);
        };
        let start = (offset - batch.offsets.from) as u32;
        let index = batch.records.binary_search_by_key(&start, |span| span.start).ok()?;
        Some(batch.record(index as u32).to_vec())
    }
}
