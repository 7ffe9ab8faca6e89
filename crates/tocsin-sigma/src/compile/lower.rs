//! From a condition over items to one over atoms.

use super::{Compiler, Refused};
use crate::ast::{Expr, Item, Part, Pattern, Test};
use crate::atom::{Atom, AtomTest};
use crate::limits::REGEX_RULE_BYTES_MAX;
use crate::modifier::regex::with_pcre_end;
use crate::program::Logic;
use crate::regexes;

impl Compiler {
    /// From a condition over items to one over atoms.
    pub(super) fn lower(&mut self, expr: &Expr) -> Result<Logic, Refused> {
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

    pub(super) fn lower_all(&mut self, parts: &[Expr]) -> Result<Vec<Logic>, Refused> {
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
            Test::DatePart(part, ordering, number) => {
                AtomTest::DatePart(*part, ordering.map(Into::into), number.to_bits())
            }
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
            self.check_regex(item, expression)?;
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

    /// Whether an expression, and all of its rule together, stay within bounds.
    fn check_regex(&mut self, item: &Item, expression: &str) -> Result<(), Refused> {
        let refuse = |reason: String| Refused {
            place: item.place,
            code: "bad_regex",
            reason,
            hint: Some("expressions are matched in linear time; their compiled size is limited".to_string()),
        };
        self.regex_bytes += regexes::check_regex(expression).map_err(refuse)?;
        if self.regex_bytes > REGEX_RULE_BYTES_MAX {
            let reason = format!(
                "the rule's expressions take more than {REGEX_RULE_BYTES_MAX} bytes once they are compiled"
            );
            return Err(refuse(reason));
        }
        Ok(())
    }
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
