//! The HTTP side: what is sent in, asked for and followed live.
//!
//! ```text
//! let (stop, stopping) = stop();
//! let listener = Listener::bind(addr)?;
//! let state = AppState::new(ApiParts { … });
//! println!("listening on http://{}", listener.local_addr());
//! listener.serve(router(state), limits, stopping).await?;     // until stop.stop()
//! ```
//!
//! [`serve`] owns connections and their patience, [`auth`] says who is calling, [`body`] receives
//! what they send, [`routes`] has a file per endpoint, [`live`] the streams, [`page`] what people see.
//! Nothing here writes a store: what people do goes in through the intake.

pub mod auth;
pub mod body;
pub mod config;
pub mod error;
pub mod limits;
pub mod live;
pub mod page;
pub mod router;
pub mod routes;
pub mod serve;
pub mod state;
pub mod stop;

pub use config::{ApiConfig, AuthConfig, HttpLimits, StreamConfig};
pub use router::router;
pub use serve::Listener;
pub use state::{AlertsVersion, ApiParts, AppState};
pub use stop::{Stop, Stopping, stop};
