//! E-mail addresses in texts: the first three characters of the name, and the domain.

use std::ops::Range;

use super::CUT;
use super::text::Hit;

/// Characters shown of a name; one of no more than these shows none.
const SHOWN: usize = 3;

/// Bytes of a name in quotes that are looked at.
const QUOTED_BYTES_MAX: usize = 128;

/// At signs beyond ASCII: full width, small.
const WIDE_SIGNS: [char; 2] = ['\u{FF20}', '\u{FE6B}'];

/// The byte both begin with.
const WIDE_LEAD: u8 = 0xEF;

/// The next e-mail address from a position on. The domain is left to be searched for addresses.
pub(super) fn find(text: &str, from: usize) -> Option<Hit> {
    let mut begin = from;
    loop {
        let (at, sign) = next_sign(text, begin)?;
        begin = at + sign;
        let range = name(text, from, at);
        if !range.is_empty() && domain(&text[begin..]).is_some() {
            return Some(Hit { shown: masked_name(&text[range.clone()]), range });
        }
    }
}

/// What is shown of a text that is one e-mail address.
pub(super) fn whole(text: &str) -> Option<String> {
    let (at, sign) = next_sign(text, 0)?;
    let range = name(text, 0, at);
    let is_one = range == (0..at) && at > 0 && domain(&text[at + sign..]) == Some(text.len() - at - sign);
    is_one.then(|| format!("{}{}", masked_name(&text[range]), &text[at..]))
}

/// The next at sign and its bytes.
fn next_sign(text: &str, from: usize) -> Option<(usize, usize)> {
    let rest = &text[from..];
    let plain = rest.find('@');
    let before = &rest[..plain.unwrap_or(rest.len())];
    let wide = if before.as_bytes().contains(&WIDE_LEAD) { before.find(WIDE_SIGNS) } else { None };
    let at = wide.or(plain)?;
    Some((from + at, rest[at..].chars().next()?.len_utf8()))
}

fn masked_name(name: &str) -> String {
    let shown = if name.chars().nth(SHOWN).is_some() { SHOWN } else { 0 };
    name.chars().take(shown).chain(CUT.chars()).collect()
}

/// The name before an at sign, without its quotes.
fn name(text: &str, from: usize, at: usize) -> Range<usize> {
    let before = &text[from..at];
    if let Some(opening) = opening_quote(before) {
        return from + opening + 1..at - 1;
    }
    let mut start = at;
    let mut letters = before.char_indices().rev().peekable();
    while let Some((place, letter)) = letters.next() {
        let follows_letter = letters.peek().is_some_and(|(_, other)| other.is_alphanumeric());
        let is_inner_quote = letter == '\'' && start < at && follows_letter;
        if !is_of_name(letter) && !is_inner_quote {
            break;
        }
        start = from + place;
    }
    start..at
}

/// `"john doe"@example.com`: where the quote opens.
fn opening_quote(before: &str) -> Option<usize> {
    let inner = before.strip_suffix('"')?;
    let looked_at = inner.len().saturating_sub(QUOTED_BYTES_MAX);
    inner.rfind('"').filter(|opening| *opening >= looked_at && opening + 1 < inner.len())
}

/// Bytes of the domain at the start of a text: names with dots between, the last of which is no
/// number (`lodash@4.17.21` is a version), an IPv4 address, or an address in brackets.
fn domain(text: &str) -> Option<usize> {
    if let Some(literal) = text.strip_prefix('[') {
        let end = literal.find(']').filter(|end| *end > 0)?;
        return literal[..end].contains(['.', ':']).then_some(end + 2);
    }
    let is_in =
        |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.') || is_foreign(letter);
    let end = text.find(|letter| !is_in(letter)).unwrap_or(text.len());
    let name = text[..end].trim_end_matches(['.', '-']);
    let last = name.rsplit('.').next()?;
    let is_named = last.chars().next().is_some_and(|letter| !letter.is_ascii_digit() && letter != '-');
    let is_address = || super::address::whole(name).is_some();
    (!name.starts_with('.') && (is_named || is_address())).then_some(name.len())
}

/// Characters of a name. The rest of what RFC 5322 allows there (`=`, `/`, `?`, `&`, braces) more
/// often stands between a name and what is before it.
fn is_of_name(letter: char) -> bool {
    letter.is_alphanumeric()
        || matches!(letter, '.' | '_' | '-' | '+' | '%' | '!' | '#' | '$' | '*' | '^' | '~')
        || is_foreign(letter)
}

/// Marks and letters beyond ASCII; not spaces, quotes, dashes and other at signs.
fn is_foreign(letter: char) -> bool {
    let is_punctuation =
        matches!(letter, '\u{80}'..='\u{BF}' | '\u{2000}'..='\u{206F}' | '\u{3000}'..='\u{303F}');
    !letter.is_ascii() && !letter.is_whitespace() && !is_punctuation && !WIDE_SIGNS.contains(&letter)
}
