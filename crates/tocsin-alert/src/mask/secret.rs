//! Secrets in texts: what gives itself away by its shape, by the name before it, or by its place
//! in a URL. All of it is cut.

use std::ops::Range;

use super::text::Hit;
use super::{CUT, fields};

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

/// Ways to present a credential.
const SCHEMES: [&str; 6] = ["bearer", "basic", "token", "digest", "apikey", "negotiate"];

/// Bytes of a name before `=` or `:` that are looked at.
const NAME_BYTES_MAX: usize = 64;

/// Closing brackets and commas behind a value that are looked past.
const CLOSING_MAX: usize = 8;

/// The next secret from a position on.
pub(super) fn find(text: &str, from: usize) -> Option<Hit> {
    let bytes = text.as_bytes();
    let signs = bytes[from..].iter().enumerate().filter(|(_, byte)| SIGNS[usize::from(**byte)]);
    signs.map(|(at, _)| from + at).find_map(|at| {
        let range = match bytes[at] {
            b'=' => named(text, at),
            b':' => in_url(text, at).or_else(|| named(text, at)),
            b'-' => flagged(text, at).or_else(|| prefixed(text, at)),
            b'_' => own_key(text, at).or_else(|| prefixed(text, at)),
            b'z' => prefixed(text, at),
            b'J' => jwt(text, at),
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
fn while_is(text: &str, start: usize, is_in: fn(u8) -> bool) -> Range<usize> {
    start..start + text.as_bytes()[start..].iter().take_while(|byte| is_in(**byte)).count()
}

fn is_key_byte(byte: u8) -> bool {
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
    let range = while_is(text, start, is_key_byte);
    let is_key =
        id.len() == KEY_ID_DIGITS && text[id.end..range.end].len() > 1 && text[id.end..].starts_with('_');
    is_key.then_some(range)
}

/// `eyJ….….…`: JSON in base64, then dots.
fn jwt(text: &str, sign: usize) -> Option<Range<usize>> {
    let start = text[..=sign].strip_suffix("eyJ")?.len();
    let range = while_is(text, start, |byte| is_key_byte(byte) || byte == b'.');
    let token = text[range.clone()].trim_end_matches('.');
    (token.len() >= JWT_BYTES_MIN && token.contains('.')).then_some(start..start + token.len())
}

/// `AKIA…`, `ASIA…`.
fn aws_id(text: &str, sign: usize) -> Option<Range<usize>> {
    let start = sign.checked_sub(1)?;
    let head = text.as_bytes().get(start..start + 4)?;
    let range = while_is(text, start, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let is_id = matches!(head, b"AKIA" | b"ASIA") && range.len() >= 4 + AWS_ID_TAIL;
    (is_id && begins_word(text, start)).then_some(range)
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

fn begins_with(text: &str, word: &str) -> bool {
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

/// `--password x`, `-Token x`.
fn flagged(text: &str, sign: usize) -> Option<Range<usize>> {
    let start = sign + 1;
    let word = while_is(text, start, is_key_byte);
    let is_flag =
        text[..sign].chars().next_back().is_none_or(|before| before == '-' || before.is_whitespace());
    let blank = while_is(text, word.end, |byte| byte == b' ');
    let is_named = is_flag && !blank.is_empty() && fields::names_secret(&text[word]);
    let value = is_named.then(|| value(text, blank.end))?;
    (!value.is_empty() && !text[value.clone()].starts_with('-')).then_some(value)
}

/// `password=x`, `"token": "x"`, `api_key => 'x'`, `Authorization: Bearer x`.
fn named(text: &str, sign: usize) -> Option<Range<usize>> {
    let name = name_before(text, sign)?;
    if !fields::names_secret(name) {
        return None;
    }
    let after = text[sign + 1..].trim_start_matches(['=', '>', ':', ' ', '\t']);
    let start = text.len() - after.len();
    let range =
        if name.to_ascii_lowercase().ends_with("cookie") { line(text, start) } else { value(text, start) };
    let is_folder = name.eq_ignore_ascii_case("pwd") && text[range.clone()].starts_with('/');
    (!range.is_empty() && !is_folder).then_some(range)
}

/// The name before `=` or `:`, with or without quotes.
fn name_before(text: &str, sign: usize) -> Option<&str> {
    let near = text.floor_char_boundary(sign.saturating_sub(NAME_BYTES_MAX));
    let before = text[near..sign].trim_end_matches([' ', '\t', '"', '\'', '\\', ':']);
    let bytes = before.bytes().rev().take_while(|byte| is_key_byte(*byte) || *byte == b'.').count();
    Some(&before[before.len() - bytes..]).filter(|name| !name.is_empty())
}

/// A value that goes on to the end of the line or quote: cookies have blanks between them.
fn line(text: &str, start: usize) -> Range<usize> {
    let quoted = value(text, start);
    let rest = &text[start..];
    let bytes = rest.find(['\r', '\n', '"', '\'']).unwrap_or(rest.len());
    start..quoted.end.max(start + bytes)
}

/// Where a value begins and ends.
fn value(text: &str, start: usize) -> Range<usize> {
    let rest = &text[start..];
    let quoted = rest.trim_start_matches('\\');
    let slashes = rest.len() - quoted.len();
    if let Some(quote) = quoted.chars().next().filter(|letter| matches!(letter, '"' | '\'')) {
        let open = start + slashes + 1;
        return open..closing(text, open, quote, slashes).unwrap_or(text.len());
    }
    if rest.starts_with(['{', '[']) {
        return start..start + nested(rest);
    }
    let scheme = SCHEMES.iter().find(|scheme| {
        begins_with(rest, scheme)
            && rest[scheme.len()..].starts_with(' ')
            && !rest[scheme.len()..].trim().is_empty()
    });
    let skipped = scheme.map_or(0, |scheme| {
        scheme.len() + (rest.len() - scheme.len() - rest[scheme.len()..].trim_start_matches(' ').len())
    });
    start..start + skipped + bare(&rest[skipped..])
}

/// Where a quote closes: the next one with no more backslashes before it than the opening one has.
fn closing(text: &str, open: usize, quote: char, slashes: usize) -> Option<usize> {
    let quotes = text[open..].match_indices(quote).map(|(at, _)| open + at);
    quotes
        .filter_map(|at| {
            let inner = text[open..at].trim_end_matches('\\');
            (at - open - inner.len() <= slashes).then_some(open + inner.len())
        })
        .next()
}

/// Bytes of an object or array within a text, up to where its brackets close.
fn nested(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

/// Bytes of a value without quotes. A comma, semicolon or bracket ends it only where something
/// follows that is not the value's: a password may hold one.
fn bare(text: &str) -> usize {
    let ends = |(at, letter): &(usize, char)| match letter {
        '&' | '"' | '\'' | '<' | '>' => true,
        ',' | ';' | ')' | ']' | '}' => is_followed(&text[at + 1..]),
        letter => letter.is_whitespace(),
    };
    text.char_indices().find(ends).map_or(text.len(), |(at, _)| at)
}

/// Whether a text goes on with something new: nothing, a blank, a quote, more brackets, or a name
/// and a sign.
fn is_followed(text: &str) -> bool {
    let closing = text.bytes().take(CLOSING_MAX).take_while(|byte| b",;)]}".contains(byte)).count();
    let rest = &text[closing..];
    let Some(first) = rest.chars().next() else { return true };
    let name = rest.bytes().take_while(|byte| is_key_byte(*byte) || *byte == b'.').count();
    first.is_whitespace()
        || matches!(first, '"' | '\'' | '\\')
        || (name > 0 && rest[name..].starts_with(['=', ':']))
}
