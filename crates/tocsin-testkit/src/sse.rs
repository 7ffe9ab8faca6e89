//! Server-sent events, from outside: a parser as browsers have it, a checker that lets nothing
//! unusual pass, and a small client that puts every stream it reads through both.
//!
//! Nothing here shares code with the server: what they agree on is the standard.

pub mod client;
pub mod lint;
pub mod parser;

pub use client::{Client, ClientError};
pub use lint::{Deviation, Lint, lint_head};
pub use parser::{Message, Parser};
