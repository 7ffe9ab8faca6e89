//! The seam to inputs: a named, ordered stream of bytes.
//!
//! ```text
//! loop { match source.read(&mut buffer)? { 0 => break, n => cutter.take(&buffer[..n]) } }
//! ```
//!
//! The reader retries nothing: a source that can recover does so itself. An error ends the
//! partition and is reported; the other inputs go on.

use std::io;

/// One input. Each is a partition of its own.
pub trait Source: Send {
    /// Its name in messages and orders: the path, or `-`.
    fn name(&self) -> &str;

    /// Reads the next bytes; 0 at the end.
    ///
    /// # Errors
    /// What the operating system says.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Bytes consumed so far of what [`Source::size`] counts (compressed bytes of a compressed
    /// file).
    fn consumed(&self) -> u64;

    /// Total size, where it is known.
    fn size(&self) -> Option<u64>;
}
