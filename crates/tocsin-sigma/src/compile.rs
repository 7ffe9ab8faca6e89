//! From documents to a rule set. What cannot be compiled is reported and left out; the rest loads.

mod filters;
mod lower;
mod stateful;
mod stateless;

use std::sync::Arc;

use hashbrown::HashMap;
use tocsin_core::alert_id::content_hash;
use tocsin_core::correlation::CorrelationSpec;
use tocsin_core::field::FieldTable;
use tocsin_core::matcher::RuleIdx;
use tocsin_core::rule::{Level, RuleMeta, confidence_of_kind};
use tocsin_core::time::Span;

use crate::ast::{Body, Diagnostic, Document, Place, Severity};
use crate::atom::Atoms;
use crate::correlations::Correlations;
use crate::hints;
use crate::link::link;
use crate::program::Condition;
use crate::ruleset::{AppliedFilter, Feed, Rule, RuleSet};

use filters::Filters;

/// Fields that name an alert's key when the rule itself groups by nothing.
pub const ALERT_KEY_FIELDS: [&str; 3] = ["host.name", "user.name", "source.ip"];

/// Length of an episode unless the rule says otherwise.
const EPISODE: Span = Span::seconds(3_600);

/// How to compile.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether a rule matches only events of its log source. Off only for comparison with engines
    /// that ignore it.
    pub gate: bool,
}

/// Compiles documents. The index of a rule is its place among those that load: stateless ones first,
/// then stateful ones, each behind those it is fed by; otherwise in order.
#[must_use]
pub fn compile(documents: Vec<Document>, options: Options) -> (RuleSet, Vec<Diagnostic>) {
    let mut compiler = Compiler {
        options,
        table: FieldTable::new(),
        atoms: Atoms::default(),
        rules: Vec::new(),
        conditions: Vec::new(),
        by_reference: HashMap::new(),
        correlations: Correlations::of(&documents),
        filters: Filters::default(),
        regex_bytes: 0,
        diagnostics: Vec::new(),
    };
    let (mut stateless, mut stateful, mut filters) = (Vec::new(), Vec::new(), Vec::new());
    for document in documents {
        match &document.body {
            Body::Detection(_) => stateless.push(document),
            Body::Correlation(_) => stateful.push(Some(document)),
            Body::Filter(_) => filters.push(document),
        }
    }
    let rules = stateless.iter().chain(stateful.iter().flatten());
    let rules: Vec<&Document> = rules.filter(|_| !filters.is_empty()).collect();
    compiler.take_filters(filters, &rules);
    for document in stateless {
        compiler.stateless(document);
    }
    for index in compiler.correlations.order() {
        if let Some(document) = stateful[index].take() {
            compiler.stateful(document);
        }
    }
    compiler.report_unused_filters();
    compiler.finish()
}

struct Compiler {
    options: Options,
    table: FieldTable,
    atoms: Atoms,
    rules: Vec<Rule>,
    conditions: Vec<Option<Condition>>,
    by_reference: HashMap<String, RuleIdx>,
    /// The stateful rules, loaded or not.
    correlations: Correlations,
    filters: Filters,
    /// Bytes the expressions of the rule at hand take once compiled.
    regex_bytes: usize,
    diagnostics: Vec<Diagnostic>,
}

/// Why a rule does not load; reported where it stands.
struct Refused {
    place: Place,
    code: &'static str,
    reason: String,
    hint: Option<String>,
}

impl Compiler {
    /// Whether a document may load: its status allows it and its id and name are free.
    fn admit(&mut self, document: &Document) -> bool {
        let head = &document.head;
        if let Some(status @ ("deprecated" | "unsupported")) = head.status.as_deref() {
            let refused = Refused {
                place: head.place,
                code: "not_in_use",
                reason: format!("the rule is {status} and is not loaded"),
                hint: None,
            };
            self.report(document, Severity::Info, refused);
            return false;
        }
        for reference in [&head.id, &head.name].into_iter().flatten() {
            if let Some(other) = self.by_reference.get(reference) {
                let other = &self.rules[other.index()].document.head;
                let reason = format!(
                    "`{reference}` is already the id or name of the rule in {}:{}",
                    other.file.display(),
                    other.place.line
                );
                let hint = Some("ids and names are unique over all loaded rules".to_string());
                self.report(
                    document,
                    Severity::Error,
                    Refused { place: head.place, code: "duplicate_id", reason, hint },
                );
                return false;
            }
        }
        true
    }

    fn meta(
        &self,
        document: &Document,
        logic: &str,
        key_fields: Vec<String>,
        window: Option<Span>,
    ) -> RuleMeta {
        let head = &document.head;
        let extension = &head.extension;
        let level = head.level.unwrap_or_default();
        let kind = extension.kind.clone().unwrap_or_else(|| "sigma".to_string());
        let by_kind = confidence_of_kind(&kind).unwrap_or(level.confidence());
        let stateless = window.is_none();
        RuleMeta {
            id: head.id.clone().or(head.name.clone()).unwrap_or_else(|| head.title.clone()),
            name: head.name.clone(),
            title: head.title.clone(),
            level,
            tags: head.tags.clone(),
            hash: content_hash(head.text.as_bytes()),
            logic_hash: content_hash(logic.as_bytes()),
            confidence: extension.confidence.unwrap_or(by_kind),
            kind,
            message: extension.message.clone(),
            details: extension.details.clone(),
            actions: extension.actions.clone(),
            key_fields: if stateless { ALERT_KEY_FIELDS.map(str::to_string).to_vec() } else { key_fields },
            window,
            episode: extension.episode.unwrap_or(EPISODE),
            alerts: level != Level::Informational,
        }
    }

    fn enter(
        &mut self,
        document: Document,
        meta: RuleMeta,
        stateful: Option<(CorrelationSpec, Vec<Feed>)>,
        condition: Option<Condition>,
        filters: Vec<AppliedFilter>,
    ) {
        let index = RuleIdx(self.rules.len() as u32);
        for reference in [&document.head.id, &document.head.name].into_iter().flatten() {
            self.by_reference.insert(reference.clone(), index);
        }
        self.rules.push(Rule { meta, document, stateful, filters });
        self.conditions.push(condition);
    }

    fn finish(mut self) -> (RuleSet, Vec<Diagnostic>) {
        let (compiled, failures) = link(self.atoms, &self.conditions, &self.table);
        for reason in failures {
            self.diagnostics.push(Diagnostic {
                file: Arc::default(),
                place: Place::default(),
                severity: Severity::Error,
                code: "uncompilable",
                reason,
                hint: None,
            });
        }
        let rules = RuleSet {
            rules: self.rules,
            table: self.table,
            compiled: Arc::new(compiled),
            by_reference: self.by_reference,
        };
        (rules, self.diagnostics)
    }

    fn report(&mut self, document: &Document, severity: Severity, refused: Refused) {
        self.diagnostics.push(Diagnostic {
            file: Arc::clone(&document.head.file),
            place: refused.place,
            severity,
            code: refused.code,
            reason: refused.reason,
            hint: refused.hint.or_else(|| hints::of(severity, refused.code)),
        });
    }
}

#[cfg(test)]
mod tests;
