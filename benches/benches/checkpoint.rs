//! An image of an engine with a long past: how long the stream waits while it is
//! begun and while its pages are copied, how long it takes to encode it, and to
//! restore an engine from it.
//!
//! One case of a hub's, traced from the first event; what can be reverted is in
//! the journal. `FLOW_BENCH_TRANSFERS` sets the length of the past.

mod long_past;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use flow_core::{Engine, EngineConfig, EngineImage, Image, MemoryArchive};
use long_past::{case, played, transfers};

fn config() -> EngineConfig {
    EngineConfig { alert_min_units: 1_000_000_000, revertible: true, ..EngineConfig::default() }
}

fn restored(image: &EngineImage, bytes: &[u8]) -> Engine {
    let segments: Vec<Arc<dyn Image>> =
        image.segments().iter().map(|segment| Arc::clone(&segment.image)).collect();
    Engine::restore(config(), Box::new(MemoryArchive), segments, bytes).expect("it was just made")
}

/// Takes an image page by page, and tells how long the slowest one took.
fn imaged(engine: &mut Engine) -> EngineImage {
    engine.begin_image();
    let (mut pages, mut slowest) = (0, Duration::ZERO);
    loop {
        let began = Instant::now();
        let whole = engine.continue_image(1);
        slowest = slowest.max(began.elapsed());
        pages += 1;
        if let Some(image) = whole {
            println!("{pages} pages, the slowest in {slowest:?}");
            return image;
        }
    }
}

fn image(c: &mut Criterion) {
    let transfers = transfers(4_000_000);
    let hub = case("hub", transfers / 4000, 1_000_000);
    let mut engine = played(transfers, config(), &[hub]);
    let mut group = c.benchmark_group("image");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    group.bench_function("begin", |bencher| {
        bencher.iter(|| engine.begin_image());
    });
    group.bench_function("all_pages", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut all = Duration::ZERO;
            for _ in 0..rounds {
                engine.begin_image();
                let began = Instant::now();
                black_box(engine.continue_image(usize::MAX));
                all += began.elapsed();
            }
            all
        });
    });
    let image = imaged(&mut engine);
    let mut bytes = Vec::new();
    image.encode(&mut bytes);
    let (memory, stats) = (engine.memory(), engine.stats());
    println!(
        "{} accounts, {} transfers, {} of them not sealed, {} accounts tainted: {} bytes",
        stats.accounts,
        stats.transfers,
        memory.tail_transfers,
        engine.taint_rows().len(),
        bytes.len(),
    );
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            bytes.clear();
            image.encode(&mut bytes);
        });
    });
    group.bench_function("restore", |bencher| {
        bencher.iter_with_large_drop(|| black_box(restored(&image, &bytes)));
    });
    group.finish();
}

criterion_group!(benches, image);
criterion_main!(benches);
