//! What was set, wherever it was set: in the file, the environment or on the command line. A
//! section asks for its keys ([`super::section`]); what nobody asks for is told here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use tocsin_sigma::ast::{Diagnostic, Place, Severity};
use tocsin_sigma::finding::advise;

use super::environment::variable;
use super::section::Section;

/// Sections that are documented for a later release. Naming one now is an error that says so.
const LATER: [&str; 11] = [
    "batch",
    "enrich",
    "history",
    "redis",
    "respond",
    "sinks",
    "sources.file",
    "sources.kafka",
    "sources.nats",
    "sources.rabbitmq",
    "sources.syslog",
];

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the file.
    File(Place),
    /// By an environment variable of this name.
    Variable(String),
    /// By this flag of the command line.
    Flag(&'static str),
}

/// A value as written.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing: the default holds.
    Empty,
    /// One value.
    Text(String),
    /// Several.
    List(Vec<Item>),
    /// Keys of its own, which are settings themselves.
    Section,
}

/// One value of a list.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    /// Its text; `None` for a list in a list and the like.
    pub text: Option<String>,
    /// Where it was set.
    pub origin: Origin,
}

/// A value and where it was set.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    /// The value.
    pub value: Value,
    /// Where it was set.
    pub origin: Origin,
    /// Where its key stands, if that is in the file.
    pub key: Place,
}

/// Whether files that hold secrets are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// They are: the server is about to start.
    Read,
    /// They are not: the configuration is only looked at, maybe elsewhere.
    Leave,
}

/// Everything that was set, what was asked for, and what is wrong with it.
pub struct Settings {
    pub(super) secrets: Secrets,
    file: Arc<PathBuf>,
    found: BTreeMap<String, Setting>,
    asked: Vec<String>,
    findings: Vec<Diagnostic>,
}

impl Settings {
    /// Settings without any; `file` is what places in a file are of.
    #[must_use]
    pub fn new(file: Arc<PathBuf>, secrets: Secrets) -> Settings {
        Settings { secrets, file, found: BTreeMap::new(), asked: Vec::new(), findings: Vec::new() }
    }

    /// Sets a value; one set before at the same path gives way.
    pub fn put(&mut self, path: String, setting: Setting) {
        self.found.insert(path, setting);
    }

    /// The section of that name; an empty name is the top.
    pub fn section(&mut self, name: &'static str) -> Section<'_> {
        Section::new(self, name)
    }

    /// What was set at a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Setting> {
        self.found.get(path)
    }

    /// Whether values stand at a path itself.
    #[must_use]
    pub fn has_values(&self, path: &str) -> bool {
        let value = self.found.get(path).map(|setting| &setting.value);
        matches!(value, Some(Value::Text(_) | Value::List(_)))
    }

    /// Whether values stand directly at a path that is a section otherwise, in place of those of `key`
    /// in it. Where both are set, what the environment says goes first.
    #[must_use]
    pub fn stands_for_list(&self, section: &str, key: &str) -> bool {
        let is_by_variable = |path: &str| {
            self.found.get(path).is_some_and(|setting| matches!(setting.origin, Origin::Variable(_)))
        };
        self.has_values(section) && (is_by_variable(section) || !is_by_variable(key))
    }

    /// Notes that there is a key of this path.
    pub fn ask(&mut self, path: String) {
        self.asked.push(path);
    }

    /// Tells what is wrong with a value. The key or variable is named before the reason.
    pub fn tell(
        &mut self,
        severity: Severity,
        code: &'static str,
        at: (&Origin, &str),
        reason: &str,
        hint: Option<String>,
    ) {
        let (origin, path) = at;
        let (file, place, name) = match origin {
            Origin::File(place) => (Arc::clone(&self.file), *place, path.to_owned()),
            Origin::Variable(name) => (Arc::default(), Place::default(), name.clone()),
            Origin::Flag(name) => (Arc::default(), Place::default(), (*name).to_owned()),
        };
        let reason = format!("`{name}`: {reason}");
        self.findings.push(Diagnostic { file, place, severity, code, reason, hint });
    }

    /// Tells what is wrong with the file as a whole, or with the environment.
    pub fn tell_whole(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    /// What is wrong with it all, in order of place, unknown keys included; and the keys there are.
    #[must_use]
    pub fn finish(mut self) -> (Vec<Diagnostic>, Vec<String>) {
        let asked: BTreeSet<&str> = self.asked.iter().map(String::as_str).collect();
        let mut told: Vec<String> = Vec::new();
        let mut unknown = Vec::new();
        for (path, setting) in &self.found {
            let covered = told.iter().any(|section| is_below(path, section));
            if asked.contains(path.as_str()) {
                if setting.value == Value::Section {
                    told.push(path.clone());
                }
                continue;
            }
            let is_section = asked.iter().any(|key| is_below(key, path));
            let harmless = is_section && matches!(setting.value, Value::Section | Value::Empty);
            if !covered && !harmless {
                told.push(path.clone());
                let origin = match setting.origin.clone() {
                    Origin::File(_) => Origin::File(setting.key),
                    elsewhere => elsewhere,
                };
                unknown.push((path.clone(), origin, is_section));
            }
        }
        for (path, origin, is_section) in unknown {
            self.tell_unknown(&path, &origin, is_section);
        }
        self.findings.sort_by(|a, b| (&a.file, a.place, a.code).cmp(&(&b.file, b.place, b.code)));
        (self.findings, self.asked)
    }

    fn tell_unknown(&mut self, path: &str, origin: &Origin, is_section: bool) {
        let at = (origin, path);
        if LATER.iter().any(|later| *later == path || is_below(path, later)) {
            let hint = "remove it: nothing would use it yet".to_owned();
            self.tell(Severity::Error, "later_release", at, "this comes with a later release", Some(hint));
        } else if is_section {
            let hint = format!("its keys: {}", self.names_in(path).join(", "));
            self.tell(Severity::Error, "wrong_value", at, "this is a section, not a value", Some(hint));
        } else if matches!(origin, Origin::Variable(_)) {
            let hint = self.near_variable(path);
            self.tell(Severity::Error, "unknown_variable", at, "no setting has this name", Some(hint));
        } else {
            let hint = self.near_key(path);
            self.tell(Severity::Error, "unknown_key", at, "there is no such key", Some(hint));
        }
    }

    fn near_key(&self, path: &str) -> String {
        let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
        let names = self.names_in(section);
        if names.is_empty() {
            // The section itself is unknown and was not written as one.
            return advise(section, &self.names_in(""));
        }
        let hint = advise(name, &names);
        let mut homes = self.asked.iter().filter(|key| key.rsplit('.').next() == Some(name));
        let guessed = hint.starts_with("did you mean");
        if let (false, Some(home), None) = (guessed, homes.next(), homes.next()) {
            return format!("it is written as `{home}`");
        }
        hint
    }

    fn near_variable(&self, path: &str) -> String {
        let joined = |path: &str| path.replace('.', "_");
        if let Some(key) = self.asked.iter().find(|key| joined(key) == joined(path)) {
            return format!("sections and keys are set apart by two underscores: `{}`", variable(key));
        }
        let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
        let (section, name) = if self.names_in(section).is_empty() { ("", section) } else { (section, name) };
        let names = self.names_in(section);
        let hint = advise(name, &names);
        let full = |name: &str| {
            variable(&if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") })
        };
        match names.iter().find(|near| hint == format!("did you mean `{near}`?")) {
            Some(near) => format!("did you mean `{}`?", full(near)),
            None => format!("known: {}", names.iter().map(|name| full(name)).collect::<Vec<_>>().join(", ")),
        }
    }

    /// The names of keys and sections directly in a section, in the order they were asked for.
    fn names_in(&self, section: &str) -> Vec<&str> {
        let mut names = Vec::new();
        for key in &self.asked {
            let inner = match section {
                "" => Some(key.as_str()),
                _ => key.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')),
            };
            match inner.and_then(|inner| inner.split('.').next()) {
                Some(name) if !names.contains(&name) => names.push(name),
                _ => {}
            }
        }
        names
    }
}

fn is_below(path: &str, section: &str) -> bool {
    path.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'))
}
