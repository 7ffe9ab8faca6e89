//! Who is calling: a key or a token becomes an [`Identity`], and a handler that asks for one cannot
//! forget to check it.
//!
//! Whatever is wrong, the answer is the same 401. A request brings one credential; two are none.

mod cache;
mod identity;
mod token;

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::Query;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, Uri};
use tocsin_alert::role::{Role, Roles};
use tocsin_pipeline::tenants::Tenants;
use tocsin_store::{KeyWatch, Scope};

pub use self::identity::{Identity, IngestKey, Reader, User};

use self::cache::TokenCache;
use self::token::{Claims, Verifier};
use crate::config::AuthConfig;
use crate::error::Problem;
use crate::limits::TOKEN_BYTES_MAX;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// A credential as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presented<'a> {
    Key(&'a str),
    Token(&'a str),
}

/// The doorkeeper.
pub struct Auth {
    keys: KeyWatch,
    tenants: Tenants,
    verifier: RwLock<Arc<Verifier>>,
    verified: Mutex<TokenCache>,
}

impl Auth {
    /// A doorkeeper who knows these keys and tenants.
    #[must_use]
    pub fn new(config: &AuthConfig, keys: KeyWatch, tenants: Tenants) -> Auth {
        let verifier = RwLock::new(Arc::new(Verifier::new(config)));
        Auth { keys, tenants, verifier, verified: Mutex::new(TokenCache::default()) }
    }

    /// From now on tokens are checked so; those verified before count for nothing.
    pub fn replace(&self, config: &AuthConfig) {
        *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Verifier::new(config));
        *self.cache() = TokenCache::default();
    }

    /// Who a token speaks for.
    ///
    /// # Errors
    /// 401 for everything that is not a good token of a known tenant.
    pub fn token(&self, token: &str) -> Result<Arc<Identity>, Problem> {
        self.verified_token(token).ok_or_else(unauthorized)
    }

    /// Who a key of this scope speaks for: it sees as an analyst.
    fn key(&self, key: &str, scope: Scope) -> Option<Arc<Identity>> {
        let grant = self.keys.ring().check(key).filter(|grant| grant.scope == scope)?;
        let subject = Arc::clone(&grant.id);
        let roles = Roles::only(Role::Analyst);
        Some(Arc::new(Identity { tenant: grant.tenant, subject, roles, source: grant.id, expires: None }))
    }

    fn verified_token(&self, token: &str) -> Option<Arc<Identity>> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let now = seconds_now();
        let hash = *blake3::hash(token.as_bytes()).as_bytes();
        let known = self.cache().get(&hash, now);
        if let Some((identity, tenant)) = known
            && self.tenants.name(identity.tenant).is_some_and(|name| name == tenant)
        {
            return Some(identity);
        }
        let verifier = Arc::clone(&self.verifier.read().unwrap_or_else(PoisonError::into_inner));
        let Claims { sub, tenant_id, exp, roles, .. } = verifier.verify(token)?;
        let subject: Arc<str> = sub.into();
        let identity = Arc::new(Identity {
            tenant: self.tenants.id(&tenant_id)?,
            source: Arc::clone(&subject),
            subject,
            roles: Roles::of(&roles.unwrap_or_default()),
            expires: Some(exp),
        });
        // A secret replaced meanwhile has emptied the cache; what it had made stays out of it.
        let current = self.verifier.read().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, &verifier) {
            self.cache().insert(hash, Arc::clone(&identity), tenant_id.into());
        }
        Some(identity)
    }

    /// A panic elsewhere leaves whole entries behind.
    fn cache(&self) -> std::sync::MutexGuard<'_, TokenCache> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Auth {
    /// Without secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").finish_non_exhaustive()
    }
}

/// Whether an address carries a credential, which would end up in logs and histories.
#[must_use]
pub fn token_in_url(uri: &Uri) -> Option<String> {
    uri.query()?;
    let Query(parameters) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    parameters.into_iter().find(|(name, _)| name == "token").map(|(_, value)| value)
}

/// The one credential of a request.
fn presented(headers: &HeaderMap) -> Option<Presented<'_>> {
    let mut keys = headers.get_all(API_KEY).iter();
    let mut bearers = headers.get_all(AUTHORIZATION).iter();
    match (keys.next(), bearers.next(), keys.next(), bearers.next()) {
        (Some(key), None, None, None) => key.to_str().ok().map(Presented::Key),
        (None, Some(bearer), None, None) => bearer_credential(bearer.to_str().ok()?),
        _ => None,
    }
}

fn bearer_credential(header: &str) -> Option<Presented<'_>> {
    let (scheme, credential) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let is_token = credential.bytes().filter(|byte| *byte == b'.').count() == 2;
    Some(if is_token { Presented::Token(credential) } else { Presented::Key(credential) })
}

/// The one refusal, counted.
fn unauthorized() -> Problem {
    metrics::counter!("tocsin_http_unauthorized_total").increment(1);
    Problem::unauthorized()
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
