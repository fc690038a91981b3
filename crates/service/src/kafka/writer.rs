//! One record for a topic, for commands.

use std::time::{Duration, Instant};

use anyhow::ensure;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::publisher::Deliveries;
use super::refusal;
use crate::config::KafkaConfig;

/// How long the brokers may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Writes a record, and returns once all replicas that must have it do; no
/// value withdraws what stands under the key.
///
/// # Errors
/// If it was not written.
pub(crate) fn write_record(
    kafka: &KafkaConfig,
    topic: &str,
    key: &str,
    value: Option<&str>,
) -> anyhow::Result<()> {
    let mut config = super::client(kafka);
    config.set("enable.idempotence", "true").set("acks", "all");
    config.set("message.timeout.ms", PATIENCE.as_millis().to_string());
    let producer: BaseProducer<Deliveries> = config.create_with_context(Deliveries::default())?;
    let record = BaseRecord::<str, str>::to(topic).key(key);
    let record = value.into_iter().fold(record, |record, value| record.payload(value));
    let place = format!("topic {topic}");
    if let Err((error, _)) = producer.send(record) {
        return Err(refusal::explained(error, &place));
    }
    let began = Instant::now();
    while producer.in_flight_count() > 0 && began.elapsed() < PATIENCE + PATIENCE {
        producer.poll(Duration::from_millis(20));
    }
    if let Some(code) = producer.context().first_failure() {
        return Err(refusal::of(code, &place).unwrap_or_else(|| anyhow::anyhow!("{place}: {code}")));
    }
    ensure!(
        producer.in_flight_count() == 0,
        "{place} did not answer; nothing is known of the record"
    );
    Ok(())
}
