//! From input that stands still to a page, and from input that comes again to
//! its end: the real service, Prometheus, Alertmanager and a webhook.
//!
//! The rules and the configuration of Alertmanager are those of `deploy`, with
//! minutes made seconds.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::broker::Broker;
use crate::prometheus::{DEPLOY, Running, programs};
use crate::service::{Folder, Service};

const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn input_that_stands_still_pages_and_input_that_comes_again_resolves() {
    let (Some(broker), Some(programs)) = (Broker::get(), programs()) else { return };
    let folder = Folder::new("[]");
    let mut service = Service::new(&broker, &folder, "paged");
    service.tron(&["events"]).create_topics();
    let topic = service.topic("events");
    let mut running = service.start();
    running.wait_until_ready();
    let (pager, pages) = webhook();
    let alertmanager = Running::alertmanager(&programs, &manager_config(&pager));
    let rules = quick_rules(&folder);
    let targets = [running.address().to_owned()];
    let prometheus = Running::prometheus(&programs, &targets, &rules, Some(&alertmanager.listen));

    let chain = Chain::start(&broker, &topic, 1);
    running.wait_for_metric("usdt_flow_blocks_total{chain=\"tron\"} ", 5);
    let owner = "usdt_flow:watermark_lag_seconds:owner < 4";
    let began = Instant::now();
    while prometheus.values(owner).is_empty() {
        assert!(began.elapsed() < PATIENCE, "Prometheus never saw the service keep up");
        std::thread::sleep(Duration::from_millis(100));
    }
    let last = chain.stop();
    let page = wait_for(&pages, "firing");
    assert_eq!(page["labels"]["chain"], "tron");
    assert_eq!(page["labels"]["severity"], "page");
    assert_eq!(page["annotations"]["runbook_url"], "docs/operations.md#behind");
    assert!(page["annotations"]["description"].as_str().unwrap().contains(running.address()));
    let chain = Chain::start(&broker, &topic, last + 1);
    wait_for(&pages, "resolved");
    chain.stop();
    running.terminate();
}

/// Waits for word on `UsdtFlowBehind`.
fn wait_for(pages: &Receiver<Value>, status: &str) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let page = pages.recv_timeout(left).unwrap_or_else(|_| panic!("never {status}"));
        let alerts = page["alerts"].as_array().unwrap();
        let found = alerts.iter().find(|alert| {
            alert["labels"]["alertname"] == "UsdtFlowBehind" && alert["status"] == status
        });
        if let Some(alert) = found {
            return alert.clone();
        }
    }
}

fn manager_config(pager: &str) -> String {
    let text = std::fs::read_to_string(format!("{DEPLOY}/alertmanager/alertmanager.yml")).unwrap();
    assert!(text.contains("127.0.0.1:9095/page") && text.contains("group_interval: 1m"));
    text.replace("127.0.0.1:9095", pager).replace("group_interval: 1m", "group_interval: 1s")
}

/// The rules with seconds for minutes.
fn quick_rules(folder: &Folder) -> [String; 2] {
    ["recording", "alerts"].map(|name| {
        let path = format!("{DEPLOY}/prometheus/rules/usdt-flow-{name}.yml");
        let text = std::fs::read_to_string(path).unwrap();
        assert!(name == "recording" || text.contains("owner > 120"));
        let quick = |line: &str| match line.trim_start() {
            timed if timed.starts_with("for: ") => "        for: 1s".to_owned(),
            timed if timed.starts_with("interval: ") => "    interval: 500ms".to_owned(),
            _ => line.replace("owner > 120", "owner > 5"),
        };
        let lines: Vec<String> = text.lines().map(quick).collect();
        folder.file(&format!("{name}.yml"), &(lines.join("\n") + "\n"))
    })
}

/// A chain that makes a block of now three times a second.
struct Chain {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Chain {
    fn start(broker: &Broker, topic: &str, first: u64) -> Chain {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, topic) = (Arc::clone(&stop), topic.to_owned());
        let broker = Broker { servers: broker.servers.clone() };
        let thread = std::thread::spawn(move || {
            let mut block = first;
            while !stopped.load(Ordering::Relaxed) {
                broker.produce(&topic, &[record(block)]);
                block += 1;
                std::thread::sleep(Duration::from_millis(300));
            }
            block - 1
        });
        Chain { stop, thread }
    }

    /// The number of the last block.
    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn record(block: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    json!({
        "chain": "tron",
        "block": block,
        "log_index": 0,
        "timestamp": u64::try_from(now).unwrap(),
        "tx": format!("{block:064x}"),
        "event": "transfer",
        "from": "TMjFmBGydHZNYGjGxgmvpNbz3m3DjqUkHh",
        "to": "TBDsNZ6SzozMUAJ9rWctBq1KFH4RTPmEUY",
        "amount": 1,
    })
    .to_string()
}

/// A receiver of pages: its address, and what it is sent.
fn webhook() -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, pages) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Who hangs up has nothing to say, and the end of the test ends this.
            let Some(()) = stream.ok().and_then(|stream| answer(stream, &sender)) else { continue };
        }
    });
    (address, pages)
}

fn answer(mut stream: std::net::TcpStream, pages: &Sender<Value>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_lowercase();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()?;
    pages.send(serde_json::from_slice(&body).ok()?).ok()
}
