//! Writes the story's records into the input topics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use flow_core::{Block, Chain};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::story::{TOPICS, poison, records};
use crate::config::KafkaConfig;
use crate::metrics::Metrics;

/// Records written and not yet read: the embedded broker keeps only the last
/// 5 MiB of a partition.
const AHEAD_MAX: u64 = 1_500;

/// One poison record in so many blocks.
const POISON_BLOCKS: usize = 400;

/// See the module.
pub struct Feeder {
    /// How the broker is reached.
    pub kafka: KafkaConfig,
    /// What stands before the names of the input topics.
    pub prefix: String,
    /// Where the pipeline counts what it has read.
    pub metrics: Arc<Metrics>,
    /// Set when the pipeline ends.
    pub stop: Arc<AtomicBool>,
    /// How many times faster than the chain; `None`: as fast as it is read.
    pub speed: Option<u64>,
}

impl Feeder {
    /// Writes everything, then tells how many records there are.
    ///
    /// # Errors
    /// If the broker cannot be written to.
    pub fn feed(&self, blocks: &[Block], total: &AtomicU64) -> anyhow::Result<()> {
        let producer: BaseProducer = crate::kafka::client(&self.kafka)
            .set("linger.ms", "2")
            .set("compression.type", "lz4")
            .create()
            .context("cannot make a Kafka producer")?;
        let topics = TOPICS.map(|(name, _)| format!("{}.{name}", self.prefix));
        let mut written = 0;
        let mut last_ms = blocks.first().map_or(0, |block| block.timestamp_ms);
        for (at, block) in blocks.iter().enumerate() {
            self.wait(block.timestamp_ms - last_ms, written, &producer);
            last_ms = block.timestamp_ms;
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let mut batch = records(block);
            if at % POISON_BLOCKS == POISON_BLOCKS / 2 {
                batch.extend(poison());
            }
            for (topic, record) in batch {
                send(&producer, &topics[topic], &record)?;
                written += 1;
            }
            producer.poll(Duration::ZERO);
        }
        producer.flush(Duration::from_secs(30)).context("the records were not written")?;
        total.store(written, Ordering::Relaxed);
        Ok(())
    }

    /// Keeps the pace of the chain, and never runs far ahead of the reader.
    fn wait(&self, block_ms: u64, written: u64, producer: &BaseProducer) {
        if let Some(speed) = self.speed {
            thread::sleep(Duration::from_millis(block_ms / speed.max(1)));
        }
        let read = || -> u64 {
            Chain::ALL.iter().map(|chain| self.metrics.chain(*chain).records_consumed.get()).sum()
        };
        while written.saturating_sub(read()) > AHEAD_MAX && !self.stop.load(Ordering::Relaxed) {
            producer.poll(Duration::ZERO);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn send(producer: &BaseProducer, topic: &str, record: &str) -> anyhow::Result<()> {
    let mut outgoing = BaseRecord::<(), str>::to(topic).payload(record);
    loop {
        match producer.send(outgoing) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                producer.poll(Duration::ZERO);
                thread::sleep(Duration::from_millis(1));
                outgoing = back;
            }
            Err((error, _)) => return Err(error).context("cannot write to an input topic"),
        }
    }
}
