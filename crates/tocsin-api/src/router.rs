//! Which endpoint answers which address, and what holds for all of them.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::auth::token_in_url;
use crate::error::Problem;
use crate::page;
use crate::routes::{alerts, alerts_v1, events, health, ledger, logs, metrics, rules, status, stream};
use crate::state::AppState;

/// All endpoints of a server.
pub fn router(state: AppState) -> Router {
    Router::new()
        .route("/logs", post(logs::post))
        .route("/api/v1/events", post(events::post))
        .route("/alerts", get(alerts::get))
        .route("/api/v1/alerts", get(alerts_v1::list))
        .route("/api/v1/alerts/{id}", get(alerts_v1::one))
        .route("/api/v1/ledger", get(ledger::get))
        .route("/api/v1/status", get(status::get))
        .route("/api/v1/rules", get(rules::list))
        .route("/api/v1/rules/reload", post(rules::reload))
        .route(stream::PATH, get(stream::get))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::get))
        .merge(page::routes())
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn_with_state(state.clone(), for_all))
        .with_state(state)
}

async fn not_found() -> Problem {
    Problem::not_found()
}

/// `OPTIONS` is told what is allowed, others that they are not. axum adds the `Allow` header.
async fn not_allowed(method: Method) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this address does not take this method").into_response()
}

/// A credential in an address would stay in logs and histories; and no answer is kept or guessed at
/// on its way.
async fn for_all(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let uri = request.uri();
    let is_allowed = || state.config.stream.token_in_url && uri.path() == stream::PATH;
    let mut response = if token_in_url(uri).is_some() && !is_allowed() {
        let reason = "does not belong into an address; send the Authorization header";
        Problem::bad_parameter("token", reason).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
