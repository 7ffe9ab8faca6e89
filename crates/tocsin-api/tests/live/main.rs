//! Live streams as their clients see them. Every stream that is read here goes through `sse-lint`.

#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

mod events;
mod overflow;
mod resume;
mod room;
mod stored;
mod time;
mod wire;
mod world;
