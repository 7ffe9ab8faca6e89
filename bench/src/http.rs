//! As much of HTTP/1.1 as the load client needs: requests over a connection that stays open, and
//! answers with a length or in chunks. A client of our own, so that what is timed is the server.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Bytes of an answer's head. A longer one is an error.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Bytes of an answer's body or chunk. A longer one is an error.
const BODY_BYTES_MAX: usize = 16 << 20;

/// A connection.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
}

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// How its body ends.
    pub length: Length,
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// After so many bytes.
    Bytes(usize),
    /// After its last chunk.
    Chunks,
    /// With the connection.
    Open,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// What the system says.
    pub async fn open(address: SocketAddr) -> Result<Connection> {
        let stream =
            TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream: BufReader::new(stream), host: address.to_string() })
    }

    /// Sends a request and gives the answer's status; its body is read and let go.
    ///
    /// # Errors
    /// When the connection ends or the answer is no HTTP.
    pub async fn request(&mut self, line: &str, headers: &str, body: &[u8]) -> Result<u16> {
        let head = self.begin(line, headers, body).await?;
        match head.length {
            Length::Bytes(length) => drop(self.exactly(length).await?),
            Length::Chunks => while self.chunk().await?.is_some() {},
            Length::Open => bail!("an answer without length keeps the connection"),
        }
        Ok(head.status)
    }

    /// Sends a request and gives the answer's head; the body is the caller's to read.
    ///
    /// # Errors
    /// When the connection ends or the answer is no HTTP.
    pub async fn begin(&mut self, line: &str, headers: &str, body: &[u8]) -> Result<Head> {
        let head = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n{headers}\r\n",
            self.host,
            body.len()
        );
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        self.stream.get_mut().write_all(&request).await.context("cannot send")?;
        self.head().await
    }

    /// The next chunk of an answer in chunks; `None` after the last.
    ///
    /// # Errors
    /// When the connection ends within it.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        let line = self.line().await?;
        let size = line.split(';').next().unwrap_or_default();
        let length = usize::from_str_radix(size.trim(), 16).with_context(|| format!("no chunk: {line:?}"))?;
        let bytes = self.exactly(length).await?;
        ensure!(self.line().await?.is_empty(), "a chunk does not end where it says");
        Ok((length > 0).then_some(bytes))
    }

    /// What comes next, as much as is there; empty at the end.
    ///
    /// # Errors
    /// What the system says.
    pub async fn some(&mut self) -> Result<Vec<u8>> {
        let bytes = self.stream.fill_buf().await?.to_vec();
        self.stream.consume(bytes.len());
        Ok(bytes)
    }

    async fn head(&mut self) -> Result<Head> {
        let first = self.line().await?;
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status: u16 = status.with_context(|| format!("no answer: {first:?}"))?;
        let mut length = Length::Open;
        let mut bytes = first.len();
        loop {
            let line = self.line().await?;
            bytes += line.len();
            ensure!(bytes <= HEAD_BYTES_MAX, "the answer's head has no end");
            let Some((name, value)) = line.split_once(':') else { break };
            match (name.to_ascii_lowercase().as_str(), value.trim()) {
                ("content-length", value) => length = Length::Bytes(value.parse().context("a length")?),
                ("transfer-encoding", value) if value.eq_ignore_ascii_case("chunked") => {
                    length = Length::Chunks;
                }
                _ => {}
            }
        }
        Ok(Head { status, length })
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        let read = (&mut self.stream).take(HEAD_BYTES_MAX as u64).read_until(b'\n', &mut line).await?;
        ensure!(read > 0, "the server closed the connection");
        let text = String::from_utf8(line).context("a header that is not UTF-8")?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    async fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        ensure!(length <= BODY_BYTES_MAX, "an answer of {length} bytes");
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).await.context("the server closed the connection")?;
        Ok(bytes)
    }
}
