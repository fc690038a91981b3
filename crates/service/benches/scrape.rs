//! What it costs to be asked for the metrics.

#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has failed")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use flow_core::Chain;
use usdt_flow::config::HttpConfig;
use usdt_flow::http::{Health, serve};
use usdt_flow::metrics::Metrics;

/// All series, as told and through the listener with both ends in this process,
/// so the time holds the reader's part too.
fn scrape(criterion: &mut Criterion) {
    let metrics = Metrics::new();
    for chain in Chain::ALL {
        metrics.chain(chain).applied(1_700_000_000_000);
    }
    println!("one answer has {} bytes", metrics.encode().len());
    criterion.bench_function("scrape/encode", |bencher| bencher.iter(|| metrics.encode()));
    let any = ([127, 0, 0, 1], 0).into();
    let config = HttpConfig { metrics_listen: any, health_listen: any, linger: Duration::ZERO };
    let server = serve(&config, metrics, Health::of(Chain::ALL)).unwrap();
    let address = server.metrics_addr();
    criterion.bench_function("scrape/http", |bencher| {
        bencher.iter(|| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream
                .write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                .unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 200"));
            answer
        });
    });
    server.stop().unwrap();
}

criterion_group!(benches, scrape);
criterion_main!(benches);
