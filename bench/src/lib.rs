//! What the benches share: input made from nothing, the engine put together as `scan` does, and a
//! client that sends at a constant rate.
//! Measuring happens in `benches/` and `src/bin/`; nothing here is timed.

pub mod http;
pub mod load;
pub mod percentiles;
pub mod samples;
pub mod setup;
pub mod sse;
