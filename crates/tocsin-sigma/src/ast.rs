//! Rules as written, parsed: what [`crate::parse`] yields and [`crate::compile`] consumes.
//!
//! Source: Sigma specification v2.1.0. Places are 1-based lines and columns of the rule file.

use std::path::PathBuf;
use std::sync::Arc;

use tocsin_core::correlation::{Comparison, SeenLogic, Windowing};
use tocsin_core::rule::Level;
use tocsin_core::time::Span;

/// A place in a rule file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Line, from 1; 0 where there is none.
    pub line: u32,
    /// Column in characters, from 1; 0 where there is none.
    pub column: u32,
}

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// The rule loads, but probably does not do what was meant.
    Warning,
    /// The rule does not load.
    Error,
}

impl Severity {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One finding about a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file.
    pub file: Arc<PathBuf>,
    /// The place in it.
    pub place: Place,
    /// How bad it is.
    pub severity: Severity,
    /// A short stable name (`unknown_modifier`), for machines and documentation.
    pub code: &'static str,
    /// What is wrong, in a sentence without full stop.
    pub reason: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// One document of a rule file.
#[derive(Clone, Debug)]
pub struct Document {
    /// What every kind of rule has.
    pub head: Head,
    /// What this kind has.
    pub body: Body,
}

/// What every kind of rule has.
#[derive(Clone, Debug)]
pub struct Head {
    /// The file.
    pub file: Arc<PathBuf>,
    /// Where the document begins.
    pub place: Place,
    /// The document's text, for its hash.
    pub text: String,
    /// `title`.
    pub title: String,
    /// `id`.
    pub id: Option<String>,
    /// `name`.
    pub name: Option<String>,
    /// `status`.
    pub status: Option<String>,
    /// `level`.
    pub level: Option<Level>,
    /// `tags`.
    pub tags: Vec<String>,
    /// Tocsin's own top-level key `tocsin`.
    pub extension: Extension,
    /// `rsigma.exemplars` and `tests`: example events with what the rule must say of them.
    pub exemplars: Vec<Exemplar>,
}

/// An example that stands in a rule: events, and whether the rule is to be met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exemplar {
    /// Its `name`, or its number from 0.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// `expect`: true for `match`, false for `no-match`; or `ExpectedResult`.
    pub matches: bool,
    /// What its events are.
    pub shows: Shows,
    /// One event of a detection, or several in order of time of a correlation.
    pub events: Vec<ExemplarEvent>,
}

/// What the events of an [`Exemplar`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shows {
    /// The fields that conditions look at, and no more: log sources are not asked.
    Fields,
    /// Whole records, as they arrive.
    Records,
}

/// One event of an [`Exemplar`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExemplarEvent {
    /// How long after the first moment it happens.
    pub offset: Span,
    /// The event as one JSON object; of whole records also a line of any other format.
    pub json: String,
    /// Where it stands.
    pub place: Place,
}

/// The custom top-level key `tocsin`: how the alert is worded. Every part is optional.
#[derive(Clone, Debug, Default)]
pub struct Extension {
    /// `type`: the alert's type.
    pub kind: Option<String>,
    /// `confidence`, 0 to 1.
    pub confidence: Option<f64>,
    /// `message`: template.
    pub message: Option<String>,
    /// `details`: template.
    pub details: Option<String>,
    /// `actions`: recommended actions.
    pub actions: Vec<String>,
    /// `episode`: length of an episode.
    pub episode: Option<Span>,
}

/// The kinds of documents.
#[derive(Clone, Debug)]
pub enum Body {
    /// `detection`.
    Detection(Detection),
    /// `correlation`.
    Correlation(Correlation),
    /// `filter`.
    Filter(Filter),
}

/// A stateless rule.
#[derive(Clone, Debug)]
pub struct Detection {
    /// `logsource`.
    pub logsource: LogSource,
    /// What an event must meet to be of the log source, or why none can be.
    pub gate: Result<Expr, Unmapped>,
    /// The condition (several conditions are OR-ed), selections put in place.
    pub condition: Expr,
    /// The search identifiers by name, as written, for `explain`.
    pub selections: Vec<(String, Expr)>,
}

/// A log source no event can be of, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmapped(pub String);

/// A filter: a condition that is added to rules of others.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Where `filter` stands.
    pub place: Place,
    /// `rules`: ids or names with their places; `None` for `any`.
    pub rules: Option<Vec<(String, Place)>>,
    /// `logsource`: the filter applies to rules whose log source is this or a part of it.
    pub logsource: LogSource,
    /// What events must meet besides the rule's condition.
    pub condition: Expr,
}

/// `logsource`, lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogSource {
    /// `product`.
    pub product: Option<String>,
    /// `category`.
    pub category: Option<String>,
    /// `service`.
    pub service: Option<String>,
    /// Where it stands.
    pub place: Place,
}

/// A condition tree over items.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// All of them (true when empty).
    And(Vec<Expr>),
    /// Any of them (false when empty).
    Or(Vec<Expr>),
    /// Not it.
    Not(Box<Expr>),
    /// A named search identifier and its expression. Matching looks through it; `explain` shows it.
    Named(Arc<str>, Box<Expr>),
    /// A test of one field, or of the whole event.
    Item(Item),
}

/// One `field|modifiers: values` line, or one group of keywords. `values` are OR-ed
/// (`all`: AND-ed). `neq` has already become `Expr::Not` around the item.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The field; `None` for keywords (anywhere in the event).
    pub field: Option<String>,
    /// `field|modifiers` as written, for messages.
    pub written: String,
    /// The tests.
    pub tests: Vec<Test>,
    /// Whether all tests must hold, instead of any.
    pub all: bool,
    /// Where it stands.
    pub place: Place,
}

/// A test of one value, all modifiers applied.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Text with wildcards, matched against the whole value (modifiers `contains`, `startswith`,
    /// `endswith` have become wildcards at the ends; encodings have been applied).
    Pattern(Pattern),
    /// A regular expression, searched anywhere in the value.
    Regex {
        /// The expression.
        pattern: String,
        /// `i`.
        ignore_case: bool,
        /// `m`.
        multi_line: bool,
        /// `s`.
        dot_all: bool,
    },
    /// A number in the rule: equal as a number, or the value's text is its text.
    Number(f64, String),
    /// A boolean in the rule: equals JSON true/false, or text `true`/`false` in any case.
    Bool(bool),
    /// `null`: the field is absent or null.
    Null,
    /// `exists`.
    Exists(bool),
    /// `lt`, `lte`, `gt`, `gte`.
    Compare(Ordering, f64),
    /// `minute`, `hour`, `day`, `week`, `month`, `year`: that part of a time, in UTC, compared with
    /// a number; `None` is equality.
    DatePart(DatePart, Option<Ordering>, f64),
    /// `cidr`.
    Cidr(Cidr),
    /// `fieldref`: equals another field of the same event, with text ends left open.
    FieldRef {
        /// The other field.
        field: String,
        /// The value may go on before the other field's text (`endswith`, `contains`).
        open_start: bool,
        /// The value may go on after it (`startswith`, `contains`).
        open_end: bool,
        /// Case-sensitive.
        cased: bool,
    },
}

/// A numeric comparison: value OP number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordering {
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
}

/// A part of a time, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatePart {
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// Day of the month, 1 to 31.
    Day,
    /// Week of ISO 8601, 1 to 53.
    Week,
    /// 1 to 12.
    Month,
    /// For example 2026.
    Year,
}

/// An address range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr {
    /// The network address; IPv4 as IPv4-mapped IPv6.
    pub network: u128,
    /// The mask, of the same form.
    pub mask: u128,
}

/// Text with wildcards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// Its parts, in order; no two neighbouring literals, no two neighbouring `Any`.
    pub parts: Vec<Part>,
    /// Whether case counts (`cased`). Otherwise Unicode simple case folding on both sides.
    pub cased: bool,
}

/// A part of a [`Pattern`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// This text.
    Literal(String),
    /// `*`: any characters, line ends too, or none.
    Any,
    /// `?`: exactly one character.
    One,
    /// `windash`: one of `-`, `/`, en dash, em dash, horizontal bar.
    Dash,
}

/// A stateful rule.
#[derive(Clone, Debug)]
pub struct Correlation {
    /// `type`.
    pub kind: String,
    /// Where `type` stands.
    pub place: Place,
    /// `rules`: ids or names, with their places.
    pub rules: Vec<(String, Place)>,
    /// `interrupted-by` (type `consecutive`): rules whose events break a run.
    pub interrupted_by: Vec<(String, Place)>,
    /// `followed-by` (type `consecutive`): the condition holds only at an event of these rules
    /// that ends a run.
    pub followed_by: Vec<(String, Place)>,
    /// `group-by`.
    pub group_by: Vec<String>,
    /// Where `group-by` stands, or the correlation itself.
    pub group_by_place: Place,
    /// `timespan`.
    pub timespan: Span,
    /// `window` and `gap`: how windows lie on time.
    pub windowing: Windowing,
    /// `condition`: operators with their numbers, all of which must hold.
    pub condition: Vec<(Comparison, f64)>,
    /// `condition` as text: which of the rules must have been seen, by their index in `rules`.
    pub seen: Option<SeenLogic>,
    /// `field`: whose values are counted or added up; several make one value together.
    pub fields: Vec<String>,
    /// Where `field` stands, or the correlation itself.
    pub fields_place: Place,
    /// `percentile`, 0 to 100.
    pub percentile: Option<f64>,
    /// `leak` (type `leaky_bucket`): how long the bucket takes to lose one event.
    pub leak: Option<Span>,
    /// `aliases`: alias → (rule, field) pairs.
    pub aliases: Vec<Alias>,
    /// `generate`: whether the base rules alert on their own as well.
    pub generate: bool,
}

/// A name that stands for another field in each rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// (rule, field) pairs.
    pub fields: Vec<(String, String)>,
}
