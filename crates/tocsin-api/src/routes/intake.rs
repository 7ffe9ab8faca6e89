//! Handing records in, for both ways of sending them, and what each answer means.

use axum::http::StatusCode;
use tocsin_pipeline::intake::{Answer, Busy, Receipt, Rejection, Submission};

use crate::error::Problem;
use crate::state::AppState;

/// What became of a submission that was looked at.
pub enum Outcome {
    /// Some of it is durable.
    Taken(Receipt),
    /// It is a repeat; this was the first answer.
    Repeated(Box<[u8]>),
    /// Nothing of it could be taken.
    Refused(Receipt),
}

impl AppState {
    /// Hands records in and waits until they are durable.
    ///
    /// # Errors
    /// 422 for a key used with another body, 429 and 503 with `Retry-After` when nothing was taken.
    pub(crate) async fn hand_in(&self, submission: Submission) -> Result<Outcome, Problem> {
        let answer = self.intake.submit(submission).map_err(|busy| match busy {
            Busy::Overloaded => {
                turned_away("overloaded", Problem::too_busy("too much is waiting to be stored; try again"))
            }
            Busy::Stopping => stopping(),
        })?;
        match answer.await.map_err(|_| stopping())? {
            Answer::Taken(receipt) if receipt.accepted == 0 => Ok(Outcome::Refused(receipt)),
            Answer::Taken(receipt) => Ok(Outcome::Taken(receipt)),
            Answer::Repeated(reply) => Ok(Outcome::Repeated(reply)),
            Answer::Conflict => Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "this Idempotency-Key was used with another body; use a new key",
            )),
            Answer::Unavailable(reason) => Err(turned_away("unavailable", Problem::unavailable(reason))),
        }
    }
}

/// What was wrong with the records, for an `errors` list.
pub fn rejections(receipt: &Receipt) -> Vec<serde_json::Value> {
    receipt.rejections.iter().map(Rejection::to_json).collect()
}

fn stopping() -> Problem {
    turned_away("stopping", Problem::unavailable("the server is going down; try again"))
}

/// Counts a submission that has to come back.
fn turned_away(reason: &'static str, problem: Problem) -> Problem {
    metrics::counter!("tocsin_submissions_turned_away_total", "reason" => reason).increment(1);
    problem
}
