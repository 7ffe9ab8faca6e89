//! The hub: takes what was committed and hands it to every connection that may see it.
//!
//! It runs on the commit thread and never waits for a connection. A step is encoded once per view,
//! outside of the lock, and not at all for a tenant nobody follows; under the lock only shared
//! frames move. A connection joins under the same lock, so it knows the exact place where it begins.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tocsin_alert::role::View;
use tocsin_core::batch::TenantId;
use tocsin_pipeline::commit::{Publish, PublishedStep};

use super::frame::{Cursor, Encoder, Frame, change};
use super::limits::QUEUED_BYTES_MAX;
use super::queue::{Census, Subscriber};

/// Who follows, and how far the stream has come. Shared by the publisher and all connections.
#[derive(Debug, Default)]
pub struct Hub {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    current: Cursor,
    followers: BTreeMap<TenantId, Vec<Arc<Subscriber>>>,
}

/// The committing end of a hub. One thread owns it.
pub struct Publisher {
    hub: Arc<Hub>,
    encoder: Encoder,
}

/// A connection's place in the hub. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription {
    hub: Arc<Hub>,
    subscriber: Arc<Subscriber>,
}

/// A step, encoded as far as somebody needs it.
#[derive(Default)]
struct Encoded {
    census: Option<Census>,
    frames: BTreeMap<View, Vec<Arc<Frame>>>,
}

/// A view somebody needs a step in, and how many frames can be queued at most.
struct Wanted {
    step: usize,
    view: View,
    room: usize,
}

impl Hub {
    /// A hub that goes on from what is stored: `committed` is the end of the last commit, so that
    /// ids from before a restart are known to lie behind it.
    #[must_use]
    pub fn new(committed: u64) -> Arc<Hub> {
        let state = State { current: Cursor::event(committed), ..State::default() };
        Arc::new(Hub { state: Mutex::new(state) })
    }

    /// The committing end.
    #[must_use]
    pub fn publisher(self: &Arc<Hub>) -> Publisher {
        Publisher { hub: Arc::clone(self), encoder: Encoder::default() }
    }

    /// The last place that was published.
    #[must_use]
    pub fn current(&self) -> Cursor {
        self.lock().current
    }

    /// Follows from now on; gives the exact place after which frames come.
    #[must_use]
    pub fn join(self: &Arc<Hub>, subscriber: Subscriber) -> (Subscription, Cursor) {
        let subscriber = Arc::new(subscriber);
        let mut state = self.lock();
        let at = state.current;
        state.followers.entry(subscriber.viewer.tenant).or_default().push(Arc::clone(&subscriber));
        (Subscription { hub: Arc::clone(self), subscriber }, at)
    }

    /// Hands the steps of one position to their followers, all or none, so that whoever joins stands
    /// before them or behind them; else what must be encoded first.
    fn offer(&self, steps: &[PublishedStep], encoded: &[Encoded]) -> Result<(), Wanted> {
        let mut state = self.lock();
        let offered = || steps.iter().zip(encoded).enumerate();
        if let Some(wanted) =
            offered().find_map(|(index, (step, encoded))| state.missing(index, step, encoded))
        {
            return Err(wanted);
        }
        for (_, (step, encoded)) in offered() {
            let end = end(step);
            for follower in state.followers.get(&step.tenant).into_iter().flatten() {
                if let (Some(frames), Some(census)) =
                    (encoded.frames.get(&follower.viewer.view), &encoded.census)
                {
                    follower.offer(frames, census, end);
                }
            }
            state.current = state.current.max(end);
        }
        Ok(())
    }

    /// A panic elsewhere leaves whole frames behind.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A view in which a step is followed and not encoded.
    fn missing(&self, index: usize, step: &PublishedStep, encoded: &Encoded) -> Option<Wanted> {
        let followers = self.followers.get(&step.tenant)?;
        let is_missing = |one: &&Arc<Subscriber>| !encoded.frames.contains_key(&one.viewer.view);
        let view = followers.iter().find(is_missing)?.viewer.view;
        let alike = followers.iter().filter(|one| one.viewer.view == view);
        let room = alike.map(|one| one.room()).max().unwrap_or(0);
        Some(Wanted { step: index, view, room })
    }
}

impl Publish for Publisher {
    fn publish(&mut self, steps: &[PublishedStep]) {
        // A tick may concern several tenants at one position.
        for alike in steps.chunk_by(|one, next| one.position == next.position) {
            let mut encoded: Vec<Encoded> = alike.iter().map(|_| Encoded::default()).collect();
            // At most one round per step and view.
            while let Err(wanted) = self.hub.offer(alike, &encoded) {
                self.encode(&alike[wanted.step], &wanted, &mut encoded[wanted.step]);
            }
        }
    }

    fn is_followed(&self, tenant: TenantId) -> bool {
        self.hub.lock().followers.contains_key(&tenant)
    }
}

impl Publisher {
    fn encode(&mut self, step: &PublishedStep, wanted: &Wanted, encoded: &mut Encoded) {
        let encoder = &mut self.encoder;
        encoded.census.get_or_insert_with(|| Census {
            events: step.raw.as_ref().map_or(0, |raw| raw.records.len()),
            changes: step.changes.len(),
            asking: step.raw.as_ref().map_or_else(Vec::new, |raw| encoder.asking(raw)),
        });
        encoded.frames.insert(wanted.view, frames(encoder, step, wanted));
    }
}

/// The place behind everything of a step.
fn end(step: &PublishedStep) -> Cursor {
    let changes = step.changes.iter().map(Cursor::change).max();
    changes.unwrap_or_default().max(Cursor::event(step.position))
}

/// The first frames of a step, as many as anybody can queue.
fn frames(encoder: &mut Encoder, step: &PublishedStep, wanted: &Wanted) -> Vec<Arc<Frame>> {
    let view = wanted.view;
    let events = step.raw.iter().flat_map(|raw| (0..raw.records.len() as u32).map(move |at| (raw, at)));
    let events = events.map(|(raw, at)| encoder.event(raw, at, view));
    let changes = step.changes.iter().map(|one| change(one, view));
    let mut bytes = 0;
    let fits = |frame: &Frame| {
        let is_first = bytes == 0;
        bytes += frame.text.len();
        is_first || bytes <= QUEUED_BYTES_MAX
    };
    events.chain(changes).take(wanted.room).take_while(fits).map(Arc::new).collect()
}

impl Subscription {
    /// The connection's queue.
    #[must_use]
    pub fn subscriber(&self) -> &Subscriber {
        &self.subscriber
    }

    /// Where a connection stands whose queue is empty: at the last published place, other tenants'
    /// included. `None` while something waits.
    #[must_use]
    pub fn idle_at(&self) -> Option<Cursor> {
        let state = self.hub.lock();
        self.subscriber.catch_idle(state.current)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        let tenant = self.subscriber.viewer.tenant;
        let Some(followers) = state.followers.get_mut(&tenant) else { return };
        followers.retain(|one| !Arc::ptr_eq(one, &self.subscriber));
        if followers.is_empty() {
            state.followers.remove(&tenant);
        }
    }
}
