//! Sends the recording to the server as a log shipper would: over HTTP, with a key, in the pace in
//! which it happened times the speed.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tocsin_core::time::Span;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};

use crate::demo::recording::Line;

/// How often lines are sent.
const EVERY: Duration = Duration::from_millis(50);

/// How long to wait when the server asks to come back, or goes away for a moment.
const PAUSE: Duration = Duration::from_millis(200);

/// Where to send, and as whom.
pub struct Target {
    /// The server.
    pub address: SocketAddr,
    /// An ingest key.
    pub key: String,
}

/// Sends all lines, moved by a constant.
///
/// # Errors
/// When the server refuses them.
pub async fn send(target: &Target, lines: &[Line], by: Span, speed: u32) -> anyhow::Result<()> {
    let Some(first) = lines.first() else { return Ok(()) };
    let begun = Instant::now();
    let due = |line: &Line| {
        let nanos = (line.at.0 - first.at.0).max(0) as u64;
        begun + Duration::from_nanos(nanos) / speed
    };
    let mut connection = connect(target.address).await?;
    let mut rest = lines;
    while let Some(next) = rest.first() {
        sleep_until(due(next)).await;
        let until = Instant::now() + EVERY / 2;
        let count = rest.iter().take_while(|line| due(line) <= until).count().max(1);
        let (now, later) = rest.split_at(count);
        let body: String = now.iter().flat_map(|line| [line.moved(by), "\n".to_string()]).collect();
        post(&mut connection, target, Bytes::from(body)).await?;
        rest = later;
        sleep(EVERY).await;
    }
    Ok(())
}

async fn connect(address: SocketAddr) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.context("the server cannot be reached")?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Posts lines until they are acknowledged.
async fn post(connection: &mut SendRequest<Full<Bytes>>, target: &Target, body: Bytes) -> anyhow::Result<()> {
    loop {
        let request = Request::post("/api/v1/events")
            .header("Host", target.address.to_string())
            .header("X-Api-Key", &target.key)
            .header("Content-Type", "text/plain")
            .body(Full::new(body.clone()))?;
        let Ok(answer) = connection.send_request(request).await else {
            sleep(PAUSE).await;
            *connection = connect(target.address).await?;
            continue;
        };
        let status = answer.status();
        let told = answer.into_body().collect().await?.to_bytes();
        if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            ensure!(status == StatusCode::ACCEPTED, "{status}: {}", String::from_utf8_lossy(&told));
            return Ok(());
        }
        sleep(PAUSE).await;
    }
}
