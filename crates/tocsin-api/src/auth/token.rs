//! JSON web tokens: HS256 and strict claims (RFC 7519, RFC 8725).
//!
//! The signature is checked before a claim is read. What a header may say about where to find a
//! key is never followed: a token that says it is refused.

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::{Deserialize, Deserializer};

use crate::config::AuthConfig;
use crate::limits::{TOKEN_EXP_SECONDS_MAX, TOKEN_LEEWAY_SECONDS_MAX};

/// Characters of a key id in a token's header. Above it: 401.
const KID_CHARS_MAX: usize = 64;

/// The claims of a good token.
#[derive(Debug, Deserialize)]
pub struct Claims {
    /// The user.
    pub sub: String,
    /// Name of the tenant.
    pub tenant_id: String,
    /// The second in which it ends.
    pub exp: u64,
    /// What the user may see.
    #[serde(default, deserialize_with = "not_null")]
    pub roles: Option<Vec<String>>,
    #[serde(default, deserialize_with = "not_null", rename = "nbf")]
    _nbf: Option<u64>,
    #[serde(default, deserialize_with = "not_null", rename = "iat")]
    _iat: Option<u64>,
    #[serde(default, deserialize_with = "not_null", rename = "iss")]
    _iss: Option<String>,
}

/// A claim that is there is what it must be: null is not absent.
fn not_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(claim: D) -> Result<Option<T>, D::Error> {
    T::deserialize(claim).map(Some)
}

/// Checks tokens with one secret.
pub struct Verifier {
    /// `None`: no secret, so no token is good.
    key: Option<DecodingKey>,
    validation: Validation,
}

impl Verifier {
    /// A verifier as configured.
    #[must_use]
    pub fn new(config: &AuthConfig) -> Verifier {
        let key = (!config.secret.is_empty()).then(|| DecodingKey::from_secret(&config.secret));
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = TOKEN_LEEWAY_SECONDS_MAX;
        validation.validate_nbf = true;
        let mut required = vec!["exp", "sub"];
        if let Some(issuer) = &config.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        validation.validate_aud = config.audience.is_some();
        if let Some(audience) = &config.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        Verifier { key, validation }
    }

    /// The claims of a token, if everything about it is right.
    #[must_use]
    pub fn verify(&self, token: &str) -> Option<Claims> {
        let data = jsonwebtoken::decode::<Claims>(token, self.key.as_ref()?, &self.validation).ok()?;
        let Claims { sub, tenant_id, exp, .. } = &data.claims;
        let whole = !sub.is_empty() && !tenant_id.is_empty() && *exp <= TOKEN_EXP_SECONDS_MAX;
        (whole && is_plain(&data.header)).then_some(data.claims)
    }
}

/// Whether a header says nothing but an algorithm, a type and perhaps a key's name, beside what no
/// standard knows.
fn is_plain(header: &Header) -> bool {
    let is_jwt = header.typ.as_ref().is_none_or(|typ| typ.eq_ignore_ascii_case("jwt"));
    let names_key = header.kid.as_ref().is_none_or(|kid| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !kid.contains("..") && kid.len() <= KID_CHARS_MAX && kid.bytes().all(plain)
    });
    let (typ, kid, extras) = (header.typ.clone(), header.kid.clone(), header.extras.clone());
    let bare = Header { typ, kid, extras, ..Header::new(header.alg) };
    is_jwt && names_key && *header == bare
}
