//! Rule sets of a house that runs: named by their content, made ready away from the stages, active
//! from a frame of the journal on.
//!
//! ```text
//! let rules = Arc::new(ReadyRules::new(id, &loaded, by));
//! rules.make_matcher(&engine);                      // off-thread: the swap itself costs little
//! let told = intake.activate(rules)?;
//! match told.recv() { Ok(Ok(position)) => active, from there on, Ok(Err(reason)) => … }
//! ```

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hashbrown::HashMap;
use tocsin_core::engine::{EngineConfig, Failure, MatchStage, MatchedBatch};
use tocsin_core::limits::RULE_PANICS_MAX;
use tocsin_core::plan::{Plan, PlannedRule};
use tocsin_core::rule::RuleMeta;
use tocsin_core::time::Timestamp;

use crate::plan::{Loaded, RuleFile};

/// Everything that decides what a rule set means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleTexts {
    /// The rule files.
    pub files: Vec<RuleFile>,
    /// The house's values of placeholders.
    pub placeholders: Option<RuleFile>,
    /// The house's log sources.
    pub logsources: Option<RuleFile>,
}

impl RuleTexts {
    /// All files.
    pub fn all(&self) -> impl Iterator<Item = &RuleFile> {
        self.files.iter().chain(&self.placeholders).chain(&self.logsources)
    }
}

/// Names a rule set: a hash of the paths and texts of its files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleSetId(pub [u8; 16]);

impl RuleSetId {
    /// The id that is written so.
    #[must_use]
    pub fn parse(text: &str) -> Option<RuleSetId> {
        let mut id = [0; 16];
        let digits = text.as_bytes().as_chunks::<2>().0;
        if text.len() != 2 * id.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, pair) in id.iter_mut().zip(digits) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(RuleSetId(id))
    }
}

impl fmt::Display for RuleSetId {
    /// 32 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A rule set that may become active at once.
pub struct ReadyRules {
    /// Names it.
    pub id: RuleSetId,
    /// On whose behalf it was loaded: `start`, `files`, `signal`, or a user's name.
    pub by: String,
    /// What the engine runs.
    pub plan: Arc<Plan>,
    /// What is known of each rule that stands in a file, by its number in the plan; the engine's own
    /// rules follow those there.
    pub rules: Vec<ReadyRule>,
    by_id: HashMap<String, u32>,
    /// A matcher made ahead; once the set is active, the one it replaced, so that it is let go where
    /// the set is, and not on the way of events.
    matching: Mutex<Option<MatchStage>>,
}

/// What is known of a rule beside its plan.
#[derive(Debug)]
pub struct ReadyRule {
    /// The file it stands in.
    pub file: Arc<PathBuf>,
    /// Whether it does anything: not where no detector can do what it asks for.
    pub is_enabled: bool,
    matches: AtomicU64,
    alerts: AtomicU64,
    evaluated: AtomicU64,
    failures: AtomicU64,
    /// Nanoseconds since 1970; those of [`Timestamp::MIN`] for never.
    last_match: AtomicI64,
}

/// Why a rule does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disabled {
    /// No detector can do what it asks for.
    NoDetector,
    /// It was switched off, because it failed on so many events.
    Failed(u64),
}

impl fmt::Display for Disabled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Disabled::NoDetector => f.write_str("no detector can do what it asks for"),
            Disabled::Failed(events) => {
                write!(f, "it failed on {events} events, a defect of Tocsin: edit it or report it")
            }
        }
    }
}

impl ReadyRule {
    fn new(file: Arc<PathBuf>, is_enabled: bool) -> ReadyRule {
        ReadyRule {
            file,
            is_enabled,
            matches: AtomicU64::new(0),
            alerts: AtomicU64::new(0),
            evaluated: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            last_match: AtomicI64::new(Timestamp::MIN.0),
        }
    }

    /// Why it does nothing, if so.
    #[must_use]
    pub fn disabled(&self) -> Option<Disabled> {
        match self.failures() {
            _ if !self.is_enabled => Some(Disabled::NoDetector),
            failures if failures >= u64::from(RULE_PANICS_MAX) => Some(Disabled::Failed(failures)),
            _ => None,
        }
    }

    /// How often its condition was worked out, as last measured: for combinations of values not seen
    /// before. 0 for a rule that keeps state.
    #[must_use]
    pub fn evaluated(&self) -> u64 {
        self.evaluated.load(Ordering::Relaxed)
    }

    /// Events it failed on.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// When the last event it has matched was taken in.
    #[must_use]
    pub fn last_match(&self) -> Option<Timestamp> {
        Some(Timestamp(self.last_match.load(Ordering::Relaxed))).filter(|at| *at != Timestamp::MIN)
    }

    /// Its condition was worked out so many times more.
    pub(crate) fn count_evaluated(&self, more: u64) {
        self.evaluated.store(self.evaluated() + more, Ordering::Relaxed);
    }

    /// Events it has matched since the server started or its logic changed; 0 for a rule that keeps
    /// state.
    #[must_use]
    pub fn matches(&self) -> u64 {
        self.matches.load(Ordering::Relaxed)
    }

    /// Alerts it has raised since then.
    #[must_use]
    pub fn alerts(&self) -> u64 {
        self.alerts.load(Ordering::Relaxed)
    }
}

impl ReadyRules {
    /// A loaded set, without a matcher yet.
    #[must_use]
    pub fn new(id: RuleSetId, loaded: &Loaded, by: &str) -> ReadyRules {
        let planned = loaded.plan.rules.iter();
        let ready = |(rule, planned): (&tocsin_sigma::ruleset::Rule, &PlannedRule)| {
            let is_enabled = rule.stateful.is_none() || planned.detector.is_some();
            ReadyRule::new(Arc::clone(&rule.document.head.file), is_enabled)
        };
        let numbered = loaded.plan.rules.iter().enumerate().rev();
        ReadyRules {
            id,
            by: by.to_string(),
            plan: Arc::clone(&loaded.plan),
            rules: loaded.rules.rules.iter().zip(planned).map(ready).collect(),
            by_id: numbered.map(|(index, rule)| (rule.meta.id.clone(), index as u32)).collect(),
            matching: Mutex::new(None),
        }
    }

    /// What alerts say of the rules that stand in files, in order.
    pub fn of_files(&self) -> impl DoubleEndedIterator<Item = &RuleMeta> {
        self.plan.rules.iter().take(self.rules.len()).map(|rule| &rule.meta)
    }

    /// Makes a matcher ahead.
    pub fn make_matcher(&self, config: &EngineConfig) {
        *self.slot() = Some(MatchStage::new(Arc::clone(&self.plan), config));
    }

    /// Puts the matcher that was made ahead in the place of another, which stays here. Without one
    /// `make` makes it.
    pub fn exchange(&self, matching: &mut MatchStage, make: impl FnOnce(&Arc<Plan>) -> MatchStage) {
        let mut slot = self.slot();
        // A set that was active before has the matcher here that it replaced then, which is another's.
        let own = slot.take().filter(|ahead| Arc::ptr_eq(ahead.plan(), &self.plan));
        let new = own.unwrap_or_else(|| make(&self.plan));
        *slot = Some(std::mem::replace(matching, new));
    }

    /// Counts the matches of a batch that was matched under this set. One thread does.
    pub fn count(&self, batch: &MatchedBatch) {
        let at = batch.raw.ingest.unwrap_or(Timestamp::MIN).0;
        for found in &batch.matches {
            if let Some(rule) = self.rules.get(found.rule.index()) {
                // Only one thread writes, so this need not be one step.
                rule.matches.store(rule.matches() + 1, Ordering::Relaxed);
                rule.last_match.store(at, Ordering::Relaxed);
            }
        }
    }

    /// These are the rules that have failed.
    pub fn set_failures(&self, failures: &[Failure]) {
        for failure in failures {
            let index = self.by_id.get(&failure.rule_id).map(|index| *index as usize);
            let same = |index: &usize| self.plan.rules[*index].meta.logic_hash == failure.logic_hash;
            if let Some(rule) = index.filter(same).and_then(|index| self.rules.get(index)) {
                rule.failures.store(u64::from(failure.events), Ordering::Relaxed);
            }
        }
    }

    /// Counts an alert of the rule of this id.
    pub fn count_alert(&self, rule_id: &str) {
        if let Some(rule) = self.by_id.get(rule_id).and_then(|index| self.rules.get(*index as usize)) {
            rule.alerts.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes over the counters of rules that are the same in both sets.
    fn go_on_from(&self, before: &ReadyRules) {
        for (rule, meta) in self.rules.iter().zip(self.of_files()) {
            let Some(index) = before.by_id.get(&meta.id).map(|index| *index as usize) else { continue };
            let is_same = before.plan.rules[index].meta.logic_hash == meta.logic_hash;
            if let Some(before) = before.rules.get(index).filter(|_| is_same) {
                rule.matches.store(before.matches(), Ordering::Relaxed);
                rule.alerts.store(before.alerts(), Ordering::Relaxed);
                rule.evaluated.store(before.evaluated(), Ordering::Relaxed);
                rule.failures.store(before.failures(), Ordering::Relaxed);
                rule.last_match.store(before.last_match.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        }
    }

    /// A panic elsewhere leaves a whole matcher or none.
    fn slot(&self) -> std::sync::MutexGuard<'_, Option<MatchStage>> {
        self.matching.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ReadyRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyRules").field("id", &self.id).field("by", &self.by).finish_non_exhaustive()
    }
}

/// The set that is active. Cheap to clone; all clones say the same.
#[derive(Clone, Debug)]
pub struct ActiveRules(Arc<RwLock<Arc<ReadyRules>>>);

impl ActiveRules {
    /// This set is active.
    #[must_use]
    pub fn new(rules: Arc<ReadyRules>) -> ActiveRules {
        ActiveRules(Arc::new(RwLock::new(rules)))
    }

    /// The active set.
    #[must_use]
    pub fn now(&self) -> Arc<ReadyRules> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another set is active from now on.
    pub fn take_over(&self, rules: Arc<ReadyRules>) {
        rules.go_on_from(&self.now());
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }
}

/// What became of a set that was handed in: where its frame stands, or why it could not be written
/// yet. Such a set stays in line and becomes active as soon as the journal can be written, before
/// anything else is taken in.
pub type Activated = Result<u64, String>;

/// A set on its way through the stages.
#[derive(Clone, Debug)]
pub struct NewRules {
    /// The set.
    pub rules: Arc<ReadyRules>,
    told: SyncSender<Activated>,
}

impl NewRules {
    /// A set to hand in, and where to wait for what becomes of it.
    #[must_use]
    pub fn new(rules: Arc<ReadyRules>) -> (NewRules, Receiver<Activated>) {
        let (told, outcome) = sync_channel(1);
        (NewRules { rules, told }, outcome)
    }

    /// A set for which nobody waits.
    #[must_use]
    pub fn unasked(rules: Arc<ReadyRules>) -> NewRules {
        NewRules::new(rules).0
    }

    /// Tells what became of it. Only the first outcome is waited for.
    pub fn tell(&self, outcome: Activated) {
        drop(self.told.try_send(outcome));
    }
}

/// Sets that were active before, by their ids.
pub trait RuleSets {
    /// The set of this id, loaded as it was then; `None` if it is not there any more.
    fn find(&mut self, id: RuleSetId) -> Option<Arc<ReadyRules>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let id = RuleSetId([0xA5; 16]);
        assert_eq!(RuleSetId::parse(&id.to_string()), Some(id));
        for wrong in ["", "a5", &"g5".repeat(16), &"é".repeat(16), &"a5".repeat(17), &"+5".repeat(16)] {
            assert_eq!(RuleSetId::parse(wrong), None, "{wrong}");
        }
    }
}
