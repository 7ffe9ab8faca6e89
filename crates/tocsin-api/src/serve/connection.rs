//! One connection from its first byte to its end.

use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::guard::Guard;
use super::turns::{TurnService, Turns};
use crate::config::HttpLimits;
use crate::limits::{HEAD_BYTES_MAX, READ_BYTES_MAX};
use crate::stop::Stopping;

/// A connection to serve.
#[derive(Debug)]
pub struct Connection {
    /// The socket.
    pub stream: TcpStream,
    /// Its patience.
    pub limits: Arc<HttpLimits>,
    /// From then on it ends after the request it is at.
    pub stopping: Stopping,
    /// From then on it ends.
    pub cutting: Stopping,
}

impl Connection {
    /// Serves requests until either side is done.
    pub async fn run(self, router: Router) {
        let Connection { stream, limits, mut stopping, mut cutting } = self;
        let turns = Arc::new(Turns::new(&limits));
        let io = TokioIo::new(Guard::new(stream, Arc::clone(&turns), &limits));
        // hyper's clock for heads stays off: it would end idle connections too (see `turns`).
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_header_size(HEAD_BYTES_MAX)
            .max_buf_size(READ_BYTES_MAX)
            .serve_connection(io, TurnService::new(router, turns));
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = stopping.begun() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    biased;
                    ended = connection => ended,
                    () = cutting.begun() => Ok(()),
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection broke off");
        }
    }
}
