//! Secrets in texts behind a name that tells of them: `password=x`, `"token": "x"`, `--secret x`.

use std::ops::Range;

use super::fields;
use super::secret::{begins_with, is_key_byte, while_is};

/// Ways to present a credential.
const SCHEMES: [&str; 6] = ["bearer", "basic", "token", "digest", "apikey", "negotiate"];

/// Bytes of a name that are looked at. A longer one is no name.
const NAME_BYTES_MAX: usize = 64;

/// Closing brackets and commas behind a value that are looked past.
const CLOSING_MAX: usize = 8;

/// `--password x`, `-Token x`: the value behind a flag whose dash stands at a position.
pub(super) fn value_of_flag(text: &str, dash: usize) -> Option<Range<usize>> {
    let start = dash + 1;
    let is_flag =
        text[..dash].chars().next_back().is_none_or(|before| before == '-' || before.is_whitespace());
    if !is_flag || !text.as_bytes().get(start)?.is_ascii_alphabetic() {
        return None;
    }
    let letters = text.as_bytes()[start..].iter().take(NAME_BYTES_MAX).take_while(|byte| is_key_byte(**byte));
    let end = start + letters.count();
    let blank = while_is(text, end, |byte| byte == b' ');
    let is_named = !blank.is_empty() && fields::names_secret(&text[start..end]);
    let value = is_named.then(|| value(text, blank.end))?;
    (!value.is_empty() && !text[value.clone()].starts_with('-')).then_some(value)
}

/// `password=x`, `"token": "x"`, `api_key => 'x'`, `Authorization: Bearer x`: the value behind a
/// sign that stands at a position.
pub(super) fn value_after(text: &str, sign: usize) -> Option<Range<usize>> {
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
