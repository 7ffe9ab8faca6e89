//! The server that does nothing: it reads bodies and gives the answers Tocsin gives, so that a
//! ratio to it says what Tocsin's own work costs.
//!
//! ```text
//! bare ADDRESS [FILE]     FILE holds what GET /alerts answers
//! ```

use std::io::Write;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Router, serve};
use tokio::net::TcpListener;

/// Bytes of a body, as in Tocsin.
const BODY_BYTES_MAX: usize = 16 << 20;

const LOG_REPLY: &str = r#"{"status":"success","message":"Log received and queued."}"#;
const EVENTS_REPLY: &str = r#"{"accepted":1000,"rejected":[]}"#;
const JSON: [(axum::http::HeaderName, &str); 1] = [(CONTENT_TYPE, "application/json")];

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments.next().context("usage: bare ADDRESS [FILE]")?.parse()?;
    let alerts = match arguments.next() {
        Some(path) => Bytes::from(std::fs::read(&path).with_context(|| format!("cannot read {path}"))?),
        None => Bytes::from_static(b"[]"),
    };
    let app = Router::new()
        .route("/logs", post(log))
        .route("/api/v1/events", post(events))
        .route("/alerts", get(move || async move { (JSON, alerts) }))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    serve(listener, app).await.context("cannot serve")
}

async fn log(body: Bytes) -> impl IntoResponse {
    answered(StatusCode::OK, &body, LOG_REPLY)
}

async fn events(body: Bytes) -> impl IntoResponse {
    answered(StatusCode::ACCEPTED, &body, EVENTS_REPLY)
}

/// The answer to a body that was read.
fn answered(status: StatusCode, body: &Bytes, reply: &'static str) -> impl IntoResponse + use<> {
    let status = if body.is_empty() { StatusCode::BAD_REQUEST } else { status };
    (status, JSON, reply)
}
