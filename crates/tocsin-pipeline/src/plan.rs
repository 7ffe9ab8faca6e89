//! Putting a rule set together: documents become a plan the engine runs.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use crate::own_rules;
use tocsin_core::correlation::CorrelationSpec;
use tocsin_core::field::{FieldId, FieldTable};
use tocsin_core::key::Missing;
use tocsin_core::matcher::RuleIdx;
use tocsin_core::plan::{Chain, ChainValue, Plan, PlannedRule, Route, ValueOf};
use tocsin_core::rule::RuleMeta;
use tocsin_detect::registry::{self, Build, Value, build, every_match};
use tocsin_sigma::ast::{Body, Diagnostic, Document, Place, Severity};
use tocsin_sigma::compile::{ALERT_KEY_FIELDS, Options, compile};
use tocsin_sigma::local::Local;
use tocsin_sigma::ruleset::{Feed, Rule, RuleSet};

/// Files for which a thread of its own pays.
const FILES_OF_A_PART_MIN: usize = 128;

/// A rule file as read.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Whether rules match only events of their log source.
    pub gate: bool,
    /// Key of the hash tables that hold attacker-chosen strings.
    pub seed: u64,
    /// What the house adds to the language of rules.
    pub local: Arc<Local>,
}

/// Parses, compiles and plans rule files. What does not load is reported; the rest does.
#[must_use]
pub fn load(files: &[RuleFile], options: LoadOptions) -> Loaded {
    let (documents, mut diagnostics) = read_in_parts(files, &options.local);
    let (mut rules, reported) = compile(documents, Options { gate: options.gate });
    diagnostics.extend(reported);
    let table = std::mem::take(&mut rules.table);
    let plan = Arc::new(plan(&rules, table, options.seed, &mut diagnostics));
    diagnostics.sort_by(|a, b| (&a.file, a.place, a.code).cmp(&(&b.file, b.place, b.code)));
    Loaded { plan, rules, diagnostics }
}

/// The documents of all files in order, and what was found in them; many files on all cores.
fn read_in_parts(files: &[RuleFile], local: &Local) -> (Vec<Document>, Vec<Diagnostic>) {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let size = files.len().div_ceil(cores).max(FILES_OF_A_PART_MIN);
    let Some((first, others)) = files.split_at_checked(size) else { return read(files, local) };
    thread::scope(|scope| {
        let parts = others.chunks(size).map(|part| scope.spawn(|| read(part, local)));
        let parts: Vec<_> = parts.collect();
        let (mut documents, mut diagnostics) = read(first, local);
        for part in parts {
            let (found, reported) = part.join().unwrap_or_else(|panic| resume_unwind(panic));
            documents.extend(found);
            diagnostics.extend(reported);
        }
        (documents, diagnostics)
    })
}

fn read(files: &[RuleFile], local: &Local) -> (Vec<Document>, Vec<Diagnostic>) {
    let mut documents = Vec::new();
    let mut diagnostics = Vec::new();
    for file in files {
        let (found, reported) = tocsin_sigma::parse_with(Arc::new(file.path.clone()), &file.text, local);
        documents.extend(found);
        diagnostics.extend(reported);
    }
    (documents, diagnostics)
}

fn plan(rules: &RuleSet, mut table: FieldTable, seed: u64, diagnostics: &mut Vec<Diagnostic>) -> Plan {
    let alert_key: Vec<_> = ALERT_KEY_FIELDS.iter().filter_map(|field| table.intern(field).ok()).collect();
    let unplanned = |rule: &Rule| PlannedRule {
        meta: rule.meta.clone(),
        routes: Vec::new(),
        chains: Vec::new(),
        level: 0,
        detector: None,
        filters: rule.filters.iter().map(|filter| filter.id.clone()).collect(),
    };
    let mut planned: Vec<PlannedRule> = rules.rules.iter().map(unplanned).collect();
    for (index, rule) in rules.rules.iter().enumerate() {
        let this = RuleIdx(index as u32);
        let episode = rule.meta.episode;
        let Some((spec, feeds)) = &rule.stateful else {
            if rule.meta.alerts {
                planned[index].detector = Some(every_match(this, episode));
                let key = alert_key.clone();
                let missing = Missing::StaysAbsent;
                let route = Route { rule: this, role: 0, key, missing, value: ValueOf::Nothing };
                planned[index].routes.push(route);
            }
            continue;
        };
        let distinct = feeds.iter().any(|feed| !feed.value.is_empty());
        match build(Build { rule: this, episode, spec, distinct }) {
            Ok(detector) => planned[index].detector = Some(detector),
            Err(reason) => {
                diagnostics.push(refused(&rule.document, reason));
                continue;
            }
        }
        for feed in feeds {
            let source = &mut planned[feed.rule.index()];
            match &rules.rules[feed.rule.index()].stateful {
                None => source.routes.push(route(this, spec, feed, &table)),
                Some(_) => source.chains.extend(chain(this, spec, feed, &source.meta)),
            }
        }
    }
    set_levels(&mut planned);
    let state_pressure = RuleIdx(planned.len() as u32);
    planned.push(own_rules::state_pressure(state_pressure));
    let rule_disabled = RuleIdx(planned.len() as u32);
    planned.push(own_rules::rule_disabled(rule_disabled));
    Plan {
        rules: planned,
        table: Arc::new(table),
        matcher: Box::new(rules.matcher_factory(seed)),
        state_pressure: Some(state_pressure),
        rule_disabled: Some(rule_disabled),
        seed,
    }
}

/// Where the matches of a stateless rule go.
fn route(rule: RuleIdx, spec: &CorrelationSpec, feed: &Feed, table: &FieldTable) -> Route {
    let ids =
        |names: &[String]| -> Vec<FieldId> { names.iter().filter_map(|name| table.get(name)).collect() };
    let value = ids(&feed.value);
    let value = match (registry::value(&spec.kind), value.first()) {
        (Value::Nothing, _) | (_, None) => ValueOf::Nothing,
        (Value::Number, Some(field)) => ValueOf::Number(*field),
        (Value::Distinct | Value::DistinctIfNamed, Some(_)) => ValueOf::Distinct(value),
    };
    let role = registry::role(spec, feed.role);
    Route { rule, role, key: ids(&feed.key), missing: Missing::Skips, value }
}

/// Where the findings of a stateful rule go; `None` where its key lacks what is asked of it.
fn chain(rule: RuleIdx, spec: &CorrelationSpec, feed: &Feed, source: &RuleMeta) -> Option<Chain> {
    let place = |name: &String| source.key_fields.iter().position(|field| field == name);
    let places = |names: &[String]| names.iter().map(place).collect::<Option<Vec<usize>>>();
    let value = places(&feed.value)?;
    let value = match (registry::value(&spec.kind), value.first()) {
        (Value::Nothing, _) | (_, None) => ChainValue::Nothing,
        (Value::Number, Some(place)) => ChainValue::Number(*place),
        (Value::Distinct | Value::DistinctIfNamed, Some(_)) => ChainValue::Distinct(value),
    };
    Some(Chain {
        rule,
        role: registry::role(spec, feed.role),
        key: places(&feed.key)?,
        value,
        every_moment: registry::counts_every_moment(&spec.kind),
    })
}

/// A rule that counts the findings of others lies above the highest of them.
fn set_levels(planned: &mut [PlannedRule]) {
    let mut changed = true;
    while changed {
        changed = false;
        for index in 0..planned.len() {
            let above = planned[index].level.saturating_add(1);
            let targets: Vec<usize> = planned[index].chains.iter().map(|chain| chain.rule.index()).collect();
            for target in targets {
                if planned[target].level < above && above < u8::MAX {
                    planned[target].level = above;
                    changed = true;
                }
            }
        }
    }
}

fn refused(document: &Document, reason: String) -> Diagnostic {
    let place = match &document.body {
        Body::Correlation(correlation) => correlation.place,
        Body::Detection(_) | Body::Filter(_) => Place::default(),
    };
    Diagnostic {
        file: Arc::clone(&document.head.file),
        place,
        severity: Severity::Error,
        code: "unsupported_correlation",
        reason,
        hint: Some("docs/rules.md has the types of correlation, and what each takes".to_string()),
    }
}
