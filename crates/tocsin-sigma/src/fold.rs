//! Case folding: Unicode simple folding to lower case, one character for one.
//!
//! Sigma compares text without regard to case. Both sides are folded once and compared as bytes.

/// The folded form of a character. Characters whose lower case is more than one character stay.
#[must_use]
pub fn fold_char(c: char) -> char {
    match c {
        'A'..='Z' => c.to_ascii_lowercase(),
        _ if c.is_ascii() => c,
        // Long s and the Kelvin sign have upper- or lower-case partners in ASCII.
        'ſ' => 's',
        '\u{212A}' => 'k',
        _ => {
            let mut lower = c.to_lowercase();
            match (lower.next(), lower.next()) {
                (Some(single), None) => single,
                _ => c,
            }
        }
    }
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
