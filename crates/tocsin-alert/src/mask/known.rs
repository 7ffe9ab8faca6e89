//! Secrets known by their field: what stands under a telling name and has no shape of its own is
//! looked for in every other text of the same value.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::{self, Class};
use super::text::Hit;
use super::{CUT, as_named, document};

/// Bytes by which a known value is found. Shorter values are not looked for: they are words and
/// small numbers, and would be found everywhere.
const PREFIX: usize = 6;

/// Bytes of a value of small letters only that is still taken for a word, not a secret.
const WORD_BYTES_MAX: usize = 15;

/// Known values with one prefix. Beyond, whatever begins with the prefix is cut up to the end of
/// the word, so that all are hidden and the search stays linear.
const SAME_PREFIX_MAX: usize = 16;

/// Bits of the filter that rules out most places of a text.
const FILTER_BITS: usize = 4096;

/// Ways to present a credential, before the credential.
const SCHEMES: [&str; 4] = ["bearer ", "basic ", "token ", "apikey "];

/// The known values of one value, by their first bytes.
#[derive(Debug)]
pub(super) struct Known {
    by_prefix: BTreeMap<[u8; PREFIX], Vec<String>>,
    filter: [u64; FILTER_BITS / 64],
}

impl Default for Known {
    fn default() -> Known {
        Known { by_prefix: BTreeMap::new(), filter: [0; FILTER_BITS / 64] }
    }
}

impl Known {
    /// What is to be looked for in the texts of this value.
    pub fn of(value: &Value) -> Known {
        let mut known = Known::default();
        known.collect(value, Class::Free, "");
        known
    }

    /// The next known value from a position on.
    pub fn find(&self, text: &str, from: usize) -> Option<Hit> {
        if self.by_prefix.is_empty() {
            return None;
        }
        let windows = text.as_bytes()[from..].windows(PREFIX).enumerate();
        windows.filter_map(|(at, window)| Some((at, prefix(window)?))).find_map(|(at, window)| {
            let (word, mask) = place(window);
            if self.filter[word] & mask == 0 {
                return None;
            }
            let start = from + at;
            let bytes = length(self.by_prefix.get(&window)?, text.get(start..)?)?;
            Some(Hit { range: start..start + bytes, shown: CUT.to_string() })
        })
    }

    fn collect(&mut self, value: &Value, class: Class, name: &str) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::Array(items) => items.iter().for_each(|item| self.collect(item, class, name)),
            Value::Object(map) => {
                for (key, value) in map {
                    self.collect(value, fields::class(name, key).or(class), key);
                }
            }
            Value::String(text) if class == Class::Free => {
                if let Some(inner) = document(text) {
                    self.collect(&inner, Class::Free, "");
                }
            }
            Value::String(text) if as_named(text, class).is_none() => self.add(text),
            Value::String(_) => {}
        }
    }

    fn add(&mut self, text: &str) {
        let scheme = SCHEMES.iter().find_map(|scheme| {
            let head = text.get(..scheme.len())?;
            head.eq_ignore_ascii_case(scheme).then_some(&text[scheme.len()..])
        });
        let text = scheme.unwrap_or(text).trim();
        let is_word = text.len() <= WORD_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_lowercase());
        let Some(first) = prefix(text.as_bytes()).filter(|_| !is_word && !text.ends_with(CUT)) else {
            return;
        };
        let (word, mask) = place(first);
        self.filter[word] |= mask;
        let same = self.by_prefix.entry(first).or_default();
        if same.len() <= SAME_PREFIX_MAX && !same.iter().any(|other| other == text) {
            same.push(text.to_string());
            same.sort_by_key(|text| std::cmp::Reverse(text.len()));
        }
    }
}

/// Bytes at the start of a text that are one of these values; the longest is first.
fn length(same: &[String], text: &str) -> Option<usize> {
    if same.len() <= SAME_PREFIX_MAX {
        return same.iter().find(|value| text.starts_with(value.as_str())).map(String::len);
    }
    let ends_word = |letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '\\' | '&' | ',');
    Some(
        text.char_indices()
            .find(|(at, letter)| *at >= PREFIX && ends_word(*letter))
            .map_or(text.len(), |(at, _)| at),
    )
}

fn prefix(bytes: &[u8]) -> Option<[u8; PREFIX]> {
    bytes.first_chunk().copied()
}

/// The filter's word and bit of a prefix.
fn place(prefix: [u8; PREFIX]) -> (usize, u64) {
    let [a, b, c, d, e, f] = prefix.map(u32::from);
    let mixed =
        (a | b << 8 | c << 16 | d << 24).wrapping_mul(0x9E37_79B1) ^ (e | f << 8).wrapping_mul(0x85EB_CA6B);
    let bit = (mixed >> 20) as usize;
    (bit / 64, 1 << (bit % 64))
}
