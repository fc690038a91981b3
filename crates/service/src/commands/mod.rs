//! The subcommands. Each takes its arguments and the global ones, prints data
//! to standard output and returns an error that says what to do.

pub mod audit;
pub mod bench;
pub mod case;
pub mod case_change;
pub mod case_packet;
pub mod case_report;
pub mod checkpoint;
pub mod completions;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod feed;
pub mod metrics;
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

/// Lines of cells as text, each column as wide as its widest cell.
fn columns<const N: usize>(lines: &[[String; N]]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
