//! Sigma rules: text becomes a syntax tree, the tree becomes one matcher for all rules.
//!
//! Stateless only: a correlation's state lives in tocsin-detect. One bad rule never stops the
//! others: loading yields what loads, and a list of diagnostics.

pub mod ast;
