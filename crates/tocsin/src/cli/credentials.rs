//! The command line of keys and tokens.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `tocsin key`
#[derive(Debug, Subcommand)]
pub enum KeyAction {
    /// Make a key and print it; it is never shown again.
    Create(KeyCreateArgs),
    /// Show all keys, without their secrets.
    List(KeyListArgs),
    /// Revoke a key for good; a running server refuses it within a second.
    Revoke(KeyRevokeArgs),
}

/// `tocsin key create`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tocsin key create --tenant acme --scope ingest --name \"web servers\"
  KEY=$(tocsin key create --tenant default --scope read)

Exit status: 0 fine, 2 wrong usage, 3 the store failed.")]
pub struct KeyCreateArgs {
    /// Tenant it belongs to, made if there is none.
    #[arg(long, value_name = "TENANT", default_value = "default")]
    pub tenant: String,

    /// What it is good for.
    #[arg(long, value_name = "SCOPE")]
    pub scope: ScopeArg,

    /// What you call it.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub name: String,

    /// As an object with `id` and `key`.
    #[arg(long)]
    pub json: bool,
}

/// `tocsin key list`
#[derive(Debug, Args)]
pub struct KeyListArgs {
    /// One JSON object per key.
    #[arg(long)]
    pub json: bool,
}

/// `tocsin key revoke`
#[derive(Debug, Args)]
pub struct KeyRevokeArgs {
    /// The key's id: the eight digits after `tocsin_`.
    #[arg(value_name = "ID")]
    pub id: String,
}

/// What an API key is good for, as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScopeArg {
    /// Sending events.
    Ingest,
    /// Reading alerts.
    Read,
    /// Fetching decisions.
    Bouncer,
}

/// `tocsin token`
#[derive(Debug, Subcommand)]
pub enum TokenAction {
    /// Make a token and print it.
    Create(TokenCreateArgs),
}

/// `tocsin token create`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tocsin token create --user ann --tenant default --role analyst
  tocsin token create --user ann --tenant acme --role analyst,legal --ttl 15m --json

Signed as the server reads it: with TOCSIN_AUTH__JWT_SECRET or JWT_SECRET where one is set, else with the secret file
of the configuration, else with the data folder's own secret.
Exit status: 0 fine, 2 wrong usage, 3 the secret or the store failed.")]
pub struct TokenCreateArgs {
    /// Configuration file of the server, where it has one.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Whom it stands for.
    #[arg(long, value_name = "USER")]
    pub user: String,

    /// Tenant of the user, made if there is none.
    #[arg(long, value_name = "TENANT", default_value = "default")]
    pub tenant: String,

    /// Roles: viewer, analyst, responder or admin, and other words beside it; repeatable.
    #[arg(long = "role", value_name = "ROLE", required = true, value_delimiter = ',')]
    pub roles: Vec<String>,

    /// How long it is good, from 1s to 30d.
    #[arg(long, value_name = "SPAN", default_value = "8h")]
    pub ttl: String,

    /// As an object with `token` and `expires_at`.
    #[arg(long)]
    pub json: bool,
}
