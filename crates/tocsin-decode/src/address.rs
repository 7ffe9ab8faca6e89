//! Addresses in text, told without reading them digit by digit: most values that may be an address
//! are one, and each a different one, so that a loop would branch the wrong way time and again.

/// One in every byte.
const EACH: u128 = u128::from_le_bytes([1; 16]);
/// The top bit of every byte.
const TOP: u128 = EACH << 7;
/// Longest text of a dotted quad.
const LEN_MAX: usize = 15;
/// The top bit of as many bytes.
const INSIDE: [u128; LEN_MAX + 1] = inside();

/// Whether bytes are a dotted quad in its one canonical spelling.
#[must_use]
#[inline(never)]
pub fn is_plain_ipv4(bytes: &[u8]) -> bool {
    let Some(text) = joined(bytes).filter(|text| text & TOP == 0) else { return false };
    // A set is a number with the top bit of each byte that belongs to it, the first byte lowest; in
    // what is not masked yet the other bits are noise. No sum of two bytes below carries into the
    // next byte.
    let value = text ^ (EACH * u128::from(b'0'));
    let above = |most: u8| value + EACH * u128::from(0x7f - most);
    let digits = !above(9) & TOP;
    let dots = INSIDE[bytes.len()] & !digits;
    let strange = (text ^ (EACH * u128::from(b'.'))) & ((dots >> 7) * 0x7f);
    let starts = dots << 8 | 0x80;
    let (second, third) = (digits >> 8, digits >> 16);

    let empty = starts & !digits;
    let too_long = digits & second & third & digits >> 24;
    let leading_zero = starts & second & !above(0);
    // What two digits make; where there are others it is not asked.
    let number = value & ((digits >> 7) * 0x7f);
    let number = number * 10 + (number >> 8);
    let above_255 = above(2) | (above(1) & (number + EACH * (0x7f - 55)) >> 8);
    let of_three = starts & second & third;
    let bad = strange | empty | too_long | leading_zero | of_three & above_255;
    bad == 0 && count(dots) == 3
}

/// Up to 15 bytes as one number, the first lowest, unless they are too few for a dotted quad.
#[inline]
fn joined(bytes: &[u8]) -> Option<u128> {
    let len = bytes.len();
    if len == 7 {
        let mut eight = [0; 8];
        eight[..7].copy_from_slice(bytes);
        return Some(u128::from(u64::from_le_bytes(eight)));
    }
    if len > LEN_MAX {
        return None;
    }
    let first = u64::from_le_bytes(*bytes.first_chunk()?);
    let last = u64::from_le_bytes(*bytes.last_chunk()?);
    Some(u128::from(first) | u128::from(last) << (8 * (len - 8)))
}

/// How many bytes belong to a set.
#[inline]
fn count(set: u128) -> u64 {
    let ones = set >> 7;
    (ones as u64 + (ones >> 64) as u64).wrapping_mul(EACH as u64) >> 56
}

const fn inside() -> [u128; LEN_MAX + 1] {
    let mut sets = [0; LEN_MAX + 1];
    let mut len = 1;
    while len <= LEN_MAX {
        sets[len] = TOP >> (8 * (16 - len));
        len += 1;
    }
    sets
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn check(bytes: &[u8]) {
        let parsed = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<Ipv4Addr>().ok());
        let expect = parsed.is_some_and(|address| address.to_string().as_bytes() == bytes);
        assert_eq!(is_plain_ipv4(bytes), expect, "{}", String::from_utf8_lossy(bytes));
    }

    #[test]
    fn dotted_quads_have_one_spelling() {
        for text in [
            "10.0.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "256.0.0.1",
            "01.2.3.4",
            "1.2.3",
            "1.2.3.4.5",
            "1..2.3",
            "1.2.3.",
            ".1.2.3",
            "",
            "1.2.3.4 ",
            "10.20.30.400",
            "1.2.3.4444",
            "255.255.255.2555",
            "::ffff:1.2.3.4",
            "1.2.3.\u{661}",
        ] {
            check(text.as_bytes());
        }
    }

    #[test]
    fn every_number_in_every_place() {
        for number in 0..=1_100 {
            for text in [
                format!("{number}.1.22.133"),
                format!("99.{number}.0.1"),
                format!("1.2.{number}.4"),
                format!("7.200.31.{number}"),
                format!("7.200.31.0{number}"),
            ] {
                check(text.as_bytes());
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn what_the_standard_library_prints_and_nothing_else(
            address: [u8; 4],
            at in 0..16_usize,
            byte: u8,
            noise in "[0-9.]{7,16}",
        ) {
            let mut text = Ipv4Addr::from(address).to_string().into_bytes();
            check(&text);
            let at = at % text.len();
            text[at] = byte;
            check(&text);
            check(noise.as_bytes());
        }
    }
}
