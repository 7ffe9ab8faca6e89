//! Conditions that cannot hold, and filters that never take anything away.
//!
//! What all parts of a conjunction ask of one field is held against each other, pair by pair, log
//! source included. Two requirements clash if no single value meets both; of lists, which may hold
//! several values, nothing is said but in the hint. What is not known to clash is taken to fit.

use std::sync::Arc;

use super::clash::{cost, fits, phrase};
use crate::ast::{Body, Detection, Diagnostic, Expr, Item, Place, Test};
use crate::finding::Findings;
use crate::limits::{LINT_CLAUSES_MAX, LINT_STEPS_MAX};
use crate::ruleset::RuleSet;

/// What one item asks of its field: any of these.
#[derive(Clone, Copy)]
struct Clause<'r> {
    field: &'r str,
    place: Place,
    tests: &'r [Test],
}

/// Looks the conditions of loaded rules over, filters of others included.
#[must_use]
pub fn lint_conditions(rules: &RuleSet) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for rule in &rules.rules {
        let Body::Detection(detection) = &rule.document.body else { continue };
        let head = &rule.document.head;
        let mut findings = Findings::new(Arc::clone(&head.file));
        rule_condition(&mut findings, detection, rule.filters.len(), head.place);
        diagnostics.extend(findings.into_list());
    }
    diagnostics
}

fn rule_condition(findings: &mut Findings, detection: &Detection, filters: usize, place: Place) {
    let mut around = Vec::new();
    if let Ok(gate) = &detection.gate {
        let mut parts = Parts::default();
        parts.add(gate);
        around = parts.clauses;
    }
    // Filters of others stand behind the rule's own condition, with places in their own files.
    let (own, added) = match &detection.condition {
        Expr::And(parts) if filters > 0 && parts.len() == filters + 1 => (&parts[0], &parts[1..]),
        whole => (whole, &[][..]),
    };
    let mut looked = Look { findings, told: true, steps: 0 };
    let mut never = looked.never(own, &around);
    looked.told = false;
    let mut parts = Parts::default();
    parts.add(own);
    around.extend(parts.clauses);
    for filter in added {
        never |= looked.never(filter, &around);
    }
    if never {
        let reason = "the rule can never match: no event of single values meets its condition";
        let hint =
            "its other findings say which parts shut each other out; else a filter takes all of it away";
        looked.findings.warning_with_hint(place, "rule_never_matches", reason, hint);
    }
}

/// The parts of a conjunction.
#[derive(Default)]
struct Parts<'r> {
    clauses: Vec<Clause<'r>>,
    /// Alternatives, of which one must hold.
    any: Vec<&'r [Expr]>,
    /// What must not hold, with the name it goes by.
    not: Vec<(Option<&'r str>, &'r Expr)>,
}

impl<'r> Parts<'r> {
    /// Conditions nest no deeper than [`crate::limits::CONDITION_DEPTH_MAX`], which bounds the recursion.
    fn add(&mut self, expr: &'r Expr) {
        match expr {
            Expr::And(parts) => parts.iter().for_each(|part| self.add(part)),
            Expr::Or(parts) => match parts.as_slice() {
                [only] => self.add(only),
                several => self.any.push(several),
            },
            Expr::Named(_, inner) => self.add(inner),
            Expr::Not(inner) => self.add_not(inner, None),
            Expr::Item(item) => self.clauses.extend(clauses(item)),
        }
    }

    /// None of several must hold means that each must not.
    fn add_not(&mut self, expr: &'r Expr, name: Option<&'r str>) {
        match expr {
            Expr::Or(parts) if name.is_none() => parts.iter().for_each(|part| self.add_not(part, None)),
            Expr::And(parts) if parts.len() == 1 => self.add_not(&parts[0], name),
            Expr::Named(name, inner) => self.not.push((Some(name), inner)),
            other => self.not.push((name, other)),
        }
    }
}

/// The requirements of an item; of keywords none.
fn clauses(item: &Item) -> Vec<Clause<'_>> {
    let Some(field) = item.field.as_deref() else { return Vec::new() };
    let clause = |tests| Clause { field, place: item.place, tests };
    if item.all {
        item.tests.iter().map(|test| clause(std::slice::from_ref(test))).collect()
    } else {
        vec![clause(&item.tests)]
    }
}

struct Look<'f> {
    findings: &'f mut Findings,
    /// Whether what is found is told.
    told: bool,
    /// Values compared so far.
    steps: usize,
}

impl Look<'_> {
    /// Whether an expression can never hold where all of `around` does.
    fn never(&mut self, expr: &Expr, around: &[Clause<'_>]) -> bool {
        let mut parts = Parts::default();
        parts.add(expr);
        let own = parts.clauses.len().min(LINT_CLAUSES_MAX);
        let mut clauses: Vec<Clause<'_>> = parts.clauses;
        clauses.truncate(LINT_CLAUSES_MAX);
        clauses.extend(around.iter().take(LINT_CLAUSES_MAX).copied());
        if let Some((one, other)) = self.clash(&clauses, own) {
            self.tell_clash(one, other);
            return true;
        }
        let mut never = false;
        for alternatives in &parts.any {
            let possible = alternatives.iter().filter(|part| !self.never(part, &clauses)).count();
            never |= possible == 0;
        }
        for (name, inner) in &parts.not {
            never |= self.excluded(*name, inner, &clauses);
        }
        never
    }

    /// Tells of a filter that never applies; whether one always does.
    fn excluded(&mut self, name: Option<&str>, inner: &Expr, around: &[Clause<'_>]) -> bool {
        let mut parts = Parts::default();
        parts.add(inner);
        let Some(first) = parts.clauses.first() else { return false };
        let place = first.place;
        let what = name.map_or_else(|| "what `not` takes away".to_string(), |name| format!("`{name}`"));
        let plain = parts.any.is_empty() && parts.not.is_empty();
        if plain && parts.clauses.iter().all(|clause| around.iter().any(|other| self.implies(other, clause)))
        {
            if self.told && place.line > 0 {
                let reason = format!("{what} takes away everything the rest of the condition asks for");
                self.findings.warning(place, "contradiction", reason);
            }
            return true;
        }
        let told = std::mem::replace(&mut self.told, false);
        let never = self.never(inner, around);
        self.told = told;
        if never && self.told && place.line > 0 {
            let reason =
                format!("{what} never applies: it holds for no event the rest of the condition lets by");
            let hint = "compare its values with those of the fields they share";
            self.findings.warning_with_hint(place, "filter_never_applies", reason, hint);
        }
        false
    }

    fn tell_clash(&mut self, one: &Clause<'_>, other: &Clause<'_>) {
        // What the log source asks has no place of its own.
        let (here, there) = if one.place > other.place { (one, other) } else { (other, one) };
        if !self.told || here.place.line == 0 {
            return;
        }
        let (field, wanted, also) = (here.field, phrase(here.tests), phrase(there.tests));
        let by = match there.place.line {
            0 => "the log source asks that it".to_string(),
            line => format!("line {line} asks that it"),
        };
        let reason = format!("`{field}` cannot be what this asks for ({wanted}): {by} {also}");
        let hint =
            "one value cannot meet both; write them as alternatives, or look for parts with `contains`";
        self.findings.warning_with_hint(here.place, "contradiction", reason, hint);
    }

    /// Two requirements, one of them among the first `own`, that no value meets.
    fn clash<'c, 'r>(
        &mut self,
        clauses: &'c [Clause<'r>],
        own: usize,
    ) -> Option<(&'c Clause<'r>, &'c Clause<'r>)> {
        let pairs = clauses[..own]
            .iter()
            .enumerate()
            .flat_map(|(at, one)| clauses[at + 1..].iter().map(move |other| (one, other)));
        // Values of one `all` are looked at where they are written.
        let mut pairs = pairs.filter(|(one, other)| one.field == other.field && one.place != other.place);
        pairs.find(|(one, other)| {
            self.afford(one, other)
                && !one.tests.iter().any(|test| other.tests.iter().any(|against| fits(test, against)))
        })
    }

    /// Whether what meets the first meets the second, as far as it shows: the second asks for the
    /// same or lists more.
    fn implies(&mut self, one: &Clause<'_>, other: &Clause<'_>) -> bool {
        one.field == other.field
            && self.afford(one, other)
            && one.tests.iter().all(|test| other.tests.contains(test))
    }

    /// Whether there is time left to compare two requirements.
    fn afford(&mut self, one: &Clause<'_>, other: &Clause<'_>) -> bool {
        if self.steps > LINT_STEPS_MAX {
            return false;
        }
        let of = |clause: &Clause<'_>| clause.tests.iter().map(cost).sum::<usize>();
        self.steps = self.steps.saturating_add(of(one).saturating_mul(of(other)));
        self.steps <= LINT_STEPS_MAX
    }
}
