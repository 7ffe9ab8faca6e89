//! The heart of Tocsin: events, batches, rules, windows, state and the engine.
//!
//! This crate reads no clock, file, socket, environment or random source and starts no thread;
//! time and seeds come in as values (invariant I1). Everything here is a plain function of its
//! input, so that whatever runs it (daemon, scan, replay, test, bench) gets the same answers.
//!
//! Start reading at [`engine`]; the seams other crates fill are [`decoder`], [`matcher`],
//! [`detector`] and [`machine`].

pub mod activation;
pub mod alert_id;
pub mod batch;
mod chain;
pub mod checkpoint;
pub mod correlation;
pub mod decoder;
pub mod detection;
pub mod detector;
pub mod engine;
mod episode;
pub mod field;
pub mod guard;
pub mod key;
pub mod keyed;
pub mod limits;
pub mod machine;
pub mod matcher;
mod matching;
pub mod offset;
pub mod orphans;
mod packed;
pub mod plan;
pub mod rule;
pub mod shard;
pub mod signal;
mod sketch;
pub mod time;
pub mod times;
pub mod value;
mod value_hash;
pub mod watermark;
pub mod window;
