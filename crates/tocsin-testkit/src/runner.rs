//! A trace file from disk to its report.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tocsin_pipeline::plan::{LoadOptions, Loaded, RuleFile, load};
use tocsin_sigma::ast::Severity;
use tocsin_sigma::local::Local;

use crate::compare::compare;
use crate::got::Got;
use crate::play::{Cut, Played, Times, play};
use crate::report::{Failure, Report, StoryReport};
use crate::trace::{Expected, ExpectedAlert, Story, Trace};

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
    let mut report = Report { file: path.to_path_buf(), ..Report::default() };
    match prepare(path, local) {
        Ok(prepared) => {
            report.stories = prepared.trace.stories.iter().map(|story| prepared.tell(story)).collect();
        }
        Err(faults) => report.faults = faults,
    }
    report
}

/// A trace and the rules it is about.
struct Prepared {
    trace: Trace,
    loaded: Loaded,
    /// The rule file beside the trace.
    own: PathBuf,
}

fn prepare(path: &Path, local: &Arc<Local>) -> Result<Prepared, Vec<String>> {
    let text = read(path).map_err(|fault| vec![fault])?;
    let trace = Trace::parse(path, &text)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let mut faults = Vec::new();
    let own = RULE_ENDINGS.iter().map(|ending| path.with_extension(ending)).find(|file| file.is_file());
    let Some(own) = own else {
        return Err(vec![format!("{}: there is no rule file of the same name beside it", path.display())]);
    };
    let mut files = vec![own.clone()];
    for (with, line) in &trace.with {
        match find_above(path, with) {
            Some(file) => files.push(file),
            None => faults.push(format!(
                "{}:{line}: `{with}` is neither beside the trace nor in a folder above",
                path.display()
            )),
        }
    }
    let mut rules = Vec::new();
    for file in files {
        match read(&file) {
            Ok(text) => rules.push(RuleFile { path: file, text }),
            Err(fault) => faults.push(fault),
        }
    }
    let loaded = load(&rules, LoadOptions { gate: true, seed: 0, local: Arc::clone(local) });
    let errors = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    faults.extend(errors.map(|error| {
        let (file, place) = (error.file.display(), error.place);
        format!("{file}:{}:{}: {}", place.line, place.column, error.reason)
    }));
    if faults.is_empty() { Ok(Prepared { trace, loaded, own }) } else { Err(faults) }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// A file by a path that counts from the trace's folder, or from the nearest folder above in
/// which it exists.
fn find_above(trace: &Path, with: &str) -> Option<PathBuf> {
    trace.ancestors().skip(1).map(|folder| folder.join(with)).find(|file| file.is_file())
}

impl Prepared {
    fn tell(&self, story: &Story) -> StoryReport {
        let played = play(&self.loaded.plan, story, Cut::Whole, Times::Record);
        let mut failures = played.unreadable.clone();
        if play(&self.loaded.plan, story, Cut::Single, Times::Record) != played {
            let reason = "what comes of the story depends on how its records are cut into batches";
            failures.push(Failure::new(0, reason.to_string()));
        }
        let got = self.alerts(story, &played);
        let known = |expected: &&ExpectedAlert| self.rule_id(&expected.rule).is_some();
        let expected: Vec<&ExpectedAlert> = story.expected.iter().filter_map(alert).filter(known).collect();
        failures.extend(self.unknown_rules(story));
        failures.extend(compare(&expected, &got, story.start, |name| self.rule_id(name)));
        failures.extend(self.compare_matches(story, &played));
        StoryReport {
            name: story.name.clone(),
            line: story.line,
            events: story.records.len(),
            alerts: got.len(),
            failures,
        }
    }

    /// The alerts that count: those of the trace's own rules and of rules the story names.
    fn alerts(&self, story: &Story, played: &Played) -> Vec<Got> {
        let own = self.loaded.rules.rules.iter().filter(|rule| *rule.document.head.file == self.own);
        let named = story.expected.iter().filter_map(alert).filter_map(|e| self.rule_id(&e.rule));
        let ids: BTreeSet<String> = own.map(|rule| rule.meta.id.clone()).chain(named).collect();
        let counted = played.alerts.iter().filter(|alert| ids.contains(&alert.rule.id));
        counted.map(|alert| Got::new(alert, self.name(&alert.rule.id))).collect()
    }

    fn unknown_rules(&self, story: &Story) -> Vec<Failure> {
        let names = story.expected.iter().map(|expected| match expected {
            Expected::Alert(alert) => (alert.line, &alert.rule),
            Expected::Matches(matches) => (matches.line, &matches.rule),
        });
        names
            .filter(|(_, name)| self.rule_id(name).is_none())
            .map(|(line, name)| Failure::new(line, format!("no loaded rule is called `{name}`")))
            .collect()
    }

    fn compare_matches(&self, story: &Story, played: &Played) -> Vec<Failure> {
        let mut failures = Vec::new();
        for expected in &story.expected {
            let Expected::Matches(expected) = expected else { continue };
            let id = self.rule_id(&expected.rule);
            let of_rule = played
                .matches
                .iter()
                .filter(|(rule, _)| Some(&self.loaded.rules.rules[rule.index()].meta.id) == id.as_ref());
            let got: u64 = of_rule.map(|(_, count)| count).sum();
            if id.is_some() && got != expected.count {
                let reason =
                    format!("`{}` matches {got} events instead of {}", expected.rule, expected.count);
                failures.push(Failure::new(expected.line, reason));
            }
        }
        failures
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
        Expected::Matches(_) => None,
    }
}
