//! Sources, one file each.

pub mod file;
pub mod stdin;
