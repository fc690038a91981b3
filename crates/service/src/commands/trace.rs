//! `usdt-flow trace`: units followed forward, backward, or along paths.

use std::path::PathBuf;

use flow_core::{Case, Past, Policy, Share, Source, Trace, TracePath, strongest_paths};

use crate::cli::{
    AskArgs, BackwardArgs, ForwardArgs, GlobalArgs, GraphOutput, PastArgs, PathArgs, RowOutput,
    TraceCommand,
};
use crate::config::{Config, Flag};
use crate::knowledge::Knowledge;
use crate::report::Explain;
use crate::trace::hop::{FullHop, leading_to};
use crate::trace::source::{bar, move_on};
use crate::trace::{TABLE_ROWS, backward, export, names, output, source, table};

/// Opens the past, asks it, prints the answer.
pub fn execute(command: &TraceCommand, global: &GlobalArgs) -> anyhow::Result<()> {
    match command {
        TraceCommand::Forward(args) => forward(args, global),
        TraceCommand::Backward(args) => backward(args, global),
        TraceCommand::Path(args) => path(args, global),
    }
}

/// The past that the arguments name, the log started.
pub(super) fn open(
    args: &PastArgs,
    files: &[PathBuf],
    global: &GlobalArgs,
) -> anyhow::Result<Past> {
    Ok(open_configured(args, files, args.config.flags(), global)?.0)
}

/// The same, with the configuration under the flags of the command.
pub(super) fn open_configured(
    args: &PastArgs,
    files: &[PathBuf],
    flags: Vec<Flag>,
    global: &GlobalArgs,
) -> anyhow::Result<(Past, Config)> {
    let config = super::load(&args.config, flags, global)?.config;
    crate::logging::start(&config.log, global.color)?;
    Ok((source::open(args, files)?, config))
}

fn forward(args: &ForwardArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let mut past = open(&args.past, &args.files, global)?;
    let case = limited(case_of(args, &mut past)?, &args.ask);
    let to = args.to.iter().map(|text| Ok(names::seen(&past, text)?.1));
    let to: Vec<u32> = to.collect::<anyhow::Result<_>>()?;
    let trace = follow(&past, &case, args.ask.policy, &args.past)?;
    let ranks = match to.as_slice() {
        [] => (0..trace.hops.len()).collect(),
        to => leading_to(&trace.hops, to),
    };
    if ranks.is_empty() {
        eprintln!("note: no transfer carried such units");
    }
    let limit = limit(&args.ask, args.output == GraphOutput::Table);
    let hops = FullHop::all(&mut past, &trace, ranks.iter().copied().take(limit))?;
    let mut out = output(args.ask.out.as_deref())?;
    match args.output {
        GraphOutput::Table => table::trace(&mut out, &past, &trace, &hops, (ranks.len(), limit))?,
        GraphOutput::Json => export::json(&mut out, &past, &case.id, &trace, &hops)?,
        GraphOutput::Csv => {
            export::csv(&mut out, &trace, &[], hops.iter().map(|hop| (vec![], hop)))?;
        }
        GraphOutput::Dot => export::dot(&mut out, &past, &hops)?,
        GraphOutput::Graphml => export::graphml(&mut out, &past, &trace, &hops)?,
    }
    Ok(out.flush()?)
}

/// The case that the arguments describe.
fn case_of(args: &ForwardArgs, past: &mut Past) -> anyhow::Result<Case> {
    if let Some(id) = &args.case {
        return known_case(id, &args.cases);
    }
    let mut sources = Vec::new();
    for text in &args.from {
        let (account, _) = names::seen(past, text)?;
        sources.push(Source::Wallet { account, since_block: args.since_block });
    }
    for text in &args.transfer {
        let facts = names::transfer(past, text)?;
        let log_index = facts.log_index.expect("it was found by its log index");
        let (chain, tx) = (facts.chain, facts.transfer.tx);
        sources.push(Source::Transfer { chain, tx, log_index });
    }
    Ok(case("trace", sources))
}

/// The case of that id in files of cases.
pub(super) fn known_case(id: &str, files: &[PathBuf]) -> anyhow::Result<Case> {
    let cases = Knowledge::read(files, &[], &[])?.cases;
    let known: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    let hint = format!("there are: {}", known.join(", "));
    let case = cases.iter().find(|case| case.id == *id).cloned();
    let missing = anyhow::anyhow!("no case of that id");
    case.ok_or(missing).explain(format!("cannot follow case {id}"), hint)
}

fn case(id: &str, sources: Vec<Source>) -> Case {
    let (title, category, max_hops) = (None, None, None);
    Case { id: id.to_owned(), title, category, sources, min_units: 0, max_hops }
}

/// The case with the limits of the arguments, where those name any.
fn limited(case: Case, ask: &AskArgs) -> Case {
    let min_units = ask.min_units.unwrap_or(case.min_units);
    Case { min_units, max_hops: ask.max_hops.or(case.max_hops), ..case }
}

/// The trace of the case, with a bar.
pub(super) fn follow(
    past: &Past,
    case: &Case,
    policy: Policy,
    args: &PastArgs,
) -> anyhow::Result<Trace> {
    let bar = bar(args.no_progress, Some(0), "tracing");
    let trace = past.follow(case, policy, move_on(&bar))?;
    bar.finish_and_clear();
    Ok(trace)
}

fn limit(ask: &AskArgs, is_table: bool) -> usize {
    ask.limit.unwrap_or(if is_table { TABLE_ROWS } else { usize::MAX })
}

fn backward(args: &BackwardArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let past = open(&args.past, &args.files, global)?;
    let (account, _) = names::seen(&past, &args.address)?;
    let mut sources = Vec::new();
    for text in &args.source {
        let (source, _) = names::seen(&past, text)?;
        anyhow::ensure!(
            source.chain == account.chain,
            "{text} is of another chain than the wallet"
        );
        sources.push(source);
    }
    let bar = bar(args.past.no_progress, Some(0), "tracing back");
    let policy = args.ask.policy;
    let origins =
        past.origins(account, policy, args.until_block, &sources, move_on(&bar)).explain(
            "cannot tell where the units came from",
            "label the services that they passed through, or name wallets with --source",
        )?;
    bar.finish_and_clear();
    let origins = origins.expect("the account was seen");
    let limit = limit(&args.ask, args.output == RowOutput::Table);
    let wanted = |share: &&Share| {
        share.units >= args.ask.min_units.unwrap_or(0)
            && args.ask.max_hops.is_none_or(|most| share.hops <= most)
    };
    let shares: Vec<&Share> = origins.shares.iter().filter(wanted).take(limit).collect();
    let mut out = output(args.ask.out.as_deref())?;
    match args.output {
        RowOutput::Table => backward::table(&mut out, &past, &origins, &shares)?,
        RowOutput::Json => backward::json(&mut out, &past, &origins, &shares)?,
        RowOutput::Csv => backward::csv(&mut out, &past, &shares)?,
    }
    Ok(out.flush()?)
}

fn path(args: &PathArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let mut past = open(&args.past, &args.files, global)?;
    let (account, from) = names::seen(&past, &args.from)?;
    let (target, to) = names::seen(&past, &args.to)?;
    anyhow::ensure!(
        account.chain == target.chain,
        "units never leave their chain: name two wallets of one"
    );
    anyhow::ensure!(from != to, "--from and --to name the same wallet");
    let source = Source::Wallet { account, since_block: args.since_block };
    let case = limited(case("path", vec![source]), &args.ask);
    let trace = follow(&past, &case, args.ask.policy, &args.past)?;
    let found = strongest_paths(&trace, from, to, args.k);
    if found.paths.is_empty() {
        eprintln!("note: no tainted unit of {} reached {}", args.from, args.to);
    }
    if found.given_up {
        eprintln!("warning: the search was given up; there may be more paths");
    }
    let mut paths = Vec::new();
    for path in found.paths.into_iter().take(limit(&args.ask, false)) {
        let hops = FullHop::all(&mut past, &trace, path.hops.iter().map(|hop| *hop as usize))?;
        paths.push((path, hops));
    }
    let mut out = output(args.ask.out.as_deref())?;
    match args.output {
        GraphOutput::Table => table::paths(&mut out, &trace, &paths)?,
        GraphOutput::Json => export::paths_json(&mut out, &trace, &paths, found.given_up)?,
        GraphOutput::Csv => export::paths_csv(&mut out, &trace, &paths)?,
        GraphOutput::Dot => export::dot(&mut out, &past, &together(&paths))?,
        GraphOutput::Graphml => export::graphml(&mut out, &past, &trace, &together(&paths))?,
    }
    Ok(out.flush()?)
}

/// The hops of all paths, each once, in the order of application.
fn together(paths: &[(TracePath, Vec<FullHop>)]) -> Vec<FullHop> {
    let mut hops: Vec<FullHop> = paths.iter().flat_map(|(_, hops)| hops.clone()).collect();
    hops.sort_by_key(|full| full.hop.transfer);
    hops.dedup_by_key(|full| full.hop.transfer);
    hops
}
