//! The journal: every accepted record, in one order, durable before it is acknowledged.
//!
//! A folder of append-only segments, named by the position they begin at. A position is a segment's
//! base plus a place in its file, and names a byte for ever. [`mod@format`] has the bytes of segments and
//! frames, [`payload`] those of a frame's content, [`folder`] the files, [`segment`] reads one of
//! them. On top of these: [`writer`] appends (`ahead` makes that cheap for little), [`recover`] opens after a crash, [`reader`] gives frames
//! in order, [`records`] finds a single record again, [`mod@verify`] looks at everything. Nothing here
//! knows of engines or alerts, and no damage to the files makes any of it panic.

mod ahead;
pub mod folder;
pub mod format;
pub mod hole;
mod kept;
pub mod limits;
pub mod payload;
pub mod reader;
pub mod records;
pub mod recover;
pub mod segment;
pub mod verify;
pub mod writer;

pub use hole::{Hole, HoleReason};
pub use reader::{Frames, Read};
pub use records::JournalRecords;
pub use recover::{OpenError, Opened};
pub use verify::verify;
pub use writer::{Options, Writer};
