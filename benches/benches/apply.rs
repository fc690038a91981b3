//! Blocks through the engine: graph, taint, alerts, freeze desk.
//!
//! One hour of invented traffic, fixed seed, engine and opening balances made
//! anew for each run and not timed.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use flow_core::{
    AccountKey, Action, Block, Case, Chain, Engine, EngineConfig, Event, Policy, Source,
};
use flow_sim::workload::{Workload, WorkloadConfig};

struct Hour {
    blocks: Vec<Block>,
    opening: Vec<(AccountKey, u64)>,
    cases: Vec<Case>,
    labels: Vec<flow_core::Label>,
    transfers: u64,
}

fn hour() -> Hour {
    let workload =
        Workload::new(WorkloadConfig { seed: 1, accounts: 20_000, ..WorkloadConfig::default() });
    let planted = workload.planted();
    let opening = workload.opening().to_vec();
    let blocks: Vec<Block> = workload.collect();
    let transfers = blocks.iter().map(|block| block.events.len() as u64).sum();
    Hour { blocks, opening, cases: planted.cases, labels: planted.labels, transfers }
}

/// One case for each of the first `count` senders of the hour.
fn sender_cases(hour: &Hour, count: usize) -> Vec<Case> {
    let mut senders: Vec<AccountKey> = Vec::new();
    for block in hour.blocks.iter().filter(|block| block.chain == Chain::Tron) {
        for event in &block.events {
            if let Action::Transfer { from, .. } = event.action {
                let account = AccountKey { chain: block.chain, address: from };
                if senders.len() < count && !senders.contains(&account) {
                    senders.push(account);
                }
            }
        }
    }
    let case = |(at, account): (usize, AccountKey)| Case {
        id: format!("case-{at:05}"),
        title: None,
        category: None,
        sources: vec![Source::Wallet { account, since_block: 0 }],
        min_units: 10_000,
        max_hops: None,
    };
    senders.into_iter().enumerate().map(case).collect()
}

fn engine(hour: &Hour, cases: &[Case], config: EngineConfig) -> Engine {
    let mut engine = Engine::new(config);
    let mut effects = Vec::new();
    engine.load_opening(&hour.opening).expect("opening balances do not overflow");
    for label in &hour.labels {
        engine.apply(Event::LabelSet(label.clone()), &mut effects).expect("a label applies");
    }
    for case in cases {
        engine.apply(Event::CaseOpened(case.clone()), &mut effects).expect("a case opens");
    }
    engine
}

/// All blocks of the hour through an engine of that setting.
fn run(
    c: &mut Criterion,
    group: &str,
    name: &str,
    hour: &Hour,
    cases: &[Case],
    config: &EngineConfig,
) {
    let mut group = c.benchmark_group(group);
    group.throughput(Throughput::Elements(hour.transfers)).sample_size(10);
    group.bench_function(name, |bencher| {
        bencher.iter_batched(
            || (engine(hour, cases, config.clone()), hour.blocks.clone(), Vec::new()),
            |(mut engine, blocks, mut effects)| {
                for block in blocks {
                    engine.apply(Event::BlockCommitted(block), &mut effects).expect("applies");
                    effects.clear();
                }
                black_box(engine)
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn apply(c: &mut Criterion) {
    let hour = hour();
    for (name, cases) in [
        ("no_case", Vec::new()),
        ("1_case", sender_cases(&hour, 1)),
        ("3_planted_cases", hour.cases.clone()),
        ("100_cases", sender_cases(&hour, 100)),
    ] {
        run(c, "apply/haircut", name, &hour, &cases, &EngineConfig::default());
    }
    let one = sender_cases(&hour, 1);
    for policy in Policy::ALL.into_iter().skip(1) {
        let config = EngineConfig { policies: vec![policy], ..EngineConfig::default() };
        run(c, &format!("apply/{}", policy.name()), "1_case", &hour, &one, &config);
    }
    let config = EngineConfig { policies: Policy::ALL.to_vec(), ..EngineConfig::default() };
    run(c, "apply/all", "1_case", &hour, &one, &config);
    // What it costs to be able to undo every block of the hour.
    let config = EngineConfig { revertible: true, ..EngineConfig::default() };
    run(c, "apply/haircut", "1_case_revertible", &hour, &one, &config);
}

/// Three blocks of each chain taken back, and applied again.
fn reorganise(c: &mut Criterion) {
    let hour = hour();
    let config = EngineConfig { revertible: true, ..EngineConfig::default() };
    let mut engine = engine(&hour, &sender_cases(&hour, 1), config);
    let mut effects = Vec::new();
    let (last, first) = (hour.blocks.len(), hour.blocks.len() - 64);
    for block in &hour.blocks[..last] {
        engine.apply(Event::BlockCommitted(block.clone()), &mut effects).expect("applies");
    }
    let tron: Vec<&Block> =
        hour.blocks[first..].iter().filter(|block| block.chain == Chain::Tron).collect();
    let again = &tron[tron.len() - 3..];
    let (chain, number) = (Chain::Tron, again[0].number);
    c.bench_function("reorganise/haircut/3_blocks_back_and_again", |bencher| {
        bencher.iter(|| {
            effects.clear();
            let gone = Event::BlockReverted { chain, number };
            engine.apply(gone, &mut effects).expect("not final");
            for block in again {
                let event = Event::BlockCommitted((*block).clone());
                engine.apply(event, &mut effects).expect("applies");
            }
        });
    });
}

criterion_group! { name = benches; config = flow_benches::criterion(); targets = apply, reorganise }
criterion_main!(benches);
