//! `usdt-flow config check` and `usdt-flow config print`.

use std::io::{self, Write as _};

use crate::cli::{ConfigArgs, ConfigCommand, ConfigFormat, GlobalArgs, PrintConfigArgs};
use crate::config::{Config, Layers, Loaded, Problem, Problems, check_files};

/// Does what the command says.
pub fn execute(command: &ConfigCommand, global: &GlobalArgs) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Check(args) => check(args, global),
        ConfigCommand::Print(args) => print(args, global),
    }
}

fn load(args: &ConfigArgs, global: &GlobalArgs) -> Result<Loaded, Problems> {
    let mut flags = args.flags();
    flags.extend(global.flags());
    Config::load(&Layers::of_process(args.config.as_deref(), flags))
}

fn check(args: &ConfigArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let loaded = load(args, global)?;
    warn(&loaded.warnings);
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
    let loaded = load(&args.config, global)?;
    warn(&loaded.warnings);
    let mut out = io::stdout().lock();
    match args.format {
        ConfigFormat::Table => out.write_all(loaded.raw.to_table().as_bytes())?,
        ConfigFormat::Toml => out.write_all(loaded.raw.to_toml().as_bytes())?,
        ConfigFormat::Json => writeln!(out, "{:#}", loaded.raw.to_json())?,
    }
    Ok(())
}

fn warn(warnings: &[Problem]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}
