//! `usdt-flow completions` and `usdt-flow man`, made from the command line's
//! own description.

use std::io::{self, Write as _};

use anyhow::Context as _;
use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs, ManArgs};

/// Prints a completion script.
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "usdt-flow", &mut script);
    io::stdout().write_all(&script)?;
    Ok(())
}

/// Prints the manual page, or writes one for each command.
pub fn man(args: &ManArgs) -> anyhow::Result<()> {
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        io::stdout().write_all(&page)?;
        return Ok(());
    };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    clap_mangen::generate_to(Cli::command(), folder)
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    eprintln!("wrote the manual pages to {}", folder.display());
    Ok(())
}
