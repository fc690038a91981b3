//! Engines of many settings, and what they must agree with the oracle about.

#![allow(dead_code, reason = "each test file uses a part of this")]

use flow_core::{
    AccountKey, AccountRow, Amount, Block, Case, CaseTotals, Effect, Engine, EngineConfig, Event,
    Label, Policy,
};
use flow_sim::oracle::{CaseAnswer, Row, Totals, trace};

/// Every policy at once, and by the seed: segments of a few transfers or none,
/// late cases traced at once or handed out.
pub(crate) fn config(seed: u64) -> EngineConfig {
    let sizes = [1, 3, 8, 1 << 20];
    EngineConfig {
        policies: Policy::ALL.to_vec(),
        segment_transfers: sizes[usize::try_from(seed % 4).expect("small")],
        graph_transfers: sizes[usize::try_from(seed / 4 % 4).expect("small")],
        defer_late: seed / 16 % 2 == 1,
        ..EngineConfig::default()
    }
}

/// Applies the events; a late trace comes back now and then.
pub(crate) fn feed(engine: &mut Engine, events: Vec<Event>, at: usize) -> Vec<Effect> {
    let mut effects = Vec::new();
    for event in events {
        engine.apply(event, &mut effects).expect("generated ledgers apply");
    }
    if at.is_multiple_of(3) {
        effects.extend(hurried(engine));
    }
    effects
}

/// Traces all late cases that wait.
pub(crate) fn hurried(engine: &mut Engine) -> Vec<Effect> {
    let mut effects = Vec::new();
    for mut late in engine.take_late() {
        late.run().expect("segments in memory can be read");
        engine.join_late(late, &mut effects).expect("a late case joins");
    }
    effects
}

/// Compares the engine's answer with the oracle's, under every policy.
pub(crate) fn agree(
    engine: &Engine,
    blocks: &[Block],
    cases: &[Case],
    labels: &[Label],
    opening: &[(AccountKey, Amount)],
) -> Result<(), String> {
    engine.audit().map_err(|error| error.to_string())?;
    for policy in engine.policies() {
        let ours = answers(engine, *policy, cases);
        let expected = trace(*policy, blocks, cases, labels, opening);
        if ours != expected {
            return Err(format!("{}:\n{ours:#?}\nexpected\n{expected:#?}", policy.name()));
        }
    }
    Ok(())
}

/// What an engine says of the cases, in the oracle's words.
pub(crate) fn answers(engine: &Engine, policy: Policy, cases: &[Case]) -> Vec<CaseAnswer> {
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
