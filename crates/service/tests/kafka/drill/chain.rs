//! A chain that makes blocks of now, and what a source may do wrong.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flow_core::{Block, Chain, LedgerEvent, TxHash};
use flow_sim::feed;

use crate::broker::Broker;

const PAUSE: Duration = Duration::from_millis(250);

/// Makes four blocks a second until it is dropped.
pub(super) struct Source {
    broker: Broker,
    topic: String,
    next: Arc<AtomicU64>,
    silent: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Source {
    pub(super) fn start(broker: &Broker, topic: &str) -> Source {
        let own = || Broker { servers: broker.servers.clone() };
        let mut source = Source {
            broker: own(),
            topic: topic.to_owned(),
            next: Arc::new(AtomicU64::new(1_000)),
            silent: Arc::default(),
            over: Arc::default(),
            thread: None,
        };
        let (broker, topic, next) = (own(), topic.to_owned(), Arc::clone(&source.next));
        let (silent, over) = (Arc::clone(&source.silent), Arc::clone(&source.over));
        source.thread = Some(std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                if !silent.load(Ordering::Relaxed) {
                    let block = next.fetch_add(1, Ordering::Relaxed);
                    broker.produce(&topic, &[record(block, 0)]);
                }
                std::thread::sleep(PAUSE);
            }
        }));
        source
    }

    /// Whether no block comes from now on.
    pub(super) fn silence(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }

    /// Leaves out blocks, more than a chain without headers may.
    pub(super) fn leave_out(&self) {
        self.next.fetch_add(100, Ordering::Relaxed);
    }

    /// Tells of a block that was applied long ago.
    pub(super) fn tell_late(&self) {
        self.broker.produce(&self.topic, &[record(self.old(), 1)]);
    }

    /// Takes back a block that was applied long ago.
    pub(super) fn take_back(&self) {
        let removed = record(self.old(), 0).replace("\"removed\":false", "\"removed\":true");
        self.broker.produce(&self.topic, &[removed]);
    }

    fn old(&self) -> u64 {
        self.next.load(Ordering::Relaxed) - 5
    }

    /// What nobody can read.
    pub(super) fn tell_nonsense(&self) {
        self.broker.produce(&self.topic, &vec!["{\"chain\":"; 20]);
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || ended.is_none_or(|ended| ended.is_ok()));
    }
}

/// One transfer as java-tron tells of it. A transaction that was not told of
/// yet, where `again` says so.
fn record(number: u64, again: u8) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let mut tx = [again; 32];
    tx[..8].copy_from_slice(&number.to_be_bytes());
    static TEMPLATE: LazyLock<LedgerEvent> = LazyLock::new(|| crate::slice()[0].events[0]);
    let block = Block {
        chain: Chain::Tron,
        number,
        hash: None,
        timestamp_ms: u64::try_from(now).unwrap(),
        events: vec![LedgerEvent { tx: TxHash(tx), ..*TEMPLATE }],
    };
    feed::java_tron(&block).remove(0)
}
