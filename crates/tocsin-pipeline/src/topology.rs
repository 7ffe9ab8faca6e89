//! The topology: channels and stages put together, state rebuilt, threads started, watched and
//! ended. One line with one fan-out; there is nothing to configure in its shape.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;
use tocsin_alert::Alert;
use tocsin_core::checkpoint::{Checkpoint, CheckpointError};
use tocsin_core::engine::{Correlator, EngineConfig, MatchStage};
use tocsin_core::plan::Plan;
use tocsin_core::time::Timestamp;
use tocsin_decode::decoder::RecordDecoder;
use tocsin_decode::format::FormatContext;
use tocsin_decode::taxonomy::Taxonomy;

use crate::alerts::Alerts;
use crate::channel::{Bounds, channel};
use crate::clock::{Clock, SystemClock};
use crate::commit::{Publish, Store};
use crate::intake::{Answers, Intake, answers, intake};
use crate::journal::{Frame, Journal};
use crate::ledger::Ledger;
use crate::live_records::LiveRecords;
use crate::meter::Measurements;
use crate::readiness::{Part, Readiness};
use crate::records::Records;
use crate::recovery::{Recovered, Recovery};
use crate::rules::{ActiveRules, ReadyRules, RuleSetId, RuleSets};
use crate::stage::commit::Commit;
use crate::stage::decode::{Decode, Decoders, SourcePlan};
use crate::stage::detect::{CheckpointPlan, Detect};
use crate::stage::ingest::{Ingest, Remembered};
use crate::teller::Teller;
use crate::tenants::Tenants;

/// Groups between decode and ingest: one is synced, one waits.
const READ_GROUPS: Bounds = Bounds { items_max: 1, bytes_max: 16 << 20 };

/// Frames between ingest and detect. Above it nothing more is acknowledged.
const DURABLE_FRAMES: Bounds = Bounds { items_max: 4_096, bytes_max: 64 << 20 };

/// Steps between detect and commit. Above it the engine waits.
const STEPS: Bounds = Bounds { items_max: 4_096, bytes_max: 64 << 20 };

/// Ticks per idle time: how exactly idleness is noticed.
const TICKS_PER_IDLE: u32 = 4;

/// What a house is built of.
pub struct Parts {
    /// The rules from now on.
    pub rules: Arc<ReadyRules>,
    /// Those that were active before.
    pub sets: Box<dyn RuleSets>,
    /// How the engine treats time.
    pub engine: EngineConfig,
    /// Format name; `None` recognises each record.
    pub format: Option<String>,
    /// What the source says of its records.
    pub source: SourcePlan,
    /// The tenants.
    pub tenants: Tenants,
    /// What became of records.
    pub ledger: Ledger,
    /// Where stages tell what keeps them from work.
    pub readiness: Readiness,
    /// The journal's writing end.
    pub journal: Box<dyn Journal>,
    /// The journal's records.
    pub records: Box<dyn Records + Send>,
    /// The relational store's writing end.
    pub store: Box<dyn Store>,
    /// Requests that are stored.
    pub remembered: Box<dyn Remembered>,
    /// Who shows things live.
    pub publisher: Box<dyn Publish>,
    /// Is told of each alert that arises.
    pub on_alert: Box<dyn FnMut(&Alert) + Send>,
    /// When to keep all state.
    pub checkpoints: CheckpointPlan,
    /// What is known of the time before this start.
    pub past: Past,
}

/// What is known of the time before a start.
pub struct Past {
    /// C: where the newest checkpoint was cut. Without one, where the journal begins.
    pub position: u64,
    /// The state there.
    pub checkpoint: Option<Checkpoint>,
    /// The rules that were active there, if that is known.
    pub rules: Option<RuleSetId>,
    /// X: results of frames before it are stored.
    pub committed: u64,
    /// The journal from C on.
    pub frames: Box<dyn Iterator<Item = Frame>>,
}

/// Why a house could not be built.
#[derive(Debug, Error)]
pub enum StartError {
    /// There is no such format.
    #[error("there is no format `{0}`")]
    UnknownFormat(String),
    /// The checkpoint does not fit.
    #[error("the state cannot be restored: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The system gave no thread.
    #[error("a thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// A stage ended by a defect.
#[derive(Debug, Error)]
#[error(
    "the stage `{0}` failed; what is acknowledged is safe in the journal and is taken up at the next start"
)]
pub struct StageFailed(pub &'static str);

/// A running house. It ends when every clone of its intake is dropped.
pub struct House {
    /// Where records are handed in.
    pub intake: Intake,
    /// Where their answers come from; to be delivered where senders wait.
    pub answers: Answers,
    /// What the start found.
    pub recovered: Recovered,
    /// The rules that are active.
    pub active: ActiveRules,
    /// What the engine costs and holds.
    pub measurements: Measurements,
    stages: Stages,
}

/// The running stages of a house.
pub struct Stages {
    threads: Vec<(&'static str, JoinHandle<()>)>,
    leaving: Arc<AtomicBool>,
}

impl House {
    /// Builds a house, rebuilds its state, starts its stages.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub fn start(mut parts: Parts) -> Result<House, StartError> {
        let decoders = decoders(&parts)?;
        let config = parts.engine;
        let then = rules_then(&mut parts);
        let active = ActiveRules::new(Arc::clone(&then));
        let mut detect = detect(&active, &parts)?;
        let measurements = detect.measurements();

        let (steps_in, steps) = channel(STEPS);
        let released = Arc::new(AtomicU64::new(0));
        let leaving = Arc::new(AtomicBool::new(false));
        let commit = Commit {
            steps,
            alerts: Alerts::new(Teller::new(Arc::clone(&then.plan), config.latest), parts.tenants.clone()),
            active: active.clone(),
            records: LiveRecords::new(parts.records),
            store: parts.store,
            publisher: parts.publisher,
            on_alert: parts.on_alert,
            clock: Arc::new(SystemClock::new(Timestamp::MIN)),
            ledger: parts.ledger.clone(),
            end: parts.past.committed,
            cut: parts.past.position,
            released: Arc::clone(&released),
            readiness: parts.readiness.clone(),
            leaving: Arc::clone(&leaving),
        };
        let mut stages = Stages { threads: Vec::new(), leaving };
        stages.spawn("commit", &parts.readiness, move || commit.run())?;
        let mut recovered = Recovery {
            detect: &mut detect,
            decoders: &decoders,
            rules: then,
            sets: &mut *parts.sets,
            tenants: &parts.tenants,
            ledger: &parts.ledger,
            committed: parts.past.committed,
            next: &steps_in,
        }
        .run(parts.past.frames);

        let (work_in, works) = channel(READ_GROUPS);
        let (frames_in, frames) = channel(DURABLE_FRAMES);
        let (intake, inbox) = intake();
        let (telling, answers) = answers();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new(recovered.newest));
        let tick = Duration::from_nanos(config.idle.0.max(1) as u64) / TICKS_PER_IDLE;
        let mut ingest = Ingest {
            works,
            journal: parts.journal,
            remembered: parts.remembered,
            tenants: parts.tenants,
            ledger: parts.ledger,
            released,
            readiness: parts.readiness.clone(),
            telling,
            next: frames_in,
            waiting_rules: VecDeque::new(),
        };
        stages.spawn("detect", &parts.readiness, move || detect.run(&frames, &steps_in))?;
        let plan = Arc::clone(&parts.rules.plan);
        ingest.start(parts.rules, clock.now());
        let decode = Decode { inbox, decoders, plan, clock, source: parts.source, tick, next: work_in };
        let known = std::mem::take(&mut recovered.requests);
        stages.spawn("ingest", &parts.readiness, move || ingest.run(known))?;
        stages.spawn("decode", &parts.readiness, move || decode.run())?;
        Ok(House { intake, answers, recovered, active, measurements, stages })
    }

    /// The way in, the way back, and the stages to wait for.
    #[must_use]
    pub fn split(self) -> (Intake, Answers, Stages) {
        (self.intake, self.answers, self.stages)
    }
}

impl Stages {
    /// Starts a stage. If it panics, that is said where readiness is asked for, and the stages
    /// around it end by themselves, because their channels do.
    fn spawn(
        &mut self,
        name: &'static str,
        readiness: &Readiness,
        run: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        let readiness = readiness.clone();
        let guarded = move || {
            let watch = OnPanic(readiness, name);
            run();
            std::mem::forget(watch);
        };
        let thread = std::thread::Builder::new().name(format!("tocsin-{name}")).spawn(guarded)?;
        self.threads.push((name, thread));
        Ok(())
    }

    /// Whether a stage has ended although the intake is still open.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.threads.iter().any(|(_, thread)| thread.is_finished())
    }

    /// Waits until all stages have finished what they have. Every intake must be dropped before.
    ///
    /// # Errors
    /// [`StageFailed`] when one ended by a defect.
    pub fn join(self) -> Result<(), StageFailed> {
        self.leaving.store(true, std::sync::atomic::Ordering::Relaxed);
        let mut failed = None;
        for (name, thread) in self.threads.into_iter().rev() {
            if thread.join().is_err() {
                failed = Some(StageFailed(name));
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Says that a stage failed, unless it is forgotten.
struct OnPanic(Readiness, &'static str);

impl Drop for OnPanic {
    fn drop(&mut self) {
        self.0.set(Part::Stage, Some(StageFailed(self.1).to_string()));
    }
}

/// The engine with these rules, in the state of the checkpoint.
fn detect(active: &ActiveRules, parts: &Parts) -> Result<Detect, CheckpointError> {
    let (config, past) = (parts.engine, &parts.past);
    let mut correlator = Correlator::new(Arc::clone(&active.now().plan), config);
    if let Some(checkpoint) = &past.checkpoint {
        correlator.restore(checkpoint)?;
    }
    let matchers = Box::new(move |plan: &Arc<Plan>| MatchStage::new(Arc::clone(plan), &config));
    let mut detect = Detect::new(matchers, correlator, active.clone(), parts.checkpoints, past.position);
    if let Some(checkpoint) = &past.checkpoint {
        detect.go_on_from(checkpoint.failures.counting());
    }
    Ok(detect)
}

/// The rules that were active where the journal is read from; where that is not known, those of now.
fn rules_then(parts: &mut Parts) -> Arc<ReadyRules> {
    let Some(id) = parts.past.rules.filter(|id| *id != parts.rules.id) else {
        return Arc::clone(&parts.rules);
    };
    parts.sets.find(id).unwrap_or_else(|| {
        tracing::warn!(rule_set = %id, "the rules that were active are lost; those of now stand in for them");
        Arc::clone(&parts.rules)
    })
}

/// Makes decoders of the format the source names.
fn decoders(parts: &Parts) -> Result<Decoders, StartError> {
    let (format, as_of) = (parts.format.clone(), parts.engine.latest);
    let make = move |plan: &Plan| {
        let context = || FormatContext { taxonomy: Taxonomy::new(Arc::clone(&plan.table)), as_of };
        match &format {
            None => Ok(RecordDecoder::auto(context())),
            Some(name) => {
                RecordDecoder::named(name, context()).map_err(|_| StartError::UnknownFormat(name.clone()))
            }
        }
    };
    make(&parts.rules.plan)?;
    let auto = move |plan: &Plan| {
        RecordDecoder::auto(FormatContext { taxonomy: Taxonomy::new(Arc::clone(&plan.table)), as_of })
    };
    // It was made once already, so it can be made again.
    Ok(Box::new(move |plan| Box::new(make(plan).unwrap_or_else(|_| auto(plan)))))
}
