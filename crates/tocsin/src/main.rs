//! The `tocsin` binary: arguments, then a command. What goes wrong ends here as one clear line.

mod cli;
mod client;
mod commands;
mod config;
mod demo;
mod loading;
mod output;
mod server;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match commands::run(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::complain(&format!("tocsin: {error:#}"));
            ExitCode::from(commands::code_of(&error))
        }
    }
}
