//! Tables for people: amounts in USDT, one paragraph for each hop.

use std::io::Write;

use flow_codec::address;
use flow_core::{Outcome, Past, Trace, TracePath};

use super::hop::FullHop;
use super::words::usdt;

/// The hops of a trace, then where its units are.
///
/// # Errors
/// If it cannot be written, or a balance cannot be read.
pub fn trace(
    out: &mut dyn Write,
    past: &Past,
    trace: &Trace,
    hops: &[FullHop],
    (of, limit): (usize, usize),
) -> anyhow::Result<()> {
    for (rank, hop) in hops.iter().enumerate() {
        paragraph(out, trace, hop, &format!("#{}", rank + 1))?;
    }
    if hops.len() < of {
        let left = of - hops.len();
        writeln!(out, "… and {left} more hops; --limit or --output csv shows them\n")?;
    }
    totals(out, trace)?;
    held(out, past, trace, limit)
}

/// Paths, each hop by hop.
///
/// # Errors
/// If it cannot be written.
pub fn paths(
    out: &mut dyn Write,
    trace: &Trace,
    paths: &[(TracePath, Vec<FullHop>)],
) -> anyhow::Result<()> {
    for (rank, (path, hops)) in paths.iter().enumerate() {
        let (strength, count) = (usdt(path.strength), hops.len());
        let transfers = if count == 1 { "transfer" } else { "transfers" };
        writeln!(out, "Path {}: {count} {transfers}, strength {strength} USDT\n", rank + 1)?;
        for (step, hop) in hops.iter().enumerate() {
            paragraph(out, trace, hop, &format!("{}.{}", rank + 1, step + 1))?;
        }
    }
    Ok(())
}

fn paragraph(
    out: &mut dyn Write,
    trace: &Trace,
    full: &FullHop,
    number: &str,
) -> anyhow::Result<()> {
    let FullHop { hop, facts, arithmetic, .. } = full;
    let (from, to) = full.ends();
    let index = facts.log_index.map_or("without log index".to_owned(), |ix| format!("log {ix}"));
    let (time, chain, block) = (full.time(), facts.chain, facts.block);
    writeln!(out, "{number:<5} {time}  {chain} block {block}  hop {}", hop.hops)?;
    writeln!(out, "      tx      {}  {index}", full.tx())?;
    writeln!(out, "      from    {from}")?;
    writeln!(out, "      to      {to}")?;
    writeln!(out, "      a  amount          {:>26} USDT", usdt(hop.amount))?;
    write!(out, "      b  balance before  {:>26} USDT", usdt(hop.before))?;
    if hop.missing > 0 {
        write!(out, ", {} of it missing before the first event", usdt(hop.missing))?;
    }
    writeln!(out)?;
    writeln!(out, "      t  tainted before  {:>26} USDT", usdt(hop.tainted_before))?;
    writeln!(out, "      m  tainted moved   {:>26} USDT  ({})", usdt(hop.moved), arrival(full))?;
    writeln!(out, "      {}: {arithmetic}\n", trace.policy.name())?;
    Ok(())
}

/// What became of the tainted units of a hop on arrival.
pub(crate) fn arrival(full: &FullHop) -> String {
    match (full.hop.outcome, &full.service) {
        (Outcome::Service, Some(entity)) => format!("reached the service {entity}"),
        (Outcome::Service, None) => "reached a service".to_owned(),
        (Outcome::AtSource, _) => "back at a source".to_owned(),
        (Outcome::Horizon, _) => "too far to follow".to_owned(),
        (Outcome::Dust, _) => "too few to follow".to_owned(),
        (Outcome::Held, _) => "tainted at the receiver".to_owned(),
    }
}

/// The books of a case.
///
/// # Errors
/// If it cannot be written.
pub fn totals(out: &mut dyn Write, trace: &Trace) -> anyhow::Result<()> {
    let totals = &trace.totals;
    let sums = [
        ("held", totals.held),
        ("frozen", totals.frozen),
        ("redeemed", totals.redeemed),
        ("destroyed", totals.destroyed),
        ("dust", totals.dust),
        ("horizon", totals.horizon),
    ];
    let line = |name: &str, units: u128| {
        format!("  {name:<24} {:>26} USDT", usdt(i128::try_from(units).unwrap_or(i128::MAX)))
    };
    writeln!(out, "Where the units are ({}):", trace.policy.name())?;
    writeln!(out, "{}", line("emitted", totals.emitted))?;
    for (name, units) in sums.into_iter().filter(|(name, units)| *units > 0 || *name == "held") {
        writeln!(out, "{}", line(name, units))?;
    }
    for (entity, units) in &totals.services {
        writeln!(out, "{}", line(&format!("at {entity}"), *units))?;
    }
    Ok(())
}

/// The accounts that hold most.
///
/// # Errors
/// If it cannot be written, or a balance cannot be read.
pub fn held(out: &mut dyn Write, past: &Past, trace: &Trace, limit: usize) -> anyhow::Result<()> {
    let mut held = trace.held.clone();
    held.sort_by_key(|held| (std::cmp::Reverse(held.tainted), held.account));
    writeln!(out, "\n{} accounts hold tainted units:", held.len())?;
    if !held.is_empty() {
        writeln!(out, "  {:>26}  {:>26}  hops  account", "tainted (USDT)", "balance (USDT)")?;
    }
    for held in held.iter().take(limit) {
        let balance = past.balance(held.account, None)?;
        let name = address::format_account(past.account(held.account));
        let frozen = if held.frozen { "  frozen" } else { "" };
        let (tainted, balance) = (usdt(held.tainted), usdt(balance));
        writeln!(out, "  {tainted:>26}  {balance:>26}  {:>4}  {name}{frozen}", held.hops)?;
    }
    if held.len() > limit {
        writeln!(out, "  … and {} more", held.len() - limit)?;
    }
    Ok(())
}
