//! Being asked to end: by SIGTERM, as service managers ask, or by SIGINT, as a terminal does; and to
//! reload, by SIGHUP.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals. From the moment this exists none of them ends the process by itself.
#[derive(Debug)]
pub struct Signals {
    hang_up: Signal,
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
            hang_up: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Resolves once the process was asked to end. Until then `reload` is called whenever it was asked
    /// to reload.
    pub async fn asked(mut self, reload: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => reload(),
            }
        }
    }
}
