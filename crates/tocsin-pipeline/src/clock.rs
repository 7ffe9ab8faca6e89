//! The clock, read at the edge only: everything behind it gets its time as a value.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tocsin_core::time::Timestamp;

/// Where ingest times come from.
pub trait Clock: Send + Sync {
    /// Now. Never before what it said last.
    fn now(&self) -> Timestamp;
}

/// The system's clock, held where it would go back.
#[derive(Debug)]
pub struct SystemClock {
    newest: AtomicI64,
}

impl SystemClock {
    /// A clock that never says less than `floor`: the newest time the journal holds.
    #[must_use]
    pub fn new(floor: Timestamp) -> SystemClock {
        SystemClock { newest: AtomicI64::new(floor.0) }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
        let before = self.newest.fetch_max(now, Ordering::Relaxed);
        Timestamp(now.max(before))
    }
}
