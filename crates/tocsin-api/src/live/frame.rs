//! One frame of a stream: its place in the order of all frames, who may see it, and its bytes.
//!
//! No text of a sender can end a line here: `event:` comes from a closed set, `data:` is JSON, where
//! every control character is escaped.

use std::fmt::Display;

use bytes::Bytes;
use memchr::memmem;
use serde_json::{Value, json};
use tocsin_alert::role::{MinRole, View};
use tocsin_core::batch::RawBatch;
use tocsin_core::time::Timestamp;
use tocsin_decode::view::EventView;
use tocsin_pipeline::commit::Change;

/// A place in the order of all frames: everything up to and including it has been seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// Position of the causing record in the journal.
    pub position: u64,
    /// 0 for the record itself, then the changes of its step.
    pub ordinal: u32,
}

impl Cursor {
    /// The place of the event at a position.
    #[must_use]
    pub fn event(position: u64) -> Cursor {
        Cursor { position, ordinal: 0 }
    }

    /// The place after everything at a position.
    #[must_use]
    pub fn after(position: u64) -> Cursor {
        Cursor { position, ordinal: u32::MAX }
    }

    /// The place of a change.
    #[must_use]
    pub fn change(change: &Change) -> Cursor {
        Cursor { position: change.position, ordinal: change.ordinal }
    }
}

/// A frame without its `id:` line, which is each connection's own.
#[derive(Debug)]
pub struct Frame {
    /// Its place.
    pub at: Cursor,
    /// What it asks for.
    pub min_role: MinRole,
    /// Its lines `event:` and `data:`, each with its end.
    pub text: Bytes,
}

/// Turns records and changes into frames.
pub struct Encoder {
    records: EventView,
}

impl Default for Encoder {
    /// The reference time is for lines without a year; a frame shows no time read with it.
    fn default() -> Encoder {
        Encoder { records: EventView::new(Timestamp::default()) }
    }
}

impl Encoder {
    /// The frame of a record.
    #[must_use]
    pub fn event(&mut self, raw: &RawBatch, record: u32, view: View) -> Frame {
        let mut event = self.read(raw, record);
        let min_role = MinRole::of_event(&event);
        view.apply(&mut event);
        let at = Cursor::event(raw.position(record).offset());
        Frame { at, min_role, text: lines("security_event", &event) }
    }

    /// The records of a batch that ask for a role, with what they ask for, without making frames.
    #[must_use]
    pub fn asking(&mut self, raw: &RawBatch) -> Vec<(u32, MinRole)> {
        if !may_ask(&raw.bytes) {
            return Vec::new();
        }
        let suspects = (0..raw.records.len() as u32).filter(|record| may_ask(raw.record(*record)));
        let asked = suspects.map(|record| (record, MinRole::of_event(&self.read(raw, record))));
        asked.filter(|(_, min_role)| !min_role.is_open()).collect()
    }

    fn read(&mut self, raw: &RawBatch, record: u32) -> Value {
        let ingest = raw.ingest.unwrap_or_default();
        self.records.view(raw.record(record), raw.position(record), ingest).event
    }
}

/// Whether bytes may hold a key that asks for a role: as it is, or with one of its letters escaped.
/// Nearly all records hold neither, and need not be read for it.
fn may_ask(bytes: &[u8]) -> bool {
    let is_letter = |at: usize| matches!(bytes.get(at + br"\u00".len()), Some(b'5'..=b'7'));
    memmem::find(bytes, b"min_role").is_some() || memmem::find_iter(bytes, br"\u00").any(is_letter)
}

/// The frame of a change.
#[must_use]
pub fn change(change: &Change, view: View) -> Frame {
    let name = change.kind.event_name();
    let is_one_line = !change.body.bytes().any(|byte| byte.is_ascii_control());
    let text = if view == View::Plain && is_one_line {
        lines(name, &change.body)
    } else {
        // What cannot be read again cannot be masked either: then the id has to do.
        let unreadable = |_| json!({ "alert_id": change.alert_id });
        let mut body = serde_json::from_str(&change.body).unwrap_or_else(unreadable);
        view.apply(&mut body);
        lines(name, &body)
    };
    Frame { at: Cursor::change(change), min_role: change.min_role.clone(), text }
}

/// The lines `event:` and `data:`; the data is JSON on one line.
#[must_use]
pub fn lines(name: &'static str, data: &impl Display) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n"))
}

#[cfg(test)]
mod tests {
    use tocsin_core::batch::{RecordSpan, TenantId};
    use tocsin_pipeline::commit::ChangeKind;

    use super::*;

    /// The records of a batch that ask for a role.
    fn asking(records: &[&str]) -> Vec<u32> {
        let mut raw = RawBatch::default();
        for record in records {
            raw.records.push(RecordSpan { start: raw.bytes.len() as u32, len: record.len() as u32 });
            raw.bytes.extend_from_slice(record.as_bytes());
        }
        Encoder::default().asking(&raw).into_iter().map(|(record, _)| record).collect()
    }

    #[test]
    fn a_key_that_asks_is_found_however_it_is_written() {
        let records = [
            r#"{"a":1}"#,
            r#"{"min_role":"analyst"}"#,
            r#"{"event":{"min_role":"x"}}"#,
            r#"{"min\u005frole":"analyst"}"#,
            r#"{"\u006D\u0069\u006e\u005F\u0072\u006F\u006c\u0065":"analyst"}"#,
            r#"{"text":"min_role \u00e9 \u006d"}"#,
            r#"{"min_role":null}"#,
            r#"{"event":{"min_r\u006fle":"x"}}"#,
        ];
        assert_eq!(asking(&records), [1, 2, 3, 4, 7]);
        assert_eq!(asking(&records[..1]), [0_u32; 0]);
    }

    #[test]
    fn a_change_that_cannot_be_read_still_names_its_alert() {
        let unreadable = Change {
            position: 1,
            ordinal: 1,
            tenant: TenantId(1),
            kind: ChangeKind::Raised,
            alert_id: "a1".to_string(),
            min_role: MinRole::default(),
            at: Timestamp(0),
            body: "{\n".into(),
        };
        for view in [View::Plain, View::Masked] {
            assert_eq!(change(&unreadable, view).text, "event: alert\ndata: {\"alert_id\":\"a1\"}\n");
        }
    }
}
