//! logfmt: `key=value key="quoted value" …`, as Go's loggers, Heroku and many services write it.
//!
//! Quoted values have the escapes of JSON. A word without `=` is no field. A key that occurs twice
//! has both values, as a list has.

use tocsin_core::batch::{EventBatch, Reason};
use tocsin_core::limits::OBJECT_KEYS_MAX;

use crate::format::{Format, FormatContext, Record, Refusal};
use crate::names::{NameTable, Names, by_table};
use crate::registry::FormatEntry;
use crate::row::Row;
use crate::text::Fill;

/// The registration of this format.
pub const ENTRY: FormatEntry = FormatEntry {
    name: "logfmt",
    summary: "logfmt lines: key=value pairs, values quoted where they must be",
    build: |context| Box::new(Logfmt::new(context)),
    recognise: begins_with_pairs,
};

/// What loggers call things, and the common names. Any other key goes by the names that the
/// taxonomy has for it.
pub(crate) const NAMES: NameTable = &[
    ("addr", &["source.address"]),
    ("err", &["error.message"]),
    ("error", &["error.message"]),
    ("fwd", &["source.ip"]),
    ("level", &["log.level"]),
    ("lvl", &["log.level"]),
    ("msg", &["message"]),
    ("t", &["timestamp"]),
    ("ts", &["timestamp"]),
];

/// Reads logfmt lines.
struct Logfmt {
    names: Names,
}

impl Logfmt {
    fn new(context: &FormatContext) -> Logfmt {
        Logfmt { names: Names::new(&context.taxonomy, |taxonomy, name| by_table(NAMES, taxonomy, name)) }
    }
}

impl Format for Logfmt {
    fn read(&mut self, record: Record<'_>, row: &mut Row, batch: &mut EventBatch) -> Result<(), Refusal> {
        let text = record.text();
        let mut fill = Fill { row, batch, record };
        let (mut rest, mut pairs) = (text, 0_u32);
        loop {
            let at = text.len() - rest.len();
            let (word, after) = next_word(rest).map_err(|wrong| wrong.at(at, rest))?;
            rest = after;
            let (key, value) = match word {
                Word::End => break,
                Word::Bare => continue,
                Word::Pair(key, value) => (key, value),
            };
            pairs += 1;
            if pairs > OBJECT_KEYS_MAX {
                return Err(Refusal::new(Reason::TooManyKeys, at));
            }
            let targets = self.names.targets(key);
            match value {
                Value::Plain(part) => fill.word(targets, part),
                Value::Quoted(part) => fill.escaped(targets, part),
            }
        }
        if pairs == 0 {
            return Err(Refusal::new(Reason::UnknownFormat, 0));
        }
        Ok(())
    }
}

enum Word<'a> {
    Pair(&'a [u8], Value<'a>),
    /// A word that is no pair.
    Bare,
    End,
}

enum Value<'a> {
    Plain(&'a [u8]),
    /// Between its quotes, escapes as written.
    Quoted(&'a [u8]),
}

/// Why a pair cannot be read.
#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    /// The quote of this key's value is never closed.
    NotClosed(usize),
    /// Something other than a space follows the closing quote, so many bytes on.
    AfterQuote(usize),
}

impl Wrong {
    fn at(self, at: usize, rest: &[u8]) -> Refusal {
        match self {
            Wrong::NotClosed(key_len) => {
                let key = rest.trim_ascii_start().get(..key_len).unwrap_or_default();
                let field = Some(String::from_utf8_lossy(key).into());
                Refusal { reason: Reason::Truncated, at: at + rest.len(), field }
            }
            Wrong::AfterQuote(on) => Refusal::new(Reason::UnknownFormat, at + on),
        }
    }
}

/// The next word of a line, and what follows it.
fn next_word(line: &[u8]) -> Result<(Word<'_>, &[u8]), Wrong> {
    let text = line.trim_ascii_start();
    if text.is_empty() {
        return Ok((Word::End, text));
    }
    let key_len = text.iter().take_while(|byte| is_key_byte(**byte)).count();
    let (key, rest) = text.split_at(key_len);
    let Some(value) = rest.strip_prefix(b"=").filter(|_| key_len > 0) else {
        return Ok((Word::Bare, skip_word(text)));
    };
    let Some(quoted) = value.strip_prefix(b"\"") else {
        let after = skip_word(value);
        return Ok((Word::Pair(key, Value::Plain(&value[..value.len() - after.len()])), after));
    };
    let end = closing_quote(quoted).ok_or(Wrong::NotClosed(key_len))?;
    let after = &quoted[end + 1..];
    if after.first().is_some_and(|byte| !byte.is_ascii_whitespace()) {
        return Err(Wrong::AfterQuote(line.len() - after.len()));
    }
    Ok((Word::Pair(key, Value::Quoted(&quoted[..end])), after))
}

/// Keys are words without quotes; the characters that begin other formats are not among them.
fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'@' | b'#' | b'$' | b'%')
        || byte >= 0x80
}

fn skip_word(text: &[u8]) -> &[u8] {
    let len = text.iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
    &text[len..]
}

/// Offset of the quote that ends a value.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// Whether a line begins with two pairs.
fn begins_with_pairs(line: &[u8]) -> bool {
    let pair = |text| match next_word(text) {
        Ok((Word::Pair(..), rest)) => Some(rest),
        _ => None,
    };
    line.first().is_some_and(|byte| is_key_byte(*byte)) && pair(line).and_then(pair).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_pairs_are_recognised_and_others_not() {
        for (line, expect) in [
            ("level=info msg=\"a b\"", true),
            ("a=1 b=2 some words", true),
            ("at=info method=GET path=\"/?a=b\" status=200", true),
            ("a= b=", true),
            ("a=1", false),
            ("a=1 words b=2", false),
            ("words a=1 b=2", false),
            ("a=\"1\"x b=2", false),
            ("a=\"1 b=2", false),
            ("=1 b=2", false),
            (" a=1 b=2", false),
            ("{\"a\":1}", false),
            ("<13>Feb  5 17:32:18 h a=1 b=2", false),
            ("Feb  5 17:32:18 h app: a=1 b=2", false),
            ("CEF:0|a=1 b=2|", false),
            ("1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET /?a=b HTTP/1.1\" 200 1", false),
            ("", false),
        ] {
            assert_eq!(begins_with_pairs(line.as_bytes()), expect, "{line}");
        }
    }
}
