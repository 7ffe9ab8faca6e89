//! Windows events as JSON: flat, nested (`Event.System`, `Event.EventData`), Winlogbeat's shapes.
//!
//! The reader is the JSON reader; the names are seen through by the taxonomy, whatever the
//! exporter nests them in.

use crate::formats::json::Json;
use crate::registry::FormatEntry;

/// The registration of this format.
pub const ENTRY: FormatEntry = FormatEntry {
    name: "evtx_json",
    summary: "Windows events exported as JSON, flat or nested",
    build: |context| Box::new(Json::new(context)),
    recognise: |_| false,
};
