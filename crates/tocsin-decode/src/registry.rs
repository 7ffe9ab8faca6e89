//! Every format Tocsin reads: one file and one line here.

use crate::format::{Format, FormatContext};
use crate::formats::{access_log, cef, cloudtrail, evtx_json, json, logfmt, ocsf, syslog};

/// One format.
pub struct FormatEntry {
    /// Its name, as in `--format`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub summary: &'static str,
    /// Builds a reader.
    pub build: fn(&FormatContext) -> Box<dyn Format>,
    /// Whether a record looks like this format; cheap, used to choose a reader.
    pub recognise: fn(&[u8]) -> bool,
}

/// All formats, alphabetically.
pub const FORMATS: &[FormatEntry] = &[
    access_log::ENTRY,
    cef::ENTRY,
    cloudtrail::ENTRY,
    evtx_json::ENTRY,
    json::ENTRY,
    logfmt::ENTRY,
    ocsf::ENTRY,
    syslog::ENTRY,
];
