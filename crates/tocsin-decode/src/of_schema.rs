//! JSON that is known to be of one schema: read as JSON, and refused where it is of another.

use tocsin_core::batch::{EventBatch, Reason};

use crate::format::{Format, FormatContext, Record, Refusal};
use crate::formats::json::Json;
use crate::row::Row;
use crate::schemas;

/// The reader.
#[derive(Debug)]
pub struct OfSchema {
    json: Json,
    /// The marks of the schema.
    marks: u128,
    /// The field no event of the schema is without.
    key: &'static str,
    key_mark: u128,
}

impl OfSchema {
    /// A reader of events of a schema, none of which is without the field `key`.
    #[must_use]
    pub fn new(context: &FormatContext, schema: &str, key: &'static str) -> OfSchema {
        OfSchema {
            json: Json::new(context),
            marks: schemas::marks_of(schema),
            key,
            key_mark: schemas::mark_of_presence(key),
        }
    }
}

impl Format for OfSchema {
    fn read(&mut self, record: Record<'_>, row: &mut Row, batch: &mut EventBatch) -> Result<(), Refusal> {
        self.json.read(record, row, batch)?;
        if !row.is_of(self.key_mark) {
            let field = Some(self.key.into());
            return Err(Refusal { reason: Reason::UnknownFormat, at: 0, field });
        }
        row.assume(self.marks);
        Ok(())
    }
}
