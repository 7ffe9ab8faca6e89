//! Sigma rules: text becomes a syntax tree, the tree becomes one matcher for all rules.
//!
//! Stateless only: a correlation's state lives in tocsin-detect. One bad rule never stops the
//! others: loading yields what loads, and a list of diagnostics.

mod affix;
pub mod ast;
pub mod atom;
mod canonical;
pub mod compile;
mod compose;
pub mod condition;
mod correlations;
pub mod date;
pub mod explain;
pub mod finding;
pub mod fold;
pub mod glob;
mod grams;
mod hints;
mod judge;
pub mod limits;
mod lines;
mod link;
pub mod lint;
pub mod local;
pub mod logsource;
pub mod matcher;
mod memo;
pub mod modifier;
mod numbers;
pub mod parse;
pub mod pattern;
pub mod predicate;
pub mod program;
mod regexes;
mod required;
pub mod ruleset;
mod sets;
pub mod whole_event;
pub mod yaml;

#[cfg(test)]
mod test_support;

pub use parse::{parse, parse_with};
