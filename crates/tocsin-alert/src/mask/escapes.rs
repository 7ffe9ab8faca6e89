//! Escapes: `%40` and `\u0040` are an at sign to whoever reads the text, so it is searched as it
//! reads. Only ASCII is undone: no other character takes part in the shape of what is looked for.

/// Escapes of escapes undone (`%2540`). What is escaped more often is not read by anybody.
const LEVELS_MAX: usize = 3;

/// Bytes an escape begins with.
const MARKS: [u8; 2] = [b'%', b'\\'];

/// A text with its escapes undone, and where each byte of it is written.
#[derive(Debug)]
pub(super) struct Unescaped {
    /// The text as it reads.
    pub text: String,
    starts: Vec<usize>,
}

impl Unescaped {
    /// The text as it reads; none where it has no escapes.
    pub fn of(text: &str) -> Option<Unescaped> {
        let mut plain = once(text)?;
        for _ in 1..LEVELS_MAX {
            let Some(inner) = once(&plain.text) else { break };
            let starts = inner.starts.iter().map(|at| plain.starts[*at]).collect();
            plain = Unescaped { text: inner.text, starts };
        }
        Some(plain)
    }

    /// Where the byte at a position of `text` is written; the end for the position behind the last.
    pub fn written_at(&self, at: usize) -> usize {
        self.starts[at]
    }
}

fn once(text: &str) -> Option<Unescaped> {
    if !MARKS.iter().any(|mark| text.as_bytes().contains(mark)) {
        return None;
    }
    let first = next_escape(text, 0)?;
    let mut plain = Unescaped { text: String::with_capacity(text.len()), starts: Vec::new() };
    let (mut kept, mut escape) = (0, Some(first));
    while let Some((at, letter, bytes)) = escape {
        plain.text.push_str(&text[kept..at]);
        plain.starts.extend(kept..=at);
        plain.text.push(letter);
        kept = at + bytes;
        escape = next_escape(text, kept);
    }
    plain.text.push_str(&text[kept..]);
    plain.starts.extend(kept..=text.len());
    Some(plain)
}

/// The next escape from a position on: where, which character, and how many bytes it takes.
fn next_escape(text: &str, from: usize) -> Option<(usize, char, usize)> {
    let bytes = text.as_bytes();
    let marks = bytes[from..].iter().enumerate().filter(|(_, byte)| MARKS.contains(byte));
    marks.map(|(at, _)| from + at).find_map(|at| {
        let digits = match bytes[at] {
            b'%' => bytes.get(at + 1..at + 3)?,
            _ => bytes.get(at + 1..at + 6)?.strip_prefix(b"u00").unwrap_or_default(),
        };
        let &[high, low] = digits else { return None };
        let value = char::from(high).to_digit(8)? << 4 | char::from(low).to_digit(16)?;
        let end = if bytes[at] == b'%' { 3 } else { 6 };
        Some((at, char::from_u32(value)?, end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_their_places_kept() {
        for (text, expect) in [
            ("a%40b", Some("a@b")),
            (r"a\u0040b", Some("a@b")),
            ("a%2540b", Some("a@b")),
            ("%3A%3a", Some("::")),
            ("100% of %zz", None),
            ("50%", None),
            ("%C3%A9%2e", Some("%C3%A9.")),
            (r"\u00e9", None),
            ("plain", None),
        ] {
            let plain = Unescaped::of(text);
            assert_eq!(plain.as_ref().map(|plain| plain.text.as_str()), expect, "{text}");
            if let Some(plain) = plain {
                assert_eq!(plain.starts.len(), plain.text.len() + 1, "{text}");
                assert_eq!(plain.written_at(plain.text.len()), text.len(), "{text}");
            }
        }
    }
}
