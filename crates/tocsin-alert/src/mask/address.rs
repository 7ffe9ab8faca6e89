//! Addresses in texts: IPv4 by its first two numbers, IPv6 by its first two groups, however they
//! are spelled. Times, MAC addresses, UUIDs, fingerprints and versions are not addresses.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

use super::text::Hit;

/// Groups of an IPv6 address.
const GROUPS: usize = 8;

/// Bytes of the longest spelling of one: six groups and an IPv4 address.
const ADDRESS_BYTES_MAX: usize = 45;

/// Bytes of an interface's name behind `%`.
const ZONE_BYTES_MAX: usize = 16;

/// Bytes looked at behind a colon at once; a longer run is looked at in parts that overlap by more
/// than the longest address.
const RUN_BYTES_MAX: usize = 256;

/// Bytes of the overlap, above `ADDRESS_BYTES_MAX`.
const OVERLAP: usize = 64;

/// The next address from a position on.
pub(super) fn find(text: &str, from: usize) -> Option<Hit> {
    let bytes = text.as_bytes();
    let mut at = from;
    let mut seen = from;
    loop {
        at += bytes[at..].iter().position(|byte| matches!(byte, b'.' | b':'))?;
        if bytes[at] == b'.' {
            let run = number_run(bytes, from, at);
            if let Some(hit) = decimal(text, &run) {
                return Some(hit);
            }
            at = run.end.max(at + 1);
        } else {
            if at >= seen && may_begin_groups(bytes, at) {
                let run = group_run(bytes, from, at);
                if let Some(hit) = groups(text, &run) {
                    return Some(hit);
                }
                seen = run.end.saturating_sub(if run.end - at < RUN_BYTES_MAX { 0 } else { OVERLAP });
            }
            at += 1;
        }
    }
}

/// The numbers and single dots around a dot, not before `from`.
fn number_run(bytes: &[u8], from: usize, dot: usize) -> Range<usize> {
    let is_in = |at: &usize| {
        let is_single = || bytes.get(at + 1) != Some(&b'.') && (*at == 0 || bytes[at - 1] != b'.');
        bytes[*at].is_ascii_digit() || (bytes[*at] == b'.' && is_single())
    };
    let before = (from..dot).rev().take_while(is_in).count();
    let after = (dot..bytes.len()).take_while(is_in).count();
    dot - before..dot + after
}

/// The hexadecimal digits, colons and dots around a colon, not before `from`.
fn group_run(bytes: &[u8], from: usize, colon: usize) -> Range<usize> {
    let is_in = |byte: &&u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
    let begin = from.max(colon.saturating_sub(OVERLAP));
    let before = bytes[begin..colon].iter().rev().take_while(is_in).count();
    let after = bytes[colon..].iter().take(RUN_BYTES_MAX).take_while(is_in).count();
    colon - before..colon + after
}

/// What is shown of a text that is an address, with or without brackets, port and zone, or one
/// that is masked already.
pub(super) fn whole(text: &str) -> Option<String> {
    if is_masked(text) {
        return Some(text.to_string());
    }
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => match text.rsplit_once(':') {
            Some((host, port)) if host.contains('.') && !host.contains(':') && is_number(port) => host,
            _ => text,
        },
    };
    let bare = bare.split_once('%').map_or(bare, |(address, _)| address);
    match four(bare) {
        Some(numbers) => Some(shown_four(numbers)),
        None => bare.parse().ok().map(shown),
    }
}

/// Whether a text is what `shown` gives.
fn is_masked(text: &str) -> bool {
    let two = |head: &str, sign: char, is_part: fn(&str) -> bool| {
        head.split_once(sign).is_some_and(|(first, second)| is_part(first) && is_part(second))
    };
    let four = text.strip_suffix(".xxx.xxx").is_some_and(|head| two(head, '.', is_number));
    let is_group =
        |part: &str| matches!(part.len(), 1..=4) && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    four || text.strip_suffix(":xxxx").is_some_and(|head| two(head, ':', is_group))
}

fn shown(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(four) => shown_four(four.octets()),
        IpAddr::V6(six) => shown_six(six),
    }
}

fn shown_four(numbers: [u8; 4]) -> String {
    format!("{}.{}.xxx.xxx", numbers[0], numbers[1])
}

fn shown_six(address: Ipv6Addr) -> String {
    let [first, second, ..] = address.segments();
    format!("{first:x}:{second:x}:xxxx")
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An IPv4 address among numbers and dots: exactly four numbers, or four and a port, as tcpdump
/// writes it. A run of another length is a version or an object identifier.
fn decimal(text: &str, run: &Range<usize>) -> Option<Hit> {
    let part = &text[run.clone()];
    let trimmed = part.trim_start_matches('.');
    let start = run.end - trimmed.len();
    let inner = trimmed.trim_end_matches('.');
    let address = with_port(inner).unwrap_or(inner);
    let numbers = four(address).filter(|numbers| !is_product(text, start, *numbers))?;
    Some(Hit { range: start..start + address.len(), shown: shown_four(numbers) })
}

/// Four numbers to 255, leading zeros allowed.
fn four(text: &str) -> Option<[u8; 4]> {
    let mut parts = text.split('.');
    let mut numbers = [0; 4];
    for number in &mut numbers {
        let part = parts.next()?;
        *number = part.parse().ok().filter(|_| part.len() <= 3 && is_number(part))?;
    }
    parts.next().is_none().then_some(numbers)
}

/// The four numbers before a fifth that can only be a port.
fn with_port(text: &str) -> Option<&str> {
    let (address, port) = text.rsplit_once('.')?;
    let port: u16 = port.parse().ok()?;
    (port > u16::from(u8::MAX) && four(address).is_some()).then_some(address)
}

/// A browser's version, `Chrome/120.0.0.0`: no host has such an address.
fn is_product(text: &str, at: usize, [_, rest @ ..]: [u8; 4]) -> bool {
    let before = text[..at].strip_suffix('/').and_then(|name| name.bytes().next_back());
    rest == [0; 3] && before.is_some_and(|byte| byte.is_ascii_alphabetic())
}

/// Whether the run around a colon may be groups of an address: cheap, and false for times.
fn may_begin_groups(bytes: &[u8], at: usize) -> bool {
    if bytes.get(at + 1) == Some(&b':') {
        return true;
    }
    let ahead = &bytes[at..bytes.len().min(at + (4 + 1) * GROUPS)];
    let run = ahead.iter().take_while(|byte| byte.is_ascii_hexdigit() || **byte == b':');
    run.filter(|byte| **byte == b':').count() > 2 || ahead.windows(2).any(|pair| pair == b"::")
}

/// An IPv6 address among hexadecimal digits, colons and dots. Where the run is longer than an
/// address, or grown together with letters, the longest part that is one counts.
fn groups(text: &str, run: &Range<usize>) -> Option<Hit> {
    let is_letter = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let begun = is_letter(text[..run.start].bytes().next_back());
    let cut = is_letter(text[run.end..].bytes().next());
    // A group grown together with a letter is none.
    let last = if cut { text[run.clone()].rfind(':')? } else { run.len() };
    let part = &text[run.start..run.start + last];
    let marks = part.bytes().enumerate().filter(|(_, byte)| *byte == b':').map(|(at, _)| at + 1);
    let starts = (!begun).then_some(0).into_iter().chain(marks);
    let mut candidates = starts.filter(|start| begins_groups(&part.as_bytes()[*start..]));
    candidates.find_map(|start| {
        let (bytes, address) = longest(&part[start..])?;
        let spelled = &part[start..start + bytes];
        let end = start + bytes;
        let grown = (begun && !part[..start].contains("::")) || (cut && end + 1 >= part.len());
        let is_path = spelled.starts_with("::") && text[..run.start + start].ends_with([']', ')']);
        // `core::fmt` and `[bool]::add` are names within names.
        let is_name = (grown || is_path) && !spelled.bytes().any(|byte| byte.is_ascii_digit());
        if is_name || is_fingerprint(spelled, part) {
            return None;
        }
        let range = run.start + start..tail(text, run.start + end, &address);
        Some(Hit { range, shown: shown(address.into()) })
    })
}

/// Whether groups may begin so: with a digit, or with a gap and a digit.
fn begins_groups(bytes: &[u8]) -> bool {
    let digit = bytes.strip_prefix(b"::").unwrap_or(bytes);
    digit.first().is_some_and(u8::is_ascii_hexdigit)
}

/// The longest address a text begins with, and its bytes: around a gap, or eight groups.
fn longest(text: &str) -> Option<(usize, Ipv6Addr)> {
    let parsed = |end: usize| {
        let spelled = text[..end].trim_end_matches('.');
        Some((spelled.len(), spelled.parse().ok()?))
    };
    let begin = &text[..text.len().min(ADDRESS_BYTES_MAX)];
    let around_gap = begin.find("::").map(|gap| gap + 2).and_then(|gap| {
        let next_gap = begin[gap..].find("::").map_or(begin.len(), |next| gap + next);
        let ends = (gap..=next_gap).rev();
        ends.filter(|end| *end == next_gap || begin.as_bytes()[*end] == b':').find_map(parsed)
    });
    around_gap.or_else(|| parsed(begin.match_indices(':').nth(GROUPS - 1).map_or(begin.len(), |(at, _)| at)))
}

/// Whether a part of a run is bytes of a longer fingerprint.
fn is_fingerprint(spelled: &str, run: &str) -> bool {
    spelled.len() < run.len() && spelled.split(':').all(|group| group.len() == 2)
}

/// The end of an address with what belongs to it: a zone, and letters grown onto an open end.
fn tail(text: &str, end: usize, address: &Ipv6Addr) -> usize {
    let rest = &text[end..];
    let is_open = text[..end].ends_with(':');
    if is_open {
        return end + rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'.').count();
    }
    match rest.strip_prefix("%25").or(rest.strip_prefix('%')) {
        Some(zone) if address.is_unicast_link_local() => {
            let is_in = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            let named = zone.bytes().take(ZONE_BYTES_MAX).take_while(is_in).count();
            if named == 0 { end } else { end + (rest.len() - zone.len()) + named }
        }
        _ => end,
    }
}
