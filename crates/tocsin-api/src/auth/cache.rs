//! Tokens that have been verified, by hash, so that a busy reader does not pay for each request.

use std::collections::HashMap;
use std::sync::Arc;

use super::Identity;
use crate::limits::{TOKEN_LEEWAY_SECONDS_MAX, TOKENS_CACHED_MAX};

/// Verified tokens, at most [`TOKENS_CACHED_MAX`].
#[derive(Debug, Default)]
pub struct TokenCache {
    known: HashMap<[u8; 32], (Arc<Identity>, Arc<str>)>,
}

impl TokenCache {
    /// Who the token of this hash speaks for and the tenant it names, unless it has ended.
    #[must_use]
    pub fn get(&mut self, hash: &[u8; 32], now: u64) -> Option<(Arc<Identity>, Arc<str>)> {
        let (identity, tenant) = self.known.get(hash)?;
        let ended = identity.expires.is_some_and(|end| end + TOKEN_LEEWAY_SECONDS_MAX < now);
        if ended {
            self.known.remove(hash);
            return None;
        }
        Some((Arc::clone(identity), Arc::clone(tenant)))
    }

    /// Remembers a token. Only who has good tokens can fill this, so that it is simply emptied when
    /// it is full.
    pub fn insert(&mut self, hash: [u8; 32], identity: Arc<Identity>, tenant: Arc<str>) {
        if self.known.len() >= TOKENS_CACHED_MAX {
            self.known.clear();
        }
        self.known.insert(hash, (identity, tenant));
    }
}
