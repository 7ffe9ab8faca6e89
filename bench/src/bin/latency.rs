//! How long after its acknowledgement an event's alert is seen by a subscriber, under a constant
//! load. Needs a server with the rule `bench/rules/marked.yml`. Prints one JSON object.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use tocsin_bench::load::{self, Load};

/// Seconds a run may take.
const SECONDS_MAX: u64 = 3_600;

/// How long alerts are waited for after the last body was answered.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections a run may have.
const CONNECTIONS_MAX: u64 = 1_000;

/// Time from the acknowledgement of an event to its alert on a live stream.
#[derive(Debug, Parser)]
struct Arguments {
    /// Address and port of the server.
    #[arg(long)]
    address: SocketAddr,

    /// API key that may send.
    #[arg(long)]
    key: String,

    /// Token that may follow the stream.
    #[arg(long)]
    token: String,

    /// Events a second.
    #[arg(long, default_value_t = 50_000.0)]
    rate: f64,

    /// Events of a body.
    #[arg(long, default_value_t = 500)]
    events: usize,

    /// One body of so many raises an alert.
    #[arg(long, default_value_t = 10)]
    every: usize,

    /// Seconds to send.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    seconds: u64,

    /// Connections that send.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=CONNECTIONS_MAX))]
    connections: u64,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let report = load::run(Load {
        address: arguments.address,
        key: arguments.key,
        token: arguments.token,
        rate: arguments.rate,
        events: arguments.events,
        every: arguments.every,
        time: Duration::from_secs(arguments.seconds),
        connections: usize::try_from(arguments.connections)?,
        patience: PATIENCE,
    })
    .await?;
    writeln!(std::io::stdout(), "{report}").context("cannot write")?;
    Ok(if report["seen"] == report["marked"] { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
