//! `usdt-flow feed`: writes the recorded blocks of TRON to a topic as java-tron
//! would, one after the other, with the time of now. Without `block` triggers: the
//! record tells no hashes of blocks.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use flow_sim::feed;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::cli::{FeedArgs, GlobalArgs};
use crate::demo::Story;
use crate::report::Explain as _;
use crate::{kafka, logging};

/// How long the brokers may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Writes every block, then ends.
///
/// # Errors
/// If the brokers cannot be reached, or do not take a record.
pub fn execute(args: &FeedArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let config = super::load(&args.config, args.flags(), global)?.config;
    logging::start(&config.log, global.color)?;
    kafka::reach(&config.kafka, PATIENCE)?;
    let mut client = kafka::client(&config.kafka);
    client.set("enable.idempotence", "true").set("client.id", "usdt-flow-feed");
    let producer: BaseProducer = client.create().context("cannot make a Kafka producer")?;
    let blocks = Story::recorded()?.blocks;
    tracing::info!(blocks = blocks.len(), topic = args.topic, "feeding recorded blocks of TRON");
    for mut block in blocks {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        block.timestamp_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        for record in &feed::java_tron(&block) {
            let record = BaseRecord::<(), str>::to(&args.topic).payload(record);
            producer.send(record).map_err(|(error, _)| error).context("a record was not taken")?;
        }
        deliver(&producer).explain(
            format!("the topic {} did not take block {}", args.topic, block.number),
            "see whether the topic exists: usdt-flow topics create --inputs",
        )?;
        thread::sleep(Duration::from_millis(args.pause_ms));
    }
    Ok(())
}

/// Waits until the block is taken, so that the queue of the client never fills.
/// `flush` would take a tenth of a second each time.
fn deliver(producer: &BaseProducer) -> anyhow::Result<()> {
    let began = Instant::now();
    while producer.in_flight_count() > 0 {
        producer.poll(Duration::from_millis(1));
        ensure!(began.elapsed() < PATIENCE, "no answer for {} s", PATIENCE.as_secs());
    }
    Ok(())
}
