//! AWS CloudTrail: records of the API calls of an account.
//!
//! A file is `{"Records":[…]}`; framing opens it, so a record here is one element of it, a line of
//! its own, or the `detail` of an EventBridge event. The reader is the JSON reader; auto-detection
//! knows such records by the schema of the same name.

use crate::of_schema::OfSchema;
use crate::registry::FormatEntry;

/// The registration of this format.
pub const ENTRY: FormatEntry = FormatEntry {
    name: "cloudtrail",
    summary: "AWS CloudTrail records: files of `Records`, lines, EventBridge events",
    build: |context| Box::new(OfSchema::new(context, "cloudtrail", "eventName")),
    recognise: |_| false,
};
