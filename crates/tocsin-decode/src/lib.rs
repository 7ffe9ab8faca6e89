//! Decoding: records of any known format become events with exactly the fields somebody wants.
//!
//! A format is one file in `formats/` and one line in [`registry`]. Pure: no clocks, files or
//! threads; the reference time for year-less lines comes in as a value.

pub mod address;
pub mod blocks;
pub mod cef_parts;
pub mod decoder;
pub mod derive;
pub mod format;
pub mod formats;
pub mod framing;
pub mod known;
pub mod messages;
pub mod names;
pub mod of_schema;
pub mod quotes;
pub mod registry;
pub mod row;
pub mod schemas;
pub mod shapes;
pub mod syslog_header;
pub mod taxonomy;
pub mod text;
pub mod times;
pub mod view;
