//! A caller who has been checked, and the three ways a handler asks for one.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use tocsin_alert::role::Roles;
use tocsin_core::batch::TenantId;
use tocsin_store::Scope;

use super::{Auth, Presented, presented, unauthorized};
use crate::error::Problem;
use crate::state::AppState;

/// A caller who has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Whose data it is about. The tenant comes from here and nowhere else.
    pub tenant: TenantId,
    /// The user a token names, or the key's id.
    pub subject: Arc<str>,
    /// What the caller may see.
    pub roles: Roles,
    /// The key's id, which has a watermark of its own; for a token its subject.
    pub source: Arc<str>,
    /// The second (since 1970) in which the token ends; a key has none.
    pub expires: Option<u64>,
}

/// A key of scope `ingest`.
#[derive(Clone, Debug)]
pub struct IngestKey(pub Arc<Identity>);

/// A token, or a key of scope `read`.
#[derive(Clone, Debug)]
pub struct Reader(pub Arc<Identity>);

/// A token.
#[derive(Clone, Debug)]
pub struct User(pub Arc<Identity>);

impl<S: Send + Sync> FromRequestParts<S> for IngestKey
where
    AppState: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        checked(parts, state, |auth, presented| match presented {
            Presented::Key(key) => auth.key(key, Scope::Ingest),
            Presented::Token(_) => None,
        })
        .map(IngestKey)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Reader
where
    AppState: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        checked(parts, state, |auth, presented| match presented {
            Presented::Key(key) => auth.key(key, Scope::Read),
            Presented::Token(token) => auth.verified_token(token),
        })
        .map(Reader)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for User
where
    AppState: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        checked(parts, state, |auth, presented| match presented {
            Presented::Key(_) => None,
            Presented::Token(token) => auth.verified_token(token),
        })
        .map(User)
    }
}

fn checked<S>(
    parts: &Parts,
    state: &S,
    check: impl Fn(&Auth, Presented<'_>) -> Option<Arc<Identity>>,
) -> Result<Arc<Identity>, Problem>
where
    AppState: FromRef<S>,
{
    let state = AppState::from_ref(state);
    presented(&parts.headers).and_then(|presented| check(&state.auth, presented)).ok_or_else(unauthorized)
}
