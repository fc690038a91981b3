//! The engine against the oracle, over thousands of random ledgers.
//!
//! `FLOW_SIM_LEDGERS` sets how many seeds each test walks through; a failure
//! prints the seed, and `random_ledger` of it is the whole input.

mod common;

use std::ops::Range;

use common::{config, feed, hurried};
use flow_core::{Case, Engine, EngineConfig, Event};
use flow_sim::judge::compare;
use flow_sim::ledger_gen::{RandomLedger, random_ledger};

/// Runs the ledger with its cases opened, and its labels set, when `cases_at`
/// and `labels_at` blocks have gone by.
fn run(ledger: &RandomLedger, config: EngineConfig, cases_at: usize, labels_at: usize) -> Engine {
    let mut engine = Engine::new(config);
    engine.load_opening(&ledger.opening).expect("opening balances fit");
    for at in 0..=ledger.blocks.len() {
        let mut events = Vec::new();
        if at == cases_at {
            events.extend(ledger.cases.iter().cloned().map(Event::CaseOpened));
        }
        if at == labels_at {
            events.extend(ledger.labels.iter().cloned().map(Event::LabelSet));
        }
        events.extend(ledger.blocks.get(at).cloned().map(Event::BlockCommitted));
        feed(&mut engine, events, at);
    }
    hurried(&mut engine);
    engine
}

fn check(engine: &Engine, ledger: &RandomLedger, cases: &[Case], seed: u64) {
    if let Err(difference) = compare(engine, &ledger.blocks, cases, &ledger.labels, &ledger.opening)
    {
        panic!("seed {seed}: {difference}");
    }
}

fn seeds(parts: u64, part: u64) -> Range<u64> {
    let count = std::env::var("FLOW_SIM_LEDGERS").ok().and_then(|text| text.parse().ok());
    let each = count.unwrap_or(10_000_u64).div_ceil(parts);
    part * each..(part + 1) * each
}

fn agree_from_the_start(range: Range<u64>) {
    for seed in range {
        let ledger = random_ledger(seed);
        let engine = run(&ledger, config(seed), 0, 0);
        check(&engine, &ledger, &ledger.cases, seed);
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
    for seed in seeds(2, 0) {
        let ledger = random_ledger(seed);
        let blocks = ledger.blocks.len();
        let at = |salt: u64| usize::try_from(seed / salt).expect("small") % (blocks + 1);
        let engine = run(&ledger, config(seed), at(1), at(7));
        check(&engine, &ledger, &ledger.cases, seed);
    }
}

#[test]
fn a_case_replaced_or_closed_leaves_no_trace() {
    for seed in seeds(5, 3) {
        let ledger = random_ledger(seed);
        let mut engine = run(&ledger, config(seed), 0, 0);
        let (first, last) = (&ledger.cases[0], &ledger.cases[ledger.cases.len() - 1]);
        let swapped = Case { id: first.id.clone(), ..last.clone() };
        let events = vec![Event::CaseOpened(swapped.clone()), Event::CaseClosed(last.id.clone())];
        feed(&mut engine, events, 0);
        hurried(&mut engine);
        let mut left: Vec<Case> = ledger.cases[..ledger.cases.len() - 1].to_vec();
        if let Some(case) = left.first_mut() {
            *case = swapped;
        }
        check(&engine, &ledger, &left, seed);
        assert_eq!(engine.case_totals().len(), left.len(), "seed {seed}");
    }
}
