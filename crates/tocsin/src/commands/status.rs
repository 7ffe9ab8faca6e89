//! `tocsin status`: how a running server is.

use std::io::{self, Write};

use anyhow::{Context, anyhow};
use hyper::StatusCode;
use serde_json::Value;
use tocsin_core::time::Span;
use tocsin_store::JWT_SECRET_FILE;

use crate::cli::{Cli, RunArgs, StatusArgs};
use crate::client::Target;
use crate::commands::run::plan;
use crate::commands::token::{Bearer, issue, own_secret};
use crate::commands::{FINDINGS, FINE, UsageError};
use crate::config::plan::RunPlan;
use crate::output::{status, unless_closed};
use crate::server::Listening;

/// How long a token made for one question is good.
const TTL: Span = Span::seconds(60);

const PATH: &str = "/api/v1/status";

/// Runs the command.
///
/// # Errors
/// When no server answers, or refuses to.
pub fn run(cli: &Cli, args: &StatusArgs) -> anyhow::Result<u8> {
    let plan = plan(&RunArgs { config: args.config.clone(), ..RunArgs::default() }, cli.data.as_deref())?;
    let target = target(args, &plan)?;
    let token = match &args.token {
        Some(token) => token.clone(),
        None => own_token(args, &plan)?,
    };
    let url = target.url();
    let asked = target.get(PATH, &token);
    let (code, body) = asked.with_context(|| {
        format!(
            "no server answers at {url}: start one with `tocsin run`, or name another with --url or --data"
        )
    })?;
    let mut told = answer(code, &body, &url, args)?;
    let is_ready = told["ready"] == true;
    told["url"] = url.into();
    let mut out = io::stdout().lock();
    let written = if args.json {
        writeln!(out, "{told}")
    } else {
        status::lines(&told).iter().try_for_each(|line| writeln!(out, "{line}"))
    };
    unless_closed(written)?;
    Ok(if is_ready { FINE } else { FINDINGS })
}

/// The server that is meant: the one that is named, the one of the data folder, or the one that would be
/// started so.
fn target(args: &StatusArgs, plan: &RunPlan) -> Result<Target, UsageError> {
    match &args.url {
        Some(url) => Target::parse(url),
        None => Ok(Target::of(Listening::read(&plan.data).unwrap_or(plan.listen))),
    }
}

/// A token for this question, signed as the server reads it.
fn own_token(args: &StatusArgs, plan: &RunPlan) -> anyhow::Result<String> {
    let auth = &plan.api.auth;
    let secret = if auth.secret.is_empty() {
        if !plan.data.join(JWT_SECRET_FILE).exists() {
            let folder = plan.data.display();
            let message = format!(
                "{folder} holds no secret to sign a token with: name the server's data folder with --data, or give a \
                 token with --token"
            );
            return Err(UsageError(message).into());
        }
        own_secret(&plan.data)?
    } else {
        auth.secret.clone()
    };
    let roles = ["viewer".to_string()];
    let bearer = Bearer {
        user: "tocsin status",
        tenant: &args.tenant,
        roles: &roles,
        issuer: auth.issuer.clone(),
        audience: auth.audience.clone(),
    };
    Ok(issue(&secret, &bearer, TTL)?.0)
}

/// What an answer says, or why there is none.
fn answer(code: StatusCode, body: &[u8], url: &str, args: &StatusArgs) -> anyhow::Result<Value> {
    match code {
        StatusCode::OK => {
            let told = serde_json::from_slice::<Value>(body).ok().filter(Value::is_object);
            told.ok_or_else(|| anyhow!("what answers at {url} is no Tocsin"))
        }
        StatusCode::UNAUTHORIZED => {
            let why = match &args.token {
                Some(_) => {
                    "the token given with --token: make a new one with `tocsin token create`".to_string()
                }
                None => format!(
                    "a token for the tenant `{}` signed with the data folder's or the configuration's secret: name \
                     the server's with --data or --config, a tenant it has with --tenant, or give a token with --token",
                    args.tenant
                ),
            };
            Err(UsageError(format!("the server at {url} refuses {why}")).into())
        }
        StatusCode::NOT_FOUND => {
            Err(anyhow!("what answers at {url} has no {PATH}: another version, or no Tocsin"))
        }
        other => Err(anyhow!("the server at {url} answers {other}: {}", String::from_utf8_lossy(body))),
    }
}
