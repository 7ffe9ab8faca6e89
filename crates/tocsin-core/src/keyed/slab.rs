//! Places with numbers, given out again once they are free. They lie in pieces of a fixed size, so
//! that to grow copies nothing and leaves little unused: with a million keys both would cost more
//! than what they hold.

/// Places of one piece, as a power of two. The first piece of a slab grows up to it.
const PIECE_SHIFT: u32 = 8;
const PIECE: usize = 1 << PIECE_SHIFT;

/// Values by the number of their place.
#[derive(Debug)]
pub(super) struct Slab<T> {
    pieces: Vec<Vec<T>>,
    /// A bit for each place that is free: a list of them would take room when keys go.
    free: Vec<u64>,
    /// No word of `free` before this one has a bit.
    first_free: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab { pieces: Vec::new(), free: Vec::new(), first_free: 0 }
    }
}

impl<T> Slab<T> {
    /// Puts a value in the first free place; gives its number.
    pub fn put(&mut self, value: T) -> u32 {
        if let Some(at) = self.take_free() {
            *self.get_mut(at) = value;
            return at;
        }
        if self.pieces.last().is_none_or(|piece| piece.len() == PIECE) {
            let capacity = if self.pieces.is_empty() { 0 } else { PIECE };
            self.pieces.push(Vec::with_capacity(capacity));
        }
        let before = (self.pieces.len() - 1) * PIECE;
        let Some(piece) = self.pieces.last_mut() else { return 0 };
        piece.push(value);
        (before + piece.len() - 1) as u32
    }

    fn take_free(&mut self) -> Option<u32> {
        let rest = self.free.get(self.first_free..)?;
        let Some(ahead) = rest.iter().position(|word| *word != 0) else {
            self.first_free = self.free.len();
            return None;
        };
        self.first_free += ahead;
        let word = &mut self.free[self.first_free];
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        Some(self.first_free as u32 * u64::BITS + bit)
    }

    /// The value of a place that was given out.
    pub fn get(&self, at: u32) -> &T {
        &self.pieces[at as usize >> PIECE_SHIFT][at as usize & (PIECE - 1)]
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, at: u32) -> &mut T {
        &mut self.pieces[at as usize >> PIECE_SHIFT][at as usize & (PIECE - 1)]
    }

    /// Gives a place back, with what lies there from then on.
    pub fn release(&mut self, at: u32, nothing: T) -> T {
        let word = (at / u64::BITS) as usize;
        if self.free.len() <= word {
            self.free.resize(word + 1, 0);
        }
        self.free[word] |= 1 << (at % u64::BITS);
        self.first_free = self.first_free.min(word);
        std::mem::replace(self.get_mut(at), nothing)
    }

    /// All places in order of their numbers, those that are free too.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_keep_their_values_and_are_given_out_again() {
        let mut slab = Slab::default();
        for n in 0..1_000_u32 {
            assert_eq!(slab.put(n), n);
        }
        assert_eq!((slab.release(300, 0), slab.put(7)), (300, 300));
        assert_eq!((*slab.get(300), *slab.get(999), slab.iter().count()), (7, 999, 1_000));
        for n in [999, 5, 64, 63] {
            slab.release(n, 0);
        }
        let given: Vec<u32> = (0..6).map(|_| slab.put(1)).collect();
        assert_eq!(given, [5, 63, 64, 999, 1_000, 1_001]);
    }
}
