//! The subcommands. Each takes its arguments and the global ones, prints data
//! to standard output and returns an error that says what to do.

pub mod completions;
pub mod config;
pub mod demo;
pub mod replay;
pub mod run;
pub mod schema;
pub mod topics;

use crate::cli::{ConfigArgs, GlobalArgs};
use crate::config::{Config, Flag, Layers};

/// The configuration of a command that works with it; warnings are printed.
fn load(args: &ConfigArgs, mut flags: Vec<Flag>, global: &GlobalArgs) -> anyhow::Result<Config> {
    flags.extend(global.flags());
    let loaded = Config::load(&Layers::of_process(args.config.as_deref(), flags))?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(loaded.config)
}
