//! Asking a server, for commands that look at one.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::handshake;
use hyper::header::{ACCEPT, AUTHORIZATION, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::commands::UsageError;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of an answer. Above it: refused, it is not what was asked for.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A server's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Host and port.
    authority: String,
    port: u16,
    host: String,
}

impl Target {
    /// The server at a URL.
    ///
    /// # Errors
    /// [`UsageError`] when it is none of a server.
    pub fn parse(url: &str) -> Result<Target, UsageError> {
        let wrong = |why: &str| UsageError(format!("--url: `{url}` {why}"));
        let whole = if url.contains("://") { url.to_string() } else { format!("http://{url}") };
        let example = "is no address such as http://127.0.0.1:8080";
        let uri: Uri = whole.parse().map_err(|_| wrong(example))?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong("is not http, and nothing else is spoken here"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("has a path; name the server alone"));
        }
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        let authority = authority.filter(|authority| !authority.host().is_empty());
        let authority = authority.ok_or_else(|| wrong(example))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_string();
        let port = authority.port_u16().unwrap_or(80);
        Ok(Target { authority: authority.to_string(), port, host })
    }

    /// The server that listens here. One that listens everywhere is asked on this machine.
    #[must_use]
    pub fn of(mut address: SocketAddr) -> Target {
        if address.ip().is_unspecified() {
            let local = if address.is_ipv4() { "127.0.0.1" } else { "::1" };
            address = SocketAddr::new(local.parse().unwrap_or(address.ip()), address.port());
        }
        let host = address.ip().to_string();
        Target { authority: address.to_string(), port: address.port(), host }
    }

    /// As it is told to people.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// What the server answers to `GET`.
    ///
    /// # Errors
    /// When it does not answer in time, or with more than anybody would ask for.
    pub fn get(&self, path: &str, token: &str) -> anyhow::Result<(StatusCode, Bytes)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let answer = timeout(PATIENCE, self.ask(path, token)).await;
            answer.unwrap_or_else(|_| Err(anyhow!("nothing came within {} s", PATIENCE.as_secs())))
        })
    }

    async fn ask(&self, path: &str, token: &str) -> anyhow::Result<(StatusCode, Bytes)> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::get(path)
            .header(HOST, &self.authority)
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header(ACCEPT, "application/json")
            .body(Empty::<Bytes>::new())
            .context("the token cannot be sent")?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        Ok((status, body.map_err(|error| anyhow!(error))?.to_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_its_address_alone() {
        let told = |url: &str| Target::parse(url).map(|target| (target.host, target.port)).ok();
        for (url, expect) in [
            ("http://127.0.0.1:8080", Some(("127.0.0.1", 8080))),
            ("http://tocsin.example/", Some(("tocsin.example", 80))),
            ("[::1]:9000", Some(("::1", 9000))),
            ("localhost:8080", Some(("localhost", 8080))),
            ("https://127.0.0.1:8080", None),
            ("http://127.0.0.1:8080/api", None),
            ("http://ann@127.0.0.1", None),
            ("", None),
            ("not an address", None),
        ] {
            assert_eq!(told(url), expect.map(|(host, port)| (host.to_string(), port)), "{url}");
        }
    }

    #[test]
    fn who_listens_everywhere_is_asked_here() {
        for (address, url) in [
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            ("[::]:81", "http://[::1]:81"),
            ("192.0.2.1:82", "http://192.0.2.1:82"),
        ] {
            assert_eq!(Target::of(address.parse().unwrap()).url(), url);
        }
    }
}
