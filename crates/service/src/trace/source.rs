//! Opening the past: a folder of history, or event files replayed in memory.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::Context;
use flow_core::{EngineConfig, MemoryArchive, Past};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::PastArgs;
use crate::history::open_history;
use crate::knowledge::Knowledge;
use crate::replay::{Replay, total_bytes};
use crate::report::Explain;

/// Blocks that may come before a block's own events in a file.
const WINDOW_BLOCKS: usize = 10_000;

/// The past that these arguments name, with its labels.
///
/// # Errors
/// If it cannot be read, or none is named.
pub fn open(args: &PastArgs, files: &[PathBuf]) -> anyhow::Result<Past> {
    let files = [files, &args.events].concat();
    let known = Knowledge::read(&[], &args.labels, &args.opening)?;
    let mut past = match &args.history {
        Some(dir) => {
            anyhow::ensure!(files.is_empty(), "name either event files or --history, not both");
            Past::open(open_history(dir)?)
                .with_context(|| format!("cannot read the history in {}", dir.display()))?
        }
        None => replay(args, &files, &known)?,
    };
    past.set_labels(&known.labels);
    Ok(past)
}

fn replay(args: &PastArgs, files: &[PathBuf], known: &Knowledge) -> anyhow::Result<Past> {
    if files.is_empty() {
        return Err(anyhow::anyhow!("neither --history nor a file of events is named")).explain(
            "there is no past to ask",
            "usdt-flow replay --history DIR writes one; or name the files of events",
        );
    }
    // No case is traced here: the past alone is wanted.
    let opening = known.opening.clone();
    let ledger = Knowledge { opening, ..Knowledge::default() };
    let engine = ledger.engine(EngineConfig::default(), Box::new(MemoryArchive))?;
    let format = args.format.format();
    let mut replay = Replay::new(engine, format, WINDOW_BLOCKS, false, false, None)?;
    let bar = bar(args.no_progress, total_bytes(files), "reading");
    for file in files {
        replay.read(file, &bar)?;
    }
    bar.finish_and_clear();
    Ok(replay.into_engine()?.into_past())
}

/// A bar on a terminal; hidden elsewhere.
pub fn bar(hidden: bool, length: Option<u64>, what: &'static str) -> ProgressBar {
    if hidden || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "{elapsed_precise} {msg} [{wide_bar}] {percent}% eta {eta}";
    let bar = match length {
        Some(length) => ProgressBar::new(length)
            .with_style(ProgressStyle::with_template(template).expect("a fixed template")),
        None => ProgressBar::new_spinner(),
    };
    bar.set_message(what);
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar
}

/// Tells a bar how far something has come.
pub fn move_on(bar: &ProgressBar) -> impl FnMut(u64, u64) + '_ {
    |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    }
}
