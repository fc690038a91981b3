//! The log of one chain in Kafka.
//!
//! The consumer is in no group: which chain is ours to publish for, the
//! [`membership`](super::membership) says. Offsets are committed under the
//! group's id all the same, in the transactions of the chain's one producer;
//! that one alone can, so a member that lost the chain cannot move them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use flow_codec::{Decoder, Format};
use flow_core::Chain;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::intake::{Intake, Interrupted};
use super::lifeline::Lifeline;
use super::prober::Prober;
use super::publisher::Publisher;
use super::reader::{ANSWER_MAX, TopicReader, partitions};
use super::refusal;
use super::watching::{STATISTICS_MS, Watching, WatchingConsumer};
use crate::config::{Config, InputConfig};
use crate::follow::{
    Change, ChangeKind, CommitError, Committed, FollowError, Log, Outgoing, PartitionId, Position,
    Record, Stream, StreamEnd, Told,
};
use crate::metrics::ClientMetrics;

/// The pause between two warnings that the broker is away.
const WARN_PAUSE: Duration = Duration::from_secs(10);

/// So often the time is told without asking for it: twice for each record.
const CLOCK_ASKED_MAX: u32 = 32;

/// How long the broker may take to say where a partition ends. While it is
/// asked nothing else is done.
const ENDS_MAX: Duration = Duration::from_secs(5);

/// Records of output topics that are read at once while standing by.
const LOOK_RECORDS: usize = 4_000;

/// How much is fetched ahead of what is applied, in KiB.
const PREFETCH: &str = "queued.max.messages.kbytes";

/// Where memory is not limited: some fetches of the usual size. What waits
/// longer is cold when it is decoded, and takes fresh memory.
const PREFETCH_KIB: u64 = 8 * 1024;

/// See the module.
pub struct KafkaLog<'a> {
    config: &'a Config,
    chain: Chain,
    partitions: Vec<PartitionId>,
    /// What each topic carries, by its rank.
    formats: Vec<Option<Format>>,
    consumer: Arc<WatchingConsumer>,
    lifeline: Lifeline,
    /// Reads with the consumer, once it was said from where on.
    intake: Option<Intake>,
    /// Asks what the group has committed without waiting for what it may be
    /// about to commit.
    offsets: BaseConsumer,
    /// Labels, then cases.
    changes: Vec<(ChangeKind, TopicReader)>,
    published: Vec<(Stream, TopicReader)>,
    publisher: Option<Publisher>,
    prober: Option<Prober>,
    warned: Option<Instant>,
    /// The time when it was asked last, and how often it was told since.
    clock: Option<(Instant, u32)>,
}

impl<'a> KafkaLog<'a> {
    /// Reaches the brokers and looks whether every topic is there.
    ///
    /// # Errors
    /// If the brokers do not answer, or a topic is missing.
    pub fn open(
        config: &'a Config,
        input: &InputConfig,
        metrics: &ClientMetrics,
    ) -> anyhow::Result<KafkaLog<'a>> {
        let kafka = &config.kafka;
        let mut client = super::consumer(kafka);
        client.set("group.id", &kafka.group_id);
        if !kafka.consumer.contains_key(PREFETCH) {
            client.set(PREFETCH, prefetch_kib(config.limits.memory_max_bytes).to_string());
        }
        let mut watched = client.clone();
        watched.set("statistics.interval.ms", STATISTICS_MS);
        let context = Watching { metrics: metrics.clone() };
        let consumer: WatchingConsumer =
            watched.create_with_context(context).context("cannot make a Kafka consumer")?;
        let consumer = Arc::new(consumer);
        client.set("isolation.level", "read_uncommitted");
        let offsets = client.create().context("cannot make a Kafka consumer")?;
        let mut ids = Vec::new();
        for (topic_ix, topic) in input.topics.iter().enumerate() {
            for number in 0..partitions(&consumer, &topic.name)? {
                ids.push(PartitionId { topic: topic.name.clone(), number, topic_ix });
            }
        }
        let output = &config.output;
        let read_back = Stream::ALL.map(|stream| stream.topic(output));
        for topic in read_back.into_iter().chain([output.deadletter_topic.as_str()]) {
            partitions(&consumer, topic)?;
        }
        let known = [
            (ChangeKind::Label, &config.knowledge.labels_topic),
            (ChangeKind::Case, &config.knowledge.cases_topic),
        ];
        let mut changes = Vec::new();
        for (kind, topic) in known {
            if let Some(topic) = topic {
                changes.push((kind, TopicReader::open(kafka, topic)?));
            }
        }
        Ok(KafkaLog {
            config,
            chain: input.chain,
            partitions: ids,
            formats: input.topics.iter().map(|topic| topic.format).collect(),
            consumer,
            lifeline: Lifeline::new(kafka),
            intake: None,
            offsets,
            changes,
            published: Vec::new(),
            publisher: None,
            prober: None,
            warned: None,
            clock: None,
        })
    }

    fn list(&self) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in &self.partitions {
            list.add_partition(&partition.topic, partition.number);
        }
        list
    }

    /// What an error of the consumer means: nothing, another session, or the end.
    fn poll_error(&mut self, error: KafkaError) -> Result<(), FollowError> {
        if super::is_transient(&error) {
            self.lifeline.lose();
            // While a broker is away this comes many times a second.
            if self.warned.is_none_or(|at| at.elapsed() > WARN_PAUSE) {
                self.warned = Some(Instant::now());
                tracing::warn!(%error, "Kafka is away; librdkafka keeps trying");
            }
            return Ok(());
        }
        let lost = matches!(
            error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
        );
        let error = refusal::explained(error, "one of the input topics");
        Err(if lost {
            let lost = "records were deleted before they were read; keep input topics for longer";
            FollowError::Fatal(error.context(lost))
        } else {
            FollowError::from(error.context("the input topics cannot be read"))
        })
    }

    fn stream_topics(&self) -> [(Stream, &'a str); Stream::ALL.len()] {
        let output = &self.config.output;
        Stream::ALL.map(|stream| (stream, stream.topic(output)))
    }
}

impl Log for KafkaLog<'_> {
    fn partitions(&self) -> &[PartitionId] {
        &self.partitions
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn about_now(&mut self) -> Instant {
        match &mut self.clock {
            Some((now, asked)) if *asked < CLOCK_ASKED_MAX => {
                *asked += 1;
                *now
            }
            clock => clock.insert((Instant::now(), 0)).0,
        }
    }

    fn rest(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    fn bounds(&mut self) -> anyhow::Result<Vec<(i64, i64)>> {
        let ends = |id: &PartitionId| {
            self.consumer
                .fetch_watermarks(&id.topic, id.number, ENDS_MAX)
                .with_context(|| format!("cannot read the ends of topic {}", id.topic))
        };
        let ends: anyhow::Result<Vec<(i64, i64)>> = self.partitions.iter().map(ends).collect();
        match ends {
            Ok(_) => self.lifeline.hear(),
            Err(_) => self.lifeline.lose(),
        }
        ends
    }

    fn is_empty_from(&mut self, partition: usize, offset: i64) -> anyhow::Result<bool> {
        let id = &self.partitions[partition];
        let prober = match &self.prober {
            Some(prober) => prober,
            None => self.prober.insert(Prober::open(&self.config.kafka)?),
        };
        let found = prober.is_empty_from(&id.topic, id.number, offset);
        if found.is_err() {
            // Another is asked next time: this one may have lost its brokers for good.
            self.prober = None;
        }
        found
    }

    fn committed(&mut self) -> anyhow::Result<Vec<Option<Committed>>> {
        // One who died in the middle of a transaction leaves offsets that are
        // neither committed nor not, and a `read_committed` consumer is told
        // nothing until the brokers give that transaction up; it was seen to wait
        // even after whoever fenced had ended it, behind a broker that restarted
        // in between. So what was committed is asked for without what may be about
        // to be. After fencing that is the truth: the brokers fence only once the
        // transaction before is over, its offsets with it.
        let list = self
            .offsets
            .committed_offsets(self.list(), ANSWER_MAX)
            .map_err(|error| refusal::explained(error, "the group"))
            .context("cannot read the group's committed offsets")?;
        let of = |id: &PartitionId| {
            let element = list.find_partition(&id.topic, id.number)?;
            match element.offset() {
                Offset::Offset(offset) => {
                    Some(Committed { offset, metadata: element.metadata().to_owned() })
                }
                _ => None,
            }
        };
        Ok(self.partitions.iter().map(of).collect())
    }

    fn seek(&mut self, offsets: &[i64]) -> anyhow::Result<()> {
        let mut list = TopicPartitionList::new();
        for (id, offset) in self.partitions.iter().zip(offsets) {
            list.add_partition_offset(&id.topic, id.number, Offset::Offset(*offset))?;
        }
        self.intake = None;
        self.consumer.assign(&list).context("the input topics cannot be read")?;
        let decoders = self.formats.iter().map(|format| Decoder::new(*format)).collect();
        self.intake = Some(Intake::start(Arc::clone(&self.consumer), &self.partitions, decoders)?);
        Ok(())
    }

    fn poll(
        &mut self,
        wait: Duration,
        take: &mut dyn FnMut(Record<'_>) -> Result<(), FollowError>,
    ) -> Result<bool, FollowError> {
        let intake = self.intake.as_mut().context("nobody said from where on to read")?;
        if !intake.has_next() {
            self.clock = None;
        }
        match intake.next(wait, take) {
            Ok(None) => {
                self.lifeline.mind(self.consumer.client());
                Ok(false)
            }
            Ok(Some(taken)) => taken.map(|()| true),
            Err(Interrupted::Consumer(error)) => self.poll_error(error).map(|()| false),
            Err(Interrupted::Over) => {
                Err(FollowError::Retry(anyhow!("the thread that reads the input topics ended")))
            }
        }
    }

    fn pause(&mut self, partition: usize, paused: bool) -> anyhow::Result<()> {
        let id = &self.partitions[partition];
        let mut list = TopicPartitionList::new();
        list.add_partition(&id.topic, id.number);
        let done = if paused { self.consumer.pause(&list) } else { self.consumer.resume(&list) };
        done.with_context(|| format!("topic {} cannot be held back", id.topic))
    }

    fn read_changes(
        &mut self,
        take: &mut dyn FnMut(&Change<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for (kind, reader) in &mut self.changes {
            reader.read_to_end(|message| take(&change(*kind, message)))?;
        }
        Ok(())
    }

    fn next_change(
        &mut self,
        take: &mut dyn FnMut(&Change<'_>) -> Result<(), FollowError>,
    ) -> Result<bool, FollowError> {
        for (kind, reader) in &mut self.changes {
            if let Some(message) = reader.try_next()? {
                take(&change(*kind, &message))?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn open_published(&mut self, ends: &[StreamEnd]) -> anyhow::Result<()> {
        self.published.clear();
        for (stream, topic) in self.stream_topics() {
            let of_stream = ends.iter().filter(|end| end.stream == stream);
            let offsets: Vec<(i32, i64)> = of_stream.map(|end| (end.number, end.offset)).collect();
            let reader = TopicReader::open_at(&self.config.kafka, topic, &offsets)?;
            self.published.push((stream, reader));
        }
        Ok(())
    }

    fn read_published(&mut self, take: &mut dyn FnMut(&Told<'_>)) -> anyhow::Result<()> {
        for (stream, reader) in &mut self.published {
            for _ in 0..LOOK_RECORDS {
                let Some(message) = reader.try_next()? else { break };
                told(*stream, &message, take);
            }
        }
        Ok(())
    }

    fn drain_published(&mut self, take: &mut dyn FnMut(&Told<'_>)) -> anyhow::Result<()> {
        // Nothing is read after this, and a reader left open would fetch what we
        // publish ourselves, for nobody.
        for (stream, reader) in std::mem::take(&mut self.published) {
            // A reader that has come to the end is not told so again.
            let mut reader = reader.reopen(&self.config.kafka)?;
            reader.read_to_end(|message| {
                told(stream, message, take);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn published_ends(&mut self) -> anyhow::Result<Vec<StreamEnd>> {
        let mut ends = Vec::new();
        for (stream, topic) in self.stream_topics() {
            for number in 0..partitions(&self.consumer, topic)? {
                let (_, offset) = self
                    .consumer
                    .fetch_watermarks(topic, number, ANSWER_MAX)
                    .with_context(|| format!("cannot read the end of topic {topic}"))?;
                ends.push(StreamEnd { stream, number, offset });
            }
        }
        Ok(ends)
    }

    fn fence(&mut self) -> Result<(), FollowError> {
        // The one before must be gone before its id is taken again.
        self.publisher = None;
        self.publisher = Some(Publisher::open(&self.config.kafka, self.chain)?);
        Ok(())
    }

    fn commit(
        &mut self,
        outputs: &[Outgoing],
        positions: &[Position],
    ) -> Result<Duration, CommitError> {
        let open = |error: anyhow::Error| CommitError::Open(error);
        let publisher = self.publisher.as_ref().context("nothing was fenced").map_err(open)?;
        let mut offsets = TopicPartitionList::new();
        for Position { partition, committed } in positions {
            let id = &self.partitions[*partition];
            let mut element = offsets.add_partition(&id.topic, id.number);
            element
                .set_offset(Offset::Offset(committed.offset))
                .context("an offset is negative")
                .map_err(open)?;
            element.set_metadata(&committed.metadata);
        }
        let group = self.consumer.group_metadata().context("the consumer has no group id");
        let done = publisher.commit(outputs, &offsets, &group.map_err(open)?);
        if matches!(done, Err(CommitError::Open(_) | CommitError::Fenced(_))) {
            self.publisher = None;
        }
        done
    }
}

/// A sixteenth of the memory that the instance may take, if that is less than
/// usual.
fn prefetch_kib(memory_max_bytes: Option<u64>) -> u64 {
    memory_max_bytes.map_or(PREFETCH_KIB, |max| (max / 1024 / 16).clamp(1024, PREFETCH_KIB))
}

fn change<'m>(kind: ChangeKind, message: &'m BorrowedMessage<'_>) -> Change<'m> {
    Change {
        kind,
        topic: message.topic(),
        number: message.partition(),
        offset: message.offset(),
        key: message.key(),
        value: message.payload(),
    }
}

fn told(stream: Stream, message: &BorrowedMessage<'_>, take: &mut dyn FnMut(&Told<'_>)) {
    let headers = message.headers();
    let mut headers = headers.into_iter().flat_map(|headers| headers.iter());
    let id = headers.find(|header| header.key == "ce_id").and_then(|header| header.value);
    let id = id.and_then(|id| std::str::from_utf8(id).ok());
    take(&Told { stream, key: message.key(), id, value: message.payload().unwrap_or_default() });
}
