//! Finds which of many needles a text contains, by their rarest grams.
//!
//! Each needle is entered under a few of its bytes, a *gram*: four of them where it is long enough.
//! Whether any needle has the gram that stands at a place of the text is a bit of a small table; only
//! where it is set is the needle itself compared. Grams of four are looked at in every second place:
//! a needle is entered under two neighbouring ones, one of which begins at an even place wherever the
//! needle stands. They are chosen so that they are rare among all that rules look for, which is a
//! fair picture of what values are made of.

use hashbrown::HashMap;

/// Zero bytes a text must have behind it, so that grams can be read up to its end.
pub(crate) const PADDING: &str = "\0\0\0\0\0\0\0\0";

/// Counters of [`Frequencies`].
const COUNTERS: usize = 1 << 16;

/// Bits of a table for each gram in it, at least, unless it has the most words already.
const BITS_PER_GRAM: usize = 32;

/// Words a table may have. A search is compiled for each, so that no place in it need be checked.
const FEW: usize = 16;
const SOME: usize = 256;
const MANY: usize = 4_096;
/// Words of the tables of short grams. Those of two bytes need no more.
const SHORT: usize = 1_024;

/// How often grams occur in the texts of all rules, roughly: grams may share a counter.
#[derive(Debug)]
pub struct Frequencies {
    counters: Vec<u16>,
}

impl Frequencies {
    /// Nothing counted.
    pub(crate) fn new() -> Frequencies {
        Frequencies { counters: vec![0; COUNTERS] }
    }

    /// Counts the grams of a folded text.
    pub(crate) fn count(&mut self, text: &[u8]) {
        for gram in text.windows(4) {
            let counter = &mut self.counters[slot(read(gram, 4))];
            *counter = counter.saturating_add(1);
        }
    }

    /// How common a gram is likely to be in values; the less the better.
    fn cost(&self, gram: &[u8]) -> u32 {
        let bytes = bytes_cost(gram);
        match gram.len() {
            4 => bytes + 4 * u32::from(self.counters[slot(read(gram, 4))]),
            _ => bytes,
        }
    }
}

fn slot(gram: u32) -> usize {
    (gram.wrapping_mul(SPREAD) >> 16) as usize
}

/// How common bytes are, added up.
pub(crate) fn bytes_cost(bytes: &[u8]) -> u32 {
    bytes.iter().map(|byte| u32::from(BYTE_COSTS[usize::from(*byte)])).sum()
}

/// How common each byte is in paths, command lines and scripts, roughly.
const BYTE_COSTS: [u8; 256] = {
    let mut costs = [2; 256];
    let mut byte = 0;
    while byte < costs.len() {
        costs[byte] = match byte as u8 {
            b'e' | b'\\' | b' ' | b's' | b't' | b'i' | b'o' | b'n' | b'r' | b'a' => 12,
            b'c' | b'm' | b'd' | b'l' | b'p' | b'w' | b'.' | b'u' | b'0' | b'-' | b'"' => 8,
            b'a'..=b'z' | b'1'..=b'9' | b':' | b'/' | b'=' | b'_' => 5,
            _ => 2,
        };
        byte += 1;
    }
    costs
};

/// Spreads a gram over all bits of a product (the odd number next to 2^32 over the golden ratio).
const SPREAD: u32 = 0x9E37_79B1;

/// Up to four bytes as a number.
fn read(bytes: &[u8], len: usize) -> u32 {
    bytes[..len].iter().rev().fold(0, |gram, byte| gram << 8 | u32::from(*byte))
}

/// A set of needles, each with its number in order of adding.
#[derive(Debug, Default)]
pub(crate) struct Needles {
    numbers: HashMap<Box<[u8]>, u32, foldhash::fast::FixedState>,
}

impl Needles {
    /// The number of a needle, which must not be empty.
    pub(crate) fn number(&mut self, needle: &[u8]) -> u32 {
        let next = self.numbers.len() as u32;
        if let Some(number) = self.numbers.get(needle) {
            return *number;
        }
        self.numbers.insert(needle.into(), next);
        next
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The needles, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.numbers.keys().map(|needle| &**needle)
    }

    /// Builds the finder of these needles.
    pub(crate) fn finder(self, frequencies: &Frequencies) -> Finder {
        let mut needles: Vec<(Box<[u8]>, u32)> = self.numbers.into_iter().collect();
        needles.sort_unstable_by_key(|(_, number)| *number);
        let mut finder = Finder::default();
        let mut grams: [Vec<(u32, Place)>; 3] = Default::default();
        for (needle, number) in &needles {
            let start = finder.bytes.len() as u32;
            finder.bytes.extend_from_slice(needle);
            finder.needles.push((start, needle.len() as u32));
            match needle.len() {
                1 => finder.single.push((needle[0], *number)),
                len => {
                    let width = width(len);
                    let table = &mut grams[width - 2];
                    for offset in offsets(needle, width, frequencies) {
                        let place = Place { needle: *number, offset: offset as u32 };
                        table.push((read(&needle[offset..], width), place));
                    }
                }
            }
        }
        let [two, three, four] = grams;
        let wanted = four.len() * BITS_PER_GRAM / 64;
        let words = [FEW, SOME].into_iter().find(|words| *words >= wanted).unwrap_or(MANY);
        finder.tables = [Table::new(two, SHORT), Table::new(three, SHORT), Table::new(four, words)];
        finder
    }
}

/// How many bytes the grams of a needle have. Of four there are two to be entered, so a needle of
/// four bytes has one of three.
fn width(needle: usize) -> usize {
    match needle {
        2 => 2,
        3 | 4 => 3,
        _ => 4,
    }
}

/// Where a needle's grams are taken from: of four bytes two neighbouring ones, of less one.
fn offsets(needle: &[u8], width: usize, frequencies: &Frequencies) -> std::ops::RangeInclusive<usize> {
    let costs = needle.windows(width).map(|gram| frequencies.cost(gram));
    if width < 4 {
        let best = costs.zip(0..).min().map_or(0, |(_, at)| at);
        return best..=best;
    }
    let pairs = costs.clone().skip(1).zip(costs).map(|(one, next)| one + next);
    let best = pairs.zip(0..).min().map_or(0, |(_, at)| at);
    best..=best + 1
}

/// A needle, and where in it the gram stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    needle: u32,
    offset: u32,
}

/// The grams of one width.
#[derive(Debug, Default)]
struct Table {
    /// A bit for each value of a gram's hash.
    bits: Vec<u64>,
    /// Open addressing: gram, and its range in `places`.
    slots: Vec<(u32, u32, u32)>,
    places: Vec<Place>,
}

impl Table {
    fn new(mut grams: Vec<(u32, Place)>, words: usize) -> Table {
        if grams.is_empty() {
            return Table::default();
        }
        grams.sort_unstable_by_key(|(gram, place)| (*gram, place.needle, place.offset));
        let size = (grams.len() * 2).next_power_of_two();
        let mut table = Table {
            bits: vec![0; words],
            slots: vec![(0, 0, 0); size],
            places: grams.iter().map(|(_, place)| *place).collect(),
        };
        let mut from = 0;
        for same in grams.chunk_by(|a, b| a.0 == b.0) {
            let gram = same[0].0;
            let bit = gram.wrapping_mul(SPREAD) >> (26 - words.ilog2());
            table.bits[bit as usize >> 6] |= 1 << (bit & 63);
            let to = from + same.len() as u32;
            let mut at = gram.wrapping_mul(SPREAD) as usize >> 3 & (size - 1);
            while table.slots[at].2 != 0 {
                at = (at + 1) & (size - 1);
            }
            table.slots[at] = (gram, from, to);
            from = to;
        }
        table
    }

    /// The bits, if there are so many words; no bit if there are none.
    fn bits<const WORDS: usize>(&self) -> &[u64; WORDS] {
        self.bits.first_chunk().unwrap_or(&[0; WORDS])
    }

    /// The needles that have this gram.
    fn get(&self, gram: u32) -> &[Place] {
        let last = self.slots.len() - 1;
        let mut at = gram.wrapping_mul(SPREAD) as usize >> 3 & last;
        loop {
            match self.slots[at] {
                (_, _, 0) => return &[],
                (found, from, to) if found == gram => return &self.places[from as usize..to as usize],
                _ => at = (at + 1) & last,
            }
        }
    }
}

/// Whether any needle may have this gram: 1 or 0.
#[inline]
fn may_have<const WORDS: usize>(bits: &[u64; WORDS], gram: u32) -> u64 {
    let bit = gram.wrapping_mul(SPREAD) >> (26 - WORDS.ilog2());
    bits[bit as usize >> 6] >> (bit & 63) & 1
}

/// Which needles were found in the text at hand; scratch space, one per worker.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Stamp of the text a needle was last found in.
    stamps: Vec<u32>,
    stamp: u32,
}

impl Found {
    fn begin(&mut self, needles: usize) {
        if self.stamp == u32::MAX {
            self.stamps.clear();
            self.stamp = 0;
        }
        self.stamp += 1;
        self.stamps.resize(self.stamps.len().max(needles), 0);
    }

    fn knows(&self, needle: u32) -> bool {
        self.stamps[needle as usize] == self.stamp
    }

    fn add(&mut self, needle: u32) {
        self.stamps[needle as usize] = self.stamp;
    }
}

/// Finds needles in texts.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    /// All needles, one after another, and where each lies.
    bytes: Vec<u8>,
    needles: Vec<(u32, u32)>,
    /// Needles of one byte.
    single: Vec<(u8, u32)>,
    /// Grams of two, three and four bytes.
    tables: [Table; 3],
}

impl Finder {
    /// Calls `hit` with every needle the first `len` bytes of `padded` contain, each once. Behind
    /// them stands [`PADDING`].
    pub(crate) fn find(&self, padded: &[u8], len: usize, found: &mut Found, hit: &mut dyn FnMut(u32)) {
        if self.needles.is_empty() {
            return;
        }
        let text = &padded[..len];
        for (byte, needle) in &self.single {
            if memchr::memchr(*byte, text).is_some() {
                hit(*needle);
            }
        }
        let mut search = Search { finder: self, text, found, hit };
        search.found.begin(self.needles.len());
        match self.tables[2].bits.len() {
            MANY => search.run::<MANY>(padded),
            SOME => search.run::<SOME>(padded),
            _ => search.run::<FEW>(padded),
        }
    }
}

/// One search.
struct Search<'a> {
    finder: &'a Finder,
    text: &'a [u8],
    found: &'a mut Found,
    hit: &'a mut dyn FnMut(u32),
}

impl Search<'_> {
    /// Searches, the table of long grams having so many words.
    fn run<const WORDS: usize>(&mut self, padded: &[u8]) {
        let [two, three, four] = &self.finder.tables;
        let (has_two, has_three) = (!two.places.is_empty(), !three.places.is_empty());
        let two = two.bits::<SHORT>();
        let three = three.bits::<SHORT>();
        let four = four.bits::<WORDS>();
        // A bit for each gram of a place, see `Search::verify`.
        let fours = |x: u32| may_have(four, x);
        let threes = |x: u32| may_have(three, x & 0xFF_FFFF) << 1 | may_have(three, x >> 8) << 2;
        let twos = |x: u32| may_have(two, x & 0xFFFF) << 3 | may_have(two, x >> 8 & 0xFFFF) << 4;
        match (has_two, has_three) {
            (false, false) => self.scan(padded, fours),
            (false, true) => self.scan(padded, |x| fours(x) | threes(x)),
            (true, false) => self.scan(padded, |x| fours(x) | twos(x)),
            (true, true) => self.scan(padded, |x| fours(x) | threes(x) | twos(x)),
        }
    }

    /// Looks at every second place; two of them are judged together.
    #[inline]
    fn scan(&mut self, padded: &[u8], may_have: impl Fn(u32) -> u64) {
        for at in (0..self.text.len()).step_by(4) {
            let Some((bytes, _)) = padded[at..].split_first_chunk::<8>() else { return };
            let bytes = u64::from_le_bytes(*bytes);
            let (first, second) = (bytes as u32, (bytes >> 16) as u32);
            let mut hits = may_have(first) | may_have(second) << 8;
            while hits != 0 {
                let bit = hits.trailing_zeros();
                hits &= hits - 1;
                if bit < 8 { self.verify(at, first, bit) } else { self.verify(at + 2, second, bit - 8) }
            }
        }
    }

    /// Compares the needles that have one of the grams of a place: that of four bytes (0), those of
    /// three here and one further on (1, 2), those of two (3, 4).
    #[inline(never)]
    fn verify(&mut self, at: usize, bytes: u32, gram: u32) {
        let [two, three, four] = &self.finder.tables;
        match gram {
            0 => self.compare(at, four.get(bytes)),
            1 => self.compare(at, three.get(bytes & 0xFF_FFFF)),
            2 => self.compare(at + 1, three.get(bytes >> 8)),
            3 => self.compare(at, two.get(bytes & 0xFFFF)),
            _ => self.compare(at + 1, two.get(bytes >> 8 & 0xFFFF)),
        }
    }

    #[inline]
    fn compare(&mut self, at: usize, places: &[Place]) {
        for place in places {
            if self.found.knows(place.needle) {
                continue;
            }
            let (start, len) = self.finder.needles[place.needle as usize];
            let needle = &self.finder.bytes[start as usize..][..len as usize];
            let Some(from) = at.checked_sub(place.offset as usize) else { continue };
            if self.text.get(from..from + len as usize) == Some(needle) {
                self.found.add(place.needle);
                (self.hit)(place.needle);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(needles: &[Vec<u8>], text: &[u8]) -> Vec<u32> {
        let mut set = Needles::default();
        let mut frequencies = Frequencies::new();
        for needle in needles {
            set.number(needle);
            frequencies.count(needle);
        }
        let padded = [text, PADDING.as_bytes()].concat();
        let mut out = Vec::new();
        let finder = set.finder(&frequencies);
        finder.find(&padded, text.len(), &mut Found::default(), &mut |needle| out.push(needle));
        out.sort_unstable();
        out
    }

    fn expected(needles: &[Vec<u8>], text: &[u8]) -> Vec<u32> {
        let mut set = Needles::default();
        let numbers = needles.iter().map(|needle| set.number(needle)).collect::<Vec<_>>();
        let contains = |needle: &[u8]| text.windows(needle.len()).any(|window| window == needle);
        let mut out: Vec<u32> =
            needles.iter().zip(numbers).filter(|(needle, _)| contains(needle)).map(|(_, n)| n).collect();
        out.sort_unstable();
        out.dedup();
        out
    }

    #[test]
    fn needles_are_found_at_every_place_and_no_padding_is() {
        let text = b"ab\0cdefgh";
        for len in 1..=text.len() {
            for from in 0..=text.len() - len {
                let needle = text[from..from + len].to_vec();
                assert_eq!(found(&[needle], text), [0], "{from} {len}");
            }
        }
        assert_eq!(found(&[b"h\0".to_vec(), b"\0\0".to_vec(), b"gh\0\0\0".to_vec()], text), [0_u32; 0]);
        assert_eq!(found(&[b"a".to_vec()], b""), [0_u32; 0]);
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_a_plain_search_finds(
            needles in prop::collection::vec("[abc]{1,7}", 0..40),
            text in "[abcd]{0,60}",
        ) {
            let needles: Vec<Vec<u8>> = needles.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(found(&needles, text.as_bytes()), expected(&needles, text.as_bytes()));
        }
    }
}
