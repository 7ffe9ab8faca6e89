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
        if std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512bw") {
            #[expect(unsafe_code, reason = "the processor was just asked whether it has AVX-512 and BMI")]
            // SAFETY: `run_avx512` is a safe function but for needing these, which are there.
            return unsafe { run_avx512(task) };
        }
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
use avx512::run_avx512;

// No closures and no `map` in these two: a function without the instructions, as `map` is, does not take in one that
// has them, and each would be a call.

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8,
        _mm256_set1_epi8,
    };

    use super::{BLOCK, Marks, Task};

    #[target_feature(enable = "avx2,bmi1,bmi2")]
    pub(super) fn run_avx2<T: Task>(task: T) -> T::Answer {
        task.run(|block| marks(block), |block, wanted| equal(load(block), wanted))
    }

    /// The halves of a block.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn load(block: &[u8; BLOCK]) -> (__m256i, __m256i) {
        let (halves, _) = block.as_chunks::<32>();
        #[expect(unsafe_code, reason = "the one load there is takes a pointer")]
        // SAFETY: each half is 32 bytes long, and the load asks for no alignment.
        let load = |at: usize| unsafe { _mm256_loadu_si256(halves[at].as_ptr().cast()) };
        (load(0), load(1))
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn marks(block: &[u8; BLOCK]) -> Marks {
        let (low, high) = load(block);
        let control = _mm256_set1_epi8(0x1f);
        let low_control = _mm256_cmpeq_epi8(_mm256_min_epu8(low, control), low);
        let high_control = _mm256_cmpeq_epi8(_mm256_min_epu8(high, control), high);
        Marks {
            quote: equal((low, high), b'"'),
            backslash: equal((low, high), b'\\'),
            control: bits(low_control, high_control),
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn equal((low, high): (__m256i, __m256i), wanted: u8) -> u64 {
        let wanted = _mm256_set1_epi8(wanted as i8);
        bits(_mm256_cmpeq_epi8(low, wanted), _mm256_cmpeq_epi8(high, wanted))
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn bits(low: __m256i, high: __m256i) -> u64 {
        let low = _mm256_movemask_epi8(low) as u32;
        let high = _mm256_movemask_epi8(high) as u32;
        u64::from(low) | u64::from(high) << 32
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512i, _mm512_cmpeq_epi8_mask, _mm512_cmplt_epu8_mask, _mm512_loadu_si512, _mm512_set1_epi8,
    };

    use super::{BLOCK, Marks, Task};

    #[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2")]
    pub(super) fn run_avx512<T: Task>(task: T) -> T::Answer {
        task.run(|block| marks(block), |block, wanted| equal(load(block), wanted))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2")]
    fn load(block: &[u8; BLOCK]) -> __m512i {
        #[expect(unsafe_code, reason = "the one load there is takes a pointer")]
        // SAFETY: a block is 64 bytes long, and the load asks for no alignment.
        unsafe {
            _mm512_loadu_si512(block.as_ptr().cast())
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2")]
    fn marks(block: &[u8; BLOCK]) -> Marks {
        let block = load(block);
        Marks {
            quote: equal(block, b'"'),
            backslash: equal(block, b'\\'),
            control: _mm512_cmplt_epu8_mask(block, _mm512_set1_epi8(0x20)),
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2")]
    fn equal(block: __m512i, wanted: u8) -> u64 {
        _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(wanted as i8))
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
