//! `tocsin demo`: a server of its own, and a recorded attack that happens now.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use tocsin_alert::role::{Role, View};
use tocsin_core::batch::TenantId;
use tocsin_core::time::Span;
use tocsin_pipeline::ledger::Ledger;
use tocsin_store::{AlertFilter, Database, NewKey, Page, Reader, Scope};

use crate::cli::{Cli, DemoArgs, RunArgs};
use crate::commands::FINE;
use crate::commands::run::{plan, start_log, tell};
use crate::commands::token::{Bearer, issue, own_secret};
use crate::config::plan::RunPlan;
use crate::demo::recording::{self, Line};
use crate::demo::sender::{Target, send};
use crate::loading;
use crate::output::alerts::{AlertWriter, Shape};
use crate::output::{complain, unless_closed};
use crate::server::Server;

/// How long the token that is printed is good for.
const TOKEN_TTL: Span = Span::seconds(8 * 3_600);

/// Where the demo listens if nothing else is said and nobody else does.
const PORT: u16 = 8_080;

/// Frames that wait for the page: bursts of the recording come many times as fast as they happened.
const DEMO_QUEUE: usize = 8_192;

/// How often it is looked whether everything sent is processed.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Alerts in the summary's table.
const TABLE_ALERTS: usize = 200;

/// What is found out while the demo runs.
#[derive(Default)]
struct Seen {
    alerts: u64,
    first: Option<Duration>,
}

/// Runs the command.
///
/// # Errors
/// When the server cannot be started, or refuses the recording.
pub fn run(cli: &Cli, args: &DemoArgs) -> anyhow::Result<u8> {
    let temporary = tempfile::Builder::new().prefix("tocsin-demo-").tempdir()?;
    let data = cli.data.clone().unwrap_or_else(|| temporary.path().to_path_buf());
    let mut plan = plan(&RunArgs::default(), Some(&data))?;
    plan.listen = address(args.listen);
    // Whoever signs in with the printed address is its only user, and may see all of it.
    plan.api.stream.unmask_from = Some(Role::Analyst);
    plan.api.stream.queue = DEMO_QUEUE;
    start_log(&plan.log);
    let lines = recording::lines()?;
    let (key, token) = credentials(&plan)?;
    let begun = Instant::now();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let noted = Arc::clone(&seen);
    let view = if args.once { None } else { Some(View::Plain) };
    let server = Server::build(
        &plan,
        Box::new(move |alert| {
            let mut seen = noted.lock().unwrap_or_else(PoisonError::into_inner);
            seen.alerts += 1;
            seen.first.get_or_insert_with(|| begun.elapsed());
            if let Some(view) = view {
                tell(alert, view);
            }
        }),
    )?;
    welcome(&server, &token, args)?;
    let target = Target { address: server.address(), key };
    let reader = Reader::open(&data)?;
    let playing = play(target, lines.clone(), args.speed, args.once, server.ledger());
    server.run(playing)?;
    if args.once {
        summary(&reader, &lines, &seen, begun.elapsed())?;
    }
    Ok(FINE)
}

/// The address to listen on: the one that is asked for, the usual one, or a free one.
fn address(asked: Option<SocketAddr>) -> SocketAddr {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let is_free = || TcpListener::bind(usual).is_ok();
    asked.unwrap_or_else(|| if is_free() { usual } else { SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) })
}

/// A key to send with and a token to look with.
fn credentials(plan: &RunPlan) -> anyhow::Result<(String, String)> {
    let mut database = Database::open(&plan.data)?;
    let created = loading::timestamp(SystemTime::now())?;
    let new = NewKey { tenant: "default", scope: Scope::Ingest, name: "demo", created };
    let key = database.create_key(&new)?.key;
    let roles = ["analyst".to_string()];
    let auth = &plan.api.auth;
    let secret = if auth.secret.is_empty() { own_secret(&plan.data)? } else { auth.secret.clone() };
    let bearer = Bearer { user: "demo", tenant: "default", roles: &roles, issuer: None, audience: None };
    let (token, _) = issue(&secret, &bearer, TOKEN_TTL)?;
    Ok((key, token))
}

fn welcome(server: &Server, token: &str, args: &DemoArgs) -> anyhow::Result<()> {
    let address = server.address();
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on http://{address}")?;
    if !args.once {
        writeln!(
            out,
            "\nTen minutes of attacks on an ssh and a web server are replayed {} times as fast.",
            args.speed
        )?;
        writeln!(out, "Watch them being found; this address signs you in:\n")?;
        writeln!(out, "  http://{address}/#token={token}\n")?;
        writeln!(out, "Ctrl-C ends the demo and removes its data.\n")?;
    }
    out.flush()?;
    Ok(())
}

/// Sends the recording; returns when the demo is to end.
async fn play(target: Target, lines: Vec<Line>, speed: u32, once: bool, ledger: Ledger) {
    let now = SystemTime::now();
    let outcome = match loading::timestamp(now).context("the clock") {
        Ok(now) => send(&target, &lines, recording::shift(&lines, now), speed).await,
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        complain(&format!("tocsin: the recording could not be sent: {error:#}"));
        return;
    }
    if !once {
        complain("The recording has ended. The server runs on: look around, send it your own logs.");
        std::future::pending::<()>().await;
    }
    while ledger.view(TenantId::default()).in_flight > 0 {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What the demo came to: the alerts, and a line about them.
fn summary(reader: &Reader, lines: &[Line], seen: &Mutex<Seen>, took: Duration) -> anyhow::Result<()> {
    let page = Page { after: None, limit: TABLE_ALERTS };
    let found = reader.recent(TenantId::default(), &AlertFilter::default(), &page, |_| true)?;
    let mut writer = AlertWriter::new(Shape::Table, std::io::stdout().lock())?;
    let outcome = found.alerts.iter().rev().try_for_each(|kept| writer.write(&kept.stored.alert));
    unless_closed(outcome.and_then(|()| writer.finish()))?;
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let first = seen.first.map_or("none".to_string(), |first| format!("{:.1} s", first.as_secs_f64()));
    complain(&format!(
        "{} events in {:.1} s, {} alerts; the first after {first}",
        lines.len(),
        took.as_secs_f64(),
        seen.alerts
    ));
    Ok(())
}
