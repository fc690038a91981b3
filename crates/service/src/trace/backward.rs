//! Where a wallet's units came from, printed.

use std::io::Write;

use flow_codec::{address, wire};
use flow_core::{Origin, Origins, Past, Policy, Share};
use serde_json::{Value, json};

use super::words::usdt;

/// Kind and name of an origin.
pub fn named(past: &Past, origin: &Origin) -> (&'static str, String) {
    let account = |id: &u32| address::format_account(past.account(*id));
    match origin {
        Origin::Service(entity) => ("service", entity.clone()),
        Origin::Source(id) => ("source", account(id)),
        Origin::Opening(id) => ("opening", account(id)),
        Origin::Issued(id) => ("issued", account(id)),
    }
}

/// A table: shares in USDT, the greatest first, and what is left over.
///
/// # Errors
/// If it cannot be written.
pub fn table(
    out: &mut dyn Write,
    past: &Past,
    origins: &Origins,
    shares: &[&Share],
) -> anyhow::Result<()> {
    let name = address::format_account(past.account(origins.account));
    writeln!(out, "{name} holds {} USDT.", usdt(origins.balance))?;
    let (policy, accounts) = (origins.policy.name(), origins.accounts);
    writeln!(out, "Under {policy} they came, through {accounts} accounts at most, from:\n")?;
    writeln!(out, "  {:>26}   share  hops  first arrival             origin", "units (USDT)")?;
    for share in shares {
        let (kind, name) = named(past, &share.origin);
        let first =
            share.arrived_ms.map_or("was there".to_owned(), |(ms, _)| wire::rfc3339_utc(ms));
        let (units, percent) = (usdt(share.units), percent(share.units, origins.balance));
        writeln!(
            out,
            "  {units:>26}  {percent:>6}  {:>4}  {first:<24}  {kind} {name}",
            share.hops
        )?;
    }
    let hidden = origins.shares.len() - shares.len();
    if hidden > 0 {
        let shown: i128 = shares.iter().map(|share| i128::from(share.units)).sum();
        let all = i128::from(origins.balance) - origins.remainder();
        writeln!(out, "  {:>26}  from {hidden} more origins", usdt(all - shown))?;
    }
    let what = remainder(origins.policy);
    writeln!(out, "  {:>26}  {what}", usdt(origins.remainder()))?;
    Ok(())
}

fn percent(units: u64, of: u64) -> String {
    let tenths = u128::from(units) * 1_000 / u128::from(of.max(1));
    format!("{}.{}%", tenths / 10, tenths % 10)
}

/// What the balance less all shares means.
const fn remainder(policy: Policy) -> &'static str {
    match policy {
        Policy::Haircut => "rounding: each origin is rounded by itself",
        Policy::Fifo | Policy::Lifo => "left over",
        Policy::DirtyFirst | Policy::DirtyLast | Policy::Poison => {
            "left over; under this policy origins overlap or leave units out"
        }
    }
}

/// One JSON object; amounts are decimal strings of base units.
///
/// # Errors
/// If it cannot be written.
pub fn json(
    out: &mut dyn Write,
    past: &Past,
    origins: &Origins,
    shares: &[&Share],
) -> anyhow::Result<()> {
    let time = |ms: Option<u64>| ms.map_or(Value::Null, |ms| wire::rfc3339_utc(ms).into());
    let share = |share: &&Share| {
        let (kind, name) = named(past, &share.origin);
        json!({
            "kind": kind,
            "origin": name,
            "units": share.units.to_string(),
            "hops": share.hops,
            "first_arrival": time(share.arrived_ms.map(|ms| ms.0)),
            "last_arrival": time(share.arrived_ms.map(|ms| ms.1)),
        })
    };
    let told = json!({
        "account": address::format_account(past.account(origins.account)),
        "policy": origins.policy.name(),
        "balance": origins.balance.to_string(),
        "remainder": origins.remainder().to_string(),
        "accounts": origins.accounts,
        "origins_total": origins.shares.len(),
        "origins": shares.iter().map(share).collect::<Vec<Value>>(),
    });
    Ok(writeln!(out, "{told:#}")?)
}

/// One row for each origin.
///
/// # Errors
/// If it cannot be written.
pub fn csv(out: &mut dyn Write, past: &Past, shares: &[&Share]) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(["kind", "origin", "units", "hops", "first_arrival", "last_arrival"])?;
    for share in shares {
        let (kind, name) = named(past, &share.origin);
        let time = |ms: Option<u64>| ms.map_or(String::new(), wire::rfc3339_utc);
        let (units, hops) = (share.units.to_string(), share.hops.to_string());
        let (first, last) = (share.arrived_ms.map(|ms| ms.0), share.arrived_ms.map(|ms| ms.1));
        writer.write_record([kind, &name, &units, &hops, &time(first), &time(last)])?;
    }
    Ok(writer.flush()?)
}
