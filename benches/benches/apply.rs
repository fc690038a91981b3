//! Blocks through the engine: graph, taint, alerts, freeze desk.
//!
//! One hour of invented traffic, fixed seed, engine and opening balances made
//! anew for each run and not timed.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use flow_core::{AccountKey, Action, Block, Case, Chain, Engine, EngineConfig, Event, Source};
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

fn engine(hour: &Hour, cases: &[Case]) -> Engine {
    let mut engine = Engine::new(EngineConfig::default());
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

fn apply(c: &mut Criterion) {
    let hour = hour();
    let mut group = c.benchmark_group("apply/haircut");
    group.throughput(Throughput::Elements(hour.transfers)).sample_size(10);
    group.measurement_time(Duration::from_secs(5));
    let planted = hour.cases.clone();
    for (name, cases) in [
        ("no_case", Vec::new()),
        ("1_case", sender_cases(&hour, 1)),
        ("3_planted_cases", planted),
        ("100_cases", sender_cases(&hour, 100)),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || (engine(&hour, &cases), hour.blocks.clone(), Vec::new()),
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
    }
    group.finish();
}

fn late_case(c: &mut Criterion) {
    let hour = hour();
    let mut group = c.benchmark_group("late_case/haircut");
    group.throughput(Throughput::Elements(hour.transfers)).sample_size(10);
    let mut engine = engine(&hour, &[]);
    let mut effects = Vec::new();
    for block in &hour.blocks {
        engine.apply(Event::BlockCommitted(block.clone()), &mut effects).expect("applies");
    }
    let case = sender_cases(&hour, 1).remove(0);
    group.bench_function("1_case_through_the_hour", |bencher| {
        bencher.iter(|| {
            engine.apply(Event::CaseOpened(case.clone()), &mut effects).expect("opens");
            engine.apply(Event::CaseClosed(case.id.clone()), &mut effects).expect("closes");
            effects.clear();
        });
    });
    group.finish();
}

criterion_group!(benches, apply, late_case);
criterion_main!(benches);
