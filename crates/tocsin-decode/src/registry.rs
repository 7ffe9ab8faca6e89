//! Every format Tocsin reads: one file and one line here.

use crate::format::{Format, FormatContext};
use crate::formats::{access_log, evtx_json, json, syslog};

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
pub const FORMATS: &[FormatEntry] = &[access_log::ENTRY, evtx_json::ENTRY, json::ENTRY, syslog::ENTRY];
