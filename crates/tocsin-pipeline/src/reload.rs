//! The seam to whoever reloads rules: a wish goes in, and its answer comes when the new set is active
//! or refused. One thread fulfils wishes, one after the other, so the latest wins.
//!
//! ```text
//! let answer = reloads.ask("ann")?;
//! match answer.await { Ok(Ok(reloaded)) => …, Ok(Err(refused)) => nothing has changed, Err(_) => going down }
//! ```

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hashbrown::HashMap;
use tocsin_core::time::Timestamp;
use tocsin_sigma::ast::Diagnostic;
use tokio::sync::oneshot;

use crate::intake::Busy;
use crate::rules::{ReadyRules, RuleSetId};

/// Wishes that wait. Above it whoever asks is told to come back.
const WISHES_WAITING_MAX: usize = 64;

/// What differs between two rule sets, by id and logic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Rules in the new set.
    pub loaded: usize,
    /// Those with the same logic as before, which keep their state.
    pub unchanged: usize,
    /// Those with another logic, which start empty.
    pub edited: usize,
    /// Those that were not there.
    pub added: usize,
    /// Those of the old set that are gone.
    pub removed: usize,
}

impl Difference {
    /// What differs in `new` from `old`. Rules that share an id are told apart by their order.
    #[must_use]
    pub fn between(old: &ReadyRules, new: &ReadyRules) -> Difference {
        let mut before: HashMap<&str, Vec<&str>> = HashMap::new();
        for meta in old.of_files().rev() {
            before.entry(&meta.id).or_default().push(&meta.logic_hash);
        }
        let mut difference = Difference { loaded: new.rules.len(), ..Difference::default() };
        for meta in new.of_files() {
            match before.get_mut(meta.id.as_str()).and_then(Vec::pop) {
                Some(logic) if logic == meta.logic_hash => difference.unchanged += 1,
                Some(_) => difference.edited += 1,
                None => difference.added += 1,
            }
        }
        difference.removed = before.values().map(Vec::len).sum();
        difference
    }
}

/// What a reload came to.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// The set that is active now.
    pub id: RuleSetId,
    /// Whether it was active before: then nothing was done.
    pub is_same: bool,
    /// What differs from before.
    pub difference: Difference,
    /// What keeps rules of it from working, which does not keep the others from it.
    pub diagnostics: Vec<Diagnostic>,
}

/// Why a reload changed nothing.
#[derive(Clone, Debug)]
pub enum Refused {
    /// The set is invalid: this is wrong, where.
    Invalid(Vec<Diagnostic>),
    /// The set, or the journal, cannot be written.
    Unavailable(String),
}

/// The answer to a wish.
pub type Answer = Result<Reloaded, Refused>;

/// The last reload that was tried.
#[derive(Clone, Debug)]
pub struct Last {
    /// When it ended.
    pub at: Timestamp,
    /// On whose behalf.
    pub by: String,
    /// What it came to.
    pub answer: Answer,
}

/// A wish for a reload.
#[derive(Debug)]
pub struct Wish {
    /// On whose behalf.
    pub by: String,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Answer>,
}

/// Where reloads are asked for. Cheap to clone; when all clones are gone the other end is told.
#[derive(Clone, Debug)]
pub struct Reloads {
    wishes: SyncSender<Wish>,
    last: Arc<Mutex<Option<Last>>>,
}

/// Where they are fulfilled.
#[derive(Debug)]
pub struct Wishes {
    queue: Receiver<Wish>,
    last: Arc<Mutex<Option<Last>>>,
}

/// Both ends.
#[must_use]
pub fn reloads() -> (Reloads, Wishes) {
    let (wishes, queue) = sync_channel(WISHES_WAITING_MAX);
    let last = Arc::new(Mutex::new(None));
    (Reloads { wishes, last: Arc::clone(&last) }, Wishes { queue, last })
}

impl Reloads {
    /// Asks for a reload: rule files are read after this.
    ///
    /// # Errors
    /// [`Busy`]; nobody will reload on this behalf.
    pub fn ask(&self, by: &str) -> Result<oneshot::Receiver<Answer>, Busy> {
        let (answer, receiver) = oneshot::channel();
        let sent = self.wishes.try_send(Wish { by: by.to_string(), answer });
        sent.map(|()| receiver).map_err(|error| match error {
            TrySendError::Full(_) => Busy::Overloaded,
            TrySendError::Disconnected(_) => Busy::Stopping,
        })
    }

    /// The last reload that was tried, if one was.
    #[must_use]
    pub fn last(&self) -> Option<Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Wishes {
    /// All wishes that wait, waiting no longer than this for the first; `None` when nobody can have
    /// any more. All of them are fulfilled by one reload, for rule files are read after each.
    #[must_use]
    pub fn receive(&self, patience: Duration) -> Option<Vec<Wish>> {
        match self.queue.recv_timeout(patience) {
            Ok(first) => Some(std::iter::once(first).chain(self.queue.try_iter()).collect()),
            Err(RecvTimeoutError::Timeout) => Some(Vec::new()),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Notes what a reload came to.
    pub fn note(&self, last: Last) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }
}
