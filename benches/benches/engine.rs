//! A long stream through the engine, from its first transfer on, with history
//! kept: how many transfers a second, under how many cases.
//!
//! `FLOW_BENCH_TRANSFERS` sets its length, and `FLOW_BENCH_CASES` asks for a run
//! under that many cases more. Blocks are made beside the clock.

mod long_past;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flow_core::{Case, EngineConfig, Event, Policy};
use long_past::{Stream, case, played, transfers};

/// Blocks that are made before the clock runs: as many as caches hold, since
/// the engine gets blocks that were made a moment ago.
const AHEAD: usize = 64;

/// Cases of wallets spread evenly over the ranks of all accounts.
fn cases(count: u64, accounts: u64, min_units: u64) -> Vec<Case> {
    let wallet = |at: u64| (2 * at + 1) * accounts / (2 * count);
    (0..count).map(|at| case(&format!("case-{at:05}"), wallet(at), min_units)).collect()
}

/// The time that the engine takes for the whole stream.
fn run(transfers: u64, config: &EngineConfig, cases: &[Case]) -> Duration {
    let mut engine = played(0, config.clone(), cases);
    let mut stream = Stream::new(transfers);
    let mut effects = Vec::new();
    let mut took = Duration::ZERO;
    loop {
        let blocks: Vec<_> = stream.by_ref().take(AHEAD).collect();
        if blocks.is_empty() {
            return took;
        }
        let began = Instant::now();
        for block in blocks {
            engine.apply(Event::BlockCommitted(block), &mut effects).expect("the block applies");
            effects.clear();
        }
        took += began.elapsed();
    }
}

fn engine(c: &mut Criterion) {
    let transfers = transfers(1_000_000);
    let accounts = transfers / 4;
    let mut group = c.benchmark_group("engine");
    group.throughput(Throughput::Elements(transfers)).sample_size(10);
    let mut settings = vec![
        (Policy::Haircut, 0, 0),
        (Policy::Haircut, 1, 0),
        (Policy::Haircut, 100, 0),
        (Policy::Fifo, 1, 0),
    ];
    let asked = std::env::var("FLOW_BENCH_CASES").ok().and_then(|text| text.parse().ok());
    settings.extend(asked.map(|count| (Policy::Haircut, count, 10_000)));
    for (policy, count, min_units) in settings {
        let cases = cases(count, accounts, min_units);
        let config = EngineConfig {
            policies: vec![policy],
            alert_min_units: 1_000_000_000,
            ..EngineConfig::default()
        };
        group.bench_function(
            BenchmarkId::new(policy.name(), format!("{count}_cases")),
            |bencher| {
                bencher.iter_custom(|rounds| {
                    (0..rounds).map(|_| run(transfers, &config, &cases)).sum()
                });
            },
        );
    }
    group.finish();
}

criterion_group!(benches, engine);
criterion_main!(benches);
