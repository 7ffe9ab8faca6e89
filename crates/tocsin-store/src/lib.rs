//! What is kept: the journal, alerts, keys, checkpoints.

pub mod crash;
pub mod journal;

mod activations;
mod alerts;
mod changes;
mod checkpoints;
mod database;
mod encoding;
mod files;
mod key_ring;
mod keys;
mod ledgers;
mod listing;
mod marks;
mod random;
mod reader;
mod requests;
mod rule_sets;
mod schema;
mod secrets;
mod tenants;
mod writer;

pub use alerts::{KeptAlert, Triage, source_ip};
pub use changes::{CHANGES_READ_MAX, Place};
pub use checkpoints::{Checkpoint, Damaged, Latest};
pub use database::{DATABASE_FILE, Database, OpenError};
pub use key_ring::{KeyGrant, KeyRing, KeyWatch};
pub use keys::{CreatedKey, KeyRecord, NewKey, Revoked, Scope};
pub use listing::{AlertFilter, AlertPage, Among, Cursor, NoCursor, PAGE_ALERTS_MAX, Page};
pub use reader::Reader;
pub use rule_sets::{RULES_FOLDER, RuleSetError, RuleSetStore};
pub use secrets::{JWT_SECRET_FILE, JwtSecret, SecretError};
pub use tenants::{AdminError, DEFAULT_TENANT, EnsuredTenant};
pub use writer::Writer;
