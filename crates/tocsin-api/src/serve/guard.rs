//! A connection's bytes, under the clocks that must not depend on anybody asking: a peer who does
//! not send what is awaited, and a peer who does not take what is sent.
//!
//! When a socket stalls, hyper stops asking the answer's body, so that a clock inside a stream never
//! runs. These run here: their timers wake the connection itself.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::turns::Turns;
use crate::config::HttpLimits;
use crate::limits::{LINGER_BYTES_MAX, LINGER_PATIENCE_MAX};

/// A connection under watch.
#[derive(Debug)]
pub struct Guard {
    stream: TcpStream,
    turns: Arc<Turns>,
    reading: Alarm,
    writing: Alarm,
    /// Since when the peer has taken nothing of what waits for it.
    stalled: Option<Instant>,
    stall_patience: Duration,
    /// Set once our side is closed: until when the peer is read on.
    lingering: Option<Instant>,
    lingered_bytes: usize,
    /// The connection was cut: whoever still asks is told so, and it is not counted again.
    is_cut: bool,
}

impl Guard {
    /// Watches a connection.
    #[must_use]
    pub fn new(stream: TcpStream, turns: Arc<Turns>, limits: &HttpLimits) -> Guard {
        Guard {
            stream,
            turns,
            reading: Alarm::default(),
            writing: Alarm::default(),
            stalled: None,
            stall_patience: limits.stall_patience,
            lingering: None,
            lingered_bytes: 0,
            is_cut: false,
        }
    }

    /// Whether the peer may still take its time with what is awaited of it; the task is woken when
    /// it may not.
    fn awaited(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.turns.deadline() {
            Some(deadline) if self.reading.rings(cx, deadline) => Err(self.cut("silent")),
            _ => Ok(()),
        }
    }

    /// What writing came to, unless the peer has taken nothing for too long.
    fn written(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if wrote.is_ready() {
            self.stalled = None;
            return wrote;
        }
        let since = *self.stalled.get_or_insert_with(Instant::now);
        if self.writing.rings(cx, since + self.stall_patience) {
            return Poll::Ready(Err(self.cut("stalled")));
        }
        Poll::Pending
    }

    /// The error of a connection that is cut, counted.
    fn cut(&mut self, reason: &'static str) -> io::Error {
        if !std::mem::replace(&mut self.is_cut, true) {
            metrics::counter!("tocsin_http_connections_cut_total", "reason" => reason).increment(1);
        }
        io::Error::new(ErrorKind::TimedOut, reason)
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let guard = &mut *self;
        let before = buffer.filled().len();
        match Pin::new(&mut guard.stream).poll_read(cx, buffer) {
            Poll::Ready(read) => {
                if buffer.filled().len() > before {
                    guard.turns.on_bytes();
                }
                Poll::Ready(read)
            }
            Poll::Pending => match guard.awaited(cx) {
                Ok(()) => Poll::Pending,
                late => Poll::Ready(late),
            },
        }
    }
}

impl AsyncWrite for Guard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// An answer ends with a flush, and hyper may have asked for the next request before it was
    /// the peer's turn: the clock is set here too.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        Poll::Ready(self.awaited(cx))
    }

    /// Closes our side and reads on for a while: a socket closed with unread bytes is reset, and
    /// the reset would take the last answer with it.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = &mut *self;
        let until = match guard.lingering {
            Some(until) => until,
            None => {
                ready!(Pin::new(&mut guard.stream).poll_shutdown(cx))?;
                *guard.lingering.insert(Instant::now() + LINGER_PATIENCE_MAX)
            }
        };
        let mut space = [0; 16 << 10];
        while guard.lingered_bytes < LINGER_BYTES_MAX {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut guard.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    guard.lingered_bytes += buffer.filled().len();
                }
                Poll::Pending if !guard.reading.rings(cx, until) => return Poll::Pending,
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A timer that is set only when it is needed and moved only when it must ring earlier.
#[derive(Debug, Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Whether it is this late. If not, the task is woken by then.
    fn rings(&mut self, cx: &mut Context<'_>, deadline: Instant) -> bool {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                return true;
            }
            sleep.as_mut().reset(deadline);
        }
        false
    }
}
