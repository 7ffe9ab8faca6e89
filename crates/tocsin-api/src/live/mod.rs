//! The live stream: what was committed, shown at once to everyone who follows, and nothing lost in
//! between.
//!
//! ```text
//! commit thread ─► [hub] ─► one bounded [queue] per connection ─► [connection] ─► [stream] ─► socket
//!                        [stored] history ─► [catch_up] ───────────┘
//! ```
//!
//! All frames stand in one order, (position, ordinal): an event at its record's position with
//! ordinal 0, a step's changes at the position of its last record from ordinal 1. Whoever falls
//! behind or comes back goes on from such a place ([`resume`]).

pub mod catch_up;
mod connection;
pub mod frame;
pub mod hub;
pub mod limits;
pub mod queue;
pub mod resume;
pub mod slots;
pub mod stored;
pub mod stream;

use std::sync::Arc;

use tocsin_alert::role::{Roles, View};
use tokio::sync::Semaphore;

pub use catch_up::{ChangePage, History, RecordPage};
pub use frame::Cursor;
pub use hub::{Hub, Publisher};
pub use slots::Refused;
pub use stored::Stored;
pub use stream::respond;

use crate::config::StreamConfig;
use crate::stop::Stopping;

use resume::ResumeKey;
use slots::Slots;

/// What streams are made of.
pub struct LiveParts {
    /// Where commits are shown.
    pub hub: Arc<Hub>,
    /// What was committed before.
    pub history: Arc<dyn History>,
    /// How streams behave.
    pub config: StreamConfig,
    /// The key of resume ids: random, one per data folder, kept over restarts.
    pub resume_key: [u8; 32],
    /// When to end: streams then say where they are and close.
    pub stopping: Stopping,
}

/// All live streams of a server. Shared by its routes.
pub struct Live {
    hub: Arc<Hub>,
    history: Arc<dyn History>,
    config: StreamConfig,
    key: ResumeKey,
    stopping: Stopping,
    slots: Arc<Slots>,
    catching_up: Arc<Semaphore>,
}

impl Live {
    /// Streams of these parts; none is open yet.
    #[must_use]
    pub fn new(parts: LiveParts) -> Live {
        let LiveParts { hub, history, config, resume_key, stopping } = parts;
        Live {
            hub,
            history,
            slots: Arc::new(Slots::new(&config)),
            config,
            key: ResumeKey::new(resume_key),
            stopping,
            catching_up: Arc::new(Semaphore::new(limits::CATCH_UPS_MAX)),
        }
    }

    /// How somebody sees a stream: masked, unless the config and their role say otherwise.
    fn view(&self, roles: &Roles) -> View {
        match self.config.unmask_from {
            Some(needed) if roles.highest() >= needed => View::Plain,
            _ => View::Masked,
        }
    }
}
