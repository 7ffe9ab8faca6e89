//! `tocsin token`: JWTs for scripts and development, signed as the server reads them (HS256).

use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use anyhow::anyhow;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;
use serde_json::json;
use tocsin_alert::role::Role;
use tocsin_api::AuthConfig;
use tocsin_core::time::{Span, Timestamp};
use tocsin_store::{Database, JwtSecret, SecretError};

use crate::cli::{Cli, RunArgs, TokenAction, TokenCreateArgs};
use crate::commands::key::{blame, tell_of_new_tenant};
use crate::commands::run::plan;
use crate::commands::{FINE, UsageError};
use crate::loading;

/// The longest a token may be good: nobody can take it back before.
const TTL_MAX: Span = Span::seconds(30 * 86_400);

/// The shortest a token may be good: claims are in whole seconds.
const TTL_MIN: Span = Span::seconds(1);

/// Characters of a user's name and of each role. Longer ones are refused.
const NAME_CHARACTERS_MAX: usize = 200;

const NANOS: i64 = 1_000_000_000;

/// What a token says of its bearer.
#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    tenant_id: &'a str,
    roles: &'a [String],
    iat: i64,
    exp: i64,
    jti: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

/// Runs the command.
///
/// # Errors
/// Wrong usage, or a secret that cannot be used.
pub fn run(cli: &Cli, action: &TokenAction) -> anyhow::Result<u8> {
    match action {
        TokenAction::Create(args) => create(cli.data.as_deref(), args),
    }
}

/// Whom a token is for.
pub struct Bearer<'a> {
    /// The user's name.
    pub user: &'a str,
    /// The tenant's name.
    pub tenant: &'a str,
    /// The roles.
    pub roles: &'a [String],
    /// Who says so, where the server asks for that.
    pub issuer: Option<String>,
    /// For whom, where the server asks for that.
    pub audience: Option<String>,
}

/// A signed token, and when it expires.
///
/// # Errors
/// When the system has no time or random bytes.
pub fn issue(secret: &[u8], bearer: &Bearer<'_>, ttl: Span) -> anyhow::Result<(String, Timestamp)> {
    let issued = loading::timestamp(SystemTime::now())?.0 / NANOS;
    let expires = issued + ttl.0 / NANOS;
    let claims = Claims {
        sub: bearer.user,
        tenant_id: bearer.tenant,
        roles: bearer.roles,
        iat: issued,
        exp: expires,
        jti: random_id()?,
        iss: bearer.issuer.as_deref(),
        aud: bearer.audience.as_deref(),
    };
    let key = EncodingKey::from_secret(secret);
    Ok((encode(&Header::new(Algorithm::HS256), &claims, &key)?, Timestamp(expires * NANOS)))
}

fn create(data: Option<&Path>, args: &TokenCreateArgs) -> anyhow::Result<u8> {
    check(args)?;
    let ttl = ttl(&args.ttl)?;
    let plan = plan(&RunArgs { config: args.config.clone(), ..RunArgs::default() }, data)?;
    // Only a folder whose own secret signs has to know the tenant; another server may know it else.
    let secret = if plan.api.auth.secret.is_empty() {
        let tenant = Database::open(&plan.data)?.ensure_tenant(&args.tenant).map_err(blame)?;
        if tenant.made {
            tell_of_new_tenant(&args.tenant);
        }
        own_secret(&plan.data)?
    } else {
        plan.api.auth.secret
    };
    let AuthConfig { issuer, audience, .. } = plan.api.auth;
    let bearer = Bearer { user: &args.user, tenant: &args.tenant, roles: &args.roles, issuer, audience };
    let (token, expires) = issue(&secret, &bearer, ttl)?;
    let expires_at = expires.to_string();
    let line =
        if args.json { json!({ "token": token, "expires_at": expires_at }).to_string() } else { token };
    writeln!(io::stdout().lock(), "{line}")?;
    Ok(FINE)
}

/// The data folder's own secret, made if there is none.
///
/// # Errors
/// Wrong usage when others may read it; else what the system says.
pub fn own_secret(data: &Path) -> anyhow::Result<Vec<u8>> {
    let secret = JwtSecret::of_folder(data).map(|secret| secret.as_bytes().to_vec());
    secret.map_err(|error| match error {
        SecretError::File { .. } => error.into(),
        SecretError::TooShort { .. } | SecretError::Exposed { .. } => UsageError(error.to_string()).into(),
    })
}

/// Names that can stand in a token, and a role that lets its bearer see anything.
fn check(args: &TokenCreateArgs) -> Result<(), UsageError> {
    let is_name = |text: &str| {
        (1..=NAME_CHARACTERS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
    };
    if !is_name(&args.user) || !is_name(&args.tenant) || !args.roles.iter().all(|role| is_name(role)) {
        let message = format!(
            "user, tenant and roles have 1 to {NAME_CHARACTERS_MAX} characters, none a control character"
        );
        return Err(UsageError(message));
    }
    if args.roles.iter().any(|role| Role::parse(role).is_some()) {
        return Ok(());
    }
    let message = "one --role must be viewer, analyst, responder or admin; other words may stand beside it";
    Err(UsageError(message.to_string()))
}

fn ttl(text: &str) -> Result<Span, UsageError> {
    let span = Span::parse(text).filter(|span| (TTL_MIN..=TTL_MAX).contains(span));
    span.ok_or_else(|| UsageError(format!("--ttl: `{text}` is no span from 1s to 30d, such as 8h")))
}

/// A random id, so that two tokens are never the same.
fn random_id() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random bytes: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
