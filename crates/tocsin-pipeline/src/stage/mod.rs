//! The stages of a server, one file each, one thread each, in the order records pass them:
//!
//! ```text
//! intake ─► decode ─► ingest ─► detect ─► commit ─► publish
//!           cut,      journal,  match,    alerts,   whoever
//!           read      sync, ack correlate one tx    follows
//! ```
//!
//! A stage ends when the channel it reads from ends, after finishing what is in it, and thereby ends
//! the next. Nothing else is needed to stop the house without losing anything.

pub mod commit;
pub mod decode;
pub mod detect;
pub mod ingest;
