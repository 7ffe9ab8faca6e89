//! The worker pool: batches are decoded and matched on any number of threads and come back in the
//! order they went in.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use tocsin_core::batch::RawBatch;
use tocsin_core::decoder::Decoder;
use tocsin_core::engine::{MatchStage, MatchedBatch};
use tocsin_core::matcher::MatcherStats;

/// Batches under way per worker, waiting ones included. Above it the reader waits.
const BATCHES_PER_WORKER_MAX: usize = 3;

/// Bytes under way in all workers. Above it the reader waits: batches of huge records are as large
/// as the records.
const UNDER_WAY_BYTES_MAX: usize = 16 << 20;

/// One worker's tools.
pub struct Worker {
    /// Bytes become events.
    pub decoder: Box<dyn Decoder>,
    /// Events become matches and signals.
    pub matching: MatchStage,
}

impl Worker {
    /// One batch.
    pub fn step(&mut self, raw: RawBatch) -> MatchedBatch {
        self.matching.step(self.decoder.decode(raw))
    }
}

/// What the workers of a pool have counted, together.
#[derive(Clone, Debug, Default)]
pub struct WorkerStats {
    /// Time spent reading records, over all workers.
    pub decode: Duration,
    /// Time spent matching, over all workers.
    pub matching: Duration,
    /// What the matchers counted.
    pub matcher: MatcherStats,
}

impl WorkerStats {
    fn add(&mut self, other: &WorkerStats) {
        self.decode += other.decode;
        self.matching += other.matching;
        self.matcher.add(&other.matcher);
    }
}

/// A worker whose time is taken: twice a batch, which costs nothing.
pub struct Timed {
    worker: Worker,
    decode: Duration,
    matching: Duration,
}

impl Timed {
    fn new(worker: Worker) -> Timed {
        Timed { worker, decode: Duration::ZERO, matching: Duration::ZERO }
    }

    fn step(&mut self, raw: RawBatch) -> MatchedBatch {
        let began = Instant::now();
        let batch = self.worker.decoder.decode(raw);
        let decoded = Instant::now();
        let matched = self.worker.matching.step(batch);
        self.decode += decoded - began;
        self.matching += decoded.elapsed();
        matched
    }

    fn stats(&self) -> WorkerStats {
        let matcher = self.worker.matching.matcher_stats();
        WorkerStats { decode: self.decode, matching: self.matching, matcher }
    }
}

/// A worker died: a defect in a decoder or matcher. The batch it had is lost to the result.
#[derive(Debug, thiserror::Error)]
#[error("a worker thread failed; the scan cannot go on")]
pub struct WorkerFailed;

type Job = (u64, RawBatch);
type Done = (u64, Option<MatchedBatch>);

/// A pool of workers. With one worker everything runs on the calling thread.
pub enum Pool {
    /// No threads.
    Inline {
        /// The only worker.
        worker: Box<Timed>,
        /// What it has done and nobody has fetched.
        done: Option<Box<MatchedBatch>>,
    },
    /// Threads.
    Threads(Threads),
}

/// The threads of a pool.
pub struct Threads {
    jobs: Option<Sender<Job>>,
    results: Receiver<Done>,
    handles: Vec<JoinHandle<WorkerStats>>,
    /// Results that came before their turn.
    early: BTreeMap<u64, Option<MatchedBatch>>,
    sent: u64,
    fetched: u64,
    under_way_bytes: usize,
}

impl Pool {
    /// A pool of these workers.
    #[must_use]
    pub fn new(mut workers: Vec<Worker>) -> Pool {
        if workers.len() == 1 {
            return Pool::Inline { worker: Box::new(Timed::new(workers.remove(0))), done: None };
        }
        let capacity = workers.len() * BATCHES_PER_WORKER_MAX;
        let (jobs, queue) = bounded::<Job>(capacity);
        let (finished, results) = bounded::<Done>(capacity);
        let handles = workers
            .into_iter()
            .map(|worker| {
                let (queue, finished) = (queue.clone(), finished.clone());
                std::thread::spawn(move || work(Timed::new(worker), &queue, &finished))
            })
            .collect();
        Pool::Threads(Threads {
            jobs: Some(jobs),
            results,
            handles,
            early: BTreeMap::new(),
            sent: 0,
            fetched: 0,
            under_way_bytes: 0,
        })
    }

    /// Whether another batch may be sent before one is fetched.
    #[must_use]
    pub fn has_room(&self) -> bool {
        match self {
            Pool::Inline { done, .. } => done.is_none(),
            Pool::Threads(threads) => {
                let capacity = threads.handles.len() * BATCHES_PER_WORKER_MAX;
                let few = threads.sent - threads.fetched < capacity as u64;
                few && threads.under_way_bytes < UNDER_WAY_BYTES_MAX
            }
        }
    }

    /// Sends a batch; only when [`Pool::has_room`].
    ///
    /// # Errors
    /// [`WorkerFailed`] when every worker is gone.
    pub fn send(&mut self, batch: RawBatch) -> Result<(), WorkerFailed> {
        match self {
            Pool::Inline { worker, done } => *done = Some(Box::new(worker.step(batch))),
            Pool::Threads(threads) => {
                let jobs = threads.jobs.as_ref().ok_or(WorkerFailed)?;
                threads.under_way_bytes += batch.bytes.len();
                jobs.send((threads.sent, batch)).map_err(|_| WorkerFailed)?;
                threads.sent += 1;
            }
        }
        Ok(())
    }

    /// The next batch in the order of sending; `None` when none is under way.
    ///
    /// # Errors
    /// [`WorkerFailed`] when its worker died.
    pub fn fetch(&mut self) -> Result<Option<MatchedBatch>, WorkerFailed> {
        match self {
            Pool::Inline { done, .. } => Ok(done.take().map(|done| *done)),
            Pool::Threads(threads) => threads.fetch(),
        }
    }
}

impl Pool {
    /// What its workers have counted. Ends the threads: nothing more can be sent.
    pub fn finish(&mut self) -> WorkerStats {
        match self {
            Pool::Inline { worker, .. } => worker.stats(),
            Pool::Threads(threads) => threads.finish(),
        }
    }
}

impl Threads {
    fn finish(&mut self) -> WorkerStats {
        self.jobs = None;
        while self.results.recv().is_ok() {}
        let mut stats = WorkerStats::default();
        for handle in self.handles.drain(..) {
            // A worker that panicked has said so through its result.
            if let Ok(counted) = handle.join() {
                stats.add(&counted);
            }
        }
        stats
    }

    fn fetch(&mut self) -> Result<Option<MatchedBatch>, WorkerFailed> {
        if self.fetched == self.sent {
            return Ok(None);
        }
        let result = loop {
            if let Some(result) = self.early.remove(&self.fetched) {
                break result;
            }
            let (number, result) = self.results.recv().map_err(|_| WorkerFailed)?;
            self.early.insert(number, result);
        };
        self.fetched += 1;
        let batch = result.ok_or(WorkerFailed)?;
        self.under_way_bytes = self.under_way_bytes.saturating_sub(batch.raw.bytes.len());
        Ok(Some(batch))
    }
}

impl Drop for Threads {
    /// Closing the queue ends the workers; nothing is left running.
    fn drop(&mut self) {
        drop(self.finish());
    }
}

fn work(mut worker: Timed, queue: &Receiver<Job>, finished: &Sender<Done>) -> WorkerStats {
    while let Ok((number, batch)) = queue.recv() {
        let result = catch_unwind(AssertUnwindSafe(|| worker.step(batch))).ok();
        let failed = result.is_none();
        if finished.send((number, result)).is_err() || failed {
            break;
        }
    }
    worker.stats()
}
