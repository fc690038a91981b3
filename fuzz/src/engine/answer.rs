//! What the engine says in the end, in the oracle's words, under each policy.

use flow_core::{AccountRow, Case, CaseTotals, Engine, Policy};
use flow_sim::ledger_gen::Story;
use flow_sim::oracle::{CaseAnswer, Row, Totals, trace};

/// Compares the engine with the oracle.
pub(super) fn check(engine: &Engine, story: &Story) -> Result<(), String> {
    let Story { opening, final_blocks, final_cases, final_labels, .. } = story;
    for policy in engine.policies() {
        let expected = trace(*policy, final_blocks, final_cases, final_labels, opening);
        let found = answers(engine, *policy, final_cases);
        if found != expected {
            return Err(format!("{}:\n{found:?}\nexpected\n{expected:?}", policy.name()));
        }
    }
    Ok(())
}

fn answers(engine: &Engine, policy: Policy, cases: &[Case]) -> Vec<CaseAnswer> {
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
