//! Text from logs on a terminal: control characters could move the cursor or recolour what comes
//! after, and text direction marks could reorder it, so both are shown as escapes.

use std::borrow::Cow;

/// Text safe to show on one line.
#[must_use]
pub fn text(text: &str) -> Cow<'_, str> {
    if text.chars().any(unsafe_to_show) { Cow::Owned(escape(text, |_| false)) } else { Cow::Borrowed(text) }
}

/// Text safe to show, its own line ends and tabs kept.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    let keep = |c| matches!(c, '\n' | '\t');
    if text.chars().any(|c| unsafe_to_show(c) && !keep(c)) {
        Cow::Owned(escape(text, keep))
    } else {
        Cow::Borrowed(text)
    }
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if unsafe_to_show(c) && !keep(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

fn unsafe_to_show(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A character safe to show, one column wide, for text that something below points into.
#[must_use]
pub fn one(character: char) -> char {
    match character {
        '\t' => ' ',
        unsafe_one if unsafe_to_show(unsafe_one) => char::REPLACEMENT_CHARACTER,
        safe => safe,
    }
}

/// A CSV cell that no spreadsheet takes for a formula.
#[must_use]
pub fn cell(text: &str) -> String {
    let shown = self::text(text);
    if shown.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{shown}") } else { shown.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_log_reaches_the_terminal_raw() {
        for (sent, shown) in [
            ("plain", "plain"),
            ("\u{1b}[2Jgone", "\\u{1b}[2Jgone"),
            ("a\nb\u{202e}c", "a\\nb\\u{202e}c"),
            ("\0", "\\u{0}"),
        ] {
            assert_eq!(text(sent), shown);
        }
        assert_eq!(line("a\nb"), "a\nb");
        assert_eq!(cell("=1+1"), "'=1+1");
    }
}
