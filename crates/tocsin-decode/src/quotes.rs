//! Where a record's strings end: one pass over its bytes, a block at a time, marks every quote that
//! no backslash escapes, every backslash, and everything in a string that has to be looked at.
//!
//! The escape arithmetic is the carry trick of simdjson (Langdale and Lemire, "Parsing gigabytes
//! of JSON per second", VLDB Journal 2019, section 3.1.1).

use tocsin_core::value::Kind;

use crate::blocks::{self, BLOCK, Marks, Task};

/// Characters that a backslash may escape, and that are all of the escape.
const SIMPLE: [u8; 8] = *b"\"\\/bfnrt";

/// Marks of one record, a block after the other.
#[derive(Debug, Default)]
pub struct Quotes {
    /// Two blocks without a mark follow those of the record; what is behind them is left over.
    blocks: Vec<Block>,
    used: usize,
    /// Whether there are only quotes in the record.
    plain: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Block {
    /// Quotes that no backslash escapes.
    quote: u64,
    backslash: u64,
    /// Control characters, and what a backslash escapes unless it is one of [`SIMPLE`].
    odd: u64,
}

/// The end of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Offset of its closing quote.
    pub at: usize,
    /// Text, escaped or not.
    pub kind: Kind,
    /// Whether something in it is odd.
    pub odd: bool,
}

impl Quotes {
    /// Indexes the first `len` of these bytes. Those after them are looked at for speed only.
    pub fn index(&mut self, bytes: &[u8], len: usize) {
        self.used = len.div_ceil(BLOCK);
        if self.blocks.len() < self.used + 2 {
            self.blocks.resize(self.used + 2, Block::default());
        }
        let (blocks, behind) = self.blocks.split_at_mut(self.used);
        behind[..2].fill(Block::default());
        let mut others = blocks::run(Index { bytes, blocks });
        if let Some(last) = blocks.last_mut() {
            let inside = u64::MAX >> ((BLOCK - len % BLOCK) % BLOCK);
            last.quote &= inside;
            last.backslash &= inside;
            last.odd &= inside;
            others |= last.backslash | last.odd;
        }
        self.plain = others == 0;
    }

    /// What a string is that begins at an offset, after its opening quote, and where its closing
    /// quote is, if it is not far and nothing in between is odd.
    #[inline(always)]
    #[must_use]
    pub fn near_end(&self, from: usize) -> Option<(Kind, usize)> {
        let (block, bit) = (from / BLOCK, from % BLOCK);
        let next = self.blocks.get(block + 1)?;
        let here = &self.blocks[block];
        let quote = join(here.quote, next.quote, bit);
        if quote == 0 {
            return None;
        }
        let end = from + quote.trailing_zeros() as usize;
        if self.plain {
            return Some((Kind::Text, end));
        }
        let inside = before(quote);
        let kind = kind(join(here.backslash, next.backslash, bit) & inside);
        (join(here.odd, next.odd, bit) & inside == 0).then_some((kind, end))
    }

    /// The end of any string that begins at an offset, after its opening quote: the first unescaped
    /// quote from there on.
    #[must_use]
    pub fn end(&self, from: usize) -> Option<End> {
        let (mut backslash, mut odd) = (0, 0);
        for at in (from..self.used * BLOCK).step_by(BLOCK) {
            let ahead = self.ahead(at);
            let inside = if ahead.quote == 0 { u64::MAX } else { before(ahead.quote) };
            backslash |= ahead.backslash & inside;
            odd |= ahead.odd & inside;
            if ahead.quote != 0 {
                let at = at + ahead.quote.trailing_zeros() as usize;
                return Some(End { at, kind: kind(backslash), odd: odd != 0 });
            }
        }
        None
    }

    /// Offset of the first odd character at or after an offset.
    #[must_use]
    pub fn odd(&self, from: usize) -> Option<usize> {
        let far = (from..self.used * BLOCK).step_by(BLOCK);
        let mut marked = far.map(|at| (at, self.ahead(at).odd)).filter(|(_, odd)| *odd != 0);
        marked.next().map(|(at, odd)| at + odd.trailing_zeros() as usize)
    }

    /// The marks of the 64 bytes from an offset on.
    fn ahead(&self, from: usize) -> Block {
        let (block, bit) = (from / BLOCK, from % BLOCK);
        let Some(next) = self.blocks.get(block + 1) else { return Block::default() };
        let here = &self.blocks[block];
        Block {
            quote: join(here.quote, next.quote, bit),
            backslash: join(here.backslash, next.backslash, bit),
            odd: join(here.odd, next.odd, bit),
        }
    }
}

/// The kind of a string with these backslashes.
#[inline(always)]
fn kind(backslash: u64) -> Kind {
    if backslash == 0 { Kind::Text } else { Kind::Escaped }
}

/// 64 bits of two words, from a bit of the first on.
#[inline(always)]
fn join(here: u64, next: u64, bit: usize) -> u64 {
    // In two steps, as a shift by 64 is none.
    here >> bit | next << 1 << (BLOCK - 1 - bit)
}

/// The bits below the lowest one that is set.
#[inline(always)]
fn before(marks: u64) -> u64 {
    marks.wrapping_sub(1) & !marks
}

struct Index<'a> {
    bytes: &'a [u8],
    blocks: &'a mut [Block],
}

impl Task for Index<'_> {
    /// All backslashes and everything odd before the last block.
    type Answer = u64;

    #[inline(always)]
    fn run(self, marks: impl Fn(&[u8; BLOCK]) -> Marks, equal: impl Fn(&[u8; BLOCK], u8) -> u64) -> u64 {
        let (whole, rest) = self.bytes.as_chunks();
        let (mut escaped_next, mut others, mut last) = (0, 0, 0);
        let mut index = |bytes: &[u8; BLOCK], block: &mut Block| {
            let Marks { quote, backslash, control } = marks(bytes);
            *block = Block { quote, backslash, odd: control };
            if backslash | escaped_next != 0 {
                let escaped = escaped_by(backslash, &mut escaped_next);
                block.quote &= !escaped;
                let strange = escaped & !(quote | backslash);
                if strange != 0 {
                    block.odd |= strange & !SIMPLE.iter().fold(0, |set, byte| set | equal(bytes, *byte));
                }
            }
            others |= last;
            last = block.backslash | block.odd;
        };
        for (block, bytes) in self.blocks.iter_mut().zip(whole) {
            index(bytes, block);
        }
        // Only where the batch ends.
        if let Some(block) = self.blocks.get_mut(whole.len()) {
            let mut bytes = [b' '; BLOCK];
            bytes[..rest.len()].copy_from_slice(rest);
            index(&bytes, block);
        }
        others
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

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn agrees_with_reading_byte_by_byte(text in r#"["\\anux\n]{0,300}|(\\[\\nu"x]|["ab\t]){0,160}"#, len in 0..300_usize) {
            let len = len.min(text.len());
            let bytes = text.as_bytes();
            let mut quotes = Quotes::default();
            quotes.index(b"\"\\\"\\\"\\", 6);
            quotes.index(bytes, len);
            let mut escaped = false;
            let (mut ends, mut odds) = (Vec::new(), Vec::new());
            for (at, byte) in bytes[..len].iter().enumerate() {
                if *byte == b'"' && !escaped {
                    ends.push(at);
                }
                if *byte < b' ' || escaped && !SIMPLE.contains(byte) {
                    odds.push(at);
                }
                escaped = *byte == b'\\' && !escaped;
            }
            for from in 0..=len {
                let expect = ends.iter().copied().find(|end| *end >= from).map(|at| End {
                    at,
                    kind: if bytes[from..at].contains(&b'\\') { Kind::Escaped } else { Kind::Text },
                    odd: odds.iter().any(|odd| (from..at).contains(odd)),
                });
                proptest::prop_assert_eq!(quotes.end(from), expect);
                let near = expect.filter(|end| end.at < from + BLOCK && !end.odd);
                proptest::prop_assert_eq!(quotes.near_end(from), near.map(|end| (end.kind, end.at)));
                let expect = odds.iter().copied().find(|odd| *odd >= from);
                proptest::prop_assert_eq!(quotes.odd(from), expect);
            }
        }
    }
}
