//! The lines of a value as it stands in a record.

use memchr::memmem::Finder;
use tocsin_core::value::Kind;

/// Bytes a piece has at least, unless it is the last. Shorter lines are taken together with those
/// that follow: what is in a line is in the piece, and few pieces are faster than many.
const PIECE_BYTES_MIN: usize = 48;

/// Cuts a value after some of its line feeds: each piece without the line feed at its end, and
/// whether it is the last. In JSON string contents a line feed is `\n`, unless its backslash is
/// itself escaped. Where a value is cut depends on nothing but what follows the cut before, so that
/// equal stretches give equal pieces.
pub(crate) struct Lines<'a> {
    rest: Option<&'a [u8]>,
    escaped: Option<&'a Finder<'static>>,
}

/// What a [`Lines`] needs to find line feeds of JSON.
pub(crate) fn feed_finder() -> Finder<'static> {
    Finder::new(br"\n")
}

impl<'a> Lines<'a> {
    pub(crate) fn new(value: &'a [u8], kind: Kind, feeds: &'a Finder<'static>) -> Lines<'a> {
        Lines { rest: Some(value), escaped: (kind == Kind::Escaped).then_some(feeds) }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = (&'a [u8], bool);

    #[inline]
    fn next(&mut self) -> Option<(&'a [u8], bool)> {
        let rest = self.rest?;
        let feed = match self.escaped {
            Some(feeds) => escaped_feed(rest, feeds).map(|at| (at, at + 2)),
            None => {
                let tail = rest.get(PIECE_BYTES_MIN..).unwrap_or_default();
                memchr::memchr(b'\n', tail).map(|at| (PIECE_BYTES_MIN + at, PIECE_BYTES_MIN + at + 1))
            }
        };
        match feed {
            Some((end, next)) => {
                self.rest = Some(&rest[next..]);
                Some((&rest[..end], false))
            }
            None => {
                self.rest = None;
                Some((rest, true))
            }
        }
    }
}

/// Where the first `\n` begins that means a line feed, a piece behind the start at least. `contents`
/// does not begin inside an escape.
#[inline]
fn escaped_feed(contents: &[u8], feeds: &Finder<'static>) -> Option<usize> {
    let mut from = PIECE_BYTES_MIN;
    loop {
        let at = from + feeds.find(contents.get(from..)?)?;
        let escapes = contents[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        if escapes % 2 == 0 {
            return Some(at);
        }
        from = at + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tocsin_core::value::unescape;

    fn pieces(value: &str, kind: Kind) -> Vec<String> {
        let feeds = feed_finder();
        let pieces: Vec<(&[u8], bool)> = Lines::new(value.as_bytes(), kind, &feeds).collect();
        assert!(pieces.iter().rev().map(|(_, last)| *last).eq((0..pieces.len()).map(|at| at == 0)));
        pieces.iter().map(|(piece, _)| String::from_utf8_lossy(piece).into_owned()).collect()
    }

    #[test]
    fn a_value_is_cut_at_line_feeds_and_not_at_escaped_backslashes() {
        let long = "x".repeat(PIECE_BYTES_MIN);
        let escaped = format!(r"{long}\r\nC:\\new\\\nshort\n{long}\n");
        let expect = [format!(r"{long}\r"), format!(r"C:\\new\\\nshort\n{long}"), String::new()];
        assert_eq!(pieces(&escaped, Kind::Escaped), expect);
        assert_eq!(pieces(&format!("{long}\nb"), Kind::Derived), [long.as_str(), "b"]);
        assert_eq!(pieces("", Kind::Text), [""]);
    }

    proptest! {
        #[test]
        fn pieces_unescaped_are_the_value_without_some_of_its_line_feeds(parts in prop::collection::vec(
            prop::sample::select(vec!["n", r"\\", r"\n", r"\r", "0123456789abcdef", r"\u000a", r#"\""#]), 0..30)
        ) {
            let value = parts.concat();
            let pieces: Vec<String> =
                pieces(&value, Kind::Escaped).iter().map(|piece| unescape(piece).into_owned()).collect();
            prop_assert_eq!(pieces.join("\n"), unescape(&value));
        }
    }
}
