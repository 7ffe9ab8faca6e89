//! The pipeline: what moves batches through the engine, and the seams to the edge.
//!
//! Threads and channels begin on this floor; files and sockets stay above it (they come in through
//! [`source`] and [`records`]). [`plan`] puts a rule set together, [`scan`] runs it over inputs.

pub mod commit;
pub mod cutter;
pub mod finalise;
pub mod intake;
pub mod journal;
pub mod ledger;
pub mod plan;
pub mod pool;
pub mod records;
pub mod scan;
pub mod source;
pub mod unusable;
