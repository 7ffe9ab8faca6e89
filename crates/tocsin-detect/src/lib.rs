//! The stateful detectors. Each is one file in `detectors/` and one line in [`registry`]: the
//! logic of one key, written as if events came in event-time order.
//!
//! Order, episodes, expiry and snapshots are the work of `tocsin_core::keyed`; nothing of that
//! enters here.

mod closing;
pub mod detectors;
mod every;
mod keyed;
mod last_seen;
mod ranks;
pub mod registry;
mod samples;
mod windowed;
