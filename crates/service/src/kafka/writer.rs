//! One record for a topic, for commands.

use std::time::{Duration, Instant};

use anyhow::bail;
use rdkafka::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::publisher::Deliveries;
use super::refusal;
use crate::config::KafkaConfig;

/// How long the brokers may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the brokers say of a record.
pub(super) enum Answer {
    Written,
    Refused(RDKafkaErrorCode),
    /// Nothing in time.
    None,
}

/// Sends a record and waits that long for the answer.
///
/// # Errors
/// If it cannot be sent.
pub(super) fn send(
    config: &ClientConfig,
    topic: &str,
    (key, value): (&[u8], Option<&[u8]>),
    patience: Duration,
) -> anyhow::Result<Answer> {
    let producer: BaseProducer<Deliveries> = config.create_with_context(Deliveries::default())?;
    let record = BaseRecord::<[u8], [u8]>::to(topic).key(key);
    let record = value.into_iter().fold(record, |record, value| record.payload(value));
    if let Err((error, _)) = producer.send(record) {
        return Err(refusal::explained(error, &place(topic)));
    }
    let began = Instant::now();
    while producer.in_flight_count() > 0 && began.elapsed() < patience {
        producer.poll(Duration::from_millis(20));
    }
    Ok(match producer.context().first_failure() {
        Some(code) => Answer::Refused(code),
        None if producer.in_flight_count() > 0 => Answer::None,
        None => Answer::Written,
    })
}

/// The error that the topic refused a record.
pub(super) fn refused(topic: &str, code: RDKafkaErrorCode) -> anyhow::Error {
    let place = place(topic);
    refusal::of(code, &place).unwrap_or_else(|| anyhow::anyhow!("{place}: {code}"))
}

fn place(topic: &str) -> String {
    format!("topic {topic}")
}

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
    let record = (key.as_bytes(), value.map(str::as_bytes));
    match send(&config, topic, record, PATIENCE + PATIENCE)? {
        Answer::Written => Ok(()),
        Answer::Refused(code) => Err(refused(topic, code)),
        Answer::None => bail!("topic {topic} did not answer; nothing is known of the record"),
    }
}
