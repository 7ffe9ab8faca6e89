//! `/healthz` says that the server answers, `/readyz` that it can do its work.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::json;

use crate::error::Problem;
use crate::state::AppState;

/// Always 200: whoever can ask is answered.
pub async fn healthz() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], r#"{"status":"ok"}"#)
}

/// 200 when every part of the server works.
///
/// # Errors
/// 503 with what is in the way.
pub async fn readyz(State(state): State<AppState>) -> Result<impl IntoResponse, Problem> {
    let problems = problems(&state);
    if problems.is_empty() {
        return Ok(([(CONTENT_TYPE, "application/json")], r#"{"status":"ready"}"#));
    }
    let reasons = problems.into_iter().map(|problem| json!({ "reason": problem }));
    Err(Problem::unavailable("the server cannot do its work yet").with_errors(reasons.collect()))
}

/// What is in the way of the server's work.
pub fn problems(state: &AppState) -> Vec<String> {
    let mut problems = state.readiness.problems();
    if state.stopping.has_begun() {
        problems.push("the server is going down".to_string());
    }
    problems
}
