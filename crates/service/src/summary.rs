//! What a run came to: for `summary.json`, and for a person to read.

use std::collections::BTreeMap;

use flow_codec::{DecodeError, Ignored};
use flow_core::{CaseTotals, Chain, Engine, FreezeStatus, LedgerStats, MemoryStats, Policy, Rule};
use serde_json::{Map, Value, json};

use crate::metrics::{DEAD_LETTER_REASONS, EVENT_KINDS, Metrics};
use crate::pipeline::Pipeline;

/// The figures of one run.
#[derive(Clone, Debug)]
pub struct Summary {
    events: Vec<(&'static str, u64)>,
    ignored: Vec<(&'static str, u64)>,
    refused: Vec<(&'static str, u64)>,
    alerts: Vec<(&'static str, u64)>,
    alerts_settled: u64,
    alerts_retracted: Vec<(&'static str, u64)>,
    reorgs: u64,
    policies: Vec<&'static str>,
    freezes: Vec<(&'static str, u64)>,
    duplicates: u64,
    gaps: u64,
    blocks: u64,
    transferred_units: u128,
    stats: LedgerStats,
    memory: MemoryStats,
    cases: Vec<(String, CaseTotals)>,
    run_ms: u128,
}

impl Summary {
    /// Reads the figures of a run that took `run_ms`, over pipelines that share
    /// no chain.
    pub fn of(pipelines: &[&Pipeline], metrics: &Metrics, run_ms: u128) -> Summary {
        let engines: Vec<&Engine> = pipelines.iter().map(|pipeline| &pipeline.engine).collect();
        let chains = || Chain::ALL.into_iter().map(|chain| metrics.chain(chain));
        let reasons = DecodeError::REASONS.iter().copied().chain(DEAD_LETTER_REASONS);
        let kind = |(at, name): (usize, &&'static str)| {
            (*name, chains().map(|chain| chain.events[at].get()).sum())
        };
        Summary {
            events: EVENT_KINDS.iter().enumerate().map(kind).collect(),
            ignored: counted(Ignored::ALL.map(|r| (r.name(), metrics.ignored(r).get()))),
            refused: counted(reasons.map(|r| (r, metrics.dead_letters(r).get()))),
            alerts: counted(Rule::ALL.map(|rule| (rule.name(), metrics.alerts_raised(rule)))),
            alerts_settled: metrics.alerts_settled.get(),
            alerts_retracted: counted(
                Rule::ALL.map(|rule| (rule.name(), metrics.alerts_retracted(rule).get())),
            ),
            reorgs: chains().map(|chain| chain.reorgs.get()).sum(),
            policies: policies(&engines).iter().map(|policy| policy.name()).collect(),
            freezes: counted(
                FreezeStatus::ALL.map(|s| (s.name(), metrics.freeze_recommendations(s).get())),
            ),
            duplicates: chains().map(|chain| chain.duplicates.get()).sum(),
            gaps: chains().map(|chain| chain.gaps.get()).sum(),
            blocks: chains().map(|chain| chain.blocks.get()).sum(),
            transferred_units: pipelines.iter().map(|pipeline| pipeline.transferred_units).sum(),
            stats: engines.iter().map(|engine| engine.stats()).fold(Default::default(), both_stats),
            memory: engines
                .iter()
                .map(|engine| engine.memory())
                .fold(Default::default(), both_memories),
            cases: policies(&engines)
                .first()
                .map_or(Vec::new(), |policy| case_totals_under(&engines, *policy)),
            run_ms,
        }
    }

    /// Records that were refused.
    pub fn refused(&self) -> u64 {
        self.refused.iter().map(|(_, count)| count).sum()
    }

    /// Whether nothing was understood: probably the wrong file.
    pub fn is_all_refused(&self) -> bool {
        self.refused() > 0 && self.events.iter().all(|(_, count)| *count == 0)
    }

    /// The books of each case.
    pub fn cases(&self) -> &[(String, CaseTotals)] {
        &self.cases
    }

    /// As `summary.json` holds it.
    pub fn json(&self) -> Value {
        json!({
            "events": object(&self.events),
            "events_total": self.events.iter().map(|(_, count)| count).sum::<u64>(),
            "transferred_units": self.transferred_units.to_string(),
            "transferred_usdt": usdt(self.transferred_units).replace(',', ""),
            "ignored": object(&self.ignored),
            "refused": object(&self.refused),
            "refused_total": self.refused(),
            "duplicates": self.duplicates,
            "blocks": self.blocks,
            "gaps": self.gaps,
            "accounts": self.stats.accounts,
            "zero_transfers": self.stats.zero_transfers,
            "self_transfers": self.stats.self_transfers,
            "opening_units": self.stats.opening_units.to_string(),
            "cases": self.stats.cases,
            "policies": self.policies,
            "reorgs": self.reorgs,
            "alerts": object(&self.alerts),
            "alerts_settled": self.alerts_settled,
            "alerts_retracted": object(&self.alerts_retracted),
            "freezes": object(&self.freezes),
            "run_ms": u64::try_from(self.run_ms).unwrap_or(u64::MAX),
        })
    }

    /// For a person: figures in USDT, one line each, then the cases.
    pub fn text(&self) -> String {
        let kinds = |counts: &[(&str, u64)]| {
            let shown = counts.iter().filter(|(_, count)| *count > 0);
            let parts: Vec<String> = shown
                .map(|(name, count)| format!("{name} {}", grouped(u128::from(*count))))
                .collect();
            if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
        };
        let mut text = format!(
            "events      {}\nmoved       {} USDT in {} blocks\naccounts    {}\n\
             opening     {} USDT held before the first event\nignored     {}\nrefused     {}\n\
             duplicates  {}\ngaps        {}\nalerts      {}\nfreezes     {}\nrun time    {}.{:03} s\n",
            kinds(&self.events),
            usdt(self.transferred_units),
            grouped(u128::from(self.blocks)),
            grouped(self.stats.accounts as u128),
            usdt(self.stats.opening_units),
            kinds(&self.ignored),
            kinds(&self.refused),
            grouped(self.duplicates.into()),
            grouped(self.gaps.into()),
            kinds(&self.alerts),
            kinds(&self.freezes),
            self.run_ms / 1000,
            self.run_ms % 1000,
        );
        if self.memory.segments > 0 {
            text.push_str(&history_text(&self.memory));
        }
        for (case, totals) in &self.cases {
            text.push('\n');
            text.push_str(&case_text(case, totals));
        }
        text
    }
}

/// The policies that engines of one configuration trace cases under.
pub fn policies(engines: &[&Engine]) -> Vec<Policy> {
    engines.first().map_or(Vec::new(), |engine| engine.policies().to_vec())
}

/// The books of every case over engines that share no chain, in the order of
/// case ids.
pub fn case_totals_under(engines: &[&Engine], policy: Policy) -> Vec<(String, CaseTotals)> {
    let mut sums = BTreeMap::<String, CaseTotals>::new();
    for (case, totals) in engines.iter().flat_map(|engine| engine.case_totals_under(policy)) {
        let sum = sums.entry(case).or_default();
        sum.emitted += totals.emitted;
        sum.held += totals.held;
        sum.frozen += totals.frozen;
        sum.redeemed += totals.redeemed;
        sum.destroyed += totals.destroyed;
        sum.dust += totals.dust;
        sum.horizon += totals.horizon;
        for (entity, units) in totals.services {
            *sum.services.entry(entity).or_default() += units;
        }
    }
    sums.into_iter().collect()
}

/// Cases are open on every chain, all else is of one.
fn both_stats(a: LedgerStats, b: LedgerStats) -> LedgerStats {
    LedgerStats {
        accounts: a.accounts + b.accounts,
        transfers: a.transfers + b.transfers,
        zero_transfers: a.zero_transfers + b.zero_transfers,
        self_transfers: a.self_transfers + b.self_transfers,
        opening_units: a.opening_units + b.opening_units,
        cases: a.cases.max(b.cases),
    }
}

fn both_memories(a: MemoryStats, b: MemoryStats) -> MemoryStats {
    MemoryStats {
        tail_transfers: a.tail_transfers + b.tail_transfers,
        segments: a.segments + b.segments,
        sealed_transfers: a.sealed_transfers + b.sealed_transfers,
        segment_bytes: a.segment_bytes + b.segment_bytes,
        hash_bytes: a.hash_bytes + b.hash_bytes,
        graph_transfers: a.graph_transfers + b.graph_transfers,
        path_transfers: a.path_transfers + b.path_transfers,
        revertible_blocks: a.revertible_blocks + b.revertible_blocks,
    }
}

/// What the sealed past takes.
fn history_text(memory: &MemoryStats) -> String {
    format!(
        "history     {} transfers in {} {}: {} bytes, {} of them for transaction hashes\n",
        grouped(memory.sealed_transfers as u128),
        grouped(memory.segments as u128),
        if memory.segments == 1 { "segment" } else { "segments" },
        grouped(memory.segment_bytes.into()),
        grouped(memory.hash_bytes.into()),
    )
}

/// Where a case's money is, for a person.
pub fn case_text(case: &str, totals: &CaseTotals) -> String {
    let mut text = format!("case {case}: {} USDT tainted\n", usdt(totals.emitted));
    let mut part = |name: &str, units: u128| {
        if units > 0 {
            text.push_str(&format!("  {name:<28} {:>24} USDT\n", usdt(units)));
        }
    };
    part("held in wallets", totals.held);
    part("frozen by the issuer", totals.frozen);
    for (entity, units) in &totals.services {
        part(&format!("at {entity}"), *units);
    }
    part("redeemed by the issuer", totals.redeemed);
    part("destroyed by the issuer", totals.destroyed);
    part("dust", totals.dust);
    part("beyond the horizon", totals.horizon);
    text
}

/// Base units as USDT with six decimals and grouped thousands.
pub fn usdt(units: u128) -> String {
    format!("{}.{:06}", grouped(units / 1_000_000), units % 1_000_000)
}

/// A number with its thousands grouped.
pub(crate) fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn counted(counts: impl IntoIterator<Item = (&'static str, u64)>) -> Vec<(&'static str, u64)> {
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

fn object(counts: &[(&'static str, u64)]) -> Map<String, Value> {
    counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_units_read_as_usdt() {
        assert_eq!(usdt(0), "0.000000");
        assert_eq!(usdt(999_999), "0.999999");
        assert_eq!(usdt(167_913_949_867_410), "167,913,949.867410");
    }
}
