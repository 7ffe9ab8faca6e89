//! The hash that tells one counted value from another: keyed, so that nobody can choose values
//! that look the same, and fixed for good, because saved state holds it.

/// Makes hashes under the key of one data folder.
#[derive(Clone, Debug)]
pub(crate) struct ValueHasher {
    keyed: blake3::Hasher,
}

/// The hash of one value of several parts.
pub(crate) struct ValueHash(blake3::Hasher);

impl ValueHasher {
    pub fn new(seed: u64) -> ValueHasher {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        ValueHasher { keyed: blake3::Hasher::new_keyed(&key) }
    }

    pub fn begin(&self) -> ValueHash {
        ValueHash(self.keyed.clone())
    }
}

impl ValueHash {
    /// Takes in a part; parts are told apart by their lengths.
    pub fn part(&mut self, text: &str) {
        self.0.update(&(text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
    }

    pub fn finish(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0.finalize().as_bytes()[..8]);
        u64::from_le_bytes(first)
    }
}
