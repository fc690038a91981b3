//! The planted crimes against oracle and engine, and the shape of the traffic.

use std::collections::BTreeMap;

use flow_core::{AccountKey, Action, Block, Chain, Engine, EngineConfig, Event, Policy};
use flow_sim::oracle::{CaseAnswer, trace};
use flow_sim::workload::{Crime, Workload, WorkloadConfig};

fn small(seed: u64) -> WorkloadConfig {
    WorkloadConfig {
        seed,
        blocks: 300,
        accounts: 400,
        transfers_per_block: 12,
        ..WorkloadConfig::default()
    }
}

fn oracle(workload: &Workload, blocks: &[Block]) -> Vec<CaseAnswer> {
    let planted = workload.planted();
    trace(Policy::Haircut, blocks, &planted.cases, &planted.labels, workload.opening())
}

fn transfers(blocks: &[Block]) -> impl Iterator<Item = (AccountKey, AccountKey, u64)> {
    blocks.iter().flat_map(|block| {
        let key = |address| AccountKey { chain: block.chain, address };
        block.events.iter().filter_map(move |event| match event.action {
            Action::Transfer { from, to, amount } => Some((key(from), key(to), amount)),
            _ => None,
        })
    })
}

/// Rows and services of each crime as the oracle has them and as planned.
fn assert_truth(workload: &Workload, blocks: &[Block], seed: u64) {
    let truth = workload.planted().truth;
    let answers = oracle(workload, blocks);
    for crime in [Crime::CashIn, Crime::Phishing, Crime::Pyramid] {
        let found = answers.iter().find(|answer| answer.case == crime.case_id());
        let answer = found.expect("every crime has its case");
        let mine: Vec<_> = truth.rests.iter().filter(|rest| rest.crime == crime).collect();
        for rest in &mine {
            let row = answer.rows.iter().find(|row| row.account == rest.account);
            let row = row.expect("planted units rest there");
            assert_eq!((row.balance, row.tainted), (rest.units, rest.units), "seed {seed}");
            assert_eq!(row.frozen, rest.frozen, "seed {seed}");
        }
        if crime == Crime::Pyramid {
            // It paid investors back, so it goes on beyond what was planted.
            assert!(answer.rows.len() > mine.len(), "seed {seed}");
            continue;
        }
        assert_eq!(answer.rows.len(), mine.len(), "seed {seed}");
        let reached = truth.services.iter().filter(|reached| reached.crime == crime);
        let reached: BTreeMap<String, u128> =
            reached.map(|of| (of.entity.to_owned(), u128::from(of.units))).collect();
        assert_eq!(answer.totals.service, reached, "seed {seed}");
        assert_eq!(crime == Crime::CashIn, !reached.is_empty());
    }
}

#[test]
fn planted_units_end_where_they_were_planned_to() {
    for seed in 0..6 {
        let workload = Workload::new(small(seed));
        let blocks: Vec<Block> = workload.clone().collect();
        assert_truth(&workload, &blocks, seed);
    }
}

#[test]
fn a_very_short_workload_still_holds_every_crime() {
    let workload = Workload::new(WorkloadConfig { blocks: 5, ..small(7) });
    let blocks: Vec<Block> = workload.clone().collect();
    assert_truth(&workload, &blocks, 7);
}

#[test]
fn the_engine_agrees_with_the_oracle_and_finds_no_history_missing() {
    let workload = Workload::new(small(11));
    let blocks: Vec<Block> = workload.clone().collect();
    let planted = workload.planted();
    let mut engine = Engine::new(EngineConfig::default());
    engine.load_opening(workload.opening()).unwrap();
    let opening = engine.stats().opening_units;
    let cases = planted.cases.iter().cloned().map(Event::CaseOpened);
    let labels = planted.labels.iter().cloned().map(Event::LabelSet);
    let mut effects = Vec::new();
    for event in labels.chain(cases).chain(blocks.iter().cloned().map(Event::BlockCommitted)) {
        engine.apply(event, &mut effects).unwrap();
    }
    assert_eq!(engine.stats().opening_units, opening);
    let rows = engine.taint_rows();
    for answer in oracle(&workload, &blocks) {
        let mine: Vec<_> = rows
            .iter()
            .filter(|(case, _)| *case == answer.case)
            .map(|(_, row)| (row.account, row.balance, row.tainted, row.hops))
            .collect();
        let expected: Vec<_> = answer
            .rows
            .iter()
            .map(|row| (row.account, row.balance, row.tainted, row.hops))
            .collect();
        assert_eq!(mine, expected, "{}", answer.case);
    }
}

#[test]
fn one_seed_is_one_workload() {
    let blocks = |seed| Workload::new(small(seed)).collect::<Vec<Block>>();
    assert_eq!(blocks(3), blocks(3));
    assert_ne!(blocks(3), blocks(4));
}

#[test]
fn blocks_follow_each_chains_clock() {
    let blocks: Vec<Block> = Workload::new(small(1)).collect();
    for (chain, interval_ms, count) in [(Chain::Tron, 3_000, 300), (Chain::Ethereum, 12_000, 75)] {
        let mine: Vec<&Block> = blocks.iter().filter(|block| block.chain == chain).collect();
        assert_eq!(mine.len(), count);
        for pair in mine.windows(2) {
            assert_eq!(pair[1].number, pair[0].number + 1);
            assert_eq!(pair[1].timestamp_ms, pair[0].timestamp_ms + interval_ms);
        }
    }
    assert!(blocks.is_sorted_by_key(|block| block.timestamp_ms));
}

#[test]
fn one_chain_alone_has_the_crimes_of_that_chain() {
    let config = WorkloadConfig { chains: vec![Chain::Tron], ..small(1) };
    let workload = Workload::new(config);
    assert_eq!(workload.planted().cases.len(), 2);
    assert!(workload.clone().all(|block| block.chain == Chain::Tron));
}

#[test]
fn traffic_is_uneven_and_partly_poisoned() {
    let blocks: Vec<Block> = Workload::new(small(2)).collect();
    let mut degrees: BTreeMap<AccountKey, usize> = BTreeMap::new();
    let (mut zeros, mut all) = (0, 0);
    for (from, to, amount) in transfers(&blocks) {
        all += 1;
        zeros += usize::from(amount == 0);
        for account in [from, to] {
            *degrees.entry(account).or_default() += 1;
        }
    }
    assert!(zeros * 100 > all && zeros * 20 < all, "{zeros} of {all} move nothing");
    let mut degrees: Vec<usize> = degrees.into_values().collect();
    degrees.sort_unstable_by(|a, b| b.cmp(a));
    let busiest: usize = degrees[..degrees.len() / 50].iter().sum();
    let total: usize = degrees.iter().sum();
    assert!(busiest * 4 > total, "2 % of accounts take {busiest} of {total} places");
}
