//! Hops in full: what is printed of a trace, resolved to facts.

use std::collections::BTreeSet;

use flow_codec::{address, wire};
use flow_core::{Amount, CaseTotals, Hop, Outcome, Past, Trace, TransferFacts};
use serde_json::{Value, json};

use super::words;

/// A hop, told in full.
#[derive(Clone, Debug)]
pub struct FullHop {
    /// The hop by ids.
    pub hop: Hop,
    /// Its transfer.
    pub facts: TransferFacts,
    /// The sum behind it.
    pub arithmetic: String,
    /// The service that was reached, if one was.
    pub service: Option<String>,
}

/// Names of the columns of a hop, in CSV and JSON alike.
pub const COLUMNS: [&str; 19] = [
    "time",
    "chain",
    "block",
    "tx",
    "log_index",
    "event_position",
    "from",
    "to",
    "amount",
    "balance_before",
    "missing",
    "tainted_before",
    "moved",
    "hops",
    "marked",
    "outcome",
    "service",
    "policy",
    "arithmetic",
];

impl FullHop {
    /// Resolves hops of a trace by their ranks.
    ///
    /// # Errors
    /// If the past cannot be read.
    pub fn all(
        past: &mut Past,
        trace: &Trace,
        ranks: impl IntoIterator<Item = usize>,
    ) -> anyhow::Result<Vec<FullHop>> {
        let full = |rank: usize| {
            let hop = trace.hops[rank];
            let facts = past.transfer(hop.transfer)?;
            let arithmetic = words::arithmetic(trace.policy, &hop, trace.runs(rank));
            let reached = past.label(hop.to).filter(|_| hop.outcome == Outcome::Service);
            let service = reached.map(|label| label.entity.clone());
            Ok(FullHop { hop, facts, arithmetic, service })
        };
        ranks.into_iter().map(full).collect()
    }

    /// Block time, RFC 3339 in UTC.
    pub fn time(&self) -> String {
        wire::rfc3339_utc(self.facts.timestamp_ms)
    }

    /// The transaction in its chain's spelling.
    pub fn tx(&self) -> String {
        address::format_tx(self.facts.chain, self.facts.transfer.tx)
    }

    /// Sender and receiver in their chain's spelling.
    pub fn ends(&self) -> (String, String) {
        let name = |key: flow_core::AccountKey| address::format(key.chain, key.address);
        (name(self.facts.from), name(self.facts.to))
    }

    /// The hop as JSON; amounts are decimal strings of base units.
    pub fn json(&self, trace: &Trace) -> Value {
        let units = |units: Amount| Value::from(units.to_string());
        let (from, to) = self.ends();
        let values: [Value; 19] = [
            self.time().into(),
            self.facts.chain.name().into(),
            self.facts.block.into(),
            self.tx().into(),
            self.facts.log_index.map_or(Value::Null, Value::from),
            self.facts.transfer.position.into(),
            from.into(),
            to.into(),
            units(self.hop.amount),
            units(self.hop.before),
            units(self.hop.missing),
            units(self.hop.tainted_before),
            units(self.hop.moved),
            self.hop.hops.into(),
            self.hop.marked.into(),
            outcome(self.hop.outcome).into(),
            self.service.clone().map_or(Value::Null, Value::from),
            trace.policy.name().into(),
            self.arithmetic.clone().into(),
        ];
        let object = COLUMNS.iter().map(|name| (*name).to_owned()).zip(values);
        Value::Object(object.collect())
    }

    /// The hop as a row of text.
    pub fn row(&self, trace: &Trace) -> Vec<String> {
        let told = self.json(trace);
        let text = |name: &&str| match &told[*name] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        COLUMNS.iter().map(text).collect()
    }
}

/// What became of tainted units on arrival, by a name.
pub const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::AtSource => "at_source",
        Outcome::Service => "service",
        Outcome::Horizon => "horizon",
        Outcome::Dust => "dust",
        Outcome::Held => "held",
    }
}

/// The ranks of the hops from which one of these accounts is reached by later
/// ones.
pub fn leading_to(hops: &[Hop], accounts: &[u32]) -> Vec<usize> {
    let mut reached: BTreeSet<u32> = accounts.iter().copied().collect();
    let mut ranks = Vec::new();
    for (rank, hop) in hops.iter().enumerate().rev() {
        let arrives = accounts.contains(&hop.to);
        let goes_on = matches!(hop.outcome, Outcome::Held | Outcome::AtSource);
        if arrives || (goes_on && reached.contains(&hop.to)) {
            reached.insert(hop.from);
            ranks.push(rank);
        }
    }
    ranks.reverse();
    ranks
}

/// The books of a case as JSON.
pub fn totals(totals: &CaseTotals) -> Value {
    let units = |units: u128| Value::from(units.to_string());
    let services = totals.services.iter().map(|(entity, sum)| (entity.clone(), units(*sum)));
    json!({
        "emitted": units(totals.emitted),
        "held": units(totals.held),
        "frozen": units(totals.frozen),
        "services": Value::Object(services.collect()),
        "redeemed": units(totals.redeemed),
        "destroyed": units(totals.destroyed),
        "dust": units(totals.dust),
        "horizon": units(totals.horizon),
    })
}
