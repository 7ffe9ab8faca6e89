//! The pace of a body: after a grace it must bring a minimum of bytes per second, and it must end.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::config::HttpLimits;

/// Bytes per second a body must bring once its grace is over. Below it: 408.
const BODY_BYTES_PER_SECOND_MIN: u64 = 1 << 10;

/// A body's clock. A body that is there at once never asks for a timer.
#[derive(Debug)]
pub struct Pace {
    began: Instant,
    grace: Duration,
    patience: Duration,
}

impl Pace {
    /// The clock of a body that begins now.
    #[must_use]
    pub fn new(limits: &HttpLimits) -> Pace {
        Pace { began: Instant::now(), grace: limits.body_grace, patience: limits.body_patience }
    }

    /// Returns once a body that has brought so many bytes is too late.
    pub async fn lost(&self, received: u64) {
        let earned = Duration::from_millis(received * 1_000 / BODY_BYTES_PER_SECOND_MIN);
        sleep_until(self.began + (self.grace + earned).min(self.patience)).await;
    }
}
