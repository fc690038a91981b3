//! Sends events evenly in time, and notes when.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use flow_codec::address;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use super::super::broker::Broker;
use super::Shared;
use super::traffic::Traffic;
use crate::bench::RecordFormat;
use crate::cli::LatencyArgs;

/// How long the last records may be under way.
const FLUSH_MAX: Duration = Duration::from_secs(30);

/// An event that went out. Times are counted from a common beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// As an alert names it.
    pub(super) tx: String,
    /// Whether it raises alerts.
    pub(super) flagged: bool,
    /// When it was due.
    pub(super) due: Duration,
    /// When it was handed to the producer.
    pub(super) at: Duration,
    /// When the broker had acknowledged it.
    pub(super) acknowledged: Option<Duration>,
}

/// Notes when each record was acknowledged.
struct Acks {
    epoch: Instant,
    /// Nanoseconds since the beginning, by the number of the event; 0: not yet.
    nanos: Vec<AtomicU64>,
}

impl ClientContext for Acks {}

impl ProducerContext for Acks {
    type DeliveryOpaque = Box<usize>;

    fn delivery(&self, result: &DeliveryResult<'_>, number: Box<usize>) {
        let now = u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if result.is_ok()
            && let Some(nanos) = self.nanos.get(*number)
        {
            nanos.store(now, Ordering::Relaxed);
        }
    }
}

/// See the module.
pub(super) struct Sender {
    producer: ThreadedProducer<Acks>,
    format: RecordFormat,
    topic: String,
    rate: u64,
    events: u64,
    /// Blocks after the last event, so that its own does not wait for others.
    closing: u64,
}

impl Sender {
    /// Connects. The clock of acknowledgements begins here.
    pub(super) fn open(args: &LatencyArgs, broker: &Broker, topic: &str) -> anyhow::Result<Sender> {
        let blocks =
            (args.rate * (args.warmup_seconds + args.seconds)).div_ceil(args.block_records);
        let events = blocks * args.block_records;
        let all = usize::try_from(events + args.window_blocks)?;
        let nanos = (0..all).map(|_| AtomicU64::new(0)).collect();
        let producer: ThreadedProducer<Acks> = broker
            .client()
            .set("linger.ms", "0")
            .set("compression.type", args.common.compression.name())
            .create_with_context(Acks { epoch: Instant::now(), nanos })
            .context("cannot make a Kafka producer")?;
        // The first record must not wait for a connection.
        producer.client().fetch_metadata(Some(topic), super::super::broker::ANSWER_MAX)?;
        Ok(Sender {
            producer,
            format: args.format,
            topic: topic.to_owned(),
            rate: args.rate,
            events,
            closing: args.window_blocks,
        })
    }

    /// How many events will be sent, but for the closing ones.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// Sends all events, each when it is due, then those of the closing blocks.
    pub(super) fn send(
        self,
        mut traffic: Traffic,
        shared: &Shared<'_>,
    ) -> anyhow::Result<Vec<Sent>> {
        let began = shared.epoch.elapsed();
        let mut sent = Vec::new();
        let mut closing = self.closing;
        while closing > 0 {
            let quiet = sent.len() as u64 >= self.events;
            closing -= u64::from(quiet);
            let (block, made) = traffic.next_block(quiet);
            for (record, made) in self.format.records(&block).iter().zip(made) {
                let number = sent.len();
                let due = began + Duration::from_nanos(number as u64 * 1_000_000_000 / self.rate);
                if let Some(early) = due.checked_sub(shared.epoch.elapsed()) {
                    std::thread::sleep(early);
                }
                let at = shared.epoch.elapsed();
                self.produce(record, number)?;
                let tx = address::format_tx(block.chain, made.tx);
                sent.push(Sent { tx, flagged: made.flagged, due, at, acknowledged: None });
                shared.sent.store(number as u64, Ordering::Relaxed);
            }
            if shared.over.load(Ordering::Relaxed) {
                bail!("the bench ended before all events were sent");
            }
        }
        self.producer.flush(FLUSH_MAX).context("the events were not acknowledged")?;
        self.acknowledge(&mut sent, shared);
        Ok(sent)
    }

    fn produce(&self, record: &[u8], number: usize) -> anyhow::Result<()> {
        let mut outgoing =
            BaseRecord::<(), [u8], Box<usize>>::with_opaque_to(&self.topic, Box::new(number))
                .partition(0)
                .payload(record);
        loop {
            match self.producer.send(outgoing) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    std::thread::sleep(Duration::from_millis(1));
                    outgoing = back;
                }
                Err((error, _)) => return Err(error).context("cannot write to the input topic"),
            }
        }
    }

    fn acknowledge(&self, sent: &mut [Sent], shared: &Shared<'_>) {
        let acks = self.producer.context();
        for (sent, nanos) in sent.iter_mut().zip(&acks.nanos) {
            let nanos = nanos.load(Ordering::Relaxed);
            let at = acks.epoch + Duration::from_nanos(nanos);
            sent.acknowledged = (nanos > 0).then(|| at.duration_since(shared.epoch));
        }
    }
}
