//! Being asked to end: by SIGTERM, as service managers ask, or by SIGINT, as a terminal does.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals. From the moment this exists neither ends the process by itself.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from now on. Call within a runtime.
    ///
    /// # Errors
    /// What the system says when it lets nobody listen.
    pub fn listen() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Resolves once the process was asked to end.
    pub async fn asked(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
