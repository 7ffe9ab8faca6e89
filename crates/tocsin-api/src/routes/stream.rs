//! `GET /events/security`: lets a caller onto the live stream. Where it is configured, a browser may
//! bring its token in the address.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::response::Response;

use crate::auth::{Identity, User, token_in_url};
use crate::error::Problem;
use crate::live;
use crate::state::AppState;

/// The stream's address.
pub const PATH: &str = "/events/security";

/// Opens the stream.
///
/// # Errors
/// 401 for a caller who is not known; the stream says the rest.
pub async fn get(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    let (mut head, _) = request.into_parts();
    let caller = caller(&state, &mut head).await?;
    Ok(live::respond(&state.live, &caller, &head))
}

async fn caller(state: &AppState, head: &mut Parts) -> Result<Arc<Identity>, Problem> {
    // The router lets a token in an address through to here only where it is configured.
    if let Some(token) = token_in_url(&head.uri) {
        return state.auth.token(&token);
    }
    let User(caller) = User::from_request_parts(head, state).await?;
    Ok(caller)
}
