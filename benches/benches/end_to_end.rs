//! Bytes of records to bytes of alerts: decode, assemble, apply, write.
//!
//! What the service does between the consumer and the producer, without
//! Kafka; one hour of invented traffic, fixed seed.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use flow_codec::{Assembled, Assembler, AssemblerConfig, Decoded, Decoder, wire};
use flow_core::{Block, Chain, Effect, Engine, EngineConfig, Event};
use flow_sim::feed;
use flow_sim::workload::{Workload, WorkloadConfig};

fn engine(workload: &Workload) -> Engine {
    let planted = workload.planted();
    let mut engine = Engine::new(EngineConfig::default());
    let mut effects = Vec::new();
    engine.load_opening(workload.opening()).expect("opening balances do not overflow");
    for label in planted.labels {
        engine.apply(Event::LabelSet(label), &mut effects).expect("a label applies");
    }
    for case in planted.cases {
        engine.apply(Event::CaseOpened(case), &mut effects).expect("a case opens");
    }
    engine
}

/// Runs every record through; returns the bytes written.
fn run(engine: &mut Engine, chain: Chain, records: &[String]) -> usize {
    let mut decoder = Decoder::new(None);
    let mut assembler = Assembler::new(chain, AssemblerConfig::default());
    let (mut decoded, mut assembled, mut effects) = (Vec::new(), Vec::new(), Vec::new());
    let mut written = 0;
    for record in records {
        decoder.decode(record.as_bytes(), &mut decoded).expect("the feed is well formed");
        for item in decoded.drain(..) {
            if let Decoded::Event(event) = item {
                assembler.push(event).expect("the feed is in order");
            }
        }
        assembler.release(u64::MAX, &mut assembled);
        for item in assembled.drain(..) {
            if let Assembled::Block(block) = item {
                engine.apply(Event::BlockCommitted(block), &mut effects).expect("applies");
            }
        }
        for effect in effects.drain(..) {
            written += match effect {
                Effect::Raise(alert) | Effect::Settle(alert) | Effect::Retract(alert) => {
                    wire::alert_message(&alert).value.len()
                }
                Effect::Recommend(record) => wire::freeze_message(&record).value.len(),
                Effect::Ledger(_) | Effect::Refuse(_) => 0,
            };
        }
    }
    written
}

fn end_to_end(c: &mut Criterion) {
    let mut group = c.benchmark_group("end_to_end");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    type Feed = fn(&Block) -> Vec<String>;
    let formats: [(&str, Chain, Feed); 4] = [
        ("java_tron", Chain::Tron, feed::java_tron),
        ("plain_json", Chain::Tron, feed::plain_json),
        ("ethereum_etl_log", Chain::Ethereum, feed::ethereum_etl_log),
        ("json_rpc", Chain::Ethereum, feed::json_rpc_log),
    ];
    for (name, chain, feed) in formats {
        let config = WorkloadConfig { seed: 1, accounts: 20_000, ..WorkloadConfig::default() };
        let workload = Workload::new(config);
        let records: Vec<String> =
            workload.clone().filter(|block| block.chain == chain).flat_map(|b| feed(&b)).collect();
        group.throughput(Throughput::Elements(records.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || engine(&workload),
                |mut engine| {
                    black_box(run(&mut engine, chain, &records));
                    engine
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = flow_benches::criterion(); targets = end_to_end }
criterion_main!(benches);
