//! The bytes of a segment: its header, the heads of its frames, and the seal that tells a frame from
//! bytes of a record that look like one.
//!
//! A segment is a header (twice, a page apart, so that no damaged page costs the segment) and frames
//! without gaps. A frame is a head of 16 bytes (magic, length of the payload, checksum of the
//! payload, checksum of the head) and its payload, little-endian. Both checksums cover the frame's
//! position and the segment's random salt, which no sender knows: when reading resumes after damage,
//! nothing but a frame, at its own place, is ever taken for one.

use crate::journal::limits::FRAME_BYTES_MAX;

/// Bytes of the header: the first frame begins behind them.
pub const HEADER_BYTES: u64 = 8_192;

/// How often the header stands there.
pub const HEADER_COPIES: usize = 2;

/// Bytes of one copy, with the zeros behind it.
pub const HEADER_COPY_BYTES: usize = HEADER_BYTES as usize / HEADER_COPIES;

/// Bytes of a frame's head.
pub const HEAD_BYTES: usize = 16;

/// Bytes of a segment's salt.
pub const SALT_BYTES: usize = 16;

/// How every frame begins: bytes that no UTF-8 text contains.
pub const FRAME_MAGIC: [u8; 4] = [0xF7, b'T', b'J', 0xC1];

const COPY_BYTES: usize = 40;
const SEGMENT_MAGIC: [u8; 8] = *b"TocsinJ\n";
const VERSION: u32 = 1;

/// What is known of a segment by its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// It is the segment it should be.
    Sound(Seal),
    /// It was written by a newer version of the format.
    Newer,
    /// No readable header of this segment.
    Unreadable,
}

/// The secret of a segment: two checksums with half of the salt in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    head: u32,
    payload: u32,
}

/// A frame's head, proven by its own checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the payload.
    pub payload_bytes: usize,
    /// One past the frame's last byte.
    pub end: u64,
    checksum: u32,
}

/// The header of a segment that begins at `base`.
#[must_use]
pub fn header(base: u64, salt: &[u8; SALT_BYTES]) -> Vec<u8> {
    let mut copy = Vec::with_capacity(COPY_BYTES);
    copy.extend_from_slice(&SEGMENT_MAGIC);
    copy.extend_from_slice(&VERSION.to_le_bytes());
    copy.extend_from_slice(&base.to_le_bytes());
    copy.extend_from_slice(salt);
    copy.extend_from_slice(&crc32c::crc32c(&copy).to_le_bytes());
    let mut block = vec![0; HEADER_BYTES as usize];
    for page in block.chunks_exact_mut(HEADER_COPY_BYTES) {
        page[..COPY_BYTES].copy_from_slice(&copy);
    }
    block
}

/// Reads the header of a segment that should begin at `base` from the first bytes of its file.
#[must_use]
pub fn read_header(block: &[u8], base: u64) -> Header {
    block.chunks(HEADER_COPY_BYTES).find_map(|page| read_copy(page, base)).unwrap_or(Header::Unreadable)
}

/// Which copies of a header, counted from 0, are not as they were written: every byte counts, and
/// what [`read_header`] goes by is the measure. None of a header it cannot read.
#[must_use]
pub fn damaged_copies(block: &[u8], base: u64) -> Vec<usize> {
    let mut pages = block.chunks(HEADER_COPY_BYTES);
    let Some(read) = pages.find(|page| read_copy(page, base).is_some()) else { return Vec::new() };
    let mut written = [0; HEADER_COPY_BYTES];
    written[..COPY_BYTES].copy_from_slice(&read[..COPY_BYTES]);
    let page = |copy: usize| block.chunks(HEADER_COPY_BYTES).nth(copy);
    (0..HEADER_COPIES).filter(|copy| page(*copy) != Some(&written)).collect()
}

fn read_copy(bytes: &[u8], base: u64) -> Option<Header> {
    let copy = bytes.first_chunk::<COPY_BYTES>()?;
    let (covered, checksum) = copy.split_last_chunk::<4>()?;
    let (magic, rest) = covered.split_first_chunk::<8>()?;
    let (version, rest) = rest.split_first_chunk::<4>()?;
    let (stated, salt) = rest.split_first_chunk::<8>()?;
    if *magic != SEGMENT_MAGIC || crc32c::crc32c(covered) != u32::from_le_bytes(*checksum) {
        return None;
    }
    if u32::from_le_bytes(*version) != VERSION {
        return Some(Header::Newer);
    }
    let salt = salt.first_chunk::<SALT_BYTES>()?;
    (u64::from_le_bytes(*stated) == base).then(|| Header::Sound(Seal::new(salt)))
}

impl Seal {
    /// The seal of a segment with this salt.
    #[must_use]
    pub fn new(salt: &[u8; SALT_BYTES]) -> Seal {
        let (head, payload) = salt.split_at(SALT_BYTES / 2);
        Seal { head: crc32c::crc32c(head), payload: crc32c::crc32c(payload) }
    }

    /// The head of a frame at `start` whose payload is these two parts, one after the other.
    #[must_use]
    pub fn head(self, start: u64, first: &[u8], second: &[u8]) -> [u8; HEAD_BYTES] {
        let checksum = crc32c::crc32c_append(self.payload_at(start, first), second);
        let mut head = [0; HEAD_BYTES];
        head[..4].copy_from_slice(&FRAME_MAGIC);
        head[4..8].copy_from_slice(&((first.len() + second.len()) as u32).to_le_bytes());
        head[8..12].copy_from_slice(&checksum.to_le_bytes());
        let own = self.head_at(start, &head[..12]);
        head[12..].copy_from_slice(&own.to_le_bytes());
        head
    }

    /// Reads the head of a frame at `start`; `None` if there is none.
    #[must_use]
    pub fn read_head(self, start: u64, bytes: &[u8; HEAD_BYTES]) -> Option<Head> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if bytes[..4] != FRAME_MAGIC || self.head_at(start, &bytes[..12]) != word(12) {
            return None;
        }
        let payload_bytes = word(4) as usize;
        let end = start.checked_add((HEAD_BYTES + payload_bytes) as u64)?;
        (payload_bytes <= FRAME_BYTES_MAX).then_some(Head { payload_bytes, end, checksum: word(8) })
    }

    /// Whether this is the payload of the frame at `start` with this head.
    #[must_use]
    pub fn is_sound(self, start: u64, head: &Head, payload: &[u8]) -> bool {
        self.payload_at(start, payload) == head.checksum
    }

    fn head_at(self, start: u64, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(self.head, &start.to_le_bytes()), bytes)
    }

    fn payload_at(self, start: u64, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(self.payload, &start.to_le_bytes()), bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: [u8; SALT_BYTES] = *b"0123456789abcdef";

    #[test]
    fn a_header_survives_the_loss_of_either_page() {
        let whole = header(77, &SALT);
        assert!(damaged_copies(&whole, 77).is_empty());
        for copy in 0..HEADER_COPIES {
            let mut block = whole.clone();
            block[copy * HEADER_COPY_BYTES..][..HEADER_COPY_BYTES].fill(0);
            assert_eq!(read_header(&block, 77), Header::Sound(Seal::new(&SALT)), "copy {copy}");
            assert_eq!(damaged_copies(&block, 77), [copy]);
        }
        assert_eq!(damaged_copies(&whole[..HEADER_COPY_BYTES], 77), [1], "cut short");
        assert_eq!(read_header(&vec![0; whole.len()], 77), Header::Unreadable);
        assert_eq!(read_header(&whole, 78), Header::Unreadable, "a copy under another name");
        assert_eq!(read_header(&[], 0), Header::Unreadable);
    }

    #[test]
    fn a_header_of_a_newer_version_is_told_apart() {
        let mut block = header(0, &SALT);
        block[8] = 2;
        let checksum = crc32c::crc32c(&block[..COPY_BYTES - 4]);
        block[COPY_BYTES - 4..COPY_BYTES].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(read_header(&block, 0), Header::Newer);
    }

    #[test]
    fn a_head_is_read_only_at_its_place_and_under_its_seal() {
        let seal = Seal::new(&SALT);
        let bytes = seal.head(8_192, b"first", b"second");
        let head = seal.read_head(8_192, &bytes).expect("a head");
        assert_eq!((head.payload_bytes, head.end), (11, 8_192 + 27));
        assert!(seal.is_sound(8_192, &head, b"firstsecond"));
        assert!(!seal.is_sound(8_192, &head, b"firstsecone"));
        assert_eq!(seal.read_head(8_193, &bytes), None, "elsewhere");
        assert_eq!(Seal::new(b"another salt of ").read_head(8_192, &bytes), None, "another segment");
        for bit in 0..HEAD_BYTES * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(seal.read_head(8_192, &damaged), None, "bit {bit}");
        }
    }
}
