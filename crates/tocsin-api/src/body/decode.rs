//! Decompression with open eyes: what comes out is counted as it comes, against a size and against
//! what went in, so that a bomb is refused while it is small.

use std::io::{self, BufRead, Read};

use axum::http::StatusCode;
use flate2::bufread::MultiGzDecoder;

use super::too_large;
use crate::error::Problem;
use crate::limits::{BODY_RATIO_MAX, DECODE_STEP_BYTES_MAX, UNRATED_BYTES_MAX, ZSTD_WINDOW_LOG_MAX};

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 1952, one member or several.
    Gzip,
    /// RFC 8878, one frame or several.
    Zstd,
}

/// Decodes a body in steps, between which other requests have their turn. `reserve` is asked
/// before each step's bytes are kept.
///
/// # Errors
/// 400 for what does not decode or ends too early, 413 for what grows too much, and what `reserve`
/// says.
pub async fn decode(
    encoding: Encoding,
    sent: &[u8],
    bytes_max: usize,
    mut reserve: impl FnMut(usize) -> Result<(), Problem> + Send,
) -> Result<Vec<u8>, Problem> {
    let mut decoder = Decoder::new(encoding, sent)?;
    let mut decoded = Vec::new();
    loop {
        let before = decoded.len();
        let step = decoder.by_ref().take(DECODE_STEP_BYTES_MAX as u64).read_to_end(&mut decoded);
        step.map_err(|error| refused(encoding, &error))?;
        let out = decoded.len();
        if out == before {
            return Ok(decoded);
        }
        if out > bytes_max {
            return Err(too_large(bytes_max));
        }
        if out > UNRATED_BYTES_MAX && out / BODY_RATIO_MAX > sent.len() - decoder.unread() {
            return Err(too_dense());
        }
        reserve(out - before)?;
        tokio::task::yield_now().await;
    }
}

enum Decoder<'a> {
    Gzip(MultiGzDecoder<&'a [u8]>),
    Zstd(zstd::stream::read::Decoder<'static, &'a [u8]>),
}

impl<'a> Decoder<'a> {
    fn new(encoding: Encoding, sent: &'a [u8]) -> Result<Decoder<'a>, Problem> {
        let unusable = |error: io::Error| Problem::unavailable(format!("no memory to decode: {error}"));
        Ok(match encoding {
            Encoding::Gzip => Decoder::Gzip(MultiGzDecoder::new(sent)),
            Encoding::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(sent).map_err(unusable)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(unusable)?;
                Decoder::Zstd(decoder)
            }
        })
    }

    fn unread(&mut self) -> usize {
        match self {
            Decoder::Gzip(decoder) => decoder.get_ref().len(),
            Decoder::Zstd(decoder) => decoder.get_mut().fill_buf().map_or(0, <[u8]>::len),
        }
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Decoder::Gzip(decoder) => decoder.read(into),
            Decoder::Zstd(decoder) => decoder.read(into),
        }
    }
}

fn refused(encoding: Encoding, error: &io::Error) -> Problem {
    // The only limit the decoder itself knows is the window.
    if encoding == Encoding::Zstd && error.to_string().contains("too much memory") {
        let detail = format!("the zstd window is larger than 2^{ZSTD_WINDOW_LOG_MAX} bytes");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail);
    }
    let name = match encoding {
        Encoding::Gzip => "gzip",
        Encoding::Zstd => "zstd",
    };
    Problem::bad_request(format!("the body is not whole {name}"))
}

fn too_dense() -> Problem {
    let detail = format!("the body grows more than {BODY_RATIO_MAX} times when decompressed");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}
