//! Whose turn it is on a connection, and until when: the peer's to send a head, ours to answer, or
//! nobody's.
//!
//! hyper's own clock for heads also runs between requests, so that it cannot be both short and
//! kind to idle connections; ours tells the two apart.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use axum::routing::future::RouteFuture;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::{Request, service};
use tokio::time::Instant;
use tower::Service;

use crate::config::HttpLimits;

/// Our turn: the peer is waited for by a body's clock or not at all.
const SERVING: u64 = u64::MAX;

/// Set on the time since when a head is awaited; without it the connection is idle.
const HEAD: u64 = 1 << 63;

/// Whose turn it is on one connection.
#[derive(Debug)]
pub struct Turns {
    opened: Instant,
    /// [`SERVING`], or milliseconds since `opened`, with [`HEAD`].
    state: AtomicU64,
    head_patience: Duration,
    idle_patience: Duration,
}

impl Turns {
    /// A connection that has just opened: its first head is awaited.
    #[must_use]
    pub fn new(limits: &HttpLimits) -> Turns {
        Turns {
            opened: Instant::now(),
            state: AtomicU64::new(HEAD),
            head_patience: limits.head_patience,
            idle_patience: limits.idle_patience,
        }
    }

    /// Until when the peer may take its time; `None` while it is our turn.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let state = self.state.load(Ordering::Relaxed);
        if state == SERVING {
            return None;
        }
        let since = self.opened + Duration::from_millis(state & !HEAD);
        Some(since + if state & HEAD == 0 { self.idle_patience } else { self.head_patience })
    }

    /// Bytes have come: an idle connection is one no longer.
    pub fn on_bytes(&self) {
        let state = self.state.load(Ordering::Relaxed);
        if state & HEAD == 0 {
            self.state.store(self.now() | HEAD, Ordering::Relaxed);
        }
    }

    fn on_request(&self) {
        self.state.store(SERVING, Ordering::Relaxed);
    }

    fn on_answered(&self) {
        self.state.store(self.now(), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.opened.elapsed().as_millis() as u64
    }
}

/// The router, keeping count of turns.
#[derive(Clone, Debug)]
pub struct TurnService {
    router: Router,
    turns: Arc<Turns>,
}

impl TurnService {
    /// The service of one connection.
    #[must_use]
    pub fn new(router: Router, turns: Arc<Turns>) -> TurnService {
        TurnService { router, turns }
    }
}

impl service::Service<Request<Incoming>> for TurnService {
    type Response = Response<TurnBody>;
    type Error = Infallible;
    type Future = TurnFuture;

    fn call(&self, request: Request<Incoming>) -> TurnFuture {
        self.turns.on_request();
        let answer = self.router.clone().call(request.map(Body::new));
        TurnFuture { answer, turns: Some(Turn(Arc::clone(&self.turns))) }
    }
}

/// An answer in the making.
pub struct TurnFuture {
    answer: RouteFuture<Infallible>,
    turns: Option<Turn>,
}

impl Future for TurnFuture {
    type Output = Result<Response<TurnBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(Pin::new(&mut self.answer).poll(cx))?;
        let turn = self.turns.take();
        Poll::Ready(Ok(response.map(|body| TurnBody { body, _turn: turn })))
    }
}

/// An answer's body; our turn ends with it.
pub struct TurnBody {
    body: Body,
    _turn: Option<Turn>,
}

struct Turn(Arc<Turns>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.on_answered();
    }
}

impl hyper::body::Body for TurnBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
