//! The formats, one file each.

pub mod access_log;
pub mod evtx_json;
pub mod json;
pub mod syslog;
