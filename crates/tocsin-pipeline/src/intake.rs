//! The seam to whoever receives records: a submission goes in, and its answer comes when what was
//! accepted is durable.
//!
//! ```text
//! let answer = intake.submit(submission)?;      // Busy: 429/503 with Retry-After
//! match answer.await { Ok(Answer::Taken(receipt)) => …, Err(_) => the server is going down }
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tocsin_core::batch::{Reason, TenantId};
use tokio::sync::{mpsc, oneshot};

use crate::rules::{Activated, NewRules, ReadyRules};

/// Bytes of submissions waiting for the journal. Above it senders are told to come back.
pub const WAITING_BYTES_MAX: usize = 64 << 20;

/// Submissions waiting for the journal. Above it senders are told to come back.
pub const WAITING_SUBMISSIONS_MAX: usize = 65_536;

/// Refusals an answer lists; those after it are only counted.
pub const LISTED_REJECTIONS_MAX: usize = 1_000;

/// How the records of a body are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyShape {
    /// The body is one record.
    One,
    /// One record per line.
    Lines,
    /// JSON values: one object, an array, or one after the other.
    Json,
}

/// A key under which a request may be repeated, and its body's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeatable {
    /// Hash of the key.
    pub key: [u8; 16],
    /// Hash of the body as sent.
    pub body: [u8; 16],
}

/// Records handed in.
#[derive(Debug)]
pub struct Submission {
    /// Whose they are: from the credential, never from the request.
    pub tenant: TenantId,
    /// What has a watermark of its own: the API key's id.
    pub source: Arc<str>,
    /// The body, decompressed.
    pub body: Vec<u8>,
    /// How to cut it.
    pub shape: BodyShape,
    /// Set when the sender may repeat the request.
    pub repeatable: Option<Repeatable>,
}

/// A record that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Its number in the body, from 1: the line, or the element of the array.
    pub line: u32,
    /// Why.
    pub reason: Reason,
    /// Byte within the record where reading stopped, from 0.
    pub at: u32,
    /// The field being read there.
    pub field: Option<Box<str>>,
}

/// What became of the records of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Records in the journal.
    pub accepted: u32,
    /// Records refused in all.
    pub rejected: u32,
    /// How many for each reason.
    pub reasons: BTreeMap<Reason, u32>,
    /// The first of them, at most [`LISTED_REJECTIONS_MAX`].
    pub rejections: Vec<Rejection>,
}

/// The answer to a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What was accepted is durable. With nothing accepted, nothing was written.
    Taken(Receipt),
    /// The request is a repeat: this is what was answered the first time (see
    /// [`Receipt::to_json`]), and nothing was written.
    Repeated(Box<[u8]>),
    /// The key was used before, with another body.
    Conflict,
    /// The journal cannot be written now: nothing is acknowledged.
    Unavailable(String),
}

impl Receipt {
    /// Takes one accepted record back: it is refused.
    pub fn refuse(&mut self, rejection: Rejection) {
        self.accepted = self.accepted.saturating_sub(1);
        self.rejected += 1;
        *self.reasons.entry(rejection.reason).or_default() += 1;
        if self.rejections.len() < LISTED_REJECTIONS_MAX {
            self.rejections.push(rejection);
        }
    }

    /// The answer's body: `{"accepted":n,"rejected":[{"line","field"?,"reason","detail"}]}`.
    #[must_use]
    pub fn to_json(&self) -> Box<[u8]> {
        let listed: Vec<serde_json::Value> = self.rejections.iter().map(Rejection::to_json).collect();
        let mut body = serde_json::json!({ "accepted": self.accepted, "rejected": listed });
        let untold = self.rejected as usize - listed.len().min(self.rejected as usize);
        if untold > 0 {
            body["rejected_not_listed"] = untold.into();
        }
        body.to_string().into_bytes().into()
    }
}

impl Rejection {
    /// The rejection for the sender: line, field where known, reason, and the reason in words.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let detail = format!("{} (byte {})", self.reason.describe(), self.at + 1);
        let mut value = serde_json::json!({ "line": self.line });
        if let Some(field) = &self.field {
            value["field"] = (**field).into();
        }
        value["reason"] = self.reason.as_str().into();
        value["detail"] = detail.into();
        value
    }
}

/// Nothing can be taken in now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// Too much is waiting already.
    Overloaded,
    /// The server is going down.
    Stopping,
}

/// A submission on its way, with where its answer goes.
#[derive(Debug)]
pub struct Waiting {
    /// The submission.
    pub submission: Submission,
    /// Where its answer goes.
    pub answer: oneshot::Sender<Answer>,
}

/// What may come in.
#[derive(Debug)]
pub enum Arrival {
    /// Records.
    Records(Waiting),
    /// Other rules: for what comes after them, and for nothing before.
    Rules(NewRules),
}

/// The receiving end's handle. Dropping the last one ends the ingest stage, which then finishes
/// what it has.
#[derive(Clone, Debug)]
pub struct Intake {
    queue: Sender<Arrival>,
    waiting_bytes: Arc<AtomicUsize>,
}

/// The ingest stage's end.
#[derive(Debug)]
pub struct Inbox {
    /// What waits, in order of arrival.
    pub queue: Receiver<Arrival>,
    waiting_bytes: Arc<AtomicUsize>,
}

/// Answers of one group, each with where it goes.
pub type Told = Vec<(oneshot::Sender<Answer>, Answer)>;

/// Groups of answers on their way back. Above it the ingest stage waits.
const TOLD_GROUPS_MAX: usize = 1_024;

/// The ingest stage's end of the way back.
#[derive(Clone, Debug)]
pub struct Telling(mpsc::Sender<Told>);

/// The senders' end of the way back: whole groups, so that waking many who wait costs one wake from
/// thread to thread.
#[derive(Debug)]
pub struct Answers(mpsc::Receiver<Told>);

/// The way back for answers.
#[must_use]
pub fn answers() -> (Telling, Answers) {
    let (sender, receiver) = mpsc::channel(TOLD_GROUPS_MAX);
    (Telling(sender), Answers(receiver))
}

impl Telling {
    /// Sends a group back. Once nobody delivers any more, those who wait see that it was dropped.
    pub fn tell(&self, told: Told) {
        if !told.is_empty() {
            drop(self.0.blocking_send(told));
        }
    }
}

impl Answers {
    /// Delivers answers until the ingest stage has ended. To be run where those who wait run.
    pub async fn deliver(mut self) {
        while let Some(told) = self.0.recv().await {
            for (sender, answer) in told {
                // A sender that has gone will ask again, or not.
                drop(sender.send(answer));
            }
        }
    }
}

/// A queue of submissions, bounded in number and bytes.
#[must_use]
pub fn intake() -> (Intake, Inbox) {
    let (sender, queue) = bounded(WAITING_SUBMISSIONS_MAX);
    let waiting_bytes = Arc::new(AtomicUsize::new(0));
    (Intake { queue: sender, waiting_bytes: Arc::clone(&waiting_bytes) }, Inbox { queue, waiting_bytes })
}

impl Intake {
    /// Hands in a submission; the receiver gives its answer.
    ///
    /// # Errors
    /// [`Busy`]; nothing was taken then.
    pub fn submit(&self, submission: Submission) -> Result<oneshot::Receiver<Answer>, Busy> {
        let bytes = submission.body.len();
        if self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > WAITING_BYTES_MAX {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Busy::Overloaded);
        }
        let (answer, receiver) = oneshot::channel();
        self.queue.try_send(Arrival::Records(Waiting { submission, answer })).map_err(|error| {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => Busy::Overloaded,
                TrySendError::Disconnected(_) => Busy::Stopping,
            }
        })?;
        Ok(receiver)
    }

    /// Hands in other rules, waiting for room; the receiver says what became of them. They are active
    /// for everything that is handed in after this.
    ///
    /// # Errors
    /// [`Busy::Stopping`]; nothing was taken then.
    pub fn activate(&self, rules: Arc<ReadyRules>) -> Result<std::sync::mpsc::Receiver<Activated>, Busy> {
        let (new, outcome) = NewRules::new(rules);
        self.queue.send(Arrival::Rules(new)).map_err(|_| Busy::Stopping)?;
        Ok(outcome)
    }
}

impl Inbox {
    /// So many bytes of submissions no longer wait.
    pub fn taken(&self, bytes: usize) {
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}
