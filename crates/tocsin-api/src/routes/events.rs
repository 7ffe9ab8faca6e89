//! `POST /api/v1/events`: any number of events as JSON or NDJSON, compressed or not, answered when
//! what was accepted is durable.

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tocsin_decode::framing::Framing;
use tocsin_pipeline::intake::{BodyShape, Repeatable, Submission};

use super::intake::{Outcome, rejections};
use crate::auth::IngestKey;
use crate::body::BodyRules;
use crate::error::Problem;
use crate::limits::IDEMPOTENCY_KEY_CHARS_MAX;
use crate::state::AppState;

/// Takes events in.
///
/// # Errors
/// See [`Problem`].
pub async fn post(
    State(state): State<AppState>,
    IngestKey(caller): IngestKey,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let key = idempotency_key(&head.headers)?;
    let limits = &state.config.limits;
    let rules = BodyRules { limits, bytes_max: limits.body_bytes_max, budget: &state.bodies };
    let body = rules.receive(&head.headers, body).await?;
    let shape = shape(&head.headers, &body);
    let repeatable = key.map(|key| Repeatable { key: hash(key), body: hash(&body) });
    let (tenant, source) = (caller.tenant, caller.source.clone());
    match state.hand_in(Submission { tenant, source, body, shape, repeatable }).await? {
        Outcome::Taken(receipt) => Ok(accepted(receipt.to_json())),
        Outcome::Repeated(reply) => Ok(accepted(reply)),
        Outcome::Refused(receipt) if receipt.rejected == 0 => {
            Err(Problem::bad_request("the body holds no events"))
        }
        Outcome::Refused(receipt) => {
            let problem = Problem::bad_request("none of the events could be accepted");
            Err(problem.with_errors(rejections(&receipt)))
        }
    }
}

fn accepted(reply: Box<[u8]>) -> Response {
    let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (StatusCode::ACCEPTED, json, Vec::from(reply)).into_response()
}

/// How to cut a body: as its type says, else as it looks. `application/json` is said of lines too.
fn shape(headers: &HeaderMap, body: &[u8]) -> BodyShape {
    let named = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = named.split(';').next().unwrap_or_default().trim();
    let is = |name: &str| essence.eq_ignore_ascii_case(name);
    if is("application/x-ndjson") || is("application/ndjson") || is("application/jsonl") {
        return BodyShape::Lines;
    }
    match Framing::recognise(body) {
        Framing::Lines => BodyShape::Lines,
        Framing::JsonStream => BodyShape::Json,
    }
}

/// The key under which a request may be repeated.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<&[u8]>, Problem> {
    let mut named = headers.get_all("idempotency-key").iter();
    let Some(key) = named.next().map(HeaderValue::as_bytes) else { return Ok(None) };
    let fits = (1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&key.len());
    if named.next().is_some() || !fits || !key.iter().all(u8::is_ascii_graphic) {
        let reason = "must be one key of 1 to 255 visible ASCII characters";
        return Err(Problem::bad_parameter("Idempotency-Key", reason).closing());
    }
    Ok(Some(key))
}

/// A hash that nobody can make collide. The tenant is not in it: it is part of every table.
fn hash(bytes: &[u8]) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    short
}
