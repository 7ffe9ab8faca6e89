//! The HTTP side over real sockets, with a store of its own and an ingest stage that answers as the
//! real one does.

mod alerts;
mod auth;
mod client;
mod encodings;
mod events;
mod house;
mod logs;
mod patience;
mod plain;
mod tokens;
