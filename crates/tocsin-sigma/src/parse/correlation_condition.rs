//! `condition` of a correlation: operators with numbers, or, for sequences, names of rules.

use tocsin_core::correlation::{Comparison, SeenLogic};

use super::correlation::few;
use super::fields;
use crate::ast::{Expr, Place};
use crate::condition::{self, Names};
use crate::finding::Findings;
use crate::limits::SEQUENCE_RULES_MAX;
use crate::yaml::{Data, Entry, Node};

const OPERATORS: [&str; 8] = ["gt", "gte", "lt", "lte", "eq", "neq", "field", "percentile"];

/// A condition as written.
#[derive(Debug, Default)]
pub(super) struct Condition {
    /// Operators with their numbers.
    pub operators: Vec<(Comparison, f64)>,
    /// Which rules must have been seen, by their index.
    pub seen: Option<SeenLogic>,
    /// `field`.
    pub fields: Vec<String>,
    /// Where `field` stands.
    pub fields_place: Option<Place>,
    /// `percentile`.
    pub percentile: Option<f64>,
}

/// Reads the condition; `source` is the text of its document.
pub(super) fn read(
    findings: &mut Findings,
    correlation: &Node,
    rules: &[(String, Place)],
    source: &str,
) -> Condition {
    let Some(entry) = correlation.entry("condition") else { return Condition::default() };
    if entry.value.text().is_some() {
        let seen = names(findings, &entry.value, rules, source);
        return Condition { seen, ..Condition::default() };
    }
    if !fields::is_map(findings, entry) {
        return Condition::default();
    }
    let mut condition = Condition::default();
    for part in entry.value.entries() {
        if let Some(comparison) = Comparison::parse(&part.key) {
            let number = fields::number(findings, part);
            condition.operators.extend(number.map(|number| (comparison, number)));
        } else if part.key == "field" {
            condition.fields = value_fields(findings, part);
            condition.fields_place = Some(part.value.place);
        } else if part.key == "percentile" {
            condition.percentile = percentile(findings, part);
        } else {
            findings.unknown_word(part.key_place, "unknown_key", "operator", &part.key, &OPERATORS);
        }
    }
    if entry.value.entries().is_empty() {
        findings.error(entry.value.place, "no_value", "`condition` has no operator");
    } else {
        check_range(findings, entry, &condition.operators);
    }
    condition
}

/// One field, or several that make a value together.
fn value_fields(findings: &mut Findings, entry: &Entry) -> Vec<String> {
    let texts = fields::texts(findings, entry).unwrap_or_default();
    if matches!(&entry.value.data, Data::List(nodes) if nodes.is_empty()) {
        findings.error(entry.value.place, "no_value", "`field` names no field");
    }
    few(findings, entry, texts).into_iter().map(|(field, _)| field).collect()
}

fn percentile(findings: &mut Findings, entry: &Entry) -> Option<f64> {
    let number = fields::number(findings, entry)?;
    if !(0.0..=100.0).contains(&number) {
        let hint = "write a number from 0 to 100: 95 is what all but the largest 5 of 100 values stay below";
        let reason = "`percentile` is outside 0 to 100";
        findings.error_with_hint(entry.value.place, "percentile_value", reason, hint);
        return None;
    }
    Some(number)
}

/// Operators no number can meet together.
fn check_range(findings: &mut Findings, entry: &Entry, operators: &[(Comparison, f64)]) {
    let holds = |number: f64| operators.iter().all(|(comparison, limit)| comparison.holds(number, *limit));
    // Whether a number meets them all only changes at the limits: one on each side of each will do.
    let limits: Vec<f64> = operators.iter().map(|(_, limit)| *limit).collect();
    let mut sorted = limits.clone();
    sorted.sort_by(f64::total_cmp);
    let between = sorted.windows(2).map(|pair| f64::midpoint(pair[0], pair[1]));
    let ends = [f64::MIN, f64::MAX];
    let possible = limits.iter().copied().chain(between).chain(ends).any(holds);
    if !possible {
        findings.error(entry.value.place, "condition_never", "no number meets all of these operators");
    }
}

/// Whether a count, a whole number from 0 up to `most`, meets all of these operators.
pub(super) fn counts_can_meet(operators: &[(Comparison, f64)], most: f64) -> bool {
    // Whether one does only changes beside the limits.
    let near = |limit: f64| [limit.floor() - 1.0, limit.floor(), limit.floor() + 1.0];
    let mut counts = operators.iter().flat_map(|(_, limit)| near(*limit)).chain([0.0, most]);
    counts.any(|count| {
        (0.0..=most).contains(&count)
            && operators.iter().all(|(comparison, limit)| comparison.holds(count, *limit))
    })
}

/// A condition of names of rules, over their indices in `rules`.
fn names(findings: &mut Findings, node: &Node, rules: &[(String, Place)], source: &str) -> Option<SeenLogic> {
    if rules.len() > SEQUENCE_RULES_MAX {
        return None;
    }
    // What stands behind a name does not matter here: the grammar only puts it in place.
    let stand_ins: Vec<(String, Expr)> =
        rules.iter().map(|(rule, _)| (rule.clone(), Expr::Or(Vec::new()))).collect();
    let mut names = Names::of(&stand_ins, "rule under `rules`");
    let expr = condition::parse(findings, &mut names, node, source)?;
    for name in names.unused() {
        findings.warning(node.place, "unused_rule", format!("the condition does not name the rule `{name}`"));
    }
    let seen = seen(&expr, rules);
    if holds_without(&seen) {
        let reason = "the condition holds before any of its rules has been seen";
        let hint = "ask for at least one rule beside those under `not`";
        findings.error_with_hint(node.place, "condition_without_event", reason, hint);
    }
    Some(seen)
}

fn seen(expr: &Expr, rules: &[(String, Place)]) -> SeenLogic {
    let all = |parts: &[Expr]| parts.iter().map(|part| seen(part, rules)).collect();
    match expr {
        Expr::And(parts) => SeenLogic::And(all(parts)),
        Expr::Or(parts) => SeenLogic::Or(all(parts)),
        Expr::Not(inner) => SeenLogic::Not(Box::new(seen(inner, rules))),
        Expr::Named(name, _) => {
            let role = rules.iter().position(|(rule, _)| rule.as_str() == &**name);
            role.map_or(SeenLogic::Or(Vec::new()), |role| SeenLogic::Seen(role as u8))
        }
        Expr::Item(_) => SeenLogic::Or(Vec::new()),
    }
}

/// Whether it holds while nothing has been seen.
fn holds_without(logic: &SeenLogic) -> bool {
    match logic {
        SeenLogic::Seen(_) => false,
        SeenLogic::And(parts) => parts.iter().all(holds_without),
        SeenLogic::Or(parts) => parts.iter().any(holds_without),
        SeenLogic::Not(inner) => !holds_without(inner),
    }
}
