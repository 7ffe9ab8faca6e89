//! Testing rules the way an analyst thinks of them: a story of timed events, and the alerts that
//! must come of it. The files are described in `docs/traces.md`; they lie beside the rules.
//!
//! [`trace`] reads them, [`play`] puts a story through the engine, [`ways`] does so in every way that
//! must come to the same, [`compare`] and [`diagnosed`] say where expected and got differ, [`runner`] does all of it for one file and gives a [`report::Report`]. Of the
//! examples that stand in a rule itself [`examples`] does the same.

pub mod compare;
pub mod diagnosed;
pub mod examples;
pub mod got;
pub mod play;
pub mod report;
pub mod runner;
pub mod sse;
pub mod trace;
pub mod ways;
pub mod why;

pub use report::Report;
pub use runner::{run, run_text, run_with};
