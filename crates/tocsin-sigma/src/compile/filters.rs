//! Filters: conditions that stand behind the conditions of other rules.
//!
//! A filter's names are put in place where it is read, so that no `them` of a rule catches them and
//! none of its own catches the rule's (Sigma specification v2.1.0, filters).

use std::path::PathBuf;
use std::sync::Arc;

use hashbrown::HashMap;

use super::{Compiler, Refused};
use crate::ast::{Body, Document, Expr, Head, Place, Severity};
use crate::condition::weight;
use crate::limits::{FILTER_FINDINGS_MAX, FILTERED_TESTS_MAX};
use crate::logsource::is_within;
use crate::ruleset::AppliedFilter;

/// What to do about a filter whose rules are not there.
const RULES_TOO: &str = "name the file or folder that holds the rules too";

/// The filters of a set.
#[derive(Debug, Default)]
pub(super) struct Filters {
    list: Vec<Entry>,
    /// Where a rule is referred to: filter and place among its references, by id or name.
    by_reference: HashMap<String, Vec<(usize, usize)>>,
    /// Values tested by all filters in all the rules they were added to.
    tests: usize,
}

#[derive(Debug)]
struct Entry {
    document: Document,
    /// Which of its references met a rule of its log source, and which one of another.
    met: Vec<Met>,
    /// Whether it was added to any rule.
    applied: bool,
}

/// What became of a reference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Met {
    #[default]
    Nothing,
    OtherLogSource,
    Rule,
}

impl Filters {
    /// Adds the filters that apply to a rule to its condition, and says which they are.
    pub fn apply(&mut self, rule: &mut Document) -> Result<Vec<AppliedFilter>, Refused> {
        let Body::Detection(detection) = &mut rule.body else { return Ok(Vec::new()) };
        let mut applied = Vec::new();
        let mut parts = Vec::new();
        let names = [&rule.head.id, &rule.head.name].into_iter().flatten();
        let mut meant: Vec<(usize, usize)> =
            names.filter_map(|name| self.by_reference.get(name)).flatten().copied().collect();
        meant.sort_unstable();
        for (index, entry) in self.list.iter_mut().enumerate() {
            let Body::Filter(filter) = &entry.document.body else { continue };
            let fits = is_within(&detection.logsource, &filter.logsource);
            let references = meant.iter().filter(|(filter, _)| *filter == index).map(|(_, at)| *at);
            let mut named = filter.rules.is_none();
            for at in references {
                entry.met[at] = if fits { Met::Rule } else { Met::OtherLogSource };
                named = true;
            }
            if !(named && fits) {
                continue;
            }
            entry.applied = true;
            self.tests += weight(&filter.condition).tests;
            if self.tests > FILTERED_TESTS_MAX {
                let reason =
                    format!("filters add more than {FILTERED_TESTS_MAX} values to all rules together");
                let hint =
                    Some("name the rules of a filter instead of `any`, or shorten its lists".to_string());
                let place = rule.head.place;
                return Err(Refused { place, code: "filters_too_large", reason, hint });
            }
            let head = &entry.document.head;
            let name: Arc<str> = Arc::from(format!("filter {}", head.title));
            parts.push(Expr::Named(name, Box::new(filter.condition.clone())));
            let id = head.id.clone().or(head.name.clone()).unwrap_or_else(|| head.title.clone());
            applied.push(AppliedFilter { id, title: head.title.clone() });
        }
        if !parts.is_empty() {
            let own = std::mem::replace(&mut detection.condition, Expr::And(Vec::new()));
            parts.insert(0, own);
            detection.condition = Expr::And(parts);
        }
        Ok(applied)
    }
}

impl Compiler {
    /// Takes filters in, before the rules, which go first where both have one name.
    pub(super) fn take_filters(&mut self, filters: Vec<Document>, rules: &[&Document]) {
        let mut taken: HashMap<String, (Arc<PathBuf>, u32)> = HashMap::new();
        let names = |head: &Head| [head.id.clone(), head.name.clone()].into_iter().flatten();
        let place = |head: &Head| (Arc::clone(&head.file), head.place.line);
        for rule in rules {
            taken.extend(names(&rule.head).map(|name| (name, place(&rule.head))));
        }
        for document in filters {
            let own: Vec<String> = names(&document.head).collect();
            if let Some((name, (file, line))) = own.iter().find_map(|name| taken.get_key_value(name)) {
                let reason =
                    format!("`{name}` is already the id or name of the rule in {}:{line}", file.display());
                let hint = Some("ids and names are unique over all loaded rules".to_string());
                let place = document.head.place;
                let refused = Refused { place, code: "duplicate_id", reason, hint };
                self.report(&document, Severity::Error, refused);
                continue;
            }
            let place = place(&document.head);
            taken.extend(own.into_iter().map(|name| (name, place.clone())));
            self.filter(document);
        }
    }

    fn filter(&mut self, document: Document) {
        let Body::Filter(filter) = &document.body else { return };
        let references = filter.rules.as_deref().unwrap_or_default();
        let met = vec![Met::Nothing; references.len()];
        let index = self.filters.list.len();
        for (at, (reference, _)) in references.iter().enumerate() {
            self.filters.by_reference.entry(reference.clone()).or_default().push((index, at));
        }
        self.filters.list.push(Entry { document, met, applied: false });
    }

    /// Tells what filters named that they do not apply to.
    pub(super) fn report_unused_filters(&mut self) {
        for entry in std::mem::take(&mut self.filters.list) {
            let Body::Filter(filter) = &entry.document.body else { continue };
            let Some(references) = &filter.rules else {
                if !entry.applied {
                    let reason = "no rule has a log source the filter is for".to_string();
                    self.tell(&entry.document, filter.logsource.place, reason, RULES_TOO);
                }
                continue;
            };
            let mut told = 0;
            for ((reference, place), met) in references.iter().zip(&entry.met) {
                let (reason, hint) = match met {
                    Met::Rule => continue,
                    Met::OtherLogSource => (
                        format!("the filter's log source is not that of `{reference}`"),
                        "give the filter the rule's log source, or a part of it",
                    ),
                    Met::Nothing if self.correlations.names(reference) => (
                        format!("`{reference}` is a correlation, to which filters do not apply"),
                        "name the rules it counts",
                    ),
                    Met::Nothing => (
                        format!("there is no rule with the id or name `{reference}`, or it did not load"),
                        RULES_TOO,
                    ),
                };
                told += 1;
                if told <= FILTER_FINDINGS_MAX {
                    self.tell(&entry.document, *place, reason, hint);
                }
            }
            if let Some(more) = told.checked_sub(FILTER_FINDINGS_MAX + 1) {
                let reason = format!("and {} more rules are named that it does not apply to", more + 1);
                self.tell(&entry.document, filter.place, reason, RULES_TOO);
            }
        }
    }

    fn tell(&mut self, document: &Document, place: Place, reason: String, hint: &str) {
        let refused = Refused { place, code: "filter_without_rule", reason, hint: Some(hint.to_string()) };
        self.report(document, Severity::Warning, refused);
    }
}
