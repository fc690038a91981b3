//! The engine against the oracle, over thousands of random ledgers.
//!
//! `FLOW_SIM_LEDGERS` sets how many seeds each test walks through; a failure
//! prints the seed, and `random_ledger` of it is the whole input.

use std::ops::Range;

use flow_core::{AccountRow, Case, CaseTotals, Engine, EngineConfig, Event, Policy};
use flow_sim::ledger_gen::{RandomLedger, random_ledger};
use flow_sim::oracle::{CaseAnswer, Row, Totals, trace};

/// What an engine says of one case, in the oracle's words.
fn answers(engine: &Engine, cases: &[Case]) -> Vec<CaseAnswer> {
    let rows = engine.taint_rows();
    let totals = engine.case_totals();
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

/// Runs the ledger with its cases opened, and its labels set, when `cases_at`
/// and `labels_at` blocks have gone by.
fn run(ledger: &RandomLedger, cases_at: usize, labels_at: usize) -> Engine {
    let mut engine = Engine::new(EngineConfig::default());
    engine.load_opening(&ledger.opening).expect("opening balances fit");
    let mut effects = Vec::new();
    for at in 0..=ledger.blocks.len() {
        let mut events = Vec::new();
        if at == cases_at {
            events.extend(ledger.cases.iter().cloned().map(Event::CaseOpened));
        }
        if at == labels_at {
            events.extend(ledger.labels.iter().cloned().map(Event::LabelSet));
        }
        events.extend(ledger.blocks.get(at).cloned().map(Event::BlockCommitted));
        for event in events {
            engine.apply(event, &mut effects).expect("generated ledgers apply");
        }
    }
    engine
}

fn oracle(ledger: &RandomLedger) -> Vec<CaseAnswer> {
    trace(Policy::Haircut, &ledger.blocks, &ledger.cases, &ledger.labels, &ledger.opening)
}

fn seeds(parts: u64, part: u64) -> Range<u64> {
    let count = std::env::var("FLOW_SIM_LEDGERS").ok().and_then(|text| text.parse().ok());
    let each = count.unwrap_or(10_000_u64).div_ceil(parts);
    part * each..(part + 1) * each
}

fn agree_from_the_start(range: Range<u64>) {
    for seed in range {
        let ledger = random_ledger(seed);
        let engine = run(&ledger, 0, 0);
        engine.audit().expect("the books balance");
        assert_eq!(answers(&engine, &ledger.cases), oracle(&ledger), "seed {seed}");
    }
}

#[test]
fn engine_equals_oracle_first_half() {
    agree_from_the_start(seeds(2, 0));
}

#[test]
fn engine_equals_oracle_second_half() {
    agree_from_the_start(seeds(2, 1));
}

#[test]
fn cases_and_labels_known_late_end_in_the_same_state() {
    for seed in seeds(5, 0) {
        let ledger = random_ledger(seed);
        let blocks = ledger.blocks.len();
        let at = |salt: u64| usize::try_from(seed / salt).expect("small") % (blocks + 1);
        let engine = run(&ledger, at(1), at(7));
        engine.audit().expect("the books balance");
        assert_eq!(answers(&engine, &ledger.cases), oracle(&ledger), "seed {seed}");
    }
}

#[test]
fn a_case_replaced_or_closed_leaves_no_trace() {
    for seed in seeds(10, 3) {
        let ledger = random_ledger(seed);
        let mut engine = run(&ledger, 0, 0);
        let (first, last) = (&ledger.cases[0], &ledger.cases[ledger.cases.len() - 1]);
        let swapped = Case { id: first.id.clone(), ..last.clone() };
        let mut effects = Vec::new();
        engine.apply(Event::CaseOpened(swapped.clone()), &mut effects).expect("replaces");
        engine.apply(Event::CaseClosed(last.id.clone()), &mut effects).expect("closes");
        let mut left: Vec<Case> = ledger.cases[..ledger.cases.len() - 1].to_vec();
        if let Some(case) = left.first_mut() {
            *case = swapped;
        }
        let expected =
            trace(Policy::Haircut, &ledger.blocks, &left, &ledger.labels, &ledger.opening);
        assert_eq!(answers(&engine, &left), expected, "seed {seed}");
        assert_eq!(engine.case_totals().len(), left.len(), "seed {seed}");
    }
}

/// The generator must go on reaching the corners that it is there for.
#[test]
fn ledgers_reach_every_corner() {
    let mut sums = Totals::default();
    let (mut frozen_rows, mut far_rows, mut shared) = (0, 0, 0);
    for seed in 0..500 {
        let ledger = random_ledger(seed);
        for answer in oracle(&ledger) {
            let totals = answer.totals;
            sums.emitted += totals.emitted.min(1);
            sums.frozen += totals.frozen.min(1);
            sums.redeemed += totals.redeemed.min(1);
            sums.destroyed += totals.destroyed.min(1);
            sums.dust += totals.dust.min(1);
            sums.horizon += totals.horizon.min(1);
            *sums.service.entry("any".to_owned()).or_default() +=
                totals.service.values().sum::<u128>().min(1);
            frozen_rows += answer.rows.iter().filter(|row| row.frozen).count();
            far_rows += answer.rows.iter().filter(|row| row.hops >= 3).count();
            shared += usize::from(answer.rows.len() > 3);
        }
    }
    let counts =
        [sums.emitted, sums.frozen, sums.redeemed, sums.destroyed, sums.dust, sums.horizon];
    assert!(counts.iter().all(|count| *count >= 20), "{sums:?}");
    assert!(sums.service["any"] >= 20, "{sums:?}");
    assert!(frozen_rows >= 20 && far_rows >= 20 && shared >= 20);
}
