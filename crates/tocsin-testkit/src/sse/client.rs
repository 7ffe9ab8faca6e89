//! A small client for streams over HTTP/1.1: opens one, checks its head, and gives its events, each
//! byte seen by [`Lint`].

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::lint::{Deviation, Lint, lint_head};
use super::parser::Message;

/// Bytes of a refusal's body that are read; the rest is not looked at.
const REFUSAL_BYTES_MAX: u64 = 64 << 10;

/// Bytes of one line of a head. A longer one is an error.
const HEAD_LINE_BYTES_MAX: u64 = 64 << 10;

/// Why a stream cannot be read on.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The socket gave nothing in time, or broke.
    #[error("{0}")]
    Socket(#[from] io::Error),
    /// The server answered with another status.
    #[error("status {status}: {body}")]
    Refused {
        /// The status.
        status: u16,
        /// The headers, names in lower case.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// The stream is not as it must be.
    #[error("{0}")]
    Deviates(#[from] Deviation),
}

/// An open stream.
#[derive(Debug)]
pub struct Client {
    socket: BufReader<TcpStream>,
    lint: Lint,
    waiting: VecDeque<Message>,
    has_ended: bool,
    patience: Duration,
}

impl Client {
    /// Opens the stream at a path. `patience` is how long the server may say nothing.
    ///
    /// # Errors
    /// [`ClientError`]; a refusal carries the server's answer.
    pub fn open(
        server: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
        patience: Duration,
    ) -> Result<Client, ClientError> {
        let mut socket = TcpStream::connect_timeout(&server, patience)?;
        socket.set_read_timeout(Some(patience))?;
        let mut request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nAccept: text/event-stream\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        socket.write_all(request.as_bytes())?;
        let mut socket = BufReader::new(socket);
        let (status, headers) = read_head(&mut socket)?;
        if status != 200 {
            let length = headers.iter().find(|(name, _)| name == "content-length");
            let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
            let mut body = String::new();
            socket.take(REFUSAL_BYTES_MAX.min(length)).read_to_string(&mut body)?;
            return Err(ClientError::Refused { status, headers, body });
        }
        lint_head(status, &headers)?;
        if !headers.contains(&("transfer-encoding".to_string(), "chunked".to_string())) {
            return Err(broken("a stream over HTTP/1.1 comes in chunks"));
        }
        Ok(Client { socket, lint: Lint::default(), waiting: VecDeque::new(), has_ended: false, patience })
    }

    /// The next event; `None` once the server has closed the stream in good order.
    ///
    /// # Errors
    /// [`ClientError`]: no event within the patience, a broken socket, a deviation.
    pub fn next_event(&mut self) -> Result<Option<Message>, ClientError> {
        let until = Instant::now() + self.patience;
        while self.waiting.is_empty() && !self.has_ended {
            self.read_chunk()?;
            // A server that only says that it lives does not keep anybody waiting for ever.
            if self.waiting.is_empty() && !self.has_ended && Instant::now() >= until {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no event within the patience").into());
            }
        }
        Ok(self.waiting.pop_front())
    }

    /// What was checked so far: ids, heartbeats, the time to wait.
    #[must_use]
    pub fn lint(&self) -> &Lint {
        &self.lint
    }

    /// Reads one chunk of the body; events in it wait to be asked for.
    ///
    /// # Errors
    /// [`ClientError`], as for [`Client::next_event`].
    pub fn read_chunk(&mut self) -> Result<(), ClientError> {
        let length = read_line(&mut self.socket)?;
        let length =
            usize::from_str_radix(&length, 16).map_err(|_| broken("the length of a chunk is no number"))?;
        let mut chunk = Vec::new();
        self.socket.by_ref().take(length as u64).read_to_end(&mut chunk)?;
        if chunk.len() < length || !read_line(&mut self.socket)?.is_empty() {
            return Err(broken("a chunk is cut off"));
        }
        self.waiting.extend(self.lint.feed(&chunk)?);
        if length == 0 {
            self.lint.finish()?;
            self.has_ended = true;
        }
        Ok(())
    }
}

/// Status and headers, names in lower case.
fn read_head(socket: &mut impl BufRead) -> Result<(u16, Vec<(String, String)>), ClientError> {
    let first = read_line(socket)?;
    let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| broken("no answer of HTTP/1.1"))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(socket)?;
        if line.is_empty() {
            return Ok((status, headers));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| broken("a header without a colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
    }
}

fn read_line(socket: &mut impl BufRead) -> Result<String, ClientError> {
    let mut line = String::new();
    socket.take(HEAD_LINE_BYTES_MAX).read_line(&mut line)?;
    let line = line.strip_suffix("\r\n").ok_or_else(|| broken("the connection was cut"))?;
    Ok(line.to_string())
}

fn broken(what: &str) -> ClientError {
    ClientError::Socket(io::Error::new(io::ErrorKind::UnexpectedEof, what))
}
