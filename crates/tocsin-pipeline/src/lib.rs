//! The pipeline: what moves batches through the engine, and the seams to the edge.
//!
//! Threads and channels begin on this floor; files and sockets stay above it (they come in through
//! [`source`] and [`records`], [`journal`] and [`commit`]). [`plan`] puts a rule set together, [`scan`]
//! runs it over inputs, [`replay`] over a journal, and [`topology`] builds the house that runs on.

pub mod alerts;
pub mod channel;
pub mod clock;
pub mod commit;
pub mod cutter;
pub mod finalise;
pub mod intake;
pub mod journal;
pub mod ledger;
pub mod live_records;
pub mod meter;
mod own_rules;
pub mod plan;
pub mod pool;
pub mod readiness;
pub mod records;
pub mod recovery;
pub mod reload;
pub mod replay;
pub mod rules;
pub mod scan;
pub mod source;
pub mod stage;
pub mod telemetry;
pub mod teller;
pub mod tenants;
pub mod topology;
pub mod unusable;
