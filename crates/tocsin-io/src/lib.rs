//! The edge: files and standard input as sources, rule files, and records read again as evidence.
//!
//! What touches the operating system is here and nowhere below.

pub mod evidence;
pub mod rule_files;
pub mod rule_watch;
pub mod sources;
