//! Alerts: a detection that is told to people. Wording, severity, entities, and which alerts stand
//! for the same event.
//!
//! Pure: evidence comes in as values, already read. Silences, scores and incidents will join here.

pub mod alert;
pub mod group;
pub mod mask;
pub mod ocsf;
pub mod role;
pub mod template;

pub use alert::{Alert, AlertSource, EvidenceEvent};
