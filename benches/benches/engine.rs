//! A long stream through the engine, from its first transfer on, with history
//! kept: how many transfers a second, under how many cases. Beside it, in the
//! same run, the limit that memory sets: the records of both accounts of each
//! transfer read and written, and nothing else.
//!
//! `FLOW_BENCH_TRANSFERS` sets its length, and `FLOW_BENCH_CASES` asks for a run
//! under that many cases more. Blocks are made beside the clock.

use std::cell::LazyCell;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flow_benches::limit::{Records, by_first_sight, ends};
use flow_benches::long_past::{Stream, cases, played, timed, transfers};
use flow_core::{EngineConfig, Policy};

fn engine(c: &mut Criterion) {
    let transfers = transfers(1_000_000);
    let accounts = transfers / 4;
    let mut group = c.benchmark_group("engine");
    group.throughput(Throughput::Elements(transfers)).sample_size(10);
    let limit = LazyCell::new(|| ends(Stream::new(transfers), by_first_sight()));
    group.bench_function(BenchmarkId::new("limit", "plain"), |bencher| {
        let mut records = Records::of(&limit);
        bencher.iter_custom(|rounds| (0..rounds).map(|_| records.plain(&limit)).sum());
    });
    group.bench_function(BenchmarkId::new("limit", "prefetch"), |bencher| {
        let mut records = Records::of(&limit);
        bencher.iter_custom(|rounds| (0..rounds).map(|_| records.prefetched(&limit)).sum());
    });
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
                let run = |_| timed(&mut played(0, config.clone(), &cases), Stream::new(transfers));
                bencher.iter_custom(|rounds| (0..rounds).map(run).sum());
            },
        );
    }
    group.finish();
}

criterion_group! { name = benches; config = flow_benches::criterion(); targets = engine }
criterion_main!(benches);
