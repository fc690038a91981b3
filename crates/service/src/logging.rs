//! The log: to standard error, for people or as JSON, filtered by level.
//!
//! An address or a case may stand in a debug line, a secret in none.

use std::io::{self, IsTerminal};

use anyhow::{Context as _, anyhow};
use tracing_subscriber::EnvFilter;

use crate::cli::ColorWhen;
use crate::config::{LogConfig, LogFormat};

/// Starts the log of this process. `RUST_LOG` has already had its say in
/// `config.level`.
pub fn start(config: &LogConfig, color: ColorWhen) -> anyhow::Result<()> {
    let filter = EnvFilter::builder()
        .parse(&config.level)
        .with_context(|| format!("cannot read the log level {:?}", config.level))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match config.format {
        LogFormat::Text => lines.with_ansi(color.colored(io::stderr().is_terminal())).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
    started.map_err(|error| anyhow!("cannot start the log: {error}"))
}
