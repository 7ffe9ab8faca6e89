//! Text in other clothes: UTF-16 and base64, as the modifiers of those names want it.

/// The letters of base64 (RFC 4648, section 4).
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The orders of the bytes of UTF-16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Utf16 {
    /// Little endian (`utf16le`, `wide`).
    Little,
    /// Big endian (`utf16be`).
    Big,
    /// Little endian behind a byte order mark (`utf16`).
    Marked,
}

/// The bytes of a text in UTF-16.
#[must_use]
pub fn utf16(text: &str, order: Utf16) -> Vec<u8> {
    let mark: &[u8] = if order == Utf16::Marked { &[0xff, 0xfe] } else { &[] };
    let unit = |unit: u16| if order == Utf16::Big { unit.to_be_bytes() } else { unit.to_le_bytes() };
    mark.iter().copied().chain(text.encode_utf16().flat_map(unit)).collect()
}

/// Base64 with padding.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for letter in 0..4 {
            let index = (bits >> (18 - 6 * letter)) & 63;
            text.push(if letter <= group.len() { char::from(ALPHABET[index as usize]) } else { '=' });
        }
    }
    text
}

/// The three ways the bytes may show inside a longer base64 text, less the letters at both ends
/// that depend on the bytes around them. Lengths are in bytes.
#[must_use]
pub fn base64_at_offsets(bytes: &[u8]) -> [String; 3] {
    [0, 1, 2].map(|offset: usize| {
        let shifted: Vec<u8> = std::iter::repeat_n(b' ', offset).chain(bytes.iter().copied()).collect();
        let text = base64(&shifted);
        let start = [0, 2, 3][offset];
        let end = text.len() - [0, 3, 2][shifted.len() % 3];
        text.get(start..end).unwrap_or_default().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_the_rfc() {
        for (text, expect) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), expect);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn offsets_as_the_specification_shows_them() {
        assert_eq!(base64_at_offsets(b"foobar"), ["Zm9vYmFy", "Zvb2Jhc", "mb29iYX"]);
        assert_eq!(base64_at_offsets(b"/bin/bash"), ["L2Jpbi9iYXNo", "9iaW4vYmFza", "vYmluL2Jhc2"]);
        assert_eq!(base64_at_offsets("é".as_bytes()), ["w6", "Op", "Dq"]);
    }

    #[test]
    fn each_offset_is_found_in_longer_texts() {
        for word in ["a", "ab", "abc", "abcd", "ünï", "http://"] {
            let forms = base64_at_offsets(word.as_bytes());
            for before in 0..6 {
                for after in ["", "x", "xy", "xyz"] {
                    let text = base64(format!("{}{word}{after}", "p".repeat(before)).as_bytes());
                    assert!(text.contains(&forms[before % 3]), "{word} behind {before} in {text}");
                }
            }
        }
    }

    #[test]
    fn utf16_orders() {
        assert_eq!(utf16("aé", Utf16::Little), [0x61, 0, 0xe9, 0]);
        assert_eq!(utf16("aé", Utf16::Big), [0, 0x61, 0, 0xe9]);
        assert_eq!(utf16("a", Utf16::Marked), [0xff, 0xfe, 0x61, 0]);
        assert_eq!(utf16("😀", Utf16::Little), [0x3d, 0xd8, 0, 0xde]);
    }
}
