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
    /// How windows lie on time.
    pub windowing: Windowing,
    /// Operators with their numbers, all of which must hold.
    pub condition: Vec<(Comparison, f64)>,
    /// For sequences: what must have been seen, over the roles of the referenced rules. `None`: all.
    pub seen: Option<SeenLogic>,
    /// How many rules it refers to under `rules`; their roles are 0 up to this in sequences.
    pub references: u8,
    /// `percentile`, 0 to 100, where the type needs one.
    pub percentile: Option<f64>,
    /// `leak`: how long a leaky bucket takes to lose one event.
    pub leak: Option<Span>,
    /// Whether the condition holds only at an event of role [`ROLE_FOLLOWS`].
    pub followed: bool,
}

/// How windows lie on time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Windowing {
    /// Ending at every event: [t − timespan, t]. What Sigma means.
    #[default]
    Sliding,
    /// Side by side, aligned to the epoch: [k · timespan, (k + 1) · timespan).
    Tumbling,
    /// From an event on as long as no two neighbours lie more than `gap` apart, `timespan` at most.
    Session {
        /// Longest silence within a session.
        gap: Span,
    },
}

/// A condition over the referenced rules of a sequence, by role.
#[derive(Clone, Debug, PartialEq)]
pub enum SeenLogic {
    /// The rule of this role was seen in the window.
    Seen(u8),
    /// All hold.
    And(Vec<SeenLogic>),
    /// Any holds.
    Or(Vec<SeenLogic>),
    /// It does not hold.
    Not(Box<SeenLogic>),
}

/// Role of an event that counts.
pub const ROLE_COUNTS: u8 = 0;
/// Role of an event that interrupts a run.
pub const ROLE_INTERRUPTS: u8 = 1;
/// Role of an event that must end a run.
pub const ROLE_FOLLOWS: u8 = 2;

impl CorrelationSpec {
    /// A plan that asks for nothing yet.
    #[must_use]
    pub fn new(kind: &str, timespan: Span) -> CorrelationSpec {
        CorrelationSpec {
            kind: kind.to_string(),
            timespan,
            windowing: Windowing::Sliding,
            condition: Vec::new(),
            seen: None,
            references: 0,
            percentile: None,
            leak: None,
            followed: false,
        }
    }

    /// Whether a value meets the condition.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        self.condition.iter().all(|(comparison, number)| comparison.holds(value, *number))
    }

    /// Whether the condition can only come to hold as a count rises: `gt` and `gte` alone.
    #[must_use]
    pub fn rises(&self) -> bool {
        let rising =
            |(comparison, _): &(Comparison, f64)| matches!(comparison, Comparison::Gt | Comparison::Gte);
        !self.condition.is_empty() && self.condition.iter().all(rising)
    }

    /// Whether some count above zero meets the condition.
    #[must_use]
    pub fn holds_above_zero(&self) -> bool {
        let near = |number: f64| [number.floor() - 1.0, number.floor(), number.floor() + 1.0];
        let mut counts = self.condition.iter().flat_map(|(_, number)| near(*number)).chain([1.0, 1e15]);
        counts.any(|count| count >= 1.0 && self.holds(count))
    }

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
    /// Whether a value stands in this relation to a number.
    #[must_use]
    pub fn holds(self, value: f64, number: f64) -> bool {
        match self {
            Comparison::Gt => value > number,
            Comparison::Gte => value >= number,
            Comparison::Lt => value < number,
            Comparison::Lte => value <= number,
            Comparison::Eq => value == number,
            Comparison::Neq => value != number,
        }
    }

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
