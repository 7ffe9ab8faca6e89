//! Chores of this repository. `cargo xtask tidy` checks the house rules that no compiler knows.
//!
//! Start at [`tidy`], which lists the checks. Nothing here is part of the product.

mod manifest;
mod rust_source;
mod tidy;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

const USAGE: &str = "usage: cargo xtask tidy";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => tidy().unwrap_or_else(|error| say(&format!("tidy: {error:#}"), 2)),
        _ => say(USAGE, 2),
    }
}

fn tidy() -> Result<ExitCode> {
    let tree = tree::Tree::load(&root())?;
    let findings = tidy::run(&tree);
    for finding in &findings {
        say(&finding.to_string(), 1);
    }
    let checks = tidy::CHECKS.len();
    Ok(match findings.len() {
        0 => say(&format!("tidy: {checks} checks, {} files, all well", tree.files.len()), 0),
        n => say(&format!("tidy: {n} to mend"), 1),
    })
}

/// The workspace: the parent of this package.
fn root() -> PathBuf {
    let package =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("xtask"), PathBuf::from);
    package.join("..")
}

/// One line for the person at the terminal, and the code to end with.
#[expect(clippy::print_stderr, reason = "a command-line tool reports on stderr")]
fn say(line: &str, code: u8) -> ExitCode {
    eprintln!("{line}");
    ExitCode::from(code)
}
