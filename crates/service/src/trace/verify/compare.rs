//! A record beside what it ought to be.
//!
//! The whole record is written anew from what the oracle found, and compared
//! field by field; then the path is checked as a chain of proof.

use std::collections::BTreeMap;

use flow_codec::wire::{AlertRecord, ParsedAlert};
use flow_core::{
    AccountKey, Alert, AlertFacts, AlertId, Attribution, Case, Label, PathStep, RiskLevel, Rule,
    Source,
};
use flow_sim::oracle::{Holding, Outcome, Step};
use serde_json::Value;

use super::Difference;
use super::recompute::{Fact, Seen, subject};

/// Everything that is not as recorded.
pub(super) fn differences(
    value: &Value,
    alert: &ParsedAlert,
    case: Option<&Case>,
    labels: &[Label],
    seen: &Seen,
) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut differ = |field: &str, recorded: String, recomputed: &str| {
        let (field, recomputed) = (field.to_owned(), recomputed.to_owned());
        found.push(Difference { field, recorded, recomputed });
    };
    let Some(case) = case else {
        differ("case", alert.case.clone(), "no such case in the file of cases");
        return found;
    };
    let trigger = seen.trigger.get(&alert.policy);
    let Some((fact, step, holding)) =
        trigger.and_then(|(fact, holding)| Some((fact, fact.step.as_ref()?, holding)))
    else {
        differ("tx", text(&value["tx"]), "the history has no such transfer of units");
        return found;
    };
    if let Some(objection) = objection(alert, case, fact, step, holding) {
        differ("rule", alert.rule.name().to_owned(), &objection);
    }
    let shown = u32::try_from(alert.path.len()).unwrap_or(u32::MAX);
    let chain = Chain { path: &alert.path, omitted: alert.path_omitted, case, facts: &seen.path };
    for (field, recorded, objection) in chain_of_proof(&chain) {
        differ(&field, recorded, &objection);
    }
    if let Some(last) = alert.path.last().filter(|last| last.transfer != alert.trigger) {
        let (field, recorded) = (format!("path[{}]", shown - 1), hex::encode(last.transfer.tx.0));
        differ(&field, recorded, "the path ends elsewhere than the alert");
    }
    let right = rebuilt(alert, case, labels, seen, (fact, step, holding));
    let right = serde_json::to_value(AlertRecord::from(&right));
    compare("", value, &right.expect("a record is plain JSON"), &mut found);
    found
}

/// Why the rule does not apply to the transfer, if it does not.
fn objection(
    alert: &ParsedAlert,
    case: &Case,
    fact: &Fact,
    step: &Step,
    holding: &Holding,
) -> Option<String> {
    let outcome = &step.outcome;
    let applies = step.moved > 0
        && match alert.rule {
            Rule::SourceMoved => is_source_wallet(case, fact),
            Rule::FirstReceipt => *outcome == Outcome::Held,
            Rule::CashOut => matches!(outcome, Outcome::Service(_)),
            Rule::Threshold => {
                let reached = alert.threshold.is_some_and(|least| holding.tainted >= least);
                *outcome == Outcome::Held && reached
            }
        };
    let told = || format!("does not apply: {} tainted units moved, {outcome:?}", step.moved);
    (!applies).then(told)
}

fn is_source_wallet(case: &Case, fact: &Fact) -> bool {
    is_active_source(case, fact.from, fact.block)
}

/// Whether the account is a source wallet of the case by that block.
pub(super) fn is_active_source(case: &Case, wallet: AccountKey, block: u64) -> bool {
    case.sources.iter().any(|source| match source {
        Source::Wallet { account, since_block } => *account == wallet && *since_block <= block,
        Source::Transfer { .. } => false,
    })
}

fn is_source_transfer(case: &Case, fact: &Fact, step: &PathStep) -> bool {
    case.sources.iter().any(|source| match *source {
        Source::Transfer { chain, tx, log_index } => {
            chain == fact.from.chain && tx == step.transfer.tx && Some(log_index) == fact.log_index
        }
        Source::Wallet { .. } => false,
    })
}

/// A path that is to prove something.
pub(super) struct Chain<'a> {
    pub(super) path: &'a [PathStep],
    /// Steps that were left out of its middle.
    pub(super) omitted: u32,
    pub(super) case: &'a Case,
    /// By step: what the history says of it.
    pub(super) facts: &'a BTreeMap<usize, Fact>,
}

/// Whether each step of a path is there and goes on from the one before, and
/// the first leaves a source of the case: field, what stands there, and what is
/// wrong with it.
pub(super) fn chain_of_proof(chain: &Chain<'_>) -> Vec<(String, String, String)> {
    let Chain { path, omitted, case, facts } = *chain;
    let mut wrong = Vec::new();
    let mut object = |at: usize, recorded: String, objection: &str| {
        wrong.push((format!("path[{at}]"), recorded, objection.to_owned()));
    };
    let mut breaks = 0;
    let mut before: Option<&Fact> = None;
    for (at, step) in path.iter().enumerate() {
        let Some(fact) = facts.get(&at) else {
            object(at, hex::encode(step.transfer.tx.0), "the history has no such transfer");
            before = None;
            continue;
        };
        let last = at + 1 == path.len();
        if at == 0 && !is_source_wallet(case, fact) && !is_source_transfer(case, fact, step) {
            object(at, hex::encode(step.from.0), "no source of the case");
        }
        if !last && fact.step.as_ref().map(|step| &step.outcome) != Some(&Outcome::Held) {
            object(at, hex::encode(step.to.0), "units did not stay tainted there");
        }
        if let Some(before) = before {
            if fact.rank <= before.rank {
                object(at, fact.block.to_string(), "not later than the step before");
            }
            if fact.from != before.to {
                breaks += 1;
                if breaks > usize::from(omitted > 0) {
                    object(at, hex::encode(step.from.0), "not the receiver of the step before");
                }
            }
        }
        before = Some(fact);
    }
    if path.is_empty() {
        object(0, "nothing".to_owned(), "a path has at least the transfer itself");
    }
    wrong
}

/// The alert as it ought to be. What cannot be worked out is taken over.
fn rebuilt(
    alert: &ParsedAlert,
    case: &Case,
    labels: &[Label],
    seen: &Seen,
    (fact, step, holding): (&Fact, &Step, &Holding),
) -> Alert {
    let rule = alert.rule;
    let subject = subject(Some(rule), fact);
    let counterparty = if rule == Rule::SourceMoved { fact.to } else { fact.from };
    let label = labels.iter().rev().find(|label| label.account == subject);
    let service = label.filter(|_| rule == Rule::CashOut);
    let hops = if rule == Rule::SourceMoved { 0 } else { step.hops };
    let shown = u32::try_from(alert.path.len()).unwrap_or(u32::MAX);
    let facts = AlertFacts {
        chain: fact.from.chain,
        rule,
        policy: alert.policy,
        case: &case.id,
        trigger: alert.trigger,
        subject: &subject.address.0,
        threshold: alert.threshold,
    };
    Alert {
        id: AlertId::of(&facts),
        revision: alert.revision,
        status: alert.status,
        rule,
        risk: risk(rule, step.moved, fact.amount),
        case: case.id.clone(),
        case_title: case.title.clone(),
        category: case.category.clone(),
        policy: alert.policy,
        attributions: attributions(alert, seen),
        subject,
        counterparty: counterparty.address,
        trigger: alert.trigger,
        block: fact.block,
        block_hash: None,
        timestamp_ms: fact.timestamp_ms,
        amount: fact.amount,
        tainted: step.moved,
        balance: holding.balance,
        held: holding.tainted,
        hops,
        service: service.map(|label| (label.entity.clone(), label.kind.clone())),
        threshold: alert.threshold.filter(|_| rule == Rule::Threshold),
        retroactive: false,
        path: path(alert, seen),
        path_omitted: hops.max(1).saturating_sub(shown),
    }
}

fn attributions(alert: &ParsedAlert, seen: &Seen) -> Vec<Attribution> {
    let mut attributions: Vec<Attribution> = Vec::new();
    for told in &alert.attributions {
        let Some((fact, holding)) = seen.trigger.get(&told.policy) else { continue };
        if attributions.iter().all(|known| known.policy != told.policy) {
            let tainted = fact.step.as_ref().map_or(0, |step| step.moved);
            attributions.push(Attribution { policy: told.policy, tainted, held: holding.tainted });
        }
    }
    attributions
}

fn path(alert: &ParsedAlert, seen: &Seen) -> Vec<PathStep> {
    let step = |(at, told): (usize, &PathStep)| {
        let fact = seen.path.get(&at)?;
        Some(PathStep {
            transfer: told.transfer,
            block: fact.block,
            timestamp_ms: fact.timestamp_ms,
            from: fact.from.address,
            to: fact.to.address,
            amount: fact.amount,
            tainted: fact.step.as_ref().map_or(0, |step| step.moved),
        })
    };
    let steps = alert.path.iter().enumerate();
    // A step that is not there has been told; it is not told field by field.
    steps.map(|(at, told)| step((at, told)).unwrap_or_else(|| told.clone())).collect()
}

/// Severe where a source moves, else by the tainted share (docs/output.md).
fn risk(rule: Rule, tainted: u64, amount: u64) -> RiskLevel {
    let (tainted, amount) = (u128::from(tainted), u128::from(amount));
    if rule == Rule::SourceMoved {
        RiskLevel::Severe
    } else if tainted * 2 >= amount {
        RiskLevel::High
    } else if tainted * 10 >= amount {
        RiskLevel::Medium
    } else {
        RiskLevel::Low
    }
}

/// What a record cannot be asked: it depends on when a case was opened.
const NOT_RECOMPUTED: &str = "retroactive";

pub(super) fn compare(field: &str, recorded: &Value, right: &Value, found: &mut Vec<Difference>) {
    if recorded == right || field == NOT_RECOMPUTED {
        return;
    }
    match (recorded, right) {
        (Value::Object(told), Value::Object(known)) => {
            let dot = if field.is_empty() { "" } else { "." };
            for (name, value) in told {
                let right = known.get(name).unwrap_or(&Value::Null);
                compare(&format!("{field}{dot}{name}"), value, right, found);
            }
            for (name, right) in known.iter().filter(|(name, _)| !told.contains_key(*name)) {
                compare(&format!("{field}{dot}{name}"), &Value::Null, right, found);
            }
        }
        (Value::Array(told), Value::Array(known)) if told.len() == known.len() => {
            for (at, (value, right)) in told.iter().zip(known).enumerate() {
                compare(&format!("{field}[{at}]"), value, right, found);
            }
        }
        _ => found.push(Difference {
            field: field.to_owned(),
            recorded: text(recorded),
            recomputed: text(right),
        }),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    }
}
