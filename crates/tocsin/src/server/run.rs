//! Serving until it is time to end, then ending in order: no new requests, those that run finish,
//! the stages finish what they have, and all state is kept.

use std::future::Future;
use std::time::Duration;

use tocsin_api::routes::metrics::upkeep;
use tocsin_pipeline::tenants::Tenants;
use tocsin_store::KeyWatch;

use crate::server::Server;
use crate::server::reload::BY_SIGNAL;

/// How often keys made beside the server are looked for, and whether a stage has failed.
const LOOK_EVERY: Duration = Duration::from_millis(250);

impl Server {
    /// Serves until `until` is there, a signal asks to end, or a stage fails.
    ///
    /// # Errors
    /// When the port or a stage fails. What was acknowledged is safe all the same.
    pub fn run(self, until: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
        let Server {
            runtime,
            signals,
            listener,
            router,
            limits,
            answers,
            stages,
            reloads,
            reloading,
            keys,
            tenants,
            metrics,
            stop,
            stopping,
            told,
            ..
        } = self;
        let served = runtime.block_on(async {
            let watching = async {
                let mut look = tokio::time::interval(LOOK_EVERY);
                look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                while !stages.has_failed() {
                    look.tick().await;
                    refresh(&keys, &tenants);
                }
            };
            let reload = || {
                if reloads.ask(BY_SIGNAL).is_err() {
                    tracing::warn!("rules not reloaded: too many reloads are waiting");
                }
            };
            let ending = async {
                tokio::select! {
                    () = until => {}
                    () = signals.asked(reload) => {}
                    () = watching => {}
                }
                stop.stop();
            };
            tokio::spawn(answers.deliver());
            tokio::spawn(upkeep(metrics, stopping.clone()));
            let (served, ()) = tokio::join!(listener.serve(router, limits, stopping), ending);
            served
        });
        // What still holds an intake ends with the runtime; then the stages see that nothing comes.
        runtime.shutdown_timeout(Duration::from_secs(1));
        drop(reloads);
        if reloading.join().is_err() {
            tracing::error!("reloading rules has failed");
        }
        stages.join()?;
        drop(told);
        Ok(served?)
    }
}

/// Takes over keys and tenants that were made beside the server.
fn refresh(keys: &KeyWatch, tenants: &Tenants) {
    match keys.refresh() {
        Ok(true) => tenants.replace(keys.ring().tenants().iter().cloned()),
        Ok(false) => {}
        Err(error) => tracing::warn!(reason = %error, "keys cannot be read again"),
    }
}
