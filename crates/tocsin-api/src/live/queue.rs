//! What waits for one connection: a bounded queue between the commit thread, which never waits, and
//! a socket, which may stall.
//!
//! A queue that is full is marked as lagging and takes nothing more until its connection has sent
//! what is in it. The connection then knows the stretch it has not seen, reads the changes in it
//! from the store and goes on with the queue where the stretch ends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tocsin_alert::role::{MinRole, Roles, View};
use tocsin_core::batch::TenantId;
use tokio::sync::Notify;

use super::frame::{Cursor, Frame};
use super::limits::QUEUED_BYTES_MAX;

/// Whose eyes a stream is for.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// The tenant.
    pub tenant: TenantId,
    /// How things are shown.
    pub view: View,
    /// What may be shown.
    pub roles: Roles,
}

/// What one step holds, frames or not.
#[derive(Debug, Default)]
pub struct Census {
    /// Its events.
    pub events: usize,
    /// Its changes.
    pub changes: usize,
    /// Those events that ask for a role.
    pub asking: Vec<(u32, MinRole)>,
}

impl Census {
    /// The events from this one on that somebody may see.
    fn visible(&self, roles: &Roles, from: usize) -> u64 {
        let asking = self.asking.iter().filter(|(event, _)| *event as usize >= from);
        let withheld = asking.filter(|(_, min_role)| !roles.may_see(min_role)).count();
        (self.events.saturating_sub(from) - withheld) as u64
    }
}

/// A stretch that a connection has not seen: everything after the last frame it took, up to `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Where its queue goes on.
    pub until: Cursor,
    /// The events in between that it may see.
    pub missed: u64,
}

/// What a connection does next.
#[derive(Debug)]
pub enum Taken {
    /// Send these.
    Frames(Vec<Arc<Frame>>),
    /// Tell the gap and read its changes.
    Lag(Lag),
    /// Wait. Everything up to here has been taken.
    Nothing(Cursor),
}

/// One connection, as the hub sees it.
#[derive(Debug)]
pub struct Subscriber {
    /// Whose it is.
    pub viewer: Viewer,
    frames_max: usize,
    queue: Mutex<Queue>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
    /// Everything up to here has been offered.
    offered: Cursor,
    lag: Option<Lag>,
}

impl Subscriber {
    /// A connection with a queue of so many frames, which has seen nothing yet.
    #[must_use]
    pub fn new(viewer: Viewer, frames_max: usize) -> Subscriber {
        Subscriber { viewer, frames_max, queue: Mutex::default(), ready: Notify::new() }
    }

    /// Frames that can be queued now.
    pub(super) fn room(&self) -> usize {
        let queue = self.lock();
        if queue.lag.is_some() { 0 } else { self.frames_max.saturating_sub(queue.frames.len()) }
    }

    /// Offers a step that ends at `end`: its first frames, and what it holds in all.
    pub(super) fn offer(&self, frames: &[Arc<Frame>], census: &Census, end: Cursor) {
        let mut queue = self.lock();
        match &mut queue.lag {
            Some(lag) => {
                lag.missed += census.visible(&self.viewer.roles, 0);
                lag.until = end;
            }
            None => {
                let missed = self.fill(&mut queue, frames, census);
                queue.lag = missed.map(|missed| Lag { until: end, missed });
            }
        }
        queue.offered = end;
        drop(queue);
        self.ready.notify_one();
    }

    /// Queues frames as long as there is room. Where that is not the whole step: the events missed.
    fn fill(&self, queue: &mut Queue, frames: &[Arc<Frame>], census: &Census) -> Option<u64> {
        let roles = &self.viewer.roles;
        let mut fits =
            |frame: &&Arc<Frame>| !roles.may_see(&frame.min_role) || queue.push(frame, self.frames_max);
        let taken = frames.iter().take_while(&mut fits).count();
        let missed = census.visible(roles, taken);
        let changes_left = census.changes > taken.saturating_sub(census.events);
        (missed > 0 || changes_left).then_some(missed)
    }

    /// Takes what comes next, at most some bytes of frames (one frame always).
    pub fn take(&self, bytes_max: usize) -> Taken {
        let mut queue = self.lock();
        if queue.frames.is_empty() {
            return match queue.lag.take() {
                Some(lag) => Taken::Lag(lag),
                None => Taken::Nothing(queue.offered),
            };
        }
        let mut frames = Vec::new();
        let mut bytes = 0;
        while let Some(frame) =
            queue.frames.pop_front_if(|next| bytes == 0 || bytes + next.text.len() <= bytes_max)
        {
            bytes += frame.text.len();
            frames.push(frame);
        }
        queue.bytes -= bytes;
        Taken::Frames(frames)
    }

    /// Waits until something was offered since the last wait.
    pub async fn ready(&self) {
        self.ready.notified().await;
    }

    /// Moves to the hub's place where nothing waits; gives what has been seen of it.
    pub(super) fn catch_idle(&self, current: Cursor) -> Option<Cursor> {
        let mut queue = self.lock();
        let is_idle = queue.frames.is_empty() && queue.lag.is_none();
        is_idle.then(|| {
            queue.offered = queue.offered.max(current);
            queue.offered
        })
    }

    /// A panic elsewhere leaves a whole queue behind.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn push(&mut self, frame: &Arc<Frame>, frames_max: usize) -> bool {
        let bytes = self.bytes + frame.text.len();
        let fits = self.frames.len() < frames_max && bytes <= QUEUED_BYTES_MAX;
        if !fits && !self.frames.is_empty() {
            return false;
        }
        self.frames.push_back(Arc::clone(frame));
        self.bytes = bytes;
        true
    }
}
