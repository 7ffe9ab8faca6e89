//! Where a record's strings end: one pass over its bytes, 64 at a time, marks every quote that no
//! backslash escapes, every backslash, and whether there is any control character.
//!
//! The escape arithmetic is the carry trick of simdjson (Langdale and Lemire, "Parsing gigabytes
//! of JSON per second", VLDB Journal 2019, section 3.1.1).

/// Quotes and backslashes of one record, as bit masks.
#[derive(Debug, Default)]
pub struct Quotes {
    quotes: Vec<u64>,
    backslashes: Vec<u64>,
    has_backslash: bool,
    has_control: bool,
}

/// Marks of one 64-byte block.
struct Marks {
    quote: u64,
    backslash: u64,
    control: u64,
}

impl Quotes {
    /// Indexes a record.
    pub fn index(&mut self, record: &[u8]) {
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "the processor was just asked whether it has AVX2")]
            // SAFETY: `index_avx2` is a safe function but for needing AVX2, which is there.
            unsafe {
                self.index_avx2(record);
            }
            return;
        }
        self.index_by(record, mark_portable);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn index_avx2(&mut self, record: &[u8]) {
        self.index_by(record, |block| mark_avx2(block));
    }

    #[inline(always)]
    fn index_by(&mut self, record: &[u8], mark: impl Fn(&[u8; 64]) -> Marks) {
        self.quotes.clear();
        self.backslashes.clear();
        let mut escaped_next = 0;
        let mut any_backslash = 0;
        let mut any_control = 0;
        let (blocks, rest) = record.as_chunks::<64>();
        for block in blocks {
            let marks = mark(block);
            any_backslash |= marks.backslash;
            any_control |= marks.control;
            self.push(&marks, &mut escaped_next);
        }
        if !rest.is_empty() {
            let mut block = [b' '; 64];
            block[..rest.len()].copy_from_slice(rest);
            let marks = mark(&block);
            any_backslash |= marks.backslash;
            any_control |= marks.control;
            self.push(&marks, &mut escaped_next);
        }
        self.has_backslash = any_backslash != 0;
        self.has_control = any_control != 0;
    }

    #[inline]
    fn push(&mut self, marks: &Marks, escaped_next: &mut u64) {
        let escaped =
            if marks.backslash | *escaped_next == 0 { 0 } else { escaped_by(marks.backslash, escaped_next) };
        self.quotes.push(marks.quote & !escaped);
        self.backslashes.push(marks.backslash);
    }

    /// Offset of the first unescaped quote at or after an offset in the record.
    #[inline]
    #[must_use]
    pub fn next(&self, from: usize) -> Option<usize> {
        let mut word = from >> 6;
        let mut marks = self.quotes.get(word)? & (!0 << (from & 63));
        while marks == 0 {
            word += 1;
            marks = *self.quotes.get(word)?;
        }
        Some((word << 6) + marks.trailing_zeros() as usize)
    }

    /// Whether there is a backslash between two offsets in the record.
    #[inline]
    #[must_use]
    pub fn backslash_between(&self, from: usize, to: usize) -> bool {
        if !self.has_backslash || from >= to {
            return false;
        }
        let (first, last) = (from >> 6, (to - 1) >> 6);
        let head = !0 << (from & 63);
        let tail = !0 >> (63 - ((to - 1) & 63));
        if first == last {
            return self.backslashes[first] & head & tail != 0;
        }
        self.backslashes[first] & head != 0
            || self.backslashes[first + 1..last].iter().any(|marks| *marks != 0)
            || self.backslashes[last] & tail != 0
    }

    /// Whether any byte is below 0x20.
    #[inline]
    #[must_use]
    pub fn has_control(&self) -> bool {
        self.has_control
    }
}

/// Bits of characters that a backslash escapes; `escaped_next` carries into the next block.
fn escaped_by(backslash: u64, escaped_next: &mut u64) -> u64 {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let starts = backslash & !*escaped_next;
    let follows = starts << 1 | *escaped_next;
    let odd_starts = starts & !EVEN & !follows;
    let (even_sequences, overflow) = odd_starts.overflowing_add(starts);
    *escaped_next = u64::from(overflow);
    (EVEN ^ (even_sequences << 1)) & follows
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn mark_avx2(block: &[u8; 64]) -> Marks {
    use std::arch::x86_64::{
        _mm256_cmpeq_epi8, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_set_epi64x, _mm256_set1_epi8,
    };
    let (words, _) = block.as_chunks::<8>();
    let word = |at: usize| i64::from_le_bytes(words[at]);
    let low = _mm256_set_epi64x(word(3), word(2), word(1), word(0));
    let high = _mm256_set_epi64x(word(7), word(6), word(5), word(4));
    let quote = _mm256_set1_epi8(b'"' as i8);
    let backslash = _mm256_set1_epi8(b'\\' as i8);
    let control = _mm256_set1_epi8(0x1f);
    let bits = |low, high| {
        u64::from(_mm256_movemask_epi8(low) as u32) | u64::from(_mm256_movemask_epi8(high) as u32) << 32
    };
    Marks {
        quote: bits(_mm256_cmpeq_epi8(low, quote), _mm256_cmpeq_epi8(high, quote)),
        backslash: bits(_mm256_cmpeq_epi8(low, backslash), _mm256_cmpeq_epi8(high, backslash)),
        control: bits(
            _mm256_cmpeq_epi8(_mm256_min_epu8(low, control), low),
            _mm256_cmpeq_epi8(_mm256_min_epu8(high, control), high),
        ),
    }
}

fn mark_portable(block: &[u8; 64]) -> Marks {
    let mut marks = Marks { quote: 0, backslash: 0, control: 0 };
    for (bit, byte) in block.iter().enumerate() {
        marks.quote |= u64::from(*byte == b'"') << bit;
        marks.backslash |= u64::from(*byte == b'\\') << bit;
        marks.control |= u64::from(*byte < 0x20) << bit;
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn agrees_with_reading_byte_by_byte(text in r#"["\\ab\n]{0,200}"#) {
            let bytes = text.as_bytes();
            let mut quotes = Quotes::default();
            quotes.index(bytes);
            let mut escaped = false;
            let mut expect = Vec::new();
            for (at, byte) in bytes.iter().enumerate() {
                if *byte == b'"' && !escaped {
                    expect.push(at);
                }
                escaped = *byte == b'\\' && !escaped;
            }
            let mut got = Vec::new();
            let mut from = 0;
            while let Some(at) = quotes.next(from) {
                got.push(at);
                from = at + 1;
            }
            proptest::prop_assert_eq!(got, expect);
            proptest::prop_assert_eq!(quotes.has_control(), bytes.contains(&b'\n'));
            for from in 0..bytes.len() {
                for to in from..bytes.len() {
                    let expect = bytes[from..to].contains(&b'\\');
                    proptest::prop_assert_eq!(quotes.backslash_between(from, to), expect);
                }
            }
        }
    }
}
