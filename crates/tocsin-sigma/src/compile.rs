//! From documents to a rule set. What cannot be compiled is reported and left out; the rest loads.

use std::sync::Arc;

use hashbrown::HashMap;
use tocsin_core::alert_id::content_hash;
use tocsin_core::correlation::{CorrelationSpec, ROLE_COUNTS, ROLE_FOLLOWS, ROLE_INTERRUPTS};
use tocsin_core::field::FieldTable;
use tocsin_core::matcher::RuleIdx;
use tocsin_core::rule::{Level, RuleMeta, confidence_of_kind};
use tocsin_core::time::Span;

use crate::ast::{
    Body, Correlation, Diagnostic, Document, Expr, Head, Item, Part, Pattern, Place, Severity, Test,
};
use crate::atom::{Atom, AtomId, AtomTest, Atoms};
use crate::canonical;
use crate::correlations::{Correlations, Link};
use crate::logsource;
use crate::modifier::regex::with_pcre_end;
use crate::predicate::Predicates;
use crate::program::{Logic, Program, witness};
use crate::ruleset::{Compiled, Feed, Rule, RuleSet, index_witnesses};
use crate::whole_event::{FieldRefs, Keywords};

/// Fields that name an alert's key when the rule itself groups by nothing.
pub const ALERT_KEY_FIELDS: [&str; 3] = ["host.name", "user.name", "source.ip"];

/// Length of an episode unless the rule says otherwise.
const EPISODE: Span = Span::seconds(3_600);

/// What to do instead of referring to a correlation.
const COUNTED: &str = "refer to the rules it counts; chains of correlations are not supported";

/// How to compile.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether a rule matches only events of its log source. Off only for comparison with engines
    /// that ignore it.
    pub gate: bool,
}

/// Compiles documents, in order. The index of a rule is its place among those that load.
#[must_use]
pub fn compile(documents: Vec<Document>, options: Options) -> (RuleSet, Vec<Diagnostic>) {
    let mut compiler = Compiler {
        options,
        table: FieldTable::new(),
        atoms: Atoms::default(),
        rules: Vec::new(),
        logic: Vec::new(),
        by_reference: HashMap::new(),
        correlations: Correlations::of(&documents),
        diagnostics: Vec::new(),
    };
    let (stateless, stateful): (Vec<_>, Vec<_>) =
        documents.into_iter().partition(|document| matches!(document.body, Body::Detection(_)));
    for document in stateless {
        compiler.stateless(document);
    }
    for document in stateful {
        compiler.stateful(document);
    }
    compiler.finish()
}

struct Compiler {
    options: Options,
    table: FieldTable,
    atoms: Atoms,
    rules: Vec<Rule>,
    logic: Vec<Option<Logic>>,
    by_reference: HashMap<String, RuleIdx>,
    /// The stateful rules, loaded or not.
    correlations: Correlations,
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
    fn stateless(&mut self, document: Document) {
        let Body::Detection(detection) = &document.body else { return };
        if !self.admit(&document) {
            return;
        }
        let gate = match logsource::gate(&detection.logsource) {
            Ok(gate) if self.options.gate => gate,
            Ok(_) => Expr::And(Vec::new()),
            Err(_) if !self.options.gate => Expr::And(Vec::new()),
            Err(unmapped) => {
                let hint = "the rule is loaded but can never match".to_string();
                let refused = Refused {
                    place: detection.logsource.place,
                    code: "unmapped_logsource",
                    reason: unmapped.0,
                    hint: Some(hint),
                };
                self.report(&document, Severity::Warning, refused);
                Expr::Or(Vec::new())
            }
        };
        let expr = Expr::And(vec![detection.condition.clone(), gate]);
        let logic = match self.lower(&expr) {
            Ok(logic) => logic,
            Err(refused) => return self.report(&document, Severity::Error, refused),
        };
        let mut text = String::new();
        canonical::write(&expr, &mut text);
        let meta = self.meta(&document, &text, Vec::new(), None);
        self.enter(document, meta, None, Some(logic));
    }

    fn stateful(&mut self, document: Document) {
        let Body::Correlation(correlation) = &document.body else { return };
        if !self.admit(&document) {
            return;
        }
        let feeds = match self.feeds(&document.head, correlation) {
            Ok(feeds) => feeds,
            Err(refused) => return self.report(&document, Severity::Error, refused),
        };
        let spec = CorrelationSpec {
            condition: correlation.condition.clone(),
            references: correlation.rules.len().min(usize::from(u8::MAX)) as u8,
            followed: !correlation.followed_by.is_empty(),
            ..CorrelationSpec::new(&correlation.kind, correlation.timespan)
        };
        let mut text = format!("{spec:?}{:?}", correlation.group_by);
        for feed in &feeds {
            let logic_hash = &self.rules[feed.rule.index()].meta.logic_hash;
            text.push_str(&format!("{}{logic_hash}{:?}", feed.role, feed.key));
        }
        if !correlation.generate {
            for feed in &feeds {
                self.rules[feed.rule.index()].meta.alerts = false;
            }
        }
        let meta = self.meta(&document, &text, correlation.group_by.clone(), Some(correlation.timespan));
        self.enter(document, meta, Some((spec, feeds)), None);
    }

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

    fn feeds(&mut self, head: &Head, correlation: &Correlation) -> Result<Vec<Feed>, Refused> {
        let mut feeds = Vec::new();
        let groups = [
            (&correlation.rules, ROLE_COUNTS),
            (&correlation.interrupted_by, ROLE_INTERRUPTS),
            (&correlation.followed_by, ROLE_FOLLOWS),
        ];
        for (references, role) in groups {
            for (reference, place) in references {
                let rule = self.referenced(head, reference, *place)?;
                let key =
                    correlation.group_by.iter().map(|field| aliased(correlation, field, reference)).collect();
                feeds.push(Feed { rule, role, key, value: Vec::new() });
            }
        }
        for field in feeds.iter().flat_map(|feed| &feed.key) {
            self.table.intern(field).map_err(|full| Refused {
                place: correlation.place,
                code: "too_many_fields",
                reason: full.to_string(),
                hint: None,
            })?;
        }
        Ok(feeds)
    }

    fn referenced(&self, head: &Head, reference: &str, place: Place) -> Result<RuleIdx, Refused> {
        let stateless = |rule: &&RuleIdx| self.rules[rule.index()].stateful.is_none();
        if let Some(rule) = self.by_reference.get(reference).filter(stateless) {
            return Ok(*rule);
        }
        let (code, reason, hint) = match self.correlations.link(reference, head) {
            Link::Itself => ("correlation_cycle", "the correlation refers to itself".to_string(), COUNTED),
            Link::Back => {
                let reason = format!("`{reference}` refers back to this correlation");
                ("correlation_cycle", reason, COUNTED)
            }
            Link::Chain => ("unknown_rule", format!("`{reference}` is itself a correlation"), COUNTED),
            Link::None => {
                let reason =
                    format!("there is no rule with the id or name `{reference}`, or it did not load");
                ("unknown_rule", reason, "name the file or folder that holds it too")
            }
        };
        Err(Refused { place, code, reason, hint: Some(hint.to_string()) })
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
        logic: Option<Logic>,
    ) {
        let index = RuleIdx(self.rules.len() as u32);
        for reference in [&document.head.id, &document.head.name].into_iter().flatten() {
            self.by_reference.insert(reference.clone(), index);
        }
        self.rules.push(Rule { meta, document, stateful });
        self.logic.push(logic);
    }

    /// From a condition over items to one over atoms.
    fn lower(&mut self, expr: &Expr) -> Result<Logic, Refused> {
        Ok(match expr {
            Expr::And(parts) => Logic::And(self.lower_all(parts)?),
            Expr::Or(parts) => Logic::Or(self.lower_all(parts)?),
            Expr::Not(inner) => Logic::Not(Box::new(self.lower(inner)?)),
            Expr::Named(_, inner) => self.lower(inner)?,
            Expr::Item(item) => {
                let tests: Result<Vec<Logic>, Refused> =
                    item.tests.iter().map(|test| self.lower_test(item, test)).collect();
                if item.all { Logic::And(tests?) } else { Logic::Or(tests?) }
            }
        })
    }

    fn lower_all(&mut self, parts: &[Expr]) -> Result<Vec<Logic>, Refused> {
        parts.iter().map(|part| self.lower(part)).collect()
    }

    fn lower_test(&mut self, item: &Item, test: &Test) -> Result<Logic, Refused> {
        let refuse =
            |reason: String| Refused { place: item.place, code: "too_many_fields", reason, hint: None };
        let mut field_id = |name: &str| self.table.intern(name).map_err(|full| refuse(full.to_string()));
        let field = item.field.as_deref().map(&mut field_id).transpose()?;
        let atom_test = match test {
            Test::Pattern(pattern) if field.is_none() => AtomTest::Pattern(opened(pattern)),
            Test::Pattern(pattern) => AtomTest::Pattern(pattern.clone()),
            Test::Number(_, text) if field.is_none() => {
                let parts = vec![Part::Literal(text.clone())];
                AtomTest::Pattern(opened(&Pattern { parts, cased: false }))
            }
            Test::Number(number, text) => AtomTest::Number(number.to_bits(), text.clone()),
            Test::Bool(value) => AtomTest::Bool(*value),
            Test::Compare(ordering, number) => AtomTest::Compare((*ordering).into(), number.to_bits()),
            Test::Cidr(cidr) => AtomTest::Cidr(*cidr),
            Test::Regex { pattern, ignore_case, multi_line, dot_all } => {
                AtomTest::Regex(with_flags(pattern, *ignore_case, *multi_line, *dot_all))
            }
            Test::FieldRef { field, open_start, open_end, cased } => AtomTest::FieldRef {
                other: field_id(field)?,
                open_start: *open_start,
                open_end: *open_end,
                cased: *cased,
            },
            Test::Exists(_) => AtomTest::Exists,
            Test::Null => AtomTest::IsNull,
        };
        let atom = |compiler: &mut Compiler, test| Logic::Atom(compiler.atoms.intern(Atom { field, test }));
        if let AtomTest::Regex(expression) = &atom_test {
            crate::predicate::compile_regex(expression).map_err(|reason| Refused {
                place: item.place,
                code: "bad_regex",
                reason,
                hint: Some(
                    "expressions are matched in linear time; their compiled size is limited".to_string(),
                ),
            })?;
        }
        Ok(match test {
            Test::Exists(false) => Logic::Not(Box::new(atom(self, AtomTest::Exists))),
            Test::Null => {
                let absent = Logic::Not(Box::new(atom(self, AtomTest::Exists)));
                Logic::Or(vec![absent, atom(self, AtomTest::IsNull)])
            }
            _ => atom(self, atom_test),
        })
    }

    fn finish(mut self) -> (RuleSet, Vec<Diagnostic>) {
        let mut compiled = Compiled { atoms: self.atoms.list().len(), ..Compiled::default() };
        compiled.by_field.resize_with(self.table.len(), || None);
        let mut keywords = Keywords::default();
        let mut field_refs = FieldRefs::default();
        let mut failures = Vec::new();
        for (id, atom) in self.atoms.list().iter().enumerate() {
            let id = id as AtomId;
            field_refs.add(atom, id);
            let added = match atom.field {
                None => keywords.add(atom, id),
                Some(_) if matches!(atom.test, AtomTest::FieldRef { .. }) => Ok(()),
                Some(field) => {
                    compiled.by_field[field.index()].get_or_insert_with(Predicates::default).add(atom, id)
                }
            };
            failures.extend(added.err());
        }
        let has_keywords = self.atoms.list().iter().any(|atom| atom.field.is_none());
        failures.extend(compiled.by_field.iter_mut().flatten().filter_map(|field| field.finish().err()));
        failures.extend(keywords.finish().err());
        compiled.keywords = has_keywords.then_some(keywords);
        compiled.field_refs = field_refs;
        let cost = |atom: AtomId| cost(&self.atoms.list()[atom as usize], &self.table);
        let witnesses = self
            .logic
            .iter()
            .enumerate()
            .filter_map(|(index, logic)| Some((RuleIdx(index as u32), witness(logic.as_ref()?, &cost))));
        (compiled.by_witness, compiled.without_witness) = index_witnesses(compiled.atoms, witnesses);
        compiled.programs = self.logic.iter().map(|logic| logic.as_ref().map(Program::compile)).collect();
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
            hint: refused.hint,
        });
    }
}

/// The field a group-by name stands for in the events of a rule.
fn aliased(correlation: &Correlation, field: &str, rule: &str) -> String {
    let alias = correlation.aliases.iter().find(|(alias, _)| alias == field);
    let mapped = alias.and_then(|(_, fields)| fields.iter().find(|(name, _)| name == rule));
    mapped.map_or_else(|| field.to_string(), |(_, mapped)| mapped.clone())
}

/// A keyword's pattern: open at both ends.
fn opened(pattern: &Pattern) -> Pattern {
    let mut parts = pattern.parts.clone();
    if parts.first() != Some(&Part::Any) {
        parts.insert(0, Part::Any);
    }
    if parts.last() != Some(&Part::Any) {
        parts.push(Part::Any);
    }
    Pattern { parts, cased: pattern.cased }
}

fn with_flags(pattern: &str, ignore_case: bool, multi_line: bool, dot_all: bool) -> String {
    let flags: String = [(ignore_case, 'i'), (multi_line, 'm'), (dot_all, 's')]
        .into_iter()
        .filter_map(|(on, flag)| on.then_some(flag))
        .collect();
    let pattern = with_pcre_end(pattern, multi_line);
    if flags.is_empty() { pattern.into_owned() } else { format!("(?{flags}){pattern}") }
}

/// How often an atom is likely to be set: rules are tried when their cheapest witness is.
fn cost(atom: &Atom, table: &FieldTable) -> u32 {
    let name = atom.field.map_or("", |field| table.name(field));
    let gate =
        ["EventID", "Channel", "event.category", "event.outcome", "logsource.product", "logsource.service"];
    if gate.contains(&name) {
        return 1_000;
    }
    match &atom.test {
        AtomTest::Exists | AtomTest::IsNull | AtomTest::Bool(_) => 500,
        AtomTest::Compare(..) | AtomTest::Regex(_) | AtomTest::FieldRef { .. } => 50,
        AtomTest::Pattern(pattern) => {
            let longest = pattern.parts.iter().map(|part| match part {
                Part::Literal(text) => text.len(),
                _ => 0,
            });
            (60_u32.saturating_sub(longest.max().unwrap_or(0) as u32)).max(1)
        }
        AtomTest::Number(..) | AtomTest::Cidr(..) => 20,
    }
}
