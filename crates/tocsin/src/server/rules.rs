//! The rules of a server: those of today, and those of before as they are kept beside the journal.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use tocsin_io::rule_watch::Look;
use tocsin_pipeline::plan::Loaded;
use tocsin_pipeline::rules::{ReadyRules, RuleSetId, RuleSets, RuleTexts};
use tocsin_sigma::ast::{Diagnostic, Severity};
use tocsin_store::RuleSetStore;

use crate::cli::LocalArgs;
use crate::loading;

/// On whose behalf rules are loaded at a start.
pub const BY_START: &str = "start";

/// A server's rules match only events of their log source.
const GATE: bool = true;

/// Sets of before that stay loaded while the journal is read.
const LOADED_SETS_MAX: usize = 8;

/// Times rule files are read again because they changed meanwhile. After that they are taken as they
/// are.
const READS_MAX: usize = 5;

/// Where the rules of a server stand.
#[derive(Clone, Debug)]
pub struct Places {
    /// Rule files and folders; empty: the shipped rules.
    pub rules: Vec<PathBuf>,
    /// What the house adds to the language of rules.
    pub local: LocalArgs,
}

impl Places {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<PathBuf> {
        self.rules.iter().chain(&self.local.placeholders).chain(&self.local.logsources).cloned().collect()
    }
}

/// Rule files as they are now.
pub struct Files {
    /// The files.
    pub texts: RuleTexts,
    /// What cannot be read beside them.
    pub unreadable: Vec<Diagnostic>,
    /// What they looked like.
    pub look: Look,
}

impl Files {
    /// Reads the files at these places, all at one time: if one changes meanwhile, all again.
    ///
    /// # Errors
    /// When a path cannot be read.
    pub fn read(places: &Places) -> anyhow::Result<Files> {
        let paths = places.all();
        let mut look = Look::at(&paths);
        let mut reads = 1;
        loop {
            let (texts, unreadable) = loading::texts(&places.rules, &places.local)?;
            let now = Look::at(&paths);
            if now == look || reads == READS_MAX {
                return Ok(Files { texts, unreadable, look });
            }
            look = now;
            reads += 1;
        }
    }

    /// Loads them.
    #[must_use]
    pub fn load(&self, seed: u64) -> Loaded {
        loading::rules_of(&self.texts, self.unreadable.clone(), GATE, seed)
    }
}

/// The files in which something keeps a rule from loading: an error in any other is new.
pub fn broken(loaded: &Loaded) -> HashSet<PathBuf> {
    loaded.diagnostics.iter().filter(|found| is_error(found)).map(|found| found.file.to_path_buf()).collect()
}

/// Whether this keeps a rule from loading.
pub fn is_error(found: &Diagnostic) -> bool {
    found.severity == Severity::Error || found.code == loading::UNREADABLE
}

/// Rule sets as they were kept.
pub struct Recorded {
    store: RuleSetStore,
    seed: u64,
    /// The least recently used first.
    loaded: VecDeque<Arc<ReadyRules>>,
}

impl Recorded {
    /// The sets of this store.
    #[must_use]
    pub fn new(store: RuleSetStore, seed: u64) -> Recorded {
        Recorded { store, seed, loaded: VecDeque::new() }
    }

    /// Knows this set without loading it again.
    pub fn keep(&mut self, rules: Arc<ReadyRules>) {
        self.loaded.push_back(rules);
        if self.loaded.len() > LOADED_SETS_MAX {
            self.loaded.pop_front();
        }
    }
}

impl RuleSets for Recorded {
    fn find(&mut self, id: RuleSetId) -> Option<Arc<ReadyRules>> {
        let known = self.loaded.iter().position(|rules| rules.id == id);
        let rules = match known.and_then(|index| self.loaded.remove(index)) {
            Some(rules) => rules,
            None => {
                let texts = self.store.read(id)?;
                let loaded = loading::rules_of(&texts, Vec::new(), GATE, self.seed);
                Arc::new(ReadyRules::new(id, &loaded, BY_START))
            }
        };
        self.keep(Arc::clone(&rules));
        Some(rules)
    }
}
