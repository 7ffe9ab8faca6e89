//! The condition grammar: `selection and not 1 of filter_*` over named search identifiers.
//!
//! From loosest to tightest: `or`, `and`, `not`, `x of`, parentheses (Sigma specification v2.1.0,
//! condition). Names are put in place, so that what comes out needs no table.

mod token;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ast::{Expr, Pattern};
use crate::finding::{Findings, advise};
use crate::limits::{CONDITION_DEPTH_MAX, CONDITION_NODES_MAX, CONDITION_TESTS_MAX};
use crate::yaml::Node;

use token::{Kind, Token};

/// The search identifiers a condition may name, and which of them any condition has named.
#[derive(Debug)]
pub struct Names<'a> {
    selections: &'a [(String, Expr)],
    used: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    /// None of them named yet.
    #[must_use]
    pub fn new(selections: &'a [(String, Expr)]) -> Names<'a> {
        Names { selections, used: BTreeSet::new() }
    }

    /// The identifiers no condition has named so far.
    pub fn unused(&self) -> impl Iterator<Item = &'a str> {
        let names = self.selections.iter().map(|(name, _)| name.as_str());
        names.filter(|name| !self.used.contains(name))
    }

    fn list(&self) -> Vec<&'a str> {
        self.selections.iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// Reads the condition of a scalar node; `source` is the text of the node's document. `None` (and
/// a finding) if it is wrong.
pub fn parse(findings: &mut Findings, names: &mut Names<'_>, node: &Node, source: &str) -> Option<Expr> {
    let text = node.text()?;
    let raw = source.get(node.source.clone()).unwrap_or_default();
    let tokens = token::cut(text, raw, node.place);
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, nodes: 0, tests: 0, names };
    match parser.whole() {
        Ok(expr) => Some(expr),
        Err(fault) => {
            let place = parser.tokens.get(fault.at).or(tokens.last()).map_or(node.place, |token| token.place);
            match fault.hint {
                Some(hint) => findings.error_with_hint(place, fault.code, fault.reason, hint),
                None => findings.error(place, fault.code, fault.reason),
            }
            None
        }
    }
}

/// What is wrong, and at which token.
struct Fault {
    at: usize,
    code: &'static str,
    reason: String,
    hint: Option<String>,
}

struct Parser<'t, 'n, 's> {
    tokens: &'t [Token<'t>],
    at: usize,
    depth: usize,
    nodes: usize,
    tests: usize,
    names: &'n mut Names<'s>,
}

impl Parser<'_, '_, '_> {
    fn whole(&mut self) -> Result<Expr, Fault> {
        let expr = self.any_of()?;
        match self.tokens.get(self.at) {
            None => Ok(expr),
            Some(token) if token.kind == Kind::Pipe => {
                let fault = self.fault(self.at, "aggregation", "the aggregation after `|` is obsolete");
                let hint =
                    "write a correlation rule (`correlation:` with `type: event_count` and `timespan`)";
                Err(Fault { hint: Some(hint.to_owned()), ..fault })
            }
            Some(token) => Err(self.syntax(format!("`{}` is not expected here", token.text))),
        }
    }

    fn any_of(&mut self) -> Result<Expr, Fault> {
        let mut members = vec![self.all_of()?];
        while self.take_word("or") {
            members.push(self.all_of()?);
        }
        Ok(join(members, Expr::Or))
    }

    fn all_of(&mut self) -> Result<Expr, Fault> {
        let mut members = vec![self.negated()?];
        while self.take_word("and") {
            members.push(self.negated()?);
        }
        Ok(join(members, Expr::And))
    }

    fn negated(&mut self) -> Result<Expr, Fault> {
        self.weigh(1, 0)?;
        self.depth += 1;
        if self.depth > CONDITION_DEPTH_MAX {
            let reason = format!("the condition is nested deeper than {CONDITION_DEPTH_MAX}");
            return Err(self.fault(self.at, "condition_too_deep", reason));
        }
        let expr = if self.take_word("not") {
            Expr::Not(Box::new(self.negated()?))
        } else if self.take(Kind::Open) {
            let inner = self.any_of()?;
            if !self.take(Kind::Close) {
                return Err(self.syntax("a parenthesis is not closed"));
            }
            inner
        } else {
            self.named()?
        };
        self.depth -= 1;
        Ok(expr)
    }

    /// An identifier, or a quantifier over several.
    fn named(&mut self) -> Result<Expr, Fault> {
        let start = self.at;
        let Some(word) = self.tokens.get(start).filter(|token| token.kind == Kind::Word) else {
            return Err(match self.tokens.get(start) {
                Some(token) => {
                    self.syntax(format!("`{}` stands where a search identifier should", token.text))
                }
                None => self.syntax("the condition ends where a search identifier should stand"),
            });
        };
        let word = word.text;
        self.at += 1;
        if self.take_word("of") {
            return self.quantified(start, word);
        }
        if let Some(index) = self.names.selections.iter().position(|(name, _)| name == word) {
            return self.put_in_place(start, index);
        }
        if word.contains('*') {
            let fault =
                self.fault(start, "condition_syntax", format!("`{word}` may stand for several identifiers"));
            let hint = format!("write `1 of {word}` or `all of {word}`");
            return Err(Fault { hint: Some(hint), ..fault });
        }
        let known = self.names.list();
        let fault =
            self.fault(start, "unknown_identifier", format!("no search identifier is called `{word}`"));
        Err(Fault { hint: Some(advise(word, &known)), ..fault })
    }

    fn quantified(&mut self, start: usize, quantifier: &str) -> Result<Expr, Fault> {
        let all = match quantifier.to_ascii_lowercase().as_str() {
            "1" | "any" => false,
            "all" => true,
            _ => {
                let fault = self.fault(start, "quantifier", format!("`{quantifier} of` is no quantifier"));
                return Err(Fault { hint: Some("write `1 of`, `any of` or `all of`".to_owned()), ..fault });
            }
        };
        let Some(target) = self.tokens.get(self.at).filter(|token| token.kind == Kind::Word) else {
            return Err(self.syntax(format!("`{quantifier} of` names nothing")));
        };
        let (target_at, target) = (self.at, target.text);
        self.at += 1;
        let pattern = if target.eq_ignore_ascii_case("them") { "*" } else { target };
        let glob = Pattern { cased: true, ..Pattern::parse(pattern) };
        let chosen: Vec<usize> = (0..self.names.selections.len())
            .filter(|index| {
                let name = &self.names.selections[*index].0;
                glob.matches(name) && (pattern.starts_with('_') || !name.starts_with('_'))
            })
            .collect();
        if chosen.is_empty() {
            let known = self.names.list();
            let fault = self.fault(
                target_at,
                "unknown_identifier",
                format!("`{target}` matches no search identifier"),
            );
            return Err(Fault { hint: Some(advise(target, &known)), ..fault });
        }
        self.weigh(1, 0)?;
        let mut members = Vec::with_capacity(chosen.len());
        for index in chosen {
            members.push(self.put_in_place(target_at, index)?);
        }
        Ok(join(members, if all { Expr::And } else { Expr::Or }))
    }

    /// The expression of a search identifier under its name.
    fn put_in_place(&mut self, at: usize, index: usize) -> Result<Expr, Fault> {
        let (name, expr) = &self.names.selections[index];
        let (nodes, tests) = weight(expr);
        self.weigh(nodes + 1, tests).map_err(|fault| Fault { at, ..fault })?;
        self.names.used.insert(name);
        Ok(Expr::Named(Arc::from(name.as_str()), Box::new(expr.clone())))
    }

    /// Counts what the expression grows by, before it grows.
    fn weigh(&mut self, nodes: usize, tests: usize) -> Result<(), Fault> {
        self.nodes += nodes;
        self.tests += tests;
        if self.nodes > CONDITION_NODES_MAX || self.tests > CONDITION_TESTS_MAX {
            let reason = format!(
                "the condition has more than {CONDITION_NODES_MAX} parts or {CONDITION_TESTS_MAX} values \
                 once its search identifiers are put in place"
            );
            return Err(self.fault(self.at, "condition_too_large", reason));
        }
        Ok(())
    }

    /// Takes a word of the grammar, in any case.
    fn take_word(&mut self, word: &str) -> bool {
        let is_next = self
            .tokens
            .get(self.at)
            .is_some_and(|token| token.kind == Kind::Word && token.text.eq_ignore_ascii_case(word));
        self.at += usize::from(is_next);
        is_next
    }

    fn take(&mut self, kind: Kind) -> bool {
        let is_next = self.tokens.get(self.at).is_some_and(|token| token.kind == kind);
        self.at += usize::from(is_next);
        is_next
    }

    fn syntax(&self, reason: impl Into<String>) -> Fault {
        self.fault(self.at, "condition_syntax", reason)
    }

    fn fault(&self, at: usize, code: &'static str, reason: impl Into<String>) -> Fault {
        Fault { at, code, reason: reason.into(), hint: None }
    }
}

/// Several members under an operator; a single one needs none.
pub(crate) fn join(mut members: Vec<Expr>, operator: impl FnOnce(Vec<Expr>) -> Expr) -> Expr {
    match members.pop() {
        Some(only) if members.is_empty() => only,
        Some(last) => {
            members.push(last);
            operator(members)
        }
        None => operator(members),
    }
}

/// Nodes and tests of an expression.
fn weight(expr: &Expr) -> (usize, usize) {
    match expr {
        Expr::And(members) | Expr::Or(members) => {
            members.iter().map(weight).fold((1, 0), |(nodes, tests), (more_nodes, more_tests)| {
                (nodes + more_nodes, tests + more_tests)
            })
        }
        Expr::Not(inner) | Expr::Named(_, inner) => {
            let (nodes, tests) = weight(inner);
            (nodes + 1, tests)
        }
        Expr::Item(item) => (1, item.tests.len()),
    }
}

#[cfg(test)]
#[path = "condition_tests.rs"]
mod tests;
