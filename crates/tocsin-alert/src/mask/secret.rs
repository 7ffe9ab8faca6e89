//! Secrets in texts that give themselves away by their shape or by their place in a URL; those that
//! stand behind a name are in `named`. All of a secret is cut.

use std::ops::Range;

use super::text::Hit;
use super::{CUT, named};

/// Bytes at which a secret can be recognised; all others are passed over at once.
const SIGNS: [bool; 256] = {
    let mut signs = [false; 256];
    let mut at = 0;
    while at < SIGN_BYTES.len() {
        signs[SIGN_BYTES[at] as usize] = true;
        at += 1;
    }
    signs
};
const SIGN_BYTES: &[u8] = b"=:-_BbJKSz";

/// Beginnings of well-known keys, and how many characters follow at least. The last byte of each is
/// a sign.
const PREFIXES: &[(&str, usize)] = &[
    ("AIz", 36),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("npm_", 30),
    ("rk_live_", 16),
    ("sk-", 20),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("xoxa-", 8),
    ("xoxb-", 8),
    ("xoxp-", 8),
    ("xoxr-", 8),
    ("xoxs-", 8),
];

/// Hexadecimal digits behind `tocsin_` in Tocsin's own keys; names of metrics have none.
const KEY_ID_DIGITS: usize = 8;

/// Characters behind `AKIA` and `ASIA`, at least.
const AWS_ID_TAIL: usize = 12;

/// Characters of a JWT, at least.
const JWT_BYTES_MIN: usize = 12;

/// The next secret from a position on.
pub(super) fn find(text: &str, from: usize) -> Option<Hit> {
    let bytes = text.as_bytes();
    let mut jwt_seen = from;
    let signs = bytes[from..].iter().enumerate().filter(|(_, byte)| SIGNS[usize::from(**byte)]);
    signs.map(|(at, _)| from + at).find_map(|at| {
        let range = match bytes[at] {
            b'=' => named::value_after(text, at),
            b':' => in_url(text, at).or_else(|| named::value_after(text, at)),
            b'-' => named::value_of_flag(text, at).or_else(|| prefixed(text, at)),
            b'_' => own_key(text, at).or_else(|| prefixed(text, at)),
            b'z' => prefixed(text, at),
            b'J' => jwt(text, at, &mut jwt_seen),
            b'K' | b'S' => aws_id(text, at),
            b'B' => private_key(text, at).or_else(|| presented(text, at)),
            _ => presented(text, at),
        };
        let range = range.filter(|range| range.start >= from && range.end > from)?;
        Some(Hit { range, shown: CUT.to_string() })
    })
}

/// Whether the word that ends at a position begins there too.
fn begins_word(text: &str, at: usize) -> bool {
    !text[..at].ends_with(|letter: char| letter.is_ascii_alphanumeric())
}

/// The range from a position over all bytes that are so.
pub(super) fn while_is(text: &str, start: usize, is_in: fn(u8) -> bool) -> Range<usize> {
    start..start + text.as_bytes()[start..].iter().take_while(|byte| is_in(**byte)).count()
}

/// Bytes of names and of most keys.
pub(super) fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_credential_byte(byte: u8) -> bool {
    is_key_byte(byte) || matches!(byte, b'.' | b'~' | b'+' | b'/' | b'=' | b'*' | b'%')
}

/// `ghp_…` and others that end in the sign.
fn prefixed(text: &str, sign: usize) -> Option<Range<usize>> {
    let known = PREFIXES.iter().find(|(prefix, _)| text[..=sign].ends_with(prefix))?;
    let start = sign + 1 - known.0.len();
    let range = while_is(text, sign + 1, is_key_byte);
    (begins_word(text, start) && range.len() >= known.1).then_some(start..range.end)
}

/// `tocsin_<8 hex>_…`.
fn own_key(text: &str, sign: usize) -> Option<Range<usize>> {
    let start = text[..=sign].strip_suffix("tocsin_")?.len();
    let id = while_is(text, sign + 1, |byte| byte.is_ascii_hexdigit());
    let is_key = id.len() == KEY_ID_DIGITS && text[id.end..].starts_with('_');
    let range = is_key.then(|| while_is(text, start, is_key_byte))?;
    (range.end > id.end + 1).then_some(range)
}

/// `eyJ….….…`: JSON in base64, then dots. A run of its letters is looked at once, from its first.
fn jwt(text: &str, sign: usize, seen: &mut usize) -> Option<Range<usize>> {
    let start = text[..=sign].strip_suffix("eyJ")?.len();
    if start < *seen {
        return None;
    }
    let range = while_is(text, start, |byte| is_key_byte(byte) || byte == b'.');
    *seen = range.end;
    let token = text[range].trim_end_matches('.');
    (token.len() >= JWT_BYTES_MIN && token.contains('.')).then_some(start..start + token.len())
}

/// `AKIA…`, `ASIA…`.
fn aws_id(text: &str, sign: usize) -> Option<Range<usize>> {
    let start = sign.checked_sub(1)?;
    let head = text.as_bytes().get(start..start + 4)?;
    if !matches!(head, b"AKIA" | b"ASIA") || !begins_word(text, start) {
        return None;
    }
    let range = while_is(text, start, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    (range.len() >= head.len() + AWS_ID_TAIL).then_some(range)
}

/// `-----BEGIN … PRIVATE KEY-----` to its end, or to that of the text.
fn private_key(text: &str, sign: usize) -> Option<Range<usize>> {
    const RULE: &str = "-----";
    let start = text[..sign].strip_suffix(RULE)?.len();
    let label = text[sign..].strip_prefix("BEGIN ")?;
    let (label, body) = label.split_once(RULE)?;
    if !label.contains("PRIVATE KEY") || label.contains('\n') {
        return None;
    }
    let end = body.find("-----END ").and_then(|at| {
        let closing = at + "-----END ".len();
        body[closing..].find(RULE).map(|rule| closing + rule + RULE.len())
    });
    let body_start = text.len() - body.len();
    Some(start..end.map_or(text.len(), |end| body_start + end))
}

/// `Bearer x`, `Basic x`. Of "basic" followed by a plain word nothing is cut.
fn presented(text: &str, sign: usize) -> Option<Range<usize>> {
    let scheme = ["bearer", "basic"].into_iter().find(|scheme| begins_with(&text[sign..], scheme))?;
    let blank = while_is(text, sign + scheme.len(), |byte| byte == b' ');
    let range = while_is(text, blank.end, is_credential_byte);
    let is_word = scheme == "basic" && text[range.clone()].bytes().all(|byte| byte.is_ascii_lowercase());
    let is_one = !blank.is_empty() && !range.is_empty() && !is_word && begins_word(text, sign);
    is_one.then_some(range)
}

/// Whether a text begins with a word, in capitals or not.
pub(super) fn begins_with(text: &str, word: &str) -> bool {
    text.as_bytes().get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()))
}

/// `scheme://user:password@host`: what stands before the last at sign of the authority.
fn in_url(text: &str, sign: usize) -> Option<Range<usize>> {
    let start = sign + "://".len();
    let rest = text[sign..].strip_prefix("://")?;
    let ends =
        |letter: char| letter.is_whitespace() || matches!(letter, '/' | '?' | '#' | '"' | '\'' | '<' | '>');
    let authority = &rest[..rest.find(ends).unwrap_or(rest.len())];
    let user = &authority[..authority.rfind('@')?];
    user.contains(':').then(|| start..start + user.len())
}
