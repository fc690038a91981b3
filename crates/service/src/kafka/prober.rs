//! Whether anything stands behind an offset.
//!
//! The end of a partition does not tell: the markers of transactions take
//! offsets, and no consumer is ever handed one. A second consumer looks: it is
//! handed a record, or told that it came to the end.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use crate::config::KafkaConfig;

/// How long the broker may take. While it is asked nothing else is done.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct Prober {
    consumer: BaseConsumer,
}

impl Prober {
    pub(super) fn open(kafka: &KafkaConfig) -> anyhow::Result<Prober> {
        let mut config = super::reading_consumer(kafka);
        config.set("fetch.wait.max.ms", "10");
        let consumer = config.create().context("cannot make a Kafka consumer")?;
        Ok(Prober { consumer })
    }

    /// Whether no record stands in the partition from that offset on.
    ///
    /// # Errors
    /// If the broker does not answer.
    pub(super) fn is_empty_from(
        &self,
        topic: &str,
        number: i32,
        offset: i64,
    ) -> anyhow::Result<bool> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, number, Offset::Offset(offset))?;
        self.consumer.assign(&list).with_context(|| format!("cannot read topic {topic}"))?;
        let found = self.first(topic);
        // Nothing is fetched ahead between two questions.
        self.consumer.unassign().context("a consumer cannot be put to rest")?;
        found
    }

    fn first(&self, topic: &str) -> anyhow::Result<bool> {
        let began = Instant::now();
        while began.elapsed() < ANSWER_MAX {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(_)) => return Ok(false),
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(true),
                Some(Err(error)) if !super::is_transient(&error) => {
                    return Err(error).context(format!("cannot read topic {topic}"));
                }
                Some(Err(_)) | None => {}
            }
        }
        bail!("topic {topic} has not answered for {} s", ANSWER_MAX.as_secs())
    }
}
