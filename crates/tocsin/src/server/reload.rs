//! Rules read again while the server runs: because a file changed, a signal came or somebody asked.
//! One thread does it, away from the stages, one reload after the other. What it finds wrong changes
//! nothing; what it finds well is kept in the data folder and handed in, to be active from a frame of
//! the journal on.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tocsin_core::engine::EngineConfig;
use tocsin_io::rule_watch::RuleWatch;
use tocsin_pipeline::intake::Intake;
use tocsin_pipeline::plan::Loaded;
use tocsin_pipeline::reload::{Answer, Difference, Last, Refused, Reloaded, Wishes};
use tocsin_pipeline::rules::{ReadyRules, RuleTexts};
use tocsin_pipeline::telemetry;
use tocsin_sigma::ast::{Diagnostic, Place, Severity};
use tocsin_store::RuleSetStore;

use crate::loading;
use crate::server::rules::{Files, Places, broken, is_error};

/// On whose behalf rules are reloaded that a signal asked for.
pub const BY_SIGNAL: &str = "signal";

const BY_FILES: &str = "files";

/// Bytes of the name that is noted of who asked. Of a longer one the beginning is.
const BY_BYTES_MAX: usize = 255;

/// How often the thread looks after itself when nothing else wakes it.
const REST: Duration = Duration::from_secs(60);

/// How often sets that nothing needs any more are let go of.
const TIDY_EVERY: Duration = Duration::from_secs(600);

/// The thread's part of a server.
pub struct Reloader {
    /// Where the rules stand.
    pub places: Places,
    /// Sees changes of files, where that is wanted.
    pub watch: Option<RuleWatch>,
    /// How the engine treats time.
    pub engine: EngineConfig,
    /// Key of the hash tables that hold attacker-chosen strings.
    pub seed: u64,
    /// Where sets are kept.
    pub store: RuleSetStore,
    /// The journal's folder.
    pub journal: PathBuf,
    /// Where sets are handed in.
    pub intake: Intake,
    /// What is asked for.
    pub wishes: Wishes,
    /// The set that was handed in last, and its files with an error.
    pub current: Arc<ReadyRules>,
    /// See [`Reloader::current`].
    pub broken: HashSet<PathBuf>,
    /// The set before it. It is held so that what it takes is given back here, and not by the stage
    /// that is done with it.
    pub before: Option<Arc<ReadyRules>>,
    /// The texts of the current set, if they could not be kept yet.
    pub unkept: Option<RuleTexts>,
    /// A position up to which every activation must be committed before any set is let go of; `None`
    /// while it is not known.
    pub known: Option<u64>,
}

impl Reloader {
    /// Runs until nobody can ask any more.
    pub fn run(mut self) {
        let mut tidied = Instant::now();
        loop {
            let patience = self.watch.as_ref().map_or(REST, RuleWatch::next);
            let Some(wishes) = self.wishes.receive(patience) else { return };
            if let Some(last) = wishes.last() {
                let answer = self.reload(&last.by.clone());
                for wish in wishes {
                    // Whoever has gone will look at the list.
                    drop(wish.answer.send(answer.clone()));
                }
            } else if self.watch.as_mut().is_some_and(RuleWatch::has_settled) {
                drop(self.reload(BY_FILES));
            }
            self.keep_current();
            if tidied.elapsed() >= TIDY_EVERY {
                tidied = Instant::now();
                self.tidy();
            }
        }
    }

    /// One reload, told.
    fn reload(&mut self, by: &str) -> Answer {
        let by = &by[..by.floor_char_boundary(BY_BYTES_MAX)];
        let begun = Instant::now();
        let answer = self.try_reload(by);
        let is_quiet = by == BY_FILES && matches!(&answer, Ok(reloaded) if reloaded.is_same);
        if is_quiet {
            return answer;
        }
        let at = loading::timestamp(SystemTime::now()).unwrap_or_default();
        telemetry::reloaded(tell(&answer, by), at, begun.elapsed());
        self.wishes.note(Last { at, by: by.to_string(), answer: answer.clone() });
        answer
    }

    fn try_reload(&mut self, by: &str) -> Answer {
        let files =
            Files::read(&self.places).map_err(|error| invalid("unreadable_path", error.to_string()))?;
        if let Some(watch) = &mut self.watch {
            watch.note(files.look);
        }
        let id = RuleSetStore::id(&files.texts);
        if id == self.current.id {
            let difference = Difference::between(&self.current, &self.current);
            return Ok(Reloaded { id, is_same: true, difference, diagnostics: Vec::new() });
        }
        let loaded = files.load(self.seed);
        self.judge(&loaded)?;
        self.store.keep(&files.texts).map_err(|error| Refused::Unavailable(error.to_string()))?;
        let rules = Arc::new(ReadyRules::new(id, &loaded, by));
        rules.make_matcher(&self.engine);
        let difference = Difference::between(&self.current, &rules);
        self.hand_in(rules, broken(&loaded))?;
        let diagnostics = loading::worth_telling(&loaded.diagnostics).cloned().collect();
        Ok(Reloaded { id, is_same: false, difference, diagnostics })
    }

    /// Refuses a set in which something is wrong that was not wrong before, or nothing is left.
    fn judge(&self, loaded: &Loaded) -> Result<(), Refused> {
        let is_new = |found: &&Diagnostic| is_error(found) && !self.broken.contains(&*found.file);
        let wrong: Vec<Diagnostic> = loaded.diagnostics.iter().filter(is_new).cloned().collect();
        if !wrong.is_empty() {
            return Err(Refused::Invalid(wrong));
        }
        if loaded.rules.rules.is_empty() {
            let wrong: Vec<Diagnostic> =
                loaded.diagnostics.iter().filter(|found| is_error(found)).cloned().collect();
            if wrong.is_empty() {
                return Err(invalid("no_rules", "no rule is left to run".to_string()));
            }
            return Err(Refused::Invalid(wrong));
        }
        Ok(())
    }

    /// Hands a set in, and waits until it is active.
    fn hand_in(&mut self, rules: Arc<ReadyRules>, broken: HashSet<PathBuf>) -> Result<(), Refused> {
        let stopping = || Refused::Unavailable("the server is going down".to_string());
        let outcome = self.intake.activate(Arc::clone(&rules)).map_err(|_| stopping())?;
        self.known = None;
        self.unkept = None;
        self.before = Some(std::mem::replace(&mut self.current, rules));
        self.broken = broken;
        match outcome.recv().map_err(|_| stopping())? {
            Ok(position) => {
                self.known = Some(position);
                Ok(())
            }
            Err(reason) => Err(Refused::Unavailable(format!(
                "{reason}; the new rules become active as soon as the journal can be written"
            ))),
        }
    }

    /// Keeps the set the server started with, where the disk did not let it at once.
    fn keep_current(&mut self) {
        if let Some(texts) = &self.unkept
            && self.store.keep(texts).is_ok()
        {
            self.unkept = None;
        }
    }

    fn tidy(&self) {
        let Some(known) = self.known else { return };
        if let Err(reason) = self.store.tidy(&self.journal, known) {
            tracing::debug!(%reason, "rule sets of the past stay a while longer");
        }
    }
}

/// A refusal that is about no place in a file.
fn invalid(code: &'static str, reason: String) -> Refused {
    let (file, place) = (Arc::default(), Place::default());
    Refused::Invalid(vec![Diagnostic { file, place, severity: Severity::Error, code, reason, hint: None }])
}

/// One line of the log; what it came to, in a word.
fn tell(answer: &Answer, by: &str) -> &'static str {
    match answer {
        Ok(Reloaded { is_same: true, .. }) => {
            tracing::info!(by, "rules reloaded: nothing has changed");
            "unchanged"
        }
        Ok(Reloaded { id, difference, .. }) => {
            let Difference { loaded, edited, added, removed, .. } = *difference;
            tracing::info!(by, %id, loaded, edited, added, removed, "rules reloaded");
            "activated"
        }
        Err(Refused::Invalid(wrong)) => {
            let first = wrong.first().map(loading::written).unwrap_or_default();
            let more = wrong.len().saturating_sub(1);
            tracing::warn!(by, reason = %first, more, "rules not reloaded: those before stay active");
            "refused"
        }
        Err(Refused::Unavailable(reason)) => {
            tracing::warn!(by, %reason, "rules not reloaded");
            "failed"
        }
    }
}
