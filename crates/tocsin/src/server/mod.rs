//! A server put together: data folder, journal, store, engine, HTTP; then run, watched and ended.
//!
//! ```text
//! let server = Server::build(&plan, on_alert)?;      // state rebuilt, stages running, port open
//! println!("listening on http://{}", server.address());
//! server.run(until)?;                                // serves, then ends in order
//! ```

mod build;
mod listening;
mod open_files;
mod reload;
mod rules;
mod run;
mod signals;

pub use build::{JOURNAL_FOLDER, engine};
pub use listening::Listening;
pub use rules::Recorded;

use std::net::SocketAddr;
use std::thread::JoinHandle;

use axum::Router;
use metrics_exporter_prometheus::PrometheusHandle;
use tocsin_api::{Listener, Stop, Stopping};
use tocsin_pipeline::intake::Answers;
use tocsin_pipeline::ledger::Ledger;
use tocsin_pipeline::reload::Reloads;
use tocsin_pipeline::tenants::Tenants;
use tocsin_pipeline::topology::Stages;
use tocsin_store::KeyWatch;
use tokio::runtime::Runtime;

use self::signals::Signals;

/// A server whose stages run and whose port is open.
pub struct Server {
    runtime: Runtime,
    signals: Signals,
    listener: Listener,
    router: Router,
    limits: tocsin_api::HttpLimits,
    answers: Answers,
    stages: Stages,
    reloads: Reloads,
    reloading: JoinHandle<()>,
    keys: KeyWatch,
    tenants: Tenants,
    ledger: Ledger,
    metrics: PrometheusHandle,
    stop: Stop,
    stopping: Stopping,
    /// Tells where it listens, until it has ended.
    told: Option<Listening>,
}

impl Server {
    /// Where it listens, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// What became of records.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }
}
