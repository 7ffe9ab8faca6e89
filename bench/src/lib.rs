//! What the benches share: input made from nothing, and the engine put together as `scan` does.
//! Measuring happens in `benches/` and `src/bin/`; nothing here is timed.

pub mod samples;
pub mod setup;
