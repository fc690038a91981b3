//! A case opened late: through a past of millions of transfers that lies in
//! segments already.
//!
//! `FLOW_BENCH_TRANSFERS` sets the length of the past.

use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flow_benches::long_past::{case, played, transfers};
use flow_core::{Case, Engine, EngineConfig, Event, LateTrace, Policy};

/// An engine with so many transfers behind it, all of them sealed.
fn past(transfers: u64, policies: &[Policy]) -> Engine {
    let config = EngineConfig {
        policies: policies.to_vec(),
        alert_min_units: 1_000_000_000,
        defer_late: true,
        ..EngineConfig::default()
    };
    let mut engine = played(transfers, config, &[]);
    engine.seal().expect("memory takes it");
    let memory = engine.memory();
    let hundredths = |bytes: u64| bytes * 100 / memory.sealed_transfers as u64;
    let (rest, hashes) = (memory.segment_bytes - memory.hash_bytes, memory.hash_bytes);
    println!(
        "{} transfers, {} accounts, {} segments: {} hundredths of a byte a transfer, and {} of hashes",
        memory.sealed_transfers,
        engine.stats().accounts,
        memory.segments,
        hundredths(rest),
        hundredths(hashes),
    );
    engine
}

fn open(engine: &mut Engine, case: &Case) -> LateTrace {
    let mut effects = Vec::new();
    engine.apply(Event::CaseOpened(case.clone()), &mut effects).expect("the case opens");
    engine.take_late().pop().expect("there is a past")
}

fn close(engine: &mut Engine) {
    let mut effects = Vec::new();
    engine.apply(Event::CaseClosed("late".to_owned()), &mut effects).expect("the case closes");
}

fn late_case(c: &mut Criterion) {
    let transfers = transfers(2_000_000);
    let accounts = transfers / 4;
    for policy in [Policy::Haircut, Policy::Fifo] {
        let mut engine = past(transfers, &[policy]);
        let mut group = c.benchmark_group(format!("late_case/{}", policy.name()));
        group.throughput(Throughput::Elements(transfers)).sample_size(10);
        group.measurement_time(Duration::from_secs(5));
        for (name, account, min_units) in [
            ("a_hub_exactly", accounts / 1000, 0),
            ("a_hub_above_1_usdt", accounts / 1000, 1_000_000),
            ("a_small_wallet_above_1_usdt", accounts - 2, 1_000_000),
        ] {
            let case = case("late", account, min_units);
            let mut late = open(&mut engine, &case);
            late.run().expect("segments in memory can be read");
            let touched = late.touched();
            close(&mut engine);
            group.bench_function(BenchmarkId::new(name, format!("{touched}_touched")), |bencher| {
                bencher.iter_batched(
                    || {
                        close(&mut engine);
                        open(&mut engine, &case)
                    },
                    |mut late| {
                        late.run().expect("segments in memory can be read");
                        late
                    },
                    BatchSize::PerIteration,
                );
            });
            close(&mut engine);
        }
        group.finish();
    }
}

criterion_group! { name = benches; config = flow_benches::criterion(); targets = late_case }
criterion_main!(benches);
