//! The HTTP side over real sockets, with a store of its own and an ingest stage that answers as the
//! real one does.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should stop")]

mod alerts;
mod auth;
mod client;
mod encodings;
mod events;
mod house;
mod logs;
mod patience;
mod plain;
mod rules;
mod tokens;
