//! `tocsin run`: the server.

use std::io::Write;
use std::path::Path;

use tocsin_alert::Alert;
use tocsin_alert::role::View;

use crate::cli::{Cli, RunArgs};
use crate::commands::{FINE, UsageError};
use crate::config;
use crate::config::plan::{LogFormat, LogPlan, RunPlan};
use crate::loading;
use crate::output::{complain, sanitise};
use crate::server::Server;

/// Runs the command.
///
/// # Errors
/// Wrong configuration, or what ended the server.
pub fn run(cli: &Cli, args: &RunArgs) -> anyhow::Result<u8> {
    let plan = plan(args, cli.data.as_deref())?;
    start_log(&plan.log);
    let view = plan.log_view;
    let server = Server::build(&plan, Box::new(move |alert| tell(alert, view)))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on http://{}", server.address())?;
    out.flush()?;
    drop(out);
    server.run(std::future::pending())?;
    Ok(FINE)
}

/// What to run with; everything that is wrong with it is told.
///
/// # Errors
/// When something is.
pub fn plan(args: &RunArgs, data: Option<&Path>) -> anyhow::Result<RunPlan> {
    let (plan, told) = config::for_run(args, data, std::env::vars_os()).map_err(|wrong| {
        wrong.iter().for_each(|diagnostic| complain(&loading::written(diagnostic)));
        UsageError("the configuration cannot be used; see above".to_string())
    })?;
    told.iter().for_each(|diagnostic| complain(&loading::written(diagnostic)));
    Ok(plan)
}

/// Begins the server's own log, on standard error.
pub fn start_log(plan: &LogPlan) {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(plan.level);
    match plan.format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().init(),
    }
}

/// The line of an alert: a whole one, with nothing in it that moves a cursor.
pub fn tell(alert: &Alert, view: View) {
    let mut message = serde_json::Value::String(alert.message.clone());
    view.apply(&mut message);
    let message = message.as_str().unwrap_or_default();
    complain(&format!("[ALERT] {}", sanitise::text(message)));
}
