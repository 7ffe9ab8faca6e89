//! `tocsin key`: API keys, made, listed and revoked. Works beside a running server, which notices
//! within a second.

use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use comfy_table::{Attribute, Cell, Table, presets};
use serde_json::{Value, json};
use tocsin_core::time::Timestamp;
use tocsin_store::{AdminError, DATABASE_FILE, Database, KeyRecord, NewKey, Revoked, Scope};

use crate::cli::{Cli, KeyAction, KeyCreateArgs, KeyListArgs, KeyRevokeArgs, ScopeArg};
use crate::commands::{FINE, UsageError};
use crate::loading;
use crate::output::{complain, sanitise, unless_closed};

/// Runs the command.
///
/// # Errors
/// Wrong usage, or a store that cannot be used.
pub fn run(cli: &Cli, action: &KeyAction) -> anyhow::Result<u8> {
    match action {
        KeyAction::Create(args) => create(&cli.data(), args),
        KeyAction::List(args) => list(&cli.data(), args),
        KeyAction::Revoke(args) => revoke(&cli.data(), args),
    }
}

/// Says that a tenant was made because it was named.
pub fn tell_of_new_tenant(name: &str) {
    complain(&format!("the tenant `{name}` is new; it was made"));
}

/// What cannot be made, as wrong usage where the arguments are to blame.
pub fn blame(error: AdminError) -> anyhow::Error {
    match error {
        AdminError::Refused(message) => UsageError(message).into(),
        AdminError::Store(error) => error.into(),
    }
}

fn create(data: &Path, args: &KeyCreateArgs) -> anyhow::Result<u8> {
    let mut database = Database::open(data)?;
    let scope = match args.scope {
        ScopeArg::Ingest => Scope::Ingest,
        ScopeArg::Read => Scope::Read,
        ScopeArg::Bouncer => Scope::Bouncer,
    };
    let created = loading::timestamp(SystemTime::now())?;
    let new = NewKey { tenant: &args.tenant, scope, name: &args.name, created };
    let made = database.create_key(&new).map_err(blame)?;
    if made.tenant.made {
        tell_of_new_tenant(&args.tenant);
    }
    let line = if args.json { json!({ "id": made.id, "key": made.key }).to_string() } else { made.key };
    // Nobody can ask for the key again, so a reader that has gone away is a failure here.
    writeln!(io::stdout().lock(), "{line}")?;
    Ok(FINE)
}

fn list(data: &Path, args: &KeyListArgs) -> anyhow::Result<u8> {
    let keys = open_existing(data)?.keys()?;
    let mut out = io::stdout().lock();
    let written = if args.json {
        keys.iter().try_for_each(|key| writeln!(out, "{}", as_json(key)))
    } else {
        writeln!(out, "{}", as_table(&keys))
    };
    unless_closed(written)?;
    Ok(FINE)
}

fn revoke(data: &Path, args: &KeyRevokeArgs) -> anyhow::Result<u8> {
    let now = loading::timestamp(SystemTime::now())?;
    match open_existing(data)?.revoke_key(&args.id, now)? {
        Revoked::Now => complain(&format!("the key {} is revoked", args.id)),
        Revoked::Before => complain(&format!("the key {} was revoked before", args.id)),
        Revoked::Unknown => {
            let message = format!("there is no key `{}`; `tocsin key list` shows those there are", args.id);
            return Err(UsageError(message).into());
        }
    }
    Ok(FINE)
}

/// The store of a data folder that must be there: a mistyped name must not make a new one.
fn open_existing(data: &Path) -> anyhow::Result<Database> {
    if data.join(DATABASE_FILE).exists() {
        return Ok(Database::open(data)?);
    }
    let message = format!("{}: no data folder of Tocsin; name it with --data", data.display());
    Err(UsageError(message).into())
}

fn as_json(key: &KeyRecord) -> Value {
    json!({
        "id": key.id,
        "tenant": key.tenant_name,
        "scope": key.scope.as_str(),
        "name": key.name,
        "created": key.created.to_string(),
        "revoked": key.revoked.map(|time| time.to_string()),
    })
}

fn as_table(keys: &[KeyRecord]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    let title = |text: &str| Cell::new(text).add_attribute(Attribute::Bold);
    table.set_header(["id", "tenant", "scope", "name", "created (UTC)", "revoked (UTC)"].map(title));
    for key in keys {
        let revoked = key.revoked.map(to_the_second).unwrap_or_default();
        let name = sanitise::text(&key.name).into_owned();
        let words =
            [&key.id, &key.tenant_name, key.scope.as_str(), &name, &to_the_second(key.created), &revoked];
        table.add_row(words);
    }
    table
}

/// A time as a person reads it.
fn to_the_second(time: Timestamp) -> String {
    let written = time.to_string();
    written.get(..19).unwrap_or(&written).replace('T', " ")
}
