//! The subcommands. Each takes its arguments and the global ones, prints data
//! to standard output and returns an error that says what to do.

pub mod bench;
pub mod completions;
pub mod config;
pub mod demo;
pub mod replay;
pub mod run;
pub mod schema;
pub mod topics;
pub mod trace;
pub mod verify;

use crate::cli::{ConfigArgs, GlobalArgs};
use crate::config::{Config, Flag, Layers, Loaded, Problem, Problems};

/// The configuration of a command, with the flags of that command; warnings are
/// printed.
fn load(args: &ConfigArgs, mut flags: Vec<Flag>, global: &GlobalArgs) -> Result<Loaded, Problems> {
    flags.extend(global.flags());
    let loaded = Config::load(&Layers::of_process(args.config.as_deref(), flags))?;
    warn(&loaded.warnings);
    Ok(loaded)
}

fn warn(warnings: &[Problem]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}
