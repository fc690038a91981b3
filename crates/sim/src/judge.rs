//! What an engine says, held against what the oracle says.

use std::collections::BTreeMap;

use flow_core::{
    AccountKey, AccountRow, Alert, AlertId, AlertStatus, Amount, Block, Case, CaseTotals, Effect,
    Engine, Label, Policy,
};

use crate::oracle::{CaseAnswer, Row, Totals, trace};

/// Compares the engine's tables with the oracle's under every policy that the
/// engine traces, and has the engine check its books.
///
/// # Errors
/// What differs, for a person.
pub fn compare(
    engine: &Engine,
    blocks: &[Block],
    cases: &[Case],
    labels: &[Label],
    opening: &[(AccountKey, Amount)],
) -> Result<(), String> {
    engine.audit().map_err(|error| error.to_string())?;
    for policy in engine.policies() {
        let found = answers(engine, *policy, cases);
        let expected = trace(*policy, blocks, cases, labels, opening);
        if found != expected {
            return Err(format!("{}:\n{found:#?}\nexpected\n{expected:#?}", policy.name()));
        }
    }
    Ok(())
}

/// What an engine says of the cases, in the oracle's words.
///
/// # Panics
/// If a case is not open, or still waits to be traced.
pub fn answers(engine: &Engine, policy: Policy, cases: &[Case]) -> Vec<CaseAnswer> {
    let rows = engine.taint_rows_under(policy);
    let totals = engine.case_totals_under(policy);
    let answer = |case: &Case| {
        let mine = rows.iter().filter(|(id, _)| *id == case.id).map(|(_, row)| oracle_row(row));
        let found = totals.iter().find(|(id, _)| *id == case.id);
        let (_, sums) = found.expect("every open case has totals");
        CaseAnswer { case: case.id.clone(), rows: mine.collect(), totals: oracle_totals(sums) }
    };
    cases.iter().map(answer).collect()
}

fn oracle_row(row: &AccountRow) -> Row {
    let AccountRow { account, balance, tainted, hops, frozen } = *row;
    Row { account, balance, tainted, hops, frozen }
}

fn oracle_totals(totals: &CaseTotals) -> Totals {
    Totals {
        emitted: totals.emitted,
        held: totals.held,
        frozen: totals.frozen,
        service: totals.services.clone(),
        redeemed: totals.redeemed,
        destroyed: totals.destroyed,
        dust: totals.dust,
        horizon: totals.horizon,
    }
}

/// Follows each alert through its life: revisions rise by one, only an alert
/// that lives is retracted or settled, what is raised does not live already.
/// Returns those that live in the end.
///
/// # Errors
/// The record that does not fit, with the one before it.
pub fn live_alerts(effects: &[Effect]) -> Result<BTreeMap<AlertId, Alert>, String> {
    let mut known: BTreeMap<AlertId, Alert> = BTreeMap::new();
    for effect in effects {
        let (alert, expected) = match effect {
            Effect::Raise(alert) => (alert, None),
            Effect::Settle(alert) => (alert, Some(AlertStatus::Final)),
            Effect::Retract(alert) => (alert, Some(AlertStatus::Retracted)),
            Effect::Recommend(_) | Effect::Ledger(_) | Effect::Refuse(_) => continue,
        };
        let before = known.insert(alert.id, (**alert).clone());
        let revision = before.as_ref().map_or(1, |before| before.revision + 1);
        let lives = before.as_ref().is_some_and(|told| told.status != AlertStatus::Retracted);
        let as_told = expected.is_none_or(|expected| expected == alert.status);
        if alert.revision != revision || lives != expected.is_some() || !as_told {
            return Err(format!("{alert:?}\nafter\n{before:?}"));
        }
    }
    known.retain(|_, alert| alert.status != AlertStatus::Retracted);
    Ok(known)
}
