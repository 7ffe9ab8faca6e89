//! One file per endpoint.

pub mod alerts;
pub mod alerts_v1;
pub mod events;
pub mod health;
mod intake;
pub mod ledger;
mod listing;
mod log_entry;
pub mod logs;

pub mod metrics;
mod query;
pub mod rules;
pub mod status;
pub mod stream;
