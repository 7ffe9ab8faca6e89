//! How the server is told to end: nothing new, what runs may finish, streams end.

use tokio::sync::watch;

/// The hand on the switch. Dropping it stops the server too.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<bool>);

/// The eye on the switch. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stopping(watch::Receiver<bool>);

/// A switch and an eye on it.
#[must_use]
pub fn stop() -> (Stop, Stopping) {
    let (sender, receiver) = watch::channel(false);
    (Stop(sender), Stopping(receiver))
}

impl Stop {
    /// Nothing new from now on.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stopping {
    /// Whether the end has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Returns once the end has begun. Streams wait for this.
    pub async fn begun(&mut self) {
        // An error means that the switch is gone, which is the end too.
        drop(self.0.wait_for(|stopping| *stopping).await);
    }
}
