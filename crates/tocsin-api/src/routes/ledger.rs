//! `GET /api/v1/ledger`: what became of every record of the caller's tenant.

use axum::Json;
use axum::extract::State;
use tocsin_pipeline::ledger::LedgerView;

use crate::auth::User;
use crate::state::AppState;

/// The counters now.
pub async fn get(State(state): State<AppState>, User(caller): User) -> Json<LedgerView> {
    Json(state.ledger.view(caller.tenant))
}
