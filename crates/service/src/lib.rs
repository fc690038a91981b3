//! usdt-flow, everything that waits: Kafka, files, HTTP, the command line.
//!
//! The pure crates decide, this one carries out. What always holds: data goes
//! to standard output and all else to standard error; the exit status is 0
//! when done, 1 when failed, 2 when the command was not understood.
//!
//! The library exists so that tests and benches reach the parts; the binary
//! calls [`main`] and nothing else.

pub mod audit;
pub mod bench;
pub mod casework;
pub mod checkpoint;
pub mod cli;
pub mod commands;
pub mod config;
pub mod demo;
pub mod failpoint;
pub mod follow;
pub mod history;
pub mod http;
pub mod instance;
pub mod kafka;
pub mod knowledge;
mod late;
pub mod logging;
pub mod metrics;
pub mod pipeline;
pub mod replay;
pub mod report;
pub mod summary;
pub mod trace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use cli::{Cli, Command};

/// Parses the command line, does what it says, reports how it ended.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let command = Cli::command().color(cli::color_of(&arguments).into());
    let parsed = command
        .try_get_matches_from(&arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    match parsed {
        Ok(cli) => report::exit(dispatch(&cli)),
        // Prints help to standard output and mistakes to standard error.
        Err(error) => error.exit(),
    }
}

fn dispatch(cli: &Cli) -> anyhow::Result<()> {
    match &cli.command {
        Command::Topics(command) => commands::topics::execute(command, &cli.global),
        Command::Checkpoint(command) => commands::checkpoint::execute(command, &cli.global),
        Command::Doctor(args) => commands::doctor::execute(args, &cli.global),
        Command::Feed(args) => commands::feed::execute(args, &cli.global),
        Command::Metrics => commands::metrics::execute(),
        Command::Config(command) => commands::config::execute(command, &cli.global),
        Command::Schema(args) => commands::schema::execute(args),
        Command::Completions(args) => commands::completions::completions(args),
        Command::Man(args) => commands::completions::man(args),
        Command::Run(args) => commands::run::execute(args, &cli.global),
        Command::Replay(args) => commands::replay::execute(args, &cli.global),
        Command::Trace(command) => commands::trace::execute(command, &cli.global),
        Command::Case(command) => commands::case::execute(command, &cli.global),
        Command::Audit(command) => commands::audit::execute(command, &cli.global),
        Command::Verify(args) => commands::verify::execute(args, &cli.global),
        Command::Bench(command) => commands::bench::execute(command, &cli.global),
        Command::Demo(args) => commands::demo::execute(args, &cli.global),
    }
}
