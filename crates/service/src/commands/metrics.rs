//! `usdt-flow metrics`.

use std::io::{self, Write as _};

use crate::metrics::Metrics;

/// Prints what `/metrics` tells, and what it means.
pub fn execute() -> anyhow::Result<()> {
    Ok(io::stdout().lock().write_all(Metrics::new().describe().as_bytes())?)
}
