//! Live streams as their clients see them. Every stream that is read here goes through `sse-lint`.

mod events;
mod overflow;
mod resume;
mod room;
mod stored;
mod time;
mod world;
