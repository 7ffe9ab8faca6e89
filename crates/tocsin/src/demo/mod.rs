//! The demonstration: the recording of an attack, sent to a server of its own as if it happened now.

pub mod recording;
pub mod sender;
