//! Case folding: Unicode simple folding, one character for one.
//!
//! Sigma compares text without regard to case. Both sides are folded once and compared as bytes.
//! The patterns that are slow and plainly right fold with the same function.

use std::sync::LazyLock;

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};
use tocsin_core::value::unescape;

/// The characters beyond ASCII that fold to another, sorted, with what they fold to.
static FOLDED: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
    // Scripts with case end in plane 1. Only characters with another case can fold, and asking for
    // that is cheap.
    let beyond_ascii = '\u{80}'..='\u{1ffff}';
    let with_case = beyond_ascii.filter(|c| !c.to_lowercase().eq([*c]) || !c.to_uppercase().eq([*c]));
    with_case.map(|c| (c, representative(c))).filter(|(c, folded)| c != folded).collect()
});

/// Which pages of 256 characters hold one that folds: a bit for each, so that punctuation, signs and
/// scripts without case are told at once.
static PAGES: LazyLock<[u64; 8]> = LazyLock::new(|| {
    let mut pages = [0; 8];
    for (character, _) in FOLDED.iter() {
        let page = *character as usize >> 8;
        pages[page >> 6] |= 1 << (page & 63);
    }
    pages
});

/// The folded form of a character: two characters are equal without case exactly when theirs are.
#[must_use]
pub fn fold_char(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
    }
    let page = character as usize >> 8;
    if PAGES.get(page >> 6).is_none_or(|pages| pages >> (page & 63) & 1 == 0) {
        return character;
    }
    let found = FOLDED.binary_search_by_key(&character, |(c, _)| *c);
    found.map_or(character, |index| FOLDED[index].1)
}

/// One character for each class of characters that differ by case only: its least, in lower case
/// where that is ASCII (the classes of `k` and `s` hold the Kelvin sign and the long s).
fn representative(character: char) -> char {
    let mut class = ClassUnicode::new([ClassUnicodeRange::new(character, character)]);
    class.case_fold_simple();
    class.ranges().first().map_or(character, |range| range.start().to_ascii_lowercase())
}

/// Appends the folded form of text.
pub fn fold_into(text: &str, out: &mut String) {
    if text.is_ascii() {
        let start = out.len();
        out.push_str(text);
        return out[start..].make_ascii_lowercase();
    }
    let mut rest = text;
    while !rest.is_empty() {
        let ascii = rest.bytes().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
        let start = out.len();
        out.push_str(&rest[..ascii]);
        out[start..].make_ascii_lowercase();
        rest = &rest[ascii..];
        let other = rest.bytes().position(|byte| byte.is_ascii()).unwrap_or(rest.len());
        out.extend(rest[..other].chars().map(fold_char));
        rest = &rest[other..];
    }
}

/// Appends what JSON string contents stand for, as [`unescape`] says, without allocating.
pub fn unescape_into(contents: &str, out: &mut String) {
    let mut rest = contents;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let plain = match rest.as_bytes().get(at + 1) {
            Some(b'\\') => '\\',
            Some(b'"') => '"',
            Some(b'/') => '/',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            _ => return out.push_str(&unescape(&rest[at..])),
        };
        out.push(plain);
        rest = &rest[at + 2..];
    }
    out.push_str(rest);
}

/// The folded form of text.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    fold_into(text, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_folds_as_the_tables_of_unicode_say() {
        for character in '\0'..=char::MAX {
            assert_eq!(fold_char(character), representative(character), "{character:?}");
        }
    }

    #[test]
    fn text_is_folded_one_character_for_one() {
        for (text, expect) in [
            ("", ""),
            ("CMD.exe", "cmd.exe"),
            ("ΣΑΣ σας", "σας σας"),
            ("\u{212a}ſ", "ks"),
            ("STRASSE straße", "strasse straße"),
            ("İ", "İ"),
        ] {
            assert_eq!(fold(text).chars().count(), text.chars().count(), "{text}");
            assert_eq!(fold(text), fold(expect), "{text}");
        }
        assert_eq!(fold("\u{212a}ſCMD"), "kscmd");
    }

    #[test]
    fn escaped_contents_are_unescaped() {
        for contents in [
            "",
            "CMD.exe",
            r"C:\\Windows\\X",
            r#"\"A\/B\\\"\r\n\tC\b\f"#,
            r"\u212a\u0041\\u0041 \ud83d\ude00 \ud83d!",
            "\u{212a} – ſ\\\\İ",
        ] {
            let mut plain = String::new();
            unescape_into(contents, &mut plain);
            assert_eq!(plain, unescape(contents), "{contents}");
        }
    }
}
