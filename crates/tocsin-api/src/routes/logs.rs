//! `POST /logs`: one access-log entry, answered when it is durable. The path everything small comes
//! by, so nothing is done twice and nothing is built that is not sent.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use tocsin_pipeline::intake::{BodyShape, Submission};

use super::intake::{Outcome, rejections};
use super::log_entry::check;
use crate::auth::IngestKey;
use crate::body::BodyRules;
use crate::error::Problem;
use crate::limits::LOG_BODY_BYTES_MAX;
use crate::state::AppState;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

const QUEUED: &str = r#"{"status":"success","message":"Log received and queued."}"#;

/// Name of the ledger's reason for entries that are not what the contract asks for.
const INVALID_ENTRY: &str = "invalid_entry";

/// Takes one entry in.
///
/// # Errors
/// See [`Problem`]; an invalid entry is told so in the shape of this endpoint.
pub async fn post(
    State(state): State<AppState>,
    IngestKey(caller): IngestKey,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let limits = &state.config.limits;
    let rules =
        BodyRules { limits, bytes_max: LOG_BODY_BYTES_MAX.min(limits.body_bytes_max), budget: &state.bodies };
    let body = rules.receive(&head.headers, body).await?;
    if let Err(errors) = check(&body) {
        state.ledger.reject(caller.tenant, INVALID_ENTRY, 1);
        return Ok(invalid(errors));
    }
    let submission = Submission {
        tenant: caller.tenant,
        source: caller.source.clone(),
        body,
        shape: BodyShape::One,
        repeatable: None,
    };
    match state.hand_in(submission).await? {
        Outcome::Taken(_) | Outcome::Repeated(_) => Ok(json_response(StatusCode::OK, QUEUED.into())),
        Outcome::Refused(receipt) => Ok(invalid(rejections(&receipt))),
    }
}

fn invalid(errors: Vec<Value>) -> Response {
    let body = json!({ "status": "error", "message": "The log entry is not valid.", "errors": errors });
    json_response(StatusCode::BAD_REQUEST, body.to_string().into())
}

fn json_response(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
