//! What a slot holds: a typed reference into a batch's bytes, never an owned value.

use std::borrow::Cow;

use crate::field::FieldId;

/// How the bytes of a [`Slot`] are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// JSON `null` as the value of the field itself.
    Null,
    /// JSON `null` as a member of a list.
    NullInList,
    /// JSON `false`.
    False,
    /// JSON `true`.
    True,
    /// A JSON number, its text as written.
    Number,
    /// Text that needs no unescaping.
    Text,
    /// JSON string contents with at least one backslash.
    Escaped,
    /// Text in the batch's arena: computed, not sent.
    Derived,
    /// A JSON object, its text as written.
    Object,
    /// An empty list: the field is there, without a value.
    EmptyList,
}

/// One value of one field of one event. Several slots with the same field are the members of a
/// list; a predicate holds if it holds for any member.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// The field.
    pub field: FieldId,
    /// How to read the bytes.
    pub kind: Kind,
    /// Offset into the batch's bytes (or its arena for [`Kind::Derived`]).
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
}

/// A value read through its slot.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// JSON `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number, its text as written.
    Number(&'a str),
    /// Text, unescaped.
    Text(Cow<'a, str>),
    /// An object, its JSON text.
    Object(&'a str),
    /// An empty list.
    EmptyList,
}

impl Value<'_> {
    /// The value as text: what a string predicate sees. `None` for null and containers.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            Value::Number(text) => Some(text),
            Value::Bool(true) => Some("true"),
            Value::Bool(false) => Some("false"),
            Value::Null | Value::Object(_) | Value::EmptyList => None,
        }
    }
}

/// Unescapes JSON string contents. Lone surrogates become U+FFFD; a malformed escape, which the
/// decoder has refused before, is kept as written.
#[must_use]
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = unescape_one(&rest[at + 1..], &mut out);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Appends the character of the escape that begins `text` (after its backslash); returns the rest.
fn unescape_one<'a>(text: &'a str, out: &mut String) -> &'a str {
    let mut chars = text.chars();
    let plain = match chars.next() {
        Some('n') => '\n',
        Some('t') => '\t',
        Some('r') => '\r',
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('u') => return unescape_unicode(text, out),
        Some(other) => other,
        None => '\\',
    };
    out.push(plain);
    chars.as_str()
}

/// Appends the character of `uXXXX` or of a surrogate pair; returns what follows it.
fn unescape_unicode<'a>(text: &'a str, out: &mut String) -> &'a str {
    let Some(high) = hex4(text.get(1..5)) else {
        out.push('u');
        return &text[1..];
    };
    let rest = &text[5..];
    let is_high = (0xD800..0xDC00).contains(&high);
    if is_high
        && rest.starts_with("\\u")
        && let Some(low) = hex4(rest.get(2..6)).filter(|low| (0xDC00..0xE000).contains(low))
    {
        let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        return &rest[6..];
    }
    out.push(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
    rest
}

fn hex4(text: Option<&str>) -> Option<u32> {
    let text = text.filter(|t| t.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u32::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_characters() {
        for (text, expect) in [
            ("plain", "plain"),
            (r"C:\\Windows\\x", r"C:\Windows\x"),
            (r#"a\"b\/c\n\t\r"#, "a\"b/c\n\t\r"),
            (r"\u0041\u00e9", "Aé"),
            (r"\ud83d\ude00!", "😀!"),
            (r"\ud83d!", "\u{fffd}!"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(unescape(text), expect, "{text}");
        }
    }
}
