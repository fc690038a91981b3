//! Answers about the past, for people and programs: `trace` and `verify`.
//!
//! What always holds: amounts are exact; in JSON and CSV they are base units,
//! in tables USDT with six decimals; each hop carries the sum that leads to it.

pub mod backward;
pub mod export;
pub mod hop;
pub mod ledger;
pub mod names;
pub mod source;
pub mod table;
pub mod verify;
pub(crate) mod words;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;

pub(crate) use words::usdt;

/// Rows of a table where the caller names no limit.
pub const TABLE_ROWS: usize = 100;

/// Where an answer is written to.
///
/// # Errors
/// If the file cannot be made.
pub fn output(path: Option<&Path>) -> anyhow::Result<Box<dyn Write>> {
    Ok(match path {
        Some(path) => {
            let file =
                File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(BufWriter::new(std::io::stdout())),
    })
}
