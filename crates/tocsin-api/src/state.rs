//! What every handler can reach.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics_exporter_prometheus::PrometheusHandle;
use tocsin_core::batch::TenantId;
use tocsin_pipeline::commit::{Publish, PublishedStep};
use tocsin_pipeline::intake::Intake;
use tocsin_pipeline::ledger::Ledger;
use tocsin_pipeline::meter::Measurements;
use tocsin_pipeline::readiness::Readiness;
use tocsin_pipeline::reload::Reloads;
use tocsin_pipeline::rules::ActiveRules;
use tocsin_pipeline::tenants::Tenants;
use tocsin_store::{KeyWatch, Reader};

use crate::auth::Auth;
use crate::body::BodyBudget;
use crate::config::ApiConfig;
use crate::live::Live;
use crate::routes::alerts::AnswerCache;
use crate::stop::Stopping;

/// Counts commits that changed alerts: answers made before one are not given after it. Cheap to
/// clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct AlertsVersion(Arc<AtomicU64>);

impl AlertsVersion {
    /// Alerts have changed; called after the commit and before subscribers are told.
    pub fn bump(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    /// The number of changes so far.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// A publisher that bumps this before it shows changes to that one.
    #[must_use]
    pub fn ahead_of(&self, then: Box<dyn Publish>) -> Box<dyn Publish> {
        Box::new(Bumping { version: self.clone(), then })
    }
}

/// A publisher that drops old answers first.
struct Bumping {
    version: AlertsVersion,
    then: Box<dyn Publish>,
}

impl Publish for Bumping {
    fn publish(&mut self, steps: &[PublishedStep]) {
        if steps.iter().any(|step| !step.changes.is_empty()) {
            self.version.bump();
        }
        self.then.publish(steps);
    }

    fn is_followed(&self, tenant: TenantId) -> bool {
        self.then.is_followed(tenant)
    }
}

/// What the HTTP side is made of.
pub struct ApiParts {
    /// What the house decides.
    pub config: ApiConfig,
    /// Keys; whoever holds the parts renews them.
    pub keys: KeyWatch,
    /// Tenants by name.
    pub tenants: Tenants,
    /// Stored alerts.
    pub store: Reader,
    /// When alerts changed.
    pub alerts_version: AlertsVersion,
    /// The rules that are active.
    pub rules: ActiveRules,
    /// Where they are asked to be read again.
    pub reloads: Reloads,
    /// What the engine costs and holds.
    pub measurements: Measurements,
    /// The live streams.
    pub live: Arc<Live>,
    /// Where records go.
    pub intake: Intake,
    /// What became of them.
    pub ledger: Ledger,
    /// Whether the server can do its work.
    pub readiness: Readiness,
    /// What `/metrics` shows. `None`: there is no such page.
    pub metrics: Option<PrometheusHandle>,
    /// When to end.
    pub stopping: Stopping,
}

/// What every handler can reach. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

/// The parts, and what the HTTP side keeps for itself.
pub struct Shared {
    /// What the house decides.
    pub config: ApiConfig,
    /// The doorkeeper.
    pub auth: Auth,
    /// Keys, with the tenants there are.
    pub keys: KeyWatch,
    /// Tenants by name.
    pub tenants: Tenants,
    /// Stored alerts.
    pub store: Reader,
    /// When alerts changed.
    pub alerts_version: AlertsVersion,
    /// The rules that are active.
    pub rules: ActiveRules,
    /// Where they are asked to be read again.
    pub reloads: Reloads,
    /// What the engine costs and holds.
    pub measurements: Measurements,
    /// The live streams.
    pub live: Arc<Live>,
    /// Where records go.
    pub intake: Intake,
    /// What became of them.
    pub ledger: Ledger,
    /// Whether the server can do its work.
    pub readiness: Readiness,
    /// What `/metrics` shows.
    pub metrics: Option<PrometheusHandle>,
    /// When to end.
    pub stopping: Stopping,
    pub(crate) bodies: BodyBudget,
    pub(crate) answers: AnswerCache,
}

impl AppState {
    /// The state of a server made of these parts.
    #[must_use]
    pub fn new(parts: ApiParts) -> AppState {
        let auth = Auth::new(&parts.config.auth, parts.keys.clone(), parts.tenants.clone());
        AppState(Arc::new(Shared {
            config: parts.config,
            auth,
            keys: parts.keys,
            tenants: parts.tenants,
            store: parts.store,
            alerts_version: parts.alerts_version,
            rules: parts.rules,
            reloads: parts.reloads,
            measurements: parts.measurements,
            live: parts.live,
            intake: parts.intake,
            ledger: parts.ledger,
            readiness: parts.readiness,
            metrics: parts.metrics,
            stopping: parts.stopping,
            bodies: BodyBudget::default(),
            answers: AnswerCache::default(),
        }))
    }
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
