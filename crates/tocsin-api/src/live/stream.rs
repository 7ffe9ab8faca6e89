//! `GET /events/security`: from a request to a response whose body never ends by itself.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::Query;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::Frame;
use serde::Deserialize;
use tokio::sync::mpsc::{Receiver, channel};

use super::Live;
use super::connection::{Connection, ConnectionParts, Start};
use super::queue::Viewer;
use super::resume::{Bound, Tag};
use super::slots::Refused;
use crate::auth::Identity;
use crate::error::Problem;

/// The stream's name in resume ids.
const STREAM: &str = "security";

/// What a client that found no place may wait, in seconds.
const RETRY_AFTER_SECONDS: u32 = 30;

const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// For clients that cannot set a header.
#[derive(Debug, Default, Deserialize)]
struct ResumeQuery {
    last_event_id: Option<String>,
}

/// A connection on its way to its end.
type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Bytes of a stream, made while they are asked for. Dropping it closes the connection: its place
/// in the hub and its slot go with it.
pub struct StreamBody {
    connection: Option<Running>,
    chunks: Receiver<Bytes>,
}

impl Live {
    /// Opens the stream of security events for a caller who was checked. `resume` is the id the
    /// client has seen last.
    ///
    /// # Errors
    /// [`Refused`] when too many are open already.
    pub fn open(self: &Arc<Live>, caller: &Identity, resume: Option<&str>) -> Result<StreamBody, Refused> {
        let Identity { tenant, subject, roles, expires, .. } = caller;
        let slot = self.slots.take(*tenant, subject)?;
        let tag = self.key.tag(&Bound { tenant: *tenant, stream: STREAM, filter: "", subject });
        let start = resume.map_or(Start::Now, |id| self.start(&tag, id));
        // One chunk waits while the one before it is written.
        let (out, chunks) = channel(1);
        let viewer = Viewer { tenant: *tenant, view: self.view(roles), roles: roles.clone() };
        let live = Arc::clone(self);
        let parts = ConnectionParts { live, viewer, tag, expires: *expires, out, slot };
        let connection = Connection::new(parts);
        Ok(StreamBody { connection: Some(Box::pin(connection.run(start))), chunks })
    }

    fn start(&self, tag: &Tag, id: &str) -> Start {
        // A place that was not reached yet is of another data folder.
        let known = tag.read(id).filter(|at| *at <= self.hub.current());
        known.map_or(Start::Unknown, Start::After)
    }
}

/// Answers a request for the stream of security events.
#[must_use]
pub fn respond(live: &Arc<Live>, caller: &Identity, request: &Parts) -> Response {
    match live.open(caller, resume_id(request).as_deref()) {
        Ok(body) => opened(body, request.version),
        Err(refused) => Problem::new(StatusCode::TOO_MANY_REQUESTS, refused.to_string())
            .with_retry_after(RETRY_AFTER_SECONDS)
            .into_response(),
    }
}

/// The id in the header, else in the query. One that is no text is nobody's, like any other.
fn resume_id(request: &Parts) -> Option<String> {
    let header = request.headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty());
    let header = header.map(|value| value.to_str().unwrap_or("unreadable").to_string());
    let asked = || Query::<ResumeQuery>::try_from_uri(&request.uri).ok()?.0.last_event_id;
    header.or_else(|| asked().filter(|id| !id.is_empty()))
}

fn opened(body: StreamBody, version: Version) -> Response {
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    if version == Version::HTTP_11 {
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    }
    response
}

impl hyper::body::Body for StreamBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    /// Runs the connection until it has a chunk, waits, or ends.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let is_over = |connection: &mut Running| connection.as_mut().poll(context).is_ready();
        if self.connection.as_mut().is_some_and(is_over) {
            self.connection = None;
        }
        // Asked once a poll, whatever it says: a channel also says "later" to let others run.
        self.chunks.poll_recv(context).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}
