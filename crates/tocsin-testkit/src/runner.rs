//! A trace from its text to its report.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tocsin_core::time::Timestamp;
use tocsin_pipeline::plan::{LoadOptions, Loaded, RuleFile, load};
use tocsin_sigma::ast::{Diagnostic, Severity};
use tocsin_sigma::local::{Local, Placeholders};
use tocsin_sigma::logsource::OwnSources;

use crate::compare::compare;
use crate::diagnosed::compare_findings;
use crate::got::{Got, offset};
use crate::play::{Played, Times};
use crate::report::{Failure, Report, StoryReport};
use crate::trace::{Block, BlockKind, Expected, ExpectedAlert, ExpectedMatches, Story, Trace, compose};
use crate::ways::play_all;

/// Endings of the rule file a trace lies beside.
const RULE_ENDINGS: [&str; 2] = ["yml", "yaml"];

/// Runs a trace. What is wrong with the trace, its rules or its stories is in the report; nothing
/// else can go wrong.
#[must_use]
pub fn run(path: &Path) -> Report {
    run_with(path, &Arc::default())
}

/// Runs a trace, as [`run`], with what the house adds to the language of rules.
#[must_use]
pub fn run_with(path: &Path, local: &Arc<Local>) -> Report {
    match read(path) {
        Ok(text) => tell(path, &text, &|trace| beside(path, trace), local),
        Err(fault) => Report { file: path.to_path_buf(), faults: vec![fault], ..Report::default() },
    }
}

/// Runs a trace in which everything stands that it needs; `path` only names it.
#[must_use]
pub fn run_text(path: &Path, text: &str) -> Report {
    let none = |trace: &Trace| match trace.with.first() {
        Some((_, line)) => {
            Err(vec![format!("{}:{line}: there is no file beside this trace", path.display())])
        }
        None => Ok(Vec::new()),
    };
    tell(path, text, &none, &Arc::default())
}

/// The rule files a trace names, and the one of its name.
type Beside<'a> = &'a dyn Fn(&Trace) -> Result<Vec<RuleFile>, Vec<String>>;

fn tell(path: &Path, text: &str, beside: Beside<'_>, local: &Arc<Local>) -> Report {
    let mut report = Report { file: path.to_path_buf(), ..Report::default() };
    match Prepared::new(path, text, beside, local) {
        Ok(prepared) => {
            report.stories = prepared.trace.stories.iter().map(|story| prepared.tell(story)).collect();
        }
        Err(faults) => report.faults = faults,
    }
    report
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// What lies beside a trace: the rule file of its name, which it needs unless rules stand in it, and
/// those it names.
fn beside(path: &Path, trace: &Trace) -> Result<Vec<RuleFile>, Vec<String>> {
    let mut faults = Vec::new();
    let own = RULE_ENDINGS.iter().map(|ending| path.with_extension(ending)).find(|file| file.is_file());
    let inside = trace.stories.iter().flat_map(|story| &story.blocks).chain(&trace.blocks);
    if own.is_none() && !inside.map(|block| block.kind).any(|kind| kind == BlockKind::Rule) {
        let reason = "there is no rule file of the same name beside it, and no rule in it";
        return Err(vec![format!("{}: {reason}", path.display())]);
    }
    let mut paths: Vec<PathBuf> = own.into_iter().collect();
    for (with, line) in &trace.with {
        match find_above(path, with) {
            Some(file) => paths.push(file),
            None => faults.push(format!(
                "{}:{line}: `{with}` is neither beside the trace nor in a folder above",
                path.display()
            )),
        }
    }
    let mut files = Vec::new();
    for path in paths {
        match read(&path) {
            Ok(text) => files.push(RuleFile { path, text }),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(files) } else { Err(faults) }
}

/// A file by a path that counts from the trace's folder, or from the nearest folder above in
/// which it exists.
fn find_above(trace: &Path, with: &str) -> Option<PathBuf> {
    trace.ancestors().skip(1).map(|folder| folder.join(with)).find(|file| file.is_file())
}

/// A trace and the rules it is about.
struct Prepared {
    path: PathBuf,
    trace: Trace,
    files: Vec<RuleFile>,
    local: Arc<Local>,
    /// The rules of stories that add none.
    loaded: Loaded,
}

impl Prepared {
    fn new(path: &Path, text: &str, beside: Beside<'_>, local: &Arc<Local>) -> Result<Prepared, Vec<String>> {
        let trace = Trace::parse(path, text)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let files = beside(&trace)?;
        let path = path.to_path_buf();
        let loaded = load(&[], LoadOptions::default());
        let mut prepared = Prepared { path, trace, files, local: Arc::clone(local), loaded };
        prepared.loaded = prepared.load(&[]);
        let found = prepared.loaded.diagnostics.iter();
        let faults: Vec<String> =
            found.filter(|found| found.severity == Severity::Error).map(fault).collect();
        if faults.is_empty() { Ok(prepared) } else { Err(faults) }
    }

    /// The rules of the trace with what stands in a story.
    fn load(&self, more: &[Block]) -> Loaded {
        let blocks = || self.trace.blocks.iter().chain(more);
        let mut found = Vec::new();
        let mut local = Local::clone(&self.local);
        let file = Arc::new(self.path.clone());
        if let Some(text) = compose(BlockKind::Placeholders, blocks()) {
            let (placeholders, told) = Placeholders::read(&file, &text);
            local.placeholders = placeholders;
            found.extend(told);
        }
        if let Some(text) = compose(BlockKind::LogSources, blocks()) {
            let (logsources, told) = OwnSources::read(&file, &text);
            local.logsources = logsources;
            found.extend(told);
        }
        let mut files = self.files.clone();
        let inside = compose(BlockKind::Rule, blocks());
        files.extend(inside.map(|text| RuleFile { path: self.path.clone(), text }));
        let gate = !self.trace.ungated;
        let mut loaded = load(&files, LoadOptions { gate, seed: 0, local: Arc::new(local) });
        loaded.diagnostics.extend(found);
        loaded
    }

    fn tell(&self, story: &Story) -> StoryReport {
        let own;
        let loaded = match story.blocks.as_slice() {
            [] => &self.loaded,
            blocks => {
                own = self.load(blocks);
                &own
            }
        };
        let (played, differences) = play_all(&loaded.plan, story, Times::Record);
        let told = Told { prepared: self, loaded, story };
        let mut failures = played.unreadable.clone();
        failures.extend(differences);
        failures.extend(compare_findings(&story.expected, &loaded.diagnostics));
        let got = told.alerts(&played);
        let known = |expected: &&ExpectedAlert| told.rule_id(&expected.rule).is_some();
        let expected: Vec<&ExpectedAlert> = story.expected.iter().filter_map(alert).filter(known).collect();
        failures.extend(told.unknown_rules());
        failures.extend(compare(&expected, &got, story.start, |name| told.rule_id(name)));
        failures.extend(told.compare_matches(&played));
        StoryReport {
            name: story.name.clone(),
            line: story.line,
            about: story.about.clone(),
            events: story.records.len(),
            alerts: got.len(),
            failures,
        }
    }

    /// Whether a rule is one the trace is about: of its own file or its own text.
    fn is_own(&self, file: &Path) -> bool {
        *file == *self.path || *file.with_extension("") == *self.path.with_extension("")
    }
}

/// `file:line:column: reason`.
fn fault(error: &Diagnostic) -> String {
    let (file, place) = (error.file.display(), error.place);
    format!("{file}:{}:{}: {}", place.line, place.column, error.reason)
}

/// A story with the rules it is told by.
struct Told<'a> {
    prepared: &'a Prepared,
    loaded: &'a Loaded,
    story: &'a Story,
}

impl Told<'_> {
    /// The alerts that count: those of the trace's own rules and of rules the story names.
    fn alerts(&self, played: &Played) -> Vec<Got> {
        let rules = self.loaded.rules.rules.iter();
        let own = rules.filter(|rule| self.prepared.is_own(&rule.document.head.file));
        let named = self.story.expected.iter().filter_map(alert).filter_map(|e| self.rule_id(&e.rule));
        let ids: BTreeSet<String> = own.map(|rule| rule.meta.id.clone()).chain(named).collect();
        let counted = played.alerts.iter().filter(|alert| ids.contains(&alert.rule.id));
        counted.map(|alert| Got::new(alert, self.name(&alert.rule.id))).collect()
    }

    fn unknown_rules(&self) -> Vec<Failure> {
        let names = self.story.expected.iter().filter_map(|expected| match expected {
            Expected::Alert(alert) => Some((alert.line, &alert.rule)),
            Expected::Matches(matches) => Some((matches.line, &matches.rule)),
            Expected::Finding(_) | Expected::Clean(_) => None,
        });
        names
            .filter(|(_, name)| self.rule_id(name).is_none())
            .map(|(line, name)| Failure::new(line, format!("no loaded rule is called `{name}`")))
            .collect()
    }

    fn compare_matches(&self, played: &Played) -> Vec<Failure> {
        let expected = self.story.expected.iter().filter_map(|expected| match expected {
            Expected::Matches(expected) => Some(expected),
            _ => None,
        });
        expected.filter_map(|expected| self.compare_match(expected, played)).collect()
    }

    fn compare_match(&self, expected: &ExpectedMatches, played: &Played) -> Option<Failure> {
        let id = self.rule_id(&expected.rule)?;
        let rules = &self.loaded.rules.rules;
        let of_rule = played.matches.iter().filter(|(rule, _)| rules[rule.index()].meta.id == id);
        let got: Vec<Timestamp> = of_rule.flat_map(|(_, times)| times.iter().copied()).collect();
        if let Some(count) = expected.count
            && got.len() as u64 != count
        {
            let reason = format!("`{}` matches {} events instead of {count}", expected.rule, got.len());
            return Some(Failure::new(expected.line, reason));
        }
        let at = expected.at.as_ref().filter(|at| **at != got)?;
        let list = |times: &[Timestamp]| {
            let offsets: Vec<String> = times.iter().map(|time| offset(self.story.start, *time)).collect();
            if offsets.is_empty() { "none".to_string() } else { offsets.join(",") }
        };
        let reason = format!("`{}` matches other events", expected.rule);
        let details = vec![format!("expected: {}", list(at)), format!("     got: {}", list(&got))];
        Some(Failure { line: expected.line, reason, details })
    }

    /// The id of the rule a story means: by name, id or title.
    fn rule_id(&self, name: &str) -> Option<String> {
        let rules = &self.loaded.rules;
        let found = rules.find(name).or_else(|| rules.rules.iter().find(|rule| rule.meta.title == name));
        found.map(|rule| rule.meta.id.clone())
    }

    /// The name by which a story calls a rule.
    fn name(&self, id: &str) -> &str {
        let rule = self.loaded.rules.rules.iter().find(|rule| rule.meta.id == id);
        rule.map_or("", |rule| rule.meta.name.as_deref().unwrap_or(&rule.meta.id))
    }
}

/// The expectation, if it is of an alert.
fn alert(expected: &Expected) -> Option<&ExpectedAlert> {
    match expected {
        Expected::Alert(alert) => Some(alert),
        _ => None,
    }
}
