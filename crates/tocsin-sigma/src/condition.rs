//! The condition grammar: `selection and not 1 of filter_*` over named search identifiers.
//!
//! From loosest to tightest: `or`, `and`, `not`, `x of`, parentheses (Sigma specification v2.1.0,
//! condition). Names are put in place, so that what comes out needs no table.

mod token;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ast::{Expr, Part, Pattern, Test};
use crate::finding::{Findings, advise};
use crate::limits::{
    CONDITION_BYTES_MAX, CONDITION_CHARS_MAX, CONDITION_DEPTH_MAX, CONDITION_NODES_MAX, CONDITION_STEPS_MAX,
    CONDITION_TESTS_MAX,
};
use crate::yaml::Node;

use token::{Kind, Token};

/// The search identifiers a condition may name, and which of them any condition has named.
#[derive(Debug)]
pub struct Names<'a> {
    selections: &'a [(String, Expr)],
    /// What they are, for messages.
    what: &'static str,
    used: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    /// None of them named yet.
    #[must_use]
    pub fn new(selections: &'a [(String, Expr)]) -> Names<'a> {
        Names { selections, what: "search identifier", used: BTreeSet::new() }
    }

    /// Names of something else than search identifiers, with what they are.
    #[must_use]
    pub fn of(selections: &'a [(String, Expr)], what: &'static str) -> Names<'a> {
        Names { what, ..Names::new(selections) }
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
    if text.len() > CONDITION_CHARS_MAX {
        let reason = format!("the condition is longer than {CONDITION_CHARS_MAX} characters");
        findings.error_with_hint(node.place, "condition_too_large", reason, "write several rules");
        return None;
    }
    let raw = source.get(node.source.clone()).unwrap_or_default();
    let tokens = token::cut(text, raw, node.place);
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, size: Size::default(), steps: 0, names };
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
    size: Size,
    /// Characters compared so far to find names by pattern.
    steps: usize,
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
        self.weigh(Size::node())?;
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
                    self.syntax(format!("`{}` stands where a {} should", token.text, self.names.what))
                }
                None => self.syntax(format!("the condition ends where a {} should stand", self.names.what)),
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
            self.fault(start, "unknown_identifier", format!("no {} is called `{word}`", self.names.what));
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
        let characters: usize = self.names.selections.iter().map(|(name, _)| name.len() + 1).sum();
        self.steps += pattern.len() * characters;
        if self.steps > CONDITION_STEPS_MAX {
            let reason = "the condition's patterns are too many for so many search identifiers";
            return Err(self.fault(target_at, "condition_too_large", reason));
        }
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
                format!("`{target}` matches no {}", self.names.what),
            );
            return Err(Fault { hint: Some(advise(target, &known)), ..fault });
        }
        self.weigh(Size::node())?;
        let mut members = Vec::with_capacity(chosen.len());
        for index in chosen {
            members.push(self.put_in_place(target_at, index)?);
        }
        Ok(join(members, if all { Expr::And } else { Expr::Or }))
    }

    /// The expression of a search identifier under its name.
    fn put_in_place(&mut self, at: usize, index: usize) -> Result<Expr, Fault> {
        let (name, expr) = &self.names.selections[index];
        let size = weight(expr).and(Size::node());
        self.weigh(size).map_err(|fault| Fault { at, ..fault })?;
        self.names.used.insert(name);
        Ok(Expr::Named(Arc::from(name.as_str()), Box::new(expr.clone())))
    }

    /// Counts what the expression grows by, before it grows.
    fn weigh(&mut self, more: Size) -> Result<(), Fault> {
        self.size = self.size.and(more);
        let Size { nodes, tests, bytes } = self.size;
        if nodes > CONDITION_NODES_MAX || tests > CONDITION_TESTS_MAX || bytes > CONDITION_BYTES_MAX {
            let reason = format!(
                "the condition has more than {CONDITION_NODES_MAX} parts, {CONDITION_TESTS_MAX} values or \
                 {CONDITION_BYTES_MAX} bytes of them once its search identifiers are put in place"
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

/// How large an expression is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    /// Its nodes.
    pub nodes: usize,
    /// Its tests.
    pub tests: usize,
    /// Bytes of the values of its tests.
    pub bytes: usize,
}

impl Size {
    fn node() -> Size {
        Size { nodes: 1, ..Size::default() }
    }

    fn and(self, other: Size) -> Size {
        Size {
            nodes: self.nodes + other.nodes,
            tests: self.tests + other.tests,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// The size of an expression.
pub(crate) fn weight(expr: &Expr) -> Size {
    match expr {
        Expr::And(members) | Expr::Or(members) => members.iter().map(weight).fold(Size::node(), Size::and),
        Expr::Not(inner) | Expr::Named(_, inner) => weight(inner).and(Size::node()),
        Expr::Item(item) => {
            let bytes = item.tests.iter().map(bytes).sum();
            Size { nodes: 1, tests: item.tests.len(), bytes }
        }
    }
}

fn bytes(test: &Test) -> usize {
    match test {
        Test::Pattern(pattern) => pattern
            .parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => text.len(),
                Part::Any | Part::One | Part::Dash => size_of::<Part>(),
            })
            .sum(),
        Test::Regex { pattern, .. } => pattern.len(),
        Test::Number(_, text) | Test::FieldRef { field: text, .. } => text.len(),
        _ => 0,
    }
}

#[cfg(test)]
#[path = "condition_tests.rs"]
mod tests;
