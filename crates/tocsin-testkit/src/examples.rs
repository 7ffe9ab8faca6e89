//! The examples that stand in a rule itself: `rsigma.exemplars` and `tests`.
//!
//! Each is played through the engine as a story of its own. An exemplar holds the fields that
//! conditions look at, so log sources are not asked; a test holds a whole record, so they are.

use std::path::Path;
use std::sync::Arc;

use tocsin_core::matcher::RuleIdx;
use tocsin_core::time::Timestamp;
use tocsin_pipeline::plan::{LoadOptions, Loaded, RuleFile, load};
use tocsin_sigma::ast::{Body, Diagnostic, Exemplar, Place, Severity, Shows};
use tocsin_sigma::explain::requirement;
use tocsin_sigma::local::Local;
use tocsin_sigma::parse_with;

use crate::play::{Played, Times};
use crate::report::{Cases, Failure, Report, StoryReport};
use crate::trace::{DEFAULT_START, Record, Story};
use crate::ways::play_all;
use crate::why::why;

/// What the lines begin with under which examples stand.
const KEYS: [&str; 3] = ["rsigma.exemplars:", "tests:", "Tests:"];

/// Findings about examples: a rule loads with them, its examples do not run.
const SHAPES: [&str; 2] = ["exemplar_shape", "test_shape"];

/// Runs the examples of a rule file; `None` where it has none. `others` are the rules around it,
/// among which its correlations find those they count.
#[must_use]
pub fn run_examples(file: &RuleFile, others: &[RuleFile], local: &Arc<Local>) -> Option<Report> {
    if !may_have_examples(&file.text) {
        return None;
    }
    let (documents, found) = parse_with(Arc::new(file.path.clone()), &file.text, local);
    let broken =
        |finding: &&Diagnostic| finding.severity == Severity::Error || SHAPES.contains(&finding.code);
    let mut faults: Vec<String> = found.iter().filter(broken).map(written).collect();
    let examples: Vec<(Place, Exemplar)> = documents
        .into_iter()
        .flat_map(|document| {
            let place = document.head.place;
            document.head.exemplars.into_iter().map(move |exemplar| (place, exemplar))
        })
        .collect();
    if faults.is_empty() && examples.is_empty() {
        return None;
    }
    let mut report = Report { file: file.path.clone(), cases: Cases::Examples, ..Report::default() };
    let mut sets: Vec<(Shows, Loaded)> = Vec::new();
    for shows in [Shows::Fields, Shows::Records] {
        if examples.iter().any(|(_, example)| example.shows == shows) {
            let loaded = load_around(file, others, shows == Shows::Records, local);
            faults.extend(errors_of(&loaded, &file.path).map(written));
            sets.push((shows, loaded));
        }
    }
    faults.dedup();
    report.faults = faults;
    for (place, example) in &examples {
        let set = sets.iter().find(|(shows, _)| *shows == example.shows);
        report.stories.extend(set.map(|(_, loaded)| tell(loaded, &file.path, *place, example)));
    }
    Some(report)
}

/// Whether a rule file names examples anywhere.
#[must_use]
pub fn may_have_examples(text: &str) -> bool {
    text.lines().any(|line| KEYS.iter().any(|key| line.trim_start().starts_with(key)))
}

/// The file's rules alone, or, where they name others, among those around them.
fn load_around(file: &RuleFile, others: &[RuleFile], gate: bool, local: &Arc<Local>) -> Loaded {
    let options = || LoadOptions { gate, seed: 0, local: Arc::clone(local) };
    let alone = load(std::slice::from_ref(file), options());
    if !errors_of(&alone, &file.path).any(|error| error.code == "unknown_rule") {
        return alone;
    }
    let mut files = vec![file.clone()];
    files.extend(others.iter().filter(|other| other.path != file.path).cloned());
    load(&files, options())
}

fn errors_of<'l>(loaded: &'l Loaded, path: &Path) -> impl Iterator<Item = &'l Diagnostic> {
    let of_file = move |found: &&Diagnostic| *found.file == path && found.severity == Severity::Error;
    loaded.diagnostics.iter().filter(of_file)
}

fn written(found: &Diagnostic) -> String {
    let (file, place) = (found.file.display(), found.place);
    format!("{file}:{}:{}: {}", place.line, place.column, found.reason)
}

/// Plays one example of the rule that begins at `place`.
fn tell(loaded: &Loaded, path: &Path, place: Place, example: &Exemplar) -> StoryReport {
    let line = example.place.line;
    let mut report =
        StoryReport { name: example.name.clone(), line, events: example.events.len(), ..Default::default() };
    let is_it = |rule: &tocsin_sigma::ruleset::Rule| {
        *rule.document.head.file == path && rule.document.head.place == place
    };
    let Some(index) = loaded.rules.rules.iter().position(is_it) else {
        report.failures.push(Failure::new(line, "the rule did not load, so nothing can match".to_string()));
        return report;
    };
    let story = story(example);
    let (played, differences) = play_all(&loaded.plan, &story, Times::Story);
    report.failures.extend(differences);
    report.alerts = played.alerts.len();
    report.failures.extend(played.unreadable.clone());
    let rule = RuleIdx(index as u32);
    let matches = played.matches.contains_key(&rule) || played.detected.contains(&rule);
    if matches != example.matches {
        let reason = match matches {
            true => "the rule matches, and should not",
            false => "the rule does not match, and should",
        };
        let details = details(loaded, index, example, &played);
        report.failures.push(Failure { line, reason: reason.to_string(), details });
    }
    report
}

fn story(example: &Exemplar) -> Story {
    let start = Timestamp::parse(DEFAULT_START.as_bytes()).unwrap_or_default();
    let record = |event: &tocsin_sigma::ast::ExemplarEvent| Record {
        time: start.plus(event.offset),
        text: event.json.clone(),
        line: event.place.line,
        input: 0,
    };
    let records = example.events.iter().map(record).collect();
    Story { name: example.name.clone(), line: example.place.line, start, records, ..Story::default() }
}

/// The conditions that decided; of a correlation, what was counted and what it asks for.
fn details(loaded: &Loaded, index: usize, example: &Exemplar, played: &Played) -> Vec<String> {
    let rule = &loaded.rules.rules[index];
    if let Body::Detection(detection) = &rule.document.body {
        let record = example.events.first().map_or("", |event| event.json.as_str());
        return why(&loaded.plan, detection, record, example.shows == Shows::Records);
    }
    let Some((spec, feeds)) = &rule.stateful else { return Vec::new() };
    let mut lines = vec![format!("asks for: {}", requirement(spec, &rule.meta.key_fields))];
    for feed in feeds {
        let meta = &loaded.rules.rules[feed.rule.index()].meta;
        let name = meta.name.as_deref().unwrap_or(&meta.id);
        let events = example.events.len();
        lines.push(match (&loaded.rules.rules[feed.rule.index()].stateful, played.matches.get(&feed.rule)) {
            (None, count) => format!("`{name}` matches {} of {events} events", count.map_or(0, Vec::len)),
            (Some(_), _) if played.detected.contains(&feed.rule) => format!("`{name}` is met"),
            (Some(_), _) => format!("`{name}` is not met"),
        });
    }
    lines
}
