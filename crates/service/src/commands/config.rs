//! `usdt-flow config check` and `usdt-flow config print`.

use std::io::{self, Write as _};

use crate::cli::{ConfigArgs, ConfigCommand, ConfigFormat, GlobalArgs, PrintConfigArgs};
use crate::config::{Problems, check_files};

use super::{load, warn};

/// Does what the command says.
pub fn execute(command: &ConfigCommand, global: &GlobalArgs) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Check(args) => check(args, global),
        ConfigCommand::Print(args) => print(args, global),
    }
}

fn check(args: &ConfigArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let loaded = load(args, args.flags(), global)?;
    let (mut problems, warnings) = check_files(&loaded.config);
    warn(&warnings);
    problems.extend(loaded.config.require_inputs().err());
    Problems::check(problems)?;
    let what = match &args.config {
        Some(path) => path.display().to_string(),
        None => "defaults and environment".to_owned(),
    };
    writeln!(io::stdout(), "ok: {what}")?;
    Ok(())
}

fn print(args: &PrintConfigArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let loaded = load(&args.config, args.config.flags(), global)?;
    let mut out = io::stdout().lock();
    match args.format {
        ConfigFormat::Table => out.write_all(loaded.raw.to_table().as_bytes())?,
        ConfigFormat::Toml => out.write_all(loaded.raw.to_toml().as_bytes())?,
        ConfigFormat::Json => writeln!(out, "{:#}", loaded.raw.to_json())?,
    }
    Ok(())
}
