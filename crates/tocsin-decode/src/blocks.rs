//! Bytes looked at 64 at a time: the one place that knows what the processor can do.
//!
//! A [`Task`] is written once, over questions to blocks; it runs in the widest instructions there
//! are. Answers are bit masks, bit 0 for the first byte of the block.

/// Bytes of a block.
pub const BLOCK: usize = 64;

/// What JSON asks of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Bytes that are `"`.
    pub quote: u64,
    /// Bytes that are `\`.
    pub backslash: u64,
    /// Bytes below 0x20.
    pub control: u64,
}

/// Something to do over blocks.
pub trait Task {
    /// What it comes to.
    type Answer;

    /// Does it; `marks` answers for one block, and `equal` says which of its bytes are this one.
    fn run(
        self,
        marks: impl Fn(&[u8; BLOCK]) -> Marks,
        equal: impl Fn(&[u8; BLOCK], u8) -> u64,
    ) -> Self::Answer;
}

/// Does a task in the widest instructions of this processor.
#[inline]
pub fn run<T: Task>(task: T) -> T::Answer {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2")
        && std::is_x86_feature_detected!("bmi1")
        && std::is_x86_feature_detected!("bmi2")
    {
        #[expect(unsafe_code, reason = "the processor was just asked whether it has AVX2 and BMI")]
        // SAFETY: `run_avx2` is a safe function but for needing these, which are there.
        return unsafe { run_avx2(task) };
    }
    task.run(marks_portable, equal_portable)
}

/// Whether all bytes are ASCII.
#[must_use]
pub fn is_ascii(bytes: &[u8]) -> bool {
    run(IsAscii(bytes))
}

struct IsAscii<'a>(&'a [u8]);

impl Task for IsAscii<'_> {
    type Answer = bool;

    #[inline(always)]
    fn run(self, _: impl Fn(&[u8; BLOCK]) -> Marks, _: impl Fn(&[u8; BLOCK], u8) -> u64) -> bool {
        // Wide enough for four registers, so that a whole batch is joined without looking.
        let (chunks, rest) = self.0.as_chunks::<128>();
        let mut joined = [0_u8; 128];
        for chunk in chunks {
            for (all, byte) in joined.iter_mut().zip(chunk) {
                *all |= byte;
            }
        }
        joined.iter().chain(rest).fold(0, |all, byte| all | byte) < 0x80
    }
}

fn marks_portable(block: &[u8; BLOCK]) -> Marks {
    let mut control = 0;
    for (bit, byte) in block.iter().enumerate() {
        control |= u64::from(*byte < 0x20) << bit;
    }
    Marks { quote: equal_portable(block, b'"'), backslash: equal_portable(block, b'\\'), control }
}

fn equal_portable(block: &[u8; BLOCK], wanted: u8) -> u64 {
    let bits = block.iter().enumerate();
    bits.fold(0, |mask, (bit, byte)| mask | u64::from(*byte == wanted) << bit)
}

#[cfg(target_arch = "x86_64")]
use avx2::run_avx2;

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm_set_epi64x, _mm256_cmpeq_epi8, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_set_m128i,
        _mm256_set1_epi8,
    };

    use super::{BLOCK, Marks, Task};

    #[target_feature(enable = "avx2,bmi1,bmi2")]
    pub(super) fn run_avx2<T: Task>(task: T) -> T::Answer {
        task.run(|block| marks(block), |block, wanted| equal(load(block), wanted))
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn load(block: &[u8; BLOCK]) -> [__m256i; 2] {
        let (parts, _) = block.as_chunks::<16>();
        // Halves of one number, and not two, so that each becomes a single load.
        let part = |at: usize| {
            let part = u128::from_le_bytes(parts[at]);
            _mm_set_epi64x((part >> 64) as i64, part as i64)
        };
        [_mm256_set_m128i(part(1), part(0)), _mm256_set_m128i(part(3), part(2))]
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn marks(block: &[u8; BLOCK]) -> Marks {
        let [low, high] = load(block);
        let control = _mm256_set1_epi8(0x1f);
        let is_control = |half| _mm256_cmpeq_epi8(_mm256_min_epu8(half, control), half);
        Marks {
            quote: equal([low, high], b'"'),
            backslash: equal([low, high], b'\\'),
            control: bits([is_control(low), is_control(high)]),
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn equal(block: [__m256i; 2], wanted: u8) -> u64 {
        let wanted = _mm256_set1_epi8(wanted as i8);
        bits([_mm256_cmpeq_epi8(block[0], wanted), _mm256_cmpeq_epi8(block[1], wanted)])
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn bits(halves: [__m256i; 2]) -> u64 {
        let [low, high] = halves.map(|half| u64::from(_mm256_movemask_epi8(half) as u32));
        low | high << 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Asked<'a>(&'a [u8; BLOCK]);

    impl Task for Asked<'_> {
        type Answer = (Marks, u64);

        fn run(
            self,
            marks: impl Fn(&[u8; BLOCK]) -> Marks,
            equal: impl Fn(&[u8; BLOCK], u8) -> u64,
        ) -> (Marks, u64) {
            (marks(self.0), equal(self.0, b'a'))
        }
    }

    proptest::proptest! {
        #[test]
        fn the_widest_instructions_see_what_the_plainest_see(block: [u8; 64], plain in r#"["\\a\n\x1f \x7f]{64}"#) {
            let plain: [u8; 64] = plain.into_bytes().try_into().unwrap();
            for block in [block, plain] {
                let expect = (marks_portable(&block), equal_portable(&block, b'a'));
                proptest::prop_assert_eq!(run(Asked(&block)), expect);
            }
        }

        #[test]
        fn ascii_is_told_wherever_it_ends(len in 0..600_usize, at in 0..600_usize, byte: u8) {
            let mut bytes = vec![b'x'; len];
            if let Some(slot) = bytes.get_mut(at) {
                *slot = byte;
            }
            proptest::prop_assert_eq!(is_ascii(&bytes), bytes.is_ascii());
        }
    }
}
