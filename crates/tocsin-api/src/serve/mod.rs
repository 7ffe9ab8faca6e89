//! The listener: our own accept loop, because patience with peers is decided here and nowhere else.
//!
//! A peer may be slow in four ways, and each has a clock: its request's head ([`turns`]), its body
//! (`body::pace`), reading the answer ([`guard`]), and doing nothing at all ([`turns`]). None of
//! them depends on a handler or a stream being polled. Connections are counted before they cost
//! anything ([`peers`]).

mod connection;
mod guard;
mod peers;
mod turns;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::channel;
use tokio::time::{sleep, timeout};

use self::connection::Connection;
use self::peers::Peers;
use crate::config::HttpLimits;
use crate::limits::BACKLOG_MAX;
use crate::stop::{Stopping, stop};

/// How long accepting rests when the system has no file or memory left for a connection.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// A bound address.
#[derive(Debug)]
pub struct Listener {
    socket: std::net::TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Takes an address; port 0 takes a free one. Connections wait from now on.
    ///
    /// # Errors
    /// What the system says: the address is taken, or not ours.
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        tune(&socket)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG_MAX)?;
        socket.set_nonblocking(true)?;
        let socket = std::net::TcpListener::from(socket);
        let address = socket.local_addr()?;
        Ok(Listener { socket, address })
    }

    /// The address with its real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until told to stop; returns once the last connection is gone, at most
    /// `limits.stop_patience` later.
    ///
    /// # Errors
    /// What the system says when the socket cannot be watched.
    pub async fn serve(self, router: Router, limits: HttpLimits, mut stopping: Stopping) -> io::Result<()> {
        let listener = TcpListener::from_std(self.socket)?;
        let limits = Arc::new(limits);
        let peers = Peers::new(&limits);
        let (cut, cutting) = stop();
        let (alive, mut gone) = channel::<()>(1);
        loop {
            let accepted = tokio::select! {
                biased;
                () = stopping.begun() => break,
                accepted = listener.accept() => accepted,
            };
            let Some((stream, peer)) = usable(accepted).await else { continue };
            let Some(admission) = peers.admit(peer.ip()) else { continue };
            let (stopping, cutting) = (stopping.clone(), cutting.clone());
            let connection = Connection { stream, limits: Arc::clone(&limits), stopping, cutting };
            let (router, alive) = (router.clone(), alive.clone());
            tokio::spawn(async move {
                connection.run(router).await;
                drop((admission, alive));
            });
        }
        drop((listener, router, alive));
        if timeout(limits.stop_patience, gone.recv()).await.is_err() {
            tracing::warn!("connections that would not end are cut");
            cut.stop();
            gone.recv().await;
        }
        Ok(())
    }
}

/// A connection that can be served. An error of one peer is none of ours; an error of the system
/// passes when others have gone.
async fn usable(accepted: io::Result<(TcpStream, SocketAddr)>) -> Option<(TcpStream, SocketAddr)> {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    match accepted.and_then(|(stream, peer)| stream.set_nodelay(true).map(|()| (stream, peer))) {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            let reason = error.kind();
            metrics::counter!("tocsin_http_connections_refused_total", "reason" => "system").increment(1);
            if !matches!(reason, ConnectionAborted | ConnectionRefused | ConnectionReset) {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_REST).await;
            }
            None
        }
    }
}

/// What connections inherit: dead peers are noticed, and little waits unsent in the kernel, so that
/// a peer who does not read is noticed too.
fn tune(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(Duration::from_secs(60)))?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_user_timeout(Some(Duration::from_secs(30)))?;
        socket.set_tcp_notsent_lowat(crate::limits::UNSENT_BYTES_MAX)?;
    }
    Ok(())
}
