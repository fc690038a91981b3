//! `usdt-flow case report`: the case file for a prosecutor.

use std::path::Path;

use anyhow::Context;
use flow_core::{EngineConfig, Policy};

use crate::casework::Unit;
use crate::casework::bookings;
use crate::casework::document::Document;
use crate::casework::inputs::{self, inputs};
use crate::casework::report::{Frame, report};
use crate::cli::{DocumentFormat, GlobalArgs, ReportCaseArgs};
use crate::trace::ledger::Ledger;
use crate::trace::output;

/// Traces the case and writes what became of its money.
pub fn execute(args: &ReportCaseArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let case = super::trace::known_case(&args.id, &args.cases)?;
    let (mut past, config) =
        super::trace::open_configured(&args.past, &[], args.past.config.flags(), global)?;
    let trace = super::case::balanced(&past, &case, args.policy, &args.past)?;
    let ledger = Ledger::of(&mut past, case, trace)?;
    let frame = Frame {
        reference: args.reference.clone(),
        author: args.author.clone(),
        date: args.date.clone(),
        unit: if args.base_units { Unit::Base } else { Unit::Usdt },
        wallets: args.wallets,
        trails: args.trails,
        k: args.k as usize,
        bookings: bookings::read_all(&args.bookings)?,
        inputs: inputs(&args.cases, &args.bookings, &args.past)?,
        command: command(args, &config.engine),
    };
    let document = report(&mut past, &ledger, &config.engine, &frame)?;
    let Some(dir) = &args.output else {
        let mut out = output(None)?;
        out.write_all(text(&document, args.document.unwrap_or(DocumentFormat::Md)).as_bytes())?;
        return Ok(out.flush()?);
    };
    let wanted = |format| args.document.is_none_or(|only| only == format);
    for (format, ending) in [(DocumentFormat::Md, "md"), (DocumentFormat::Html, "html")] {
        if wanted(format) {
            let name = format!("case-{}.{ending}", file_name(&args.id));
            write(dir, &name, text(&document, format).as_bytes())?;
        }
    }
    Ok(())
}

fn text(document: &Document, format: DocumentFormat) -> String {
    match format {
        DocumentFormat::Md => document.markdown(),
        DocumentFormat::Html => document.html(),
    }
}

/// Writes a file into a folder, which is made if it is not there, and says so.
pub(super) fn write(dir: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let path = dir.join(name);
    std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

/// A text as part of a file name. What no file name should hold is replaced,
/// and the text told apart from others by its digest.
pub(super) fn file_name(text: &str) -> String {
    let keeps = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
    let kept: String =
        text.chars().map(|char| if keeps(char) { char } else { '_' }).take(80).collect();
    if kept == text { kept } else { format!("{kept}-{}", &inputs::sha256(text.as_bytes())[..8]) }
}

/// The command that gives the same file again, whatever the configuration says
/// by then.
fn command(args: &ReportCaseArgs, engine: &EngineConfig) -> String {
    let mut words = ["usdt-flow", "case", "report"].map(str::to_owned).to_vec();
    words.push(args.id.clone());
    let mut flag = |name: &str, value: String| words.extend([name.to_owned(), value]);
    args.cases.iter().for_each(|path| flag("--cases", path.display().to_string()));
    args.bookings.iter().for_each(|path| flag("--bookings", path.display().to_string()));
    inputs::past_words(&args.past).chunks(2).for_each(|pair| flag(&pair[0], pair[1].clone()));
    if args.policy != Policy::default() {
        flag("--policy", args.policy.name().to_owned());
    }
    flag("--wallets", args.wallets.to_string());
    flag("--trails", args.trails.to_string());
    flag("-k", args.k.to_string());
    let optional =
        [("--reference", &args.reference), ("--author", &args.author), ("--date", &args.date)];
    for (name, value) in optional {
        value.iter().for_each(|value| flag(name, value.clone()));
    }
    flag("--set", format!("engine.freeze_min_units={}", engine.freeze_min_units));
    flag("--set", format!("engine.freeze_rest_seconds={}", engine.freeze_rest_ms / 1_000));
    if args.base_units {
        words.push("--base-units".to_owned());
    }
    inputs::shell(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_safe_and_told_apart() {
        assert_eq!(file_name("theft-1_b"), "theft-1_b");
        let (up, other) = (file_name("../x"), file_name("./.x"));
        assert!(up.starts_with("___x-") && other.starts_with("___x-") && up != other);
    }
}
