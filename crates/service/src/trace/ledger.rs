//! The ledger of a case: where its money is, and when it reached services.
//!
//! What always holds: the days of a service add up to what the books say of it.

use std::collections::BTreeMap;
use std::io::Write;

use flow_codec::{address, wire};
use flow_core::{Case, CaseTotals, Chain, Outcome, Past, Trace};
use serde_json::{Value, json};

use super::hop::{FullHop, totals};
use super::names;
use super::table;
use crate::summary::usdt;

/// Tainted units that reached a service on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Arrivals {
    /// Transfers that brought them.
    transfers: u64,
    /// Base units.
    units: u128,
}

/// The ledger of one case.
#[derive(Debug)]
pub struct Ledger {
    case: Case,
    trace: Trace,
    /// By UTC day, chain and entity.
    arrivals: BTreeMap<(String, Chain, String), Arrivals>,
}

impl Ledger {
    /// Counts the arrivals at services of a case that was traced.
    ///
    /// # Errors
    /// If the past cannot be read.
    pub fn of(past: &mut Past, case: Case, trace: Trace) -> anyhow::Result<Ledger> {
        let hops = trace.hops.iter().enumerate();
        let reached = hops.filter(|(_, hop)| hop.outcome == Outcome::Service);
        let ranks: Vec<usize> = reached.map(|(rank, _)| rank).collect();
        let mut arrivals = BTreeMap::<_, Arrivals>::new();
        for full in FullHop::all(past, &trace, ranks)? {
            let day = wire::day(full.facts.timestamp_ms);
            let entity = full.service.unwrap_or_default();
            let here = arrivals.entry((day, full.facts.chain, entity)).or_default();
            here.transfers += 1;
            here.units += u128::from(full.hop.moved);
        }
        Ok(Ledger { case, trace, arrivals })
    }

    /// What reached services, by UTC day, chain and entity: transfers and units.
    pub fn days(&self) -> impl Iterator<Item = (&str, Chain, &str, u64, u128)> {
        self.arrivals.iter().map(|((day, chain, entity), arrived)| {
            (day.as_str(), *chain, entity.as_str(), arrived.transfers, arrived.units)
        })
    }

    /// The case, and its trace.
    pub fn traced(&self) -> (&Case, &Trace) {
        (&self.case, &self.trace)
    }

    /// For people, with so many of the wallets that hold most.
    ///
    /// # Errors
    /// If it cannot be written, or a balance cannot be read.
    pub fn table(&self, out: &mut dyn Write, past: &Past, limit: usize) -> anyhow::Result<()> {
        write!(out, "Case {}", self.case.id)?;
        if let Some(title) = &self.case.title {
            write!(out, ": {title}")?;
        }
        writeln!(out)?;
        for chain in Chain::ALL {
            if past.covered(chain)?.is_some() {
                writeln!(out, "  {}", names::covers(past, chain)?)?;
            }
        }
        writeln!(out)?;
        table::totals(out, &self.trace)?;
        self.day_lines(out)?;
        if !self.arrivals.is_empty() {
            writeln!(out, "\nArrivals at services, by day (UTC):")?;
        }
        for ((day, chain, entity), Arrivals { transfers, units }) in &self.arrivals {
            let units = usdt(*units);
            let chain = chain.name();
            writeln!(out, "  {day}  {chain:<8}  {units:>26} USDT  {transfers:>6} ×  {entity}")?;
        }
        table::held(out, past, &self.trace, limit)
    }

    /// The ledger at the end of each day, for people.
    fn day_lines(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        if !self.trace.days.is_empty() {
            writeln!(out, "\nThe ledger at the end of each day (UTC) in which it changed:")?;
        }
        for ledger in &self.trace.days {
            let (day, chain) = (wire::day(ledger.timestamp_ms), ledger.chain.name());
            let books = &ledger.totals;
            let parts = [
                ("emitted", books.emitted),
                ("held", books.held),
                ("frozen", books.frozen),
                ("services", books.service()),
                ("redeemed", books.redeemed),
                ("destroyed", books.destroyed),
                ("dust", books.dust),
                ("horizon", books.horizon),
            ];
            let told = parts.iter().filter(|(_, units)| *units > 0);
            let told: Vec<String> =
                told.map(|(name, units)| format!("{name} {}", usdt(*units))).collect();
            writeln!(out, "  {day}  {chain:<8}  block {}: {}", ledger.block, told.join(", "))?;
        }
        Ok(())
    }

    /// For programs, with so many of the wallets that hold most.
    ///
    /// # Errors
    /// If the past cannot be read.
    pub fn json(&self, past: &Past, limit: usize) -> anyhow::Result<Value> {
        let arrivals = self.arrivals.iter().map(|((day, chain, entity), arrived)| {
            json!({
                "day": day,
                "chain": chain.name(),
                "entity": entity,
                "transfers": arrived.transfers,
                "units": arrived.units.to_string(),
            })
        });
        let days = self.trace.days.iter().map(|ledger| {
            json!({
                "day": wire::day(ledger.timestamp_ms),
                "chain": ledger.chain.name(),
                "block": ledger.block,
                "ledger": totals(&ledger.totals),
            })
        });
        let mut held = self.trace.held.clone();
        held.sort_by_key(|held| (std::cmp::Reverse(held.tainted), held.account));
        let mut wallets = Vec::new();
        for held in held.iter().take(limit) {
            wallets.push(json!({
                "account": address::format_account(past.account(held.account)),
                "balance": past.balance(held.account, None)?.to_string(),
                "tainted": held.tainted.to_string(),
                "hops": held.hops,
                "frozen": held.frozen,
            }));
        }
        Ok(json!({
            "case": self.case.id,
            "title": self.case.title,
            "category": self.case.category,
            "policy": self.trace.policy.name(),
            "as_of": as_of(past)?,
            "ledger": totals(&self.trace.totals),
            "days": days.collect::<Vec<Value>>(),
            "arrivals": arrivals.collect::<Vec<Value>>(),
            "wallets_total": held.len(),
            "wallets": wallets,
        }))
    }
}

/// The books of a case in one object.
pub fn summary(case: &Case, books: &CaseTotals) -> Value {
    json!({
        "case": case.id,
        "title": case.title,
        "category": case.category,
        "ledger": totals(books),
    })
}

/// The books of cases as lines of cells below a heading; amounts in USDT.
pub fn lines(cases: &[(&Case, CaseTotals)]) -> Vec<[String; 9]> {
    let heading = [
        "CASE",
        "EMITTED",
        "HELD",
        "FROZEN",
        "SERVICES",
        "REDEEMED",
        "DESTROYED",
        "DUST",
        "HORIZON",
    ];
    let mut lines = vec![heading.map(str::to_owned)];
    for (case, books) in cases {
        let sums = [
            books.emitted,
            books.held,
            books.frozen,
            books.service(),
            books.redeemed,
            books.destroyed,
            books.dust,
            books.horizon,
        ];
        let mut cells = sums.iter().map(|sum| usdt(*sum));
        lines.push(std::array::from_fn(|column| match column {
            0 => case.id.clone(),
            _ => cells.next().unwrap_or_default(),
        }));
    }
    lines
}

/// The last block of each chain that the past covers.
///
/// # Errors
/// If the past cannot be read.
pub fn as_of(past: &Past) -> anyhow::Result<Value> {
    let mut heads = serde_json::Map::new();
    for chain in Chain::ALL {
        if let Some(covered) = past.covered(chain)? {
            let (block, time) = (covered.last.0, wire::rfc3339_utc(covered.last.1));
            heads.insert(chain.name().to_owned(), json!({ "block": block, "time": time }));
        }
    }
    Ok(Value::Object(heads))
}
