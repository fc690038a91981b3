//! An image of an engine with a long past: how long the stream waits while it is
//! begun and while its pages are copied, how long it takes to encode it, to
//! restore an engine from it, and to restart: to read image and segments from
//! files, compare them with all their checksums, and restore the engine.
//!
//! One case of a hub's, traced from the first event; what can be reverted is in
//! the journal. `FLOW_BENCH_TRANSFERS` sets the length of the past.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use flow_benches::long_past::{case, played, transfers};
use flow_core::{Engine, EngineConfig, EngineImage, Image, MemoryArchive, verify_segment};

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

/// Image and segments in files, as a folder of checkpoints keeps them.
struct Folder {
    path: PathBuf,
    segments: usize,
}

impl Folder {
    fn of(image: &EngineImage, bytes: &[u8]) -> Folder {
        let path = std::env::temp_dir().join(format!("usdt-flow-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder can be made");
        let folder = Folder { path, segments: image.segments().len() };
        std::fs::write(folder.path.join("image"), bytes).expect("there is room");
        for segment in image.segments() {
            let mut bytes = vec![0; usize::try_from(segment.bytes).expect("it was in memory")];
            segment.image.read_at(0, &mut bytes).expect("it is whole");
            std::fs::write(folder.segment(segment.number), bytes).expect("there is room");
        }
        folder
    }

    fn segment(&self, number: usize) -> PathBuf {
        self.path.join(number.to_string())
    }

    fn restart(&self) -> Engine {
        let bytes = std::fs::read(self.path.join("image")).expect("it was just written");
        let segment = |number| {
            let bytes = std::fs::read(self.segment(number)).expect("it was just written");
            let image: Arc<dyn Image> = Arc::new(bytes);
            verify_segment(Arc::clone(&image)).expect("it is whole");
            image
        };
        let segments: Vec<Arc<dyn Image>> = (0..self.segments).map(segment).collect();
        Engine::restore(config(), Box::new(MemoryArchive), segments, &bytes).expect("it is whole")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            eprintln!("{} stays: {error}", self.path.display());
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
    let folder = Folder::of(&image, &bytes);
    group.bench_function("restart", |bencher| {
        bencher.iter_with_large_drop(|| black_box(folder.restart()));
    });
    group.finish();
}

criterion_group! { name = benches; config = flow_benches::criterion(); targets = image }
criterion_main!(benches);
