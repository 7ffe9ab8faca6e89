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
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab { pieces: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Puts a value in a free place; gives its number.
    pub fn put(&mut self, value: T) -> u32 {
        if let Some(at) = self.free.pop() {
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
        self.free.push(at);
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
    }
}
