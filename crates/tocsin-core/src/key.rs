//! Group keys: the values that tell one attacker's events from another's, as bytes.
//!
//! Each part is a two-byte length and its text; a part without value has the length 0xFFFF. The
//! tenant is not part of the bytes but stands beside them in every table.

use crate::batch::{Event, EventBatch};
use crate::field::FieldId;
use crate::limits::KEY_PART_BYTES_MAX;

const ABSENT: u16 = u16::MAX;

/// What to do with an event that lacks a part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It has no key and is not counted (correlations).
    Skips,
    /// The part stays absent (alerts of stateless rules).
    StaysAbsent,
}

/// Appends the key of an event to `out`. Returns whether there is one; if not, `out` is unchanged.
pub fn append(
    batch: &EventBatch,
    event: &Event,
    fields: &[FieldId],
    missing: Missing,
    out: &mut Vec<u8>,
) -> bool {
    let start = out.len();
    for field in fields {
        let value = batch.get(event, *field);
        match value.as_ref().and_then(|v| v.as_text()).filter(|text| !text.is_empty()) {
            Some(text) => append_part(text, out),
            None if missing == Missing::StaysAbsent => out.extend_from_slice(&ABSENT.to_be_bytes()),
            None => {
                out.truncate(start);
                return false;
            }
        }
    }
    true
}

pub(crate) fn append_part(text: &str, out: &mut Vec<u8>) {
    let mut end = text.len().min(KEY_PART_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    out.extend_from_slice(&(end as u16).to_be_bytes());
    out.extend_from_slice(&text.as_bytes()[..end]);
}

/// The parts of a key, in the order of the rule's key fields; `None` where a part is absent.
pub fn parts(key: &[u8]) -> impl Iterator<Item = Option<&str>> {
    let mut rest = key;
    std::iter::from_fn(move || {
        let (len, tail) = rest.split_first_chunk::<2>()?;
        let len = u16::from_be_bytes(*len);
        if len == ABSENT {
            rest = tail;
            return Some(None);
        }
        let (part, tail) = tail.split_at_checked(usize::from(len))?;
        rest = tail;
        Some(std::str::from_utf8(part).ok())
    })
}
