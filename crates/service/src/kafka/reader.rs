//! Reading a topic whole: from its beginning to its end, then on.
//!
//! For compacted topics (cases, labels) and for our own outputs. No group, no
//! commits: every start reads them anew.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::lifeline::Lifeline;
use super::refusal;
use crate::config::KafkaConfig;
use crate::report::Explain;

/// A topic of the configuration that the broker does not know.
#[derive(Debug, thiserror::Error)]
#[error("there is no topic {0}")]
pub(crate) struct MissingTopic(String);

/// How long a broker may take to answer for a topic.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(30);

/// A topic being read from its beginning.
pub struct TopicReader {
    consumer: BaseConsumer,
    lifeline: Lifeline,
    topic: String,
    /// By partition: its end has been reached once.
    ended: Vec<bool>,
    /// Offsets at which it was opened.
    began: Vec<(i32, i64)>,
}

impl TopicReader {
    /// Opens the topic at its beginning.
    ///
    /// # Errors
    /// If the broker cannot be reached or the topic is missing.
    pub fn open(kafka: &KafkaConfig, topic: &str) -> anyhow::Result<TopicReader> {
        TopicReader::open_at(kafka, topic, &[])
    }

    /// Opens the topic at these offsets, by partition; one that is not named at
    /// its beginning.
    ///
    /// # Errors
    /// If the broker cannot be reached or the topic is missing.
    pub fn open_at(
        kafka: &KafkaConfig,
        topic: &str,
        offsets: &[(i32, i64)],
    ) -> anyhow::Result<TopicReader> {
        let mut config = super::reading_consumer(kafka);
        config.set("auto.offset.reset", "earliest");
        let consumer: BaseConsumer = config.create().context("cannot make a Kafka consumer")?;
        let partitions = partitions(&consumer, topic)?;
        let mut assignment = TopicPartitionList::new();
        for partition in 0..partitions {
            let known = offsets.iter().find(|(number, _)| *number == partition);
            let offset = known.map_or(Offset::Beginning, |(_, offset)| Offset::Offset(*offset));
            assignment.add_partition_offset(topic, partition, offset)?;
        }
        consumer.assign(&assignment).with_context(|| format!("cannot read topic {topic}"))?;
        let ended = vec![false; usize::try_from(partitions)?];
        let (topic, began) = (topic.to_owned(), offsets.to_vec());
        Ok(TopicReader { consumer, lifeline: Lifeline::new(kafka), topic, ended, began })
    }

    /// Hands every record that the topic holds now to `take`.
    ///
    /// # Errors
    /// If the broker falls silent, or `take` fails.
    pub fn read_to_end(
        &mut self,
        mut take: impl FnMut(&BorrowedMessage<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut heard = Instant::now();
        while self.ended.contains(&false) {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    take(&message)?;
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    let at = usize::try_from(partition)?;
                    self.ended[at] = true;
                }
                Some(Err(error)) if !super::is_transient(&error) => {
                    return Err(self.unread(error));
                }
                Some(Err(_)) | None => ensure!(
                    heard.elapsed() < ANSWER_MAX,
                    "topic {} has not answered for {} s",
                    self.topic,
                    ANSWER_MAX.as_secs()
                ),
            }
        }
        Ok(())
    }

    /// The next new record, if one has come.
    ///
    /// # Errors
    /// If the topic can no longer be read.
    pub fn try_next(&mut self) -> anyhow::Result<Option<BorrowedMessage<'_>>> {
        match self.consumer.poll(Duration::ZERO) {
            Some(Ok(message)) => {
                self.lifeline.hear();
                return Ok(Some(message));
            }
            Some(Err(KafkaError::PartitionEOF(_))) => self.lifeline.hear(),
            Some(Err(error)) if super::is_transient(&error) => self.lifeline.lose(),
            Some(Err(error)) => return Err(self.unread(error)),
            None => self.lifeline.mind(self.consumer.client()),
        }
        Ok(None)
    }

    fn unread(&self, error: KafkaError) -> anyhow::Error {
        let topic = format!("topic {}", self.topic);
        refusal::explained(error, &topic).context(format!("cannot read {topic}"))
    }

    /// Another reader that goes on where this one is, and will be told where
    /// the end is now.
    ///
    /// # Errors
    /// If the broker cannot be reached.
    pub(super) fn reopen(&self, kafka: &KafkaConfig) -> anyhow::Result<TopicReader> {
        let positions = self.consumer.position().context("a reader lost its place")?;
        let elements = positions.elements();
        let known = elements.iter().filter_map(|element| match element.offset() {
            Offset::Offset(offset) => Some((element.partition(), offset)),
            _ => None,
        });
        let mut offsets: Vec<(i32, i64)> = known.collect();
        // Where nothing was read yet, it begins where this one began.
        for (number, offset) in &self.began {
            if !offsets.iter().any(|(known, _)| known == number) {
                offsets.push((*number, *offset));
            }
        }
        TopicReader::open_at(kafka, &self.topic, &offsets)
    }
}

/// How many partitions a topic has.
pub(super) fn partitions<C: rdkafka::consumer::ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
) -> anyhow::Result<i32> {
    let metadata = consumer
        .fetch_metadata(Some(topic), ANSWER_MAX)
        .explain("cannot reach Kafka", "check kafka.bootstrap_servers and that the broker is up")?;
    let found = metadata.topics().iter().find(|known| known.name() == topic);
    let code = found.and_then(|topic| topic.error()).map(RDKafkaErrorCode::from);
    if let Some(refused) = code.and_then(|code| refusal::of(code, &format!("topic {topic}"))) {
        return Err(refused);
    }
    let partitions = found.filter(|t| t.error().is_none()).map_or(0, |t| t.partitions().len());
    if partitions == 0 {
        return Err(MissingTopic(topic.to_owned())).explain(
            "a topic is missing",
            "usdt-flow topics create makes the topics of the configuration, with --inputs the \
             input topics too; cases_topic = \"\" or labels_topic = \"\" does without one",
        );
    }
    Ok(i32::try_from(partitions)?)
}
