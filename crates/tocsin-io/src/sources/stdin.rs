//! Standard input as a source.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use tocsin_pipeline::source::Source;

use super::file::{Counted, GZIP_MAGIC};

/// Standard input, decompressed if it is gzip.
pub struct StdinSource {
    reader: Box<dyn Read + Send>,
    consumed: u64,
}

impl StdinSource {
    /// Opens standard input.
    ///
    /// # Errors
    /// What the operating system says on the first read.
    pub fn open() -> io::Result<StdinSource> {
        let mut stdin = io::stdin();
        let mut first = [0; 2];
        let mut len = 0;
        while len < first.len() {
            match stdin.read(&mut first[len..])? {
                0 => break,
                n => len += n,
            }
        }
        let whole = io::Cursor::new(first[..len].to_vec()).chain(stdin);
        let reader: Box<dyn Read + Send> = if first[..len] == GZIP_MAGIC {
            Box::new(MultiGzDecoder::new(Counted::new(whole)))
        } else {
            Box::new(whole)
        };
        Ok(StdinSource { reader, consumed: 0 })
    }
}

impl Source for StdinSource {
    fn name(&self) -> &str {
        "-"
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.reader.read(buffer)?;
        self.consumed += len as u64;
        Ok(len)
    }

    fn consumed(&self) -> u64 {
        self.consumed
    }

    fn size(&self) -> Option<u64> {
        None
    }
}
