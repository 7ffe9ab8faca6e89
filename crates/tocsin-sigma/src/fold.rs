//! Case folding: Unicode simple folding, one character for one.
//!
//! Sigma compares text without regard to case. Both sides are folded once and compared as bytes.
//! The patterns that are slow and plainly right fold with the same function.

use std::sync::LazyLock;

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

/// The characters beyond ASCII that fold to another, sorted, with what they fold to.
static FOLDED: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
    // Scripts with case end in plane 1. Only characters with another case can fold, and asking for
    // that is cheap.
    let beyond_ascii = '\u{80}'..='\u{1ffff}';
    let with_case = beyond_ascii.filter(|c| !c.to_lowercase().eq([*c]) || !c.to_uppercase().eq([*c]));
    with_case.map(|c| (c, representative(c))).filter(|(c, folded)| c != folded).collect()
});

/// The folded form of a character: two characters are equal without case exactly when theirs are.
#[must_use]
pub fn fold_char(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
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

/// Folds text into `out`, which is cleared first.
pub fn fold_into(text: &str, out: &mut String) {
    out.clear();
    if text.is_ascii() {
        out.push_str(text);
        out.make_ascii_lowercase();
    } else {
        out.extend(text.chars().map(fold_char));
    }
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
}
