//! The formats, one file each.

pub mod access_log;
pub mod cef;
pub mod cloudtrail;
pub mod evtx_json;
pub mod json;
pub mod logfmt;
pub mod ocsf;
pub mod syslog;
