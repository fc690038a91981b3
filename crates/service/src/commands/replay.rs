//! `usdt-flow replay`: the pipeline over files.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::{GlobalArgs, ReplayArgs};
use crate::history;
use crate::knowledge::Knowledge;
use crate::replay::{Replay, total_bytes};

/// Reads the files, writes the folder, prints the summary.
pub fn execute(args: &ReplayArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let config = super::load(&args.config, args.flags(), global)?.config;
    crate::logging::start(&config.log, global.color)?;
    let both = |given: &[PathBuf], configured: &[PathBuf]| [given, configured].concat();
    let known = Knowledge::read(
        &both(&args.cases, &config.knowledge.case_files),
        &both(&args.labels, &config.knowledge.label_files),
        &both(&args.opening, &config.knowledge.opening_files),
    )?;
    let started = Instant::now();
    let window_blocks = usize::try_from(args.window_blocks)?;
    let archive = history::archive(args.history.as_deref())?;
    let mut replay = Replay::new(
        known.engine(config.engine, archive)?,
        args.format.format(),
        window_blocks,
        args.strict,
        args.history.is_some(),
        args.out.as_deref(),
    )?;
    let files: Vec<PathBuf> = args.all_events().cloned().collect();
    let progress = progress(&files, args.no_progress);
    for file in &files {
        replay.read(file, &progress)?;
    }
    progress.finish_and_clear();
    let summary = replay.finish(started.elapsed().as_millis())?;
    if summary.is_all_refused() {
        eprintln!("warning: no record could be read; are these files of events?");
    }
    let text = summary.text();
    if args.out.is_some() {
        eprint!("{text}");
    } else {
        write!(std::io::stdout(), "{text}")?;
    }
    Ok(())
}

/// A bar over the bytes of the files; on a terminal only.
fn progress(files: &[PathBuf], hidden: bool) -> ProgressBar {
    if hidden || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "{elapsed_precise} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec} eta {eta}";
    let bar = match total_bytes(files) {
        Some(bytes) => ProgressBar::new(bytes)
            .with_style(ProgressStyle::with_template(template).expect("a fixed template")),
        None => ProgressBar::new_spinner(),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar
}
