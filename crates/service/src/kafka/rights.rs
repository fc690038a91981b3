//! Whether we may do what the service will do, tried without leaving a trace.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use flow_core::Chain;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::reader::partitions;
use super::refusal;
use super::writer::{self, Answer};
use crate::config::{Config, KafkaConfig};
use crate::report::Explain as _;

/// The most that is sent to try whether it may be: brokers take requests of 100
/// MB unless told otherwise.
const OVERSIZE_MAX: usize = 16 << 20;

/// Whether a right is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// It is.
    Granted,
    /// It cannot be told, and why.
    Untold(&'static str),
}

/// The first records of a topic.
#[derive(Debug, Default)]
pub(crate) struct FirstRecords {
    pub(crate) values: Vec<Vec<u8>>,
    /// Unix milliseconds of the newest of all records.
    pub(crate) newest_ms: Option<i64>,
}

/// Reads up to so many records from the beginning of a topic, and the last one
/// of each partition.
///
/// # Errors
/// If the topic is missing, may not be read, or does not answer.
pub(crate) fn first_records(
    kafka: &KafkaConfig,
    topic: &str,
    most: usize,
    patience: Duration,
) -> anyhow::Result<FirstRecords> {
    let consumer: BaseConsumer = super::reading_consumer(kafka).create()?;
    let mut found = FirstRecords::default();
    let count = partitions(&consumer, topic)?;
    for number in 0..count {
        let (low, high) = consumer
            .fetch_watermarks(topic, number, patience)
            .map_err(|error| refusal::explained(error, &format!("topic {topic}")))?;
        // The first ones, then the one at the end, where the times are newest.
        for (from, most) in [(low, most), ((high - 1).max(low), 1)] {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(topic, number, Offset::Offset(from))?;
            consumer.assign(&list)?;
            read(&consumer, topic, most, patience, &mut found)?;
        }
    }
    Ok(found)
}

fn read(
    consumer: &BaseConsumer,
    topic: &str,
    most: usize,
    patience: Duration,
    found: &mut FirstRecords,
) -> anyhow::Result<()> {
    let (began, mut read) = (Instant::now(), 0);
    loop {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                found.newest_ms = found.newest_ms.max(message.timestamp().to_millis());
                if read < most && most > 1 {
                    found.values.push(message.payload().unwrap_or_default().to_vec());
                }
                read += 1;
                if read >= most {
                    return Ok(());
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
            Some(Err(error)) if !super::is_transient(&error) => {
                return Err(refusal::explained(error, &format!("topic {topic}")));
            }
            Some(Err(_)) | None => {}
        }
        if began.elapsed() > patience {
            bail!("topic {topic} has not answered for {} s", patience.as_secs());
        }
    }
}

/// Whether we may write to a topic: sends a record that is too large for it.
///
/// # Errors
/// If we may not, or the topic does not answer.
pub(crate) fn may_write(
    kafka: &KafkaConfig,
    topic: &str,
    patience: Duration,
) -> anyhow::Result<Grant> {
    let Some(size) = largest(kafka, topic, patience)?.map(|largest| largest + 1024) else {
        return Ok(Grant::Untold(
            "its settings are not told: it is missing, or the right to describe them is",
        ));
    };
    if size > OVERSIZE_MAX {
        return Ok(Grant::Untold("the topic takes records of more than 16 MB"));
    }
    let mut config = super::client(kafka);
    config
        .set("message.max.bytes", (size + 1024 * 1024).to_string())
        .set("message.timeout.ms", patience.as_millis().to_string())
        .set("retries", "0");
    let payload = vec![0; size];
    match writer::send(&config, topic, (b"doctor", Some(&payload)), patience)? {
        Answer::Refused(RDKafkaErrorCode::MessageSizeTooLarge) => Ok(Grant::Granted),
        Answer::Refused(code) => Err(writer::refused(topic, code)),
        Answer::Written | Answer::None => Ok(Grant::Untold("the topic did not answer")),
    }
}

/// The most bytes that the topic takes at once; `None` if we may not know.
fn largest(kafka: &KafkaConfig, topic: &str, patience: Duration) -> anyhow::Result<Option<usize>> {
    let admin: AdminClient<DefaultClientContext> = super::client(kafka).create()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let options = AdminOptions::new().request_timeout(Some(patience));
    let asked = [ResourceSpecifier::Topic(topic)];
    let described = runtime.block_on(admin.describe_configs(&asked, &options));
    let described = described.with_context(|| format!("cannot describe the topic {topic}"))?;
    let Some(Ok(resource)) = described.into_iter().next() else { return Ok(None) };
    let value = resource.get("max.message.bytes").and_then(|entry| entry.value.clone());
    Ok(value.and_then(|value| value.parse().ok()))
}

/// Whether we may use the group.
///
/// # Errors
/// If we may not, or the brokers do not answer.
pub(crate) fn may_use_group(config: &Config, patience: Duration) -> anyhow::Result<Grant> {
    let mut client = super::consumer(&config.kafka);
    client.set("group.id", &config.kafka.group_id).set("isolation.level", "read_uncommitted");
    let consumer: BaseConsumer = client.create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition(&config.output.owners_topic, 0);
    let asked = consumer.committed_offsets(list, patience);
    // Who may not use the group is not told who coordinates it.
    asked.map_err(|error| refusal::explained(error, "the group")).explain(
        "what the group has committed cannot be read",
        "if the brokers are well, grant Read on the group to the principal",
    )?;
    Ok(Grant::Granted)
}

/// Whether we may use the transactional id of a chain. While an instance runs
/// it is not tried, for it would be fenced.
///
/// # Errors
/// If we may not, or the brokers do not answer.
pub(crate) fn may_use_transactional_id(
    config: &Config,
    chain: Chain,
    patience: Duration,
) -> anyhow::Result<Grant> {
    let kafka = &config.kafka;
    let asked: BaseConsumer = super::reading_consumer(kafka).create()?;
    let groups = asked.fetch_group_list(Some(&kafka.group_id), patience);
    let members: usize =
        groups.map_or(0, |list| list.groups().iter().map(|group| group.members().len()).sum());
    if members > 0 {
        return Ok(Grant::Untold("an instance runs, which trying would end"));
    }
    let mut client = super::client(kafka);
    client.set("transactional.id", super::transactional_id(kafka, chain));
    let producer: BaseProducer = client.create()?;
    let begun = producer.init_transactions(patience);
    begun.map_err(|error| refusal::explained(error, "the transactional id"))?;
    Ok(Grant::Granted)
}
