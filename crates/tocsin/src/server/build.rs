//! From a plan to a server: each part opened, in the order in which they need each other.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusBuilder;
use tocsin_alert::Alert;
use tocsin_api::live::{Hub, Live, LiveParts, Stored};
use tocsin_api::routes::metrics::describe;
use tocsin_api::{AlertsVersion, ApiConfig, ApiParts, AppState, Listener, router, stop};
use tocsin_core::checkpoint::Checkpoint as State;
use tocsin_core::detector::Emission;
use tocsin_core::engine::EngineConfig;
use tocsin_core::time::Timestamp;
use tocsin_io::rule_watch::RuleWatch;
use tocsin_pipeline::intake::Intake;
use tocsin_pipeline::journal::{Frame, Journal};
use tocsin_pipeline::ledger::Ledger;
use tocsin_pipeline::readiness::Readiness;
use tocsin_pipeline::reload::{Wishes, reloads};
use tocsin_pipeline::rules::ReadyRules;
use tocsin_pipeline::stage::decode::SourcePlan;
use tocsin_pipeline::stage::detect::CheckpointPlan;
use tocsin_pipeline::tenants::Tenants;
use tocsin_pipeline::topology::{House, Parts, Past};
use tocsin_store::journal::{Frames, JournalRecords, Opened, Options, Read, Writer as JournalWriter};
use tocsin_store::{Checkpoint, Database, JwtSecret, KeyWatch, Reader, RuleSetStore, Writer};
use tokio::runtime::Runtime;

use crate::commands::UsageError;
use crate::config::plan::RunPlan;
use crate::loading;
use crate::output::complain;
use crate::server::reload::Reloader;
use crate::server::rules::{BY_START, Files, Places, Recorded, broken};
use crate::server::signals::Signals;
use crate::server::{Listening, Server, open_files};

/// The journal's folder in the data folder.
pub const JOURNAL_FOLDER: &str = "journal";

/// Is told of each alert that arises.
pub type OnAlert = Box<dyn FnMut(&Alert) + Send>;

/// What lies in the data folder.
struct Kept {
    writer: Writer,
    reader: Reader,
    keys: KeyWatch,
    tenants: Tenants,
    journal: JournalWriter,
    past: Past,
    seed: u64,
    resume_key: [u8; 32],
}

/// What shows things: subscribers, and answers that are dropped when something changes.
struct Shown {
    hub: Arc<Hub>,
    version: AlertsVersion,
    readiness: Readiness,
    ledger: Ledger,
}

impl Server {
    /// Opens the data folder and the port, rebuilds state, starts the stages.
    ///
    /// # Errors
    /// What is in the way, and what to do about it; nothing runs then.
    pub fn build(plan: &RunPlan, on_alert: OnAlert) -> anyhow::Result<Server> {
        let listener = Listener::bind(plan.listen).with_context(|| {
            format!("{} cannot be listened on: choose another with --listen", plan.listen)
        })?;
        let kept = open(plan)?;
        let shown = Shown {
            hub: Hub::new(kept.past.committed),
            version: AlertsVersion::default(),
            readiness: Readiness::default(),
            ledger: Ledger::resume(kept.reader.ledgers()?),
        };
        let (stop, stopping) = stop();
        let metrics = PrometheusBuilder::new().install_recorder().context("metrics")?;
        describe();
        let journal = plan.data.join(JOURNAL_FOLDER);
        let (reader, keys, tenants) = (kept.reader.clone(), kept.keys.clone(), kept.tenants.clone());
        let resume_key = kept.resume_key;
        let today = Today::load(plan, kept.seed)?;
        let (reloads, wishes) = reloads();
        let (seed, known) = (kept.seed, kept.journal.end());
        let house = start(plan, kept, &today, &shown, on_alert)?;
        let (active, measurements) = (house.active.clone(), house.measurements.clone());
        let (intake, answers, stages) = house.split();
        let reloading = today.watch(plan, seed, known, intake.clone(), wishes)?;
        let config = api_config(plan)?;
        let live = Live::new(LiveParts {
            hub: shown.hub,
            history: Arc::new(Stored::new(&journal, reader.clone(), tenants.clone())),
            config: config.stream.clone(),
            resume_key,
            stopping: stopping.clone(),
        });
        let limits = config.limits.clone();
        let state = AppState::new(ApiParts {
            config,
            keys: keys.clone(),
            tenants: tenants.clone(),
            store: reader,
            alerts_version: shown.version,
            rules: active,
            reloads: reloads.clone(),
            measurements,
            intake,
            ledger: shown.ledger.clone(),
            readiness: shown.readiness,
            metrics: Some(metrics.clone()),
            live: Arc::new(live),
            stopping: stopping.clone(),
        });
        let router = router(state);
        let (runtime, signals) = runtime()?;
        Ok(Server {
            told: tell_commands(&plan.data, &listener),
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
            ledger: shown.ledger,
            metrics,
            stop,
            stopping,
        })
    }
}

/// What serves, and hears signals from now on: whoever reads that we listen may ask us to end at once.
fn runtime() -> std::io::Result<(Runtime, Signals)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let signals = runtime.block_on(async { Signals::listen() })?;
    Ok((runtime, signals))
}

/// Tells other commands where we listen, if that can be done.
fn tell_commands(data: &Path, listener: &Listener) -> Option<Listening> {
    let told = Listening::tell(data, listener.local_addr());
    told.inspect_err(|reason| tracing::warn!(%reason, "other commands will have to be told --url")).ok()
}

/// Rebuilds state and starts the stages.
fn start(
    plan: &RunPlan,
    kept: Kept,
    today: &Today,
    shown: &Shown,
    on_alert: OnAlert,
) -> anyhow::Result<House> {
    let mut sets = Recorded::new(today.store.clone(), kept.seed);
    sets.keep(Arc::clone(&today.rules));
    let house = House::start(Parts {
        rules: Arc::clone(&today.rules),
        sets: Box::new(sets),
        engine: engine(plan),
        format: plan.http.format.map(str::to_string),
        source: SourcePlan { backfill: plan.http.backfill, as_of: plan.http.as_of },
        tenants: kept.tenants,
        ledger: shown.ledger.clone(),
        readiness: shown.readiness.clone(),
        journal: Box::new(kept.journal),
        records: Box::new(JournalRecords::new(&plan.data.join(JOURNAL_FOLDER))),
        store: Box::new(kept.writer),
        remembered: Box::new(kept.reader),
        publisher: shown.version.ahead_of(Box::new(shown.hub.publisher())),
        on_alert,
        checkpoints: CheckpointPlan {
            bytes: plan.store.checkpoint_bytes,
            interval: plan.store.checkpoint_interval,
        },
        past: kept.past,
    })?;
    let found = &house.recovered;
    for id in &found.lost_rules {
        tracing::warn!(%id, "rules that were active once are lost: those before them were taken instead");
    }
    tracing::debug!(
        frames = found.frames,
        events = found.events,
        unsettled = found.unsettled,
        "state rebuilt"
    );
    Ok(house)
}

/// The HTTP side as configured; without a secret of its own it gets that of the data folder.
fn api_config(plan: &RunPlan) -> anyhow::Result<ApiConfig> {
    let mut config = plan.api.clone();
    config.limits.connections_max = open_files::room_for(config.limits.connections_max);
    if config.auth.secret.is_empty() {
        config.auth.secret = JwtSecret::of_folder(&plan.data)?.as_bytes().to_vec();
    }
    Ok(config)
}

/// How the engine treats time.
#[must_use]
pub fn engine(plan: &RunPlan) -> EngineConfig {
    EngineConfig {
        lateness: plan.detect.lateness,
        grace: plan.detect.grace,
        idle: plan.detect.idle,
        emission: Emission::Live,
        latest: Timestamp::MAX,
        state_bytes_max: plan.detect.state_bytes_max as usize,
    }
}

/// The rules as they are at the start.
struct Today {
    rules: Arc<ReadyRules>,
    places: Places,
    files: Files,
    broken: HashSet<PathBuf>,
    store: RuleSetStore,
    is_kept: bool,
}

impl Today {
    /// Loads them, and keeps them beside the journal.
    fn load(plan: &RunPlan, seed: u64) -> anyhow::Result<Today> {
        let places = Places { rules: plan.rules.clone(), local: plan.local.clone() };
        let files = Files::read(&places)?;
        let loaded = files.load(seed);
        for diagnostic in loading::worth_telling(&loaded.diagnostics) {
            complain(&loading::written(diagnostic));
        }
        if loaded.rules.rules.is_empty() {
            return Err(UsageError("no rule is left to run; `tocsin check` says why".to_string()).into());
        }
        let store = RuleSetStore::new(&plan.data);
        let kept = store.keep(&files.texts);
        if let Err(reason) = &kept {
            tracing::warn!(%reason, "the rules cannot be kept beside the journal yet");
        }
        let rules = Arc::new(ReadyRules::new(RuleSetStore::id(&files.texts), &loaded, BY_START));
        Ok(Today { broken: broken(&loaded), rules, places, files, store, is_kept: kept.is_ok() })
    }

    /// Starts to watch them. Every activation up to `known` was made before this start.
    fn watch(
        self,
        plan: &RunPlan,
        seed: u64,
        known: u64,
        intake: Intake,
        wishes: Wishes,
    ) -> std::io::Result<JoinHandle<()>> {
        let reloader = Reloader {
            watch: plan.rules_watch.then(|| RuleWatch::new(&self.places.all(), self.files.look)),
            places: self.places,
            engine: engine(plan),
            seed,
            store: self.store,
            journal: plan.data.join(JOURNAL_FOLDER),
            intake,
            wishes,
            current: self.rules,
            broken: self.broken,
            before: None,
            unkept: Some(self.files.texts).filter(|_| !self.is_kept),
            known: Some(known),
        };
        std::thread::Builder::new().name("tocsin-rules".to_string()).spawn(move || reloader.run())
    }
}

/// Opens what lies in the data folder, or makes it.
fn open(plan: &RunPlan) -> anyhow::Result<Kept> {
    let folder = &plan.data;
    let mut writer = Writer::open(folder, "")?;
    for tenant in &plan.tenants {
        writer.ensure_tenant(tenant)?;
    }
    let database = Database::open(folder)?;
    let reader = Reader::open(folder)?;
    let keys = KeyWatch::open(folder)?;
    let tenants = Tenants::of(database.tenants()?);
    let committed = reader.committed()?;
    let latest = writer.latest_checkpoint()?;
    for damaged in &latest.damaged {
        tracing::warn!(%damaged, "a checkpoint cannot be read; more of the journal is read instead");
    }
    let (position, checkpoint) = usable(latest.checkpoint).unwrap_or_default();
    let options = Options {
        segment_bytes: plan.store.journal_segment_bytes,
        journal_bytes_max: plan.store.journal_bytes_max,
        not_before: committed.max(position),
    };
    let journal_folder = folder.join(JOURNAL_FOLDER);
    let (mut journal, opened) = JournalWriter::open(&journal_folder, options)?;
    if let Some(torn) = &opened.torn {
        tracing::info!(from = torn.from, to = torn.to, "a write that a crash cut short was taken away");
    }
    tell_damage(&opened);
    journal.release(writer.journal_floor()?);
    let from = position.max(opened.first);
    let rules = reader.rules_at(from)?;
    let frames = frames(&journal_folder, from, &journal)?;
    let past = Past { position: from, checkpoint, rules, committed, frames };
    let seed = u64::from_le_bytes(database.hash_seed()?[..8].try_into()?);
    let resume_key = database.mac_key()?;
    Ok(Kept { writer, reader, keys, tenants, journal, past, seed, resume_key })
}

/// Says what of the journal is missing. It never keeps the server from starting.
fn tell_damage(opened: &Opened) {
    for hole in &opened.holes {
        let (from, to) = (hole.from, hole.to);
        tracing::error!(
            from,
            to,
            "the journal is damaged here: records are lost; `tocsin verify` tells more"
        );
    }
}

/// Where a checkpoint was cut, and its state, if this version can read it. Another version's is left
/// aside: everything it says follows from the journal too.
fn usable(checkpoint: Option<Checkpoint>) -> Option<(u64, Option<State>)> {
    let checkpoint = checkpoint?;
    match State::from_bytes(&checkpoint.bytes) {
        Ok(state) => Some((checkpoint.position, Some(state))),
        Err(reason) => {
            tracing::warn!(%reason, "the state that was kept is not used; all of the journal is read instead");
            None
        }
    }
}

/// The journal's frames from a position on; damage is told and passed over.
fn frames(
    folder: &Path,
    from: u64,
    journal: &JournalWriter,
) -> anyhow::Result<Box<dyn Iterator<Item = Frame>>> {
    let frames = Frames::new(folder, from, journal.end())?;
    Ok(Box::new(frames.filter_map(|read| match read {
        Read::Frame(frame) => Some(frame),
        Read::Hole(hole) => {
            tracing::error!(from = hole.from, to = hole.to, "the journal is damaged here: records are lost");
            None
        }
    })))
}
