//! Putting a rule set together: documents become a plan the engine runs.

use std::path::PathBuf;
use std::sync::Arc;

use tocsin_core::field::FieldTable;
use tocsin_core::key::Missing;
use tocsin_core::matcher::RuleIdx;
use tocsin_core::plan::{Plan, PlannedRule, Route};
use tocsin_detect::registry::{Build, build, every_match};
use tocsin_sigma::ast::{Body, Diagnostic, Document, Place, Severity};
use tocsin_sigma::compile::{ALERT_KEY_FIELDS, Options, compile};
use tocsin_sigma::ruleset::RuleSet;

/// A rule file as read.
#[derive(Clone, Debug)]
pub struct RuleFile {
    /// Its path, for messages.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// A loaded rule set.
pub struct Loaded {
    /// What the engine runs.
    pub plan: Arc<Plan>,
    /// The rules with their documents.
    pub rules: RuleSet,
    /// Everything found on the way, in order of file and place.
    pub diagnostics: Vec<Diagnostic>,
}

/// How to load.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// Whether rules match only events of their log source.
    pub gate: bool,
    /// Key of the hash tables that hold attacker-chosen strings.
    pub seed: u64,
}

/// Parses, compiles and plans rule files. What does not load is reported; the rest does.
#[must_use]
pub fn load(files: &[RuleFile], options: LoadOptions) -> Loaded {
    let mut documents: Vec<Document> = Vec::new();
    let mut diagnostics = Vec::new();
    for file in files {
        let (found, reported) = tocsin_sigma::parse(Arc::new(file.path.clone()), &file.text);
        documents.extend(found);
        diagnostics.extend(reported);
    }
    let (mut rules, reported) = compile(documents, Options { gate: options.gate });
    diagnostics.extend(reported);
    let table = std::mem::take(&mut rules.table);
    let plan = Arc::new(plan(&rules, table, options.seed, &mut diagnostics));
    diagnostics.sort_by(|a, b| (&a.file, a.place, a.code).cmp(&(&b.file, b.place, b.code)));
    Loaded { plan, rules, diagnostics }
}

fn plan(rules: &RuleSet, mut table: FieldTable, seed: u64, diagnostics: &mut Vec<Diagnostic>) -> Plan {
    let alert_key: Vec<_> = ALERT_KEY_FIELDS.iter().filter_map(|field| table.intern(field).ok()).collect();
    let mut planned: Vec<PlannedRule> = rules
        .rules
        .iter()
        .map(|rule| PlannedRule { meta: rule.meta.clone(), routes: Vec::new(), detector: None })
        .collect();
    for (index, rule) in rules.rules.iter().enumerate() {
        let this = RuleIdx(index as u32);
        let episode = rule.meta.episode;
        let Some((spec, feeds)) = &rule.stateful else {
            if rule.meta.alerts {
                planned[index].detector = Some(every_match(this, episode));
                let key = alert_key.clone();
                let missing = Missing::StaysAbsent;
                planned[index].routes.push(Route { rule: this, role: 0, key, missing });
            }
            continue;
        };
        match build(Build { rule: this, episode, spec }) {
            Ok(detector) => planned[index].detector = Some(detector),
            Err(reason) => {
                diagnostics.push(refused(&rule.document, reason));
                continue;
            }
        }
        for feed in feeds {
            let key = feed.key.iter().filter_map(|field| table.get(field)).collect();
            let route = Route { rule: this, role: feed.role, key, missing: Missing::Skips };
            planned[feed.rule.index()].routes.push(route);
        }
    }
    Plan { rules: planned, table: Arc::new(table), matcher: Box::new(rules.matcher_factory(seed)), seed }
}

fn refused(document: &Document, reason: String) -> Diagnostic {
    let place = match &document.body {
        Body::Correlation(correlation) => correlation.place,
        Body::Detection(_) => Place::default(),
    };
    Diagnostic {
        file: Arc::clone(&document.head.file),
        place,
        severity: Severity::Error,
        code: "unsupported_correlation",
        reason,
        hint: None,
    }
}
