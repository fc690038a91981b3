//! Fills the input topic with invented traffic, always the same.

use std::time::Duration;

use anyhow::{Context, ensure};
use flow_core::Chain;
use flow_sim::workload::{Planted, Workload, WorkloadConfig};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::super::broker::{ANSWER_MAX, Broker};
use super::super::format::RecordFormat;
use super::super::stop::Stop;
use crate::cli::ThroughputArgs;
use crate::trace::source::bar;

const SEED: u64 = 1;
const ACCOUNTS: usize = 200_000;
const TRANSFERS_PER_BLOCK: u32 = 30;

/// How long the last records may be under way.
const FLUSH_MAX: Duration = Duration::from_secs(120);

/// What the topic holds.
pub(super) struct Filled {
    pub(super) records: u64,
    /// Those of them that cannot be read.
    pub(super) poisoned: u64,
    /// Events that they tell of.
    pub(super) events: u64,
    /// Of all values together, before compression.
    pub(super) bytes: u64,
    /// The crimes among them.
    pub(super) planted: Planted,
}

/// Writes the records to partition 0.
///
/// # Errors
/// If one does not arrive, or somebody interrupts.
pub(super) fn fill(
    args: &ThroughputArgs,
    format: RecordFormat,
    topic: &str,
    broker: &Broker,
    stop: &Stop,
) -> anyhow::Result<Filled> {
    let producer: BaseProducer = broker
        .client()
        .set("linger.ms", "5")
        .set("batch.size", "1000000")
        .set("compression.type", args.common.compression.name())
        .create()
        .context("cannot make a Kafka producer")?;
    let workload = workload(args.events, format);
    let planted = workload.planted();
    let bar = bar(args.common.no_progress, Some(args.events), "filling the topic");
    let (mut records, mut events, mut poisoned, mut bytes) = (0, 0, 0, 0);
    for block in workload {
        for record in format.records(&block) {
            if events >= args.events {
                break;
            }
            send(&producer, topic, &record)?;
            records += 1;
            events += format.events_of_a_record(&block);
            bytes += record.len() as u64;
            if records * args.poisoned_percent / 100 > poisoned {
                let cut = &record[..record.len() / 2];
                send(&producer, topic, cut)?;
                poisoned += 1;
                bytes += cut.len() as u64;
            }
        }
        producer.poll(Duration::ZERO);
        stop.check()?;
        bar.set_position(events);
    }
    producer.flush(FLUSH_MAX).context("the records were not written")?;
    bar.finish_and_clear();
    let (_, end) = producer.client().fetch_watermarks(topic, 0, ANSWER_MAX)?;
    let records = records + poisoned;
    ensure!(u64::try_from(end) == Ok(records), "{end} of {records} records arrived");
    Ok(Filled { records, events, poisoned, bytes, planted })
}

/// Traffic of that many events at least.
fn workload(events: u64, format: RecordFormat) -> Workload {
    // Blocks of TRON come with each slot, those of Ethereum with each fourth.
    let slots = if format.chain() == Chain::Tron { 1 } else { 4 };
    Workload::new(WorkloadConfig {
        seed: SEED,
        blocks: (events / u64::from(TRANSFERS_PER_BLOCK) + 1) * slots,
        accounts: ACCOUNTS,
        transfers_per_block: TRANSFERS_PER_BLOCK,
        chains: vec![format.chain()],
    })
}

fn send(producer: &BaseProducer, topic: &str, record: &[u8]) -> anyhow::Result<()> {
    let mut outgoing = BaseRecord::<(), [u8]>::to(topic).partition(0).payload(record);
    loop {
        match producer.send(outgoing) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                producer.poll(Duration::from_millis(10));
                outgoing = back;
            }
            Err((error, _)) => return Err(error).context("cannot write to the input topic"),
        }
    }
}
