//! OCSF, the Open Cybersecurity Schema Framework, as JSON.
//!
//! The reader is the JSON reader; auto-detection knows such events by the schema of the same name.

use crate::of_schema::OfSchema;
use crate::registry::FormatEntry;

/// The registration of this format.
pub const ENTRY: FormatEntry = FormatEntry {
    name: "ocsf",
    summary: "events of the Open Cybersecurity Schema Framework (OCSF 1.x) as JSON",
    build: |context| Box::new(OfSchema::new(context, "ocsf", "class_uid")),
    recognise: |_| false,
};
