//! What a correlation asks for, in the words every detector understands. Rule languages produce
//! it, the detectors' registry consumes it.

use crate::time::Span;

/// An operator of a correlation's condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `gt`.
    Gt,
    /// `gte`.
    Gte,
    /// `lt`.
    Lt,
    /// `lte`.
    Lte,
    /// `eq`.
    Eq,
    /// `neq`.
    Neq,
}

/// The plan of a stateful rule, before its detector is built.
#[derive(Clone, Debug, PartialEq)]
pub struct CorrelationSpec {
    /// `type`: which detector.
    pub kind: String,
    /// Length of the window.
    pub timespan: Span,
    /// Operators with their numbers, all of which must hold.
    pub condition: Vec<(Comparison, f64)>,
    /// Whether the condition holds only at an event of role [`ROLE_FOLLOWS`].
    pub followed: bool,
}

/// Role of an event that counts.
pub const ROLE_COUNTS: u8 = 0;
/// Role of an event that interrupts a run.
pub const ROLE_INTERRUPTS: u8 = 1;
/// Role of an event that must end a run.
pub const ROLE_FOLLOWS: u8 = 2;

impl CorrelationSpec {
    /// The least count that meets a condition that only rises (`gt`, `gte`), if it is one.
    ///
    /// # Errors
    /// A sentence naming the operator that is not supported by counting detectors.
    pub fn rising_threshold(&self) -> Result<u64, String> {
        let mut least = 0.0_f64;
        for (comparison, number) in &self.condition {
            least = least.max(match comparison {
                Comparison::Gt => number.floor() + 1.0,
                Comparison::Gte => number.ceil(),
                other => {
                    return Err(format!(
                        "`{}` needs the window to close first, which `{}` does not wait for",
                        other.as_str(),
                        self.kind
                    ));
                }
            });
        }
        if self.condition.is_empty() || !(1.0..=1e15).contains(&least) {
            return Err(format!(
                "`{}` needs a condition of `gt` or `gte` with a number of at least 1",
                self.kind
            ));
        }
        Ok(least as u64)
    }
}

impl Comparison {
    /// The operator's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Comparison::Gt => "gt",
            Comparison::Gte => "gte",
            Comparison::Lt => "lt",
            Comparison::Lte => "lte",
            Comparison::Eq => "eq",
            Comparison::Neq => "neq",
        }
    }

    /// The operator of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Comparison> {
        use Comparison::{Eq, Gt, Gte, Lt, Lte, Neq};
        [Gt, Gte, Lt, Lte, Eq, Neq].into_iter().find(|comparison| comparison.as_str() == name)
    }
}
