//! Bodies: received into one piece of memory, at a decent pace, within bounds that hold before a
//! byte is stored.
//!
//! A body is refused by its announced length before it is read, by its size as it grows, when it
//! trickles (408), and when all bodies together are too much (429).

mod decode;
mod pace;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;

pub use self::decode::{Encoding, decode};

use self::pace::Pace;
use crate::config::HttpLimits;
use crate::error::Problem;
use crate::limits::{BODIES_BYTES_MAX, BODY_RESERVED_BYTES_MAX};

/// Bytes of all bodies that are being received.
#[derive(Clone, Debug, Default)]
pub struct BodyBudget(Arc<AtomicUsize>);

/// A share of the budget, given back when it goes.
#[derive(Debug)]
struct Share<'a> {
    budget: &'a BodyBudget,
    bytes: usize,
}

impl BodyBudget {
    fn share(&self) -> Share<'_> {
        Share { budget: self, bytes: 0 }
    }
}

impl Share<'_> {
    fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        self.bytes += bytes;
        if self.budget.0.fetch_add(bytes, Ordering::Relaxed) + bytes > BODIES_BYTES_MAX {
            return Err(Problem::too_busy("too many bodies are being received; try again").closing());
        }
        Ok(())
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What a body may be.
#[derive(Clone, Copy, Debug)]
pub struct BodyRules<'a> {
    /// Sizes and patience.
    pub limits: &'a HttpLimits,
    /// Bytes at most, as sent and decompressed; not above `limits.body_bytes_max`.
    pub bytes_max: usize,
    /// What is left for all.
    pub budget: &'a BodyBudget,
}

impl BodyRules<'_> {
    /// Receives a body and takes its encoding off.
    ///
    /// # Errors
    /// 400 for a body that breaks off or does not decode, 408 for one that trickles, 413 for one
    /// that is too large, 415 for an encoding we do not know, 429 when all bodies are too much.
    pub async fn receive(self, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Problem> {
        let received = self.received(headers, body).await;
        if let Err(problem) = &received {
            let status = problem.status().as_str().to_string();
            metrics::counter!("tocsin_http_bodies_refused_total", "status" => status).increment(1);
        }
        received
    }

    async fn received(self, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Problem> {
        let encoding = encoding_of(headers)?;
        let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: usize| length > self.bytes_max) {
            return Err(too_large(self.bytes_max));
        }
        let mut share = self.budget.share();
        let sent = self.collect(body, announced.unwrap_or(0), &mut share).await?;
        match encoding {
            None => Ok(sent),
            Some(encoding) => decode(encoding, &sent, self.bytes_max, |bytes| share.grow(bytes)).await,
        }
    }

    async fn collect(
        self,
        mut body: Body,
        announced: usize,
        share: &mut Share<'_>,
    ) -> Result<Vec<u8>, Problem> {
        let mut received = Vec::with_capacity(announced.min(BODY_RESERVED_BYTES_MAX));
        let pace = Pace::new(self.limits);
        loop {
            let frame = tokio::select! {
                biased;
                frame = body.frame() => frame,
                () = pace.lost(received.len() as u64) => return Err(too_slow()),
            };
            let data = match frame {
                None => return Ok(received),
                Some(Err(_)) => return Err(broken_off()),
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            if received.len() + data.len() > self.bytes_max {
                return Err(too_large(self.bytes_max));
            }
            share.grow(data.len())?;
            if received.capacity() - received.len() < data.len() {
                // It has begun to come: room for what was announced is asked for once.
                received.reserve(announced.saturating_sub(received.len()).max(data.len()));
            }
            received.extend_from_slice(&data);
        }
    }
}

/// The encoding a request names, if any.
fn encoding_of(headers: &HeaderMap) -> Result<Option<Encoding>, Problem> {
    let mut named = headers.get_all(CONTENT_ENCODING).iter();
    let Some(first) = named.next() else { return Ok(None) };
    let unknown = || {
        let detail = "Content-Encoding must be one of gzip, zstd, identity";
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).closing()
    };
    if named.next().is_some() {
        return Err(unknown());
    }
    match first.as_bytes().trim_ascii() {
        name if name.eq_ignore_ascii_case(b"identity") => Ok(None),
        name if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") => {
            Ok(Some(Encoding::Gzip))
        }
        name if name.eq_ignore_ascii_case(b"zstd") => Ok(Some(Encoding::Zstd)),
        _ => Err(unknown()),
    }
}

fn too_large(bytes_max: usize) -> Problem {
    let detail = format!("the body is larger than {bytes_max} bytes; send it in parts");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).closing()
}

fn too_slow() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "the body comes too slowly").closing()
}

fn broken_off() -> Problem {
    Problem::bad_request("the body broke off").closing()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bodies_share_one_budget_and_give_it_back() {
        let budget = BodyBudget::default();
        let mut first = budget.share();
        assert_eq!(first.grow(BODIES_BYTES_MAX), Ok(()));
        let mut second = budget.share();
        let refused = second.grow(1).map_err(|problem| problem.status().as_u16());
        assert_eq!(refused, Err(429));
        drop((first, second));
        assert_eq!(budget.0.load(Ordering::Relaxed), 0);
        assert_eq!(budget.share().grow(BODIES_BYTES_MAX), Ok(()));
    }
}
