//! Outputs and offsets, committed together.
//!
//! One thread owns the producer. A transaction is opened when a batch is
//! ready, never while polling, so none stays open. What always holds: after
//! any error that leaves the outcome open, the publisher is of no further use,
//! and a new one must be made; after one that was aborted for certain, the same
//! batch may be committed again.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use flow_core::Chain;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{ClientContext, Message as _, TopicPartitionList};

use super::refusal;
use crate::config::KafkaConfig;
use crate::failpoint;
use crate::follow::{CommitError, Outgoing};
use crate::report::Explain;

/// How long the first broker may take to answer.
const HELLO_MAX: Duration = Duration::from_secs(5);

/// How long the transaction coordinator may take to answer at the start.
const INIT_MAX: Duration = Duration::from_secs(30);

/// How long messages of a transaction may be under way before it is given up.
const DRAIN_MAX: Duration = Duration::from_secs(30);

/// For how long a step of a transaction is tried again.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// The pause between two looks at what is under way.
const DRAIN_PAUSE: Duration = Duration::from_micros(200);

/// Notes whether a message could not be delivered.
#[derive(Default)]
pub(super) struct Deliveries {
    failed: AtomicBool,
    /// Why the first one could not, and which topic it was for.
    refused: Mutex<Option<(RDKafkaErrorCode, String)>>,
}

impl Deliveries {
    /// Why a message was not delivered, if one was not.
    pub(super) fn first_failure(&self) -> Option<RDKafkaErrorCode> {
        self.refused.lock().expect("no holder panics").as_ref().map(|(code, _)| *code)
    }
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        if let Err((error, message)) = result {
            let topic = message.topic();
            tracing::debug!(%error, topic, "a record was not delivered");
            if let Some(code) = error.rdkafka_error_code() {
                let mut refused = self.refused.lock().expect("no holder panics");
                refused.get_or_insert((code, topic.to_owned()));
            }
            self.failed.store(true, Ordering::Relaxed);
        }
    }
}

/// The transactional producer.
pub(super) struct Publisher {
    producer: BaseProducer<Deliveries>,
}

impl Publisher {
    /// Makes the producer and fences every earlier one of the same id.
    pub(super) fn open(kafka: &KafkaConfig, chain: Chain) -> anyhow::Result<Publisher> {
        let mut config = super::client(kafka);
        config
            .set("transactional.id", super::transactional_id(kafka, chain))
            .set("transaction.timeout.ms", "30000")
            .set("compression.type", "lz4")
            .set("linger.ms", "0")
            // Right after a commit the broker still writes its markers; by
            // default librdkafka then sleeps for 100 ms.
            .set("retry.backoff.ms", "1")
            .set("queue.buffering.max.messages", "1000000");
        for (key, value) in &kafka.producer {
            config.set(key, value);
        }
        let producer: BaseProducer<Deliveries> = config
            .create_with_context(Deliveries::default())
            .context("cannot make a Kafka producer")?;
        // A broker that is not there is told within seconds, not after a minute.
        producer.client().fetch_metadata(None, HELLO_MAX).explain(
            format!("cannot reach Kafka at {}", kafka.bootstrap_servers),
            "check kafka.bootstrap_servers and that the broker is up",
        )?;
        let begun = producer.init_transactions(INIT_MAX);
        begun.map_err(|error| refusal::explained(error, "the transactional id")).explain(
            "cannot begin to write in transactions",
            "check kafka.bootstrap_servers, and that the principal may use the transactional id",
        )?;
        Ok(Publisher { producer })
    }

    /// Sends the outputs and the offsets, and commits both. Returns the time
    /// that it took.
    pub(super) fn commit(
        &self,
        outputs: &[Outgoing],
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<Duration, CommitError> {
        let began = Instant::now();
        self.producer.context().failed.store(false, Ordering::Relaxed);
        self.producer.begin_transaction().map_err(|error| self.give_up(error))?;
        failpoint::hit("begun");
        for output in outputs {
            self.send(output)?;
        }
        failpoint::hit("sent");
        if offsets.count() > 0 {
            self.retry(|| self.producer.send_offsets_to_transaction(offsets, group, INIT_MAX))?;
        }
        failpoint::hit("offsets_sent");
        self.drain()?;
        if self.producer.context().failed.load(Ordering::Relaxed) {
            return Err(self.abort(self.undelivered()));
        }
        failpoint::hit("drained");
        // Messages are drained, so the flush inside commit has nothing to wait for.
        self.retry(|| self.producer.commit_transaction(INIT_MAX))?;
        Ok(began.elapsed())
    }

    /// Why an output was not delivered.
    fn undelivered(&self) -> anyhow::Error {
        let refused = self.producer.context().refused.lock().expect("no holder panics").take();
        let refusal =
            refused.and_then(|(code, topic)| refusal::of(code, &format!("topic {topic}")));
        let plain = || anyhow::anyhow!("an output was not delivered");
        refusal.unwrap_or_else(plain)
    }

    fn send(&self, output: &Outgoing) -> Result<(), CommitError> {
        let mut headers = OwnedHeaders::new_with_capacity(output.headers.len());
        for (key, value) in &output.headers {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        let mut record = BaseRecord::<str, [u8]>::to(&output.topic)
            .payload(output.value.as_slice())
            .headers(headers);
        if let Some(key) = &output.key {
            record = record.key(key.as_str());
        }
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.producer.poll(Duration::ZERO);
                    std::thread::sleep(DRAIN_PAUSE);
                    record = back;
                }
                Err((error, _)) => return Err(self.give_up(error)),
            }
        }
    }

    /// Polls until nothing is under way. `flush` and `commit_transaction` cost
    /// 100 ms and more while messages are.
    fn drain(&self) -> Result<(), CommitError> {
        let began = Instant::now();
        while self.producer.in_flight_count() > 0 {
            // A timeout below a millisecond spins, and the broker may need the core.
            self.producer.poll(Duration::ZERO);
            std::thread::sleep(DRAIN_PAUSE);
            if began.elapsed() > DRAIN_MAX {
                return Err(self.abort(anyhow::anyhow!(
                    "outputs were under way for more than {} s",
                    DRAIN_MAX.as_secs()
                )));
            }
        }
        Ok(())
    }

    /// Tries again for a while. A producer whose coordinator was away may never
    /// find it again, while a new one does at once; so this ends.
    fn retry(&self, step: impl Fn() -> Result<(), KafkaError>) -> Result<(), CommitError> {
        let began = Instant::now();
        loop {
            match step() {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(error)) if error.is_retriable() => {
                    let tried = began.elapsed();
                    if tried >= RETRY_MAX {
                        let error = anyhow::Error::new(KafkaError::Transaction(error));
                        let what = format!("a transaction step failed for {} s", tried.as_secs());
                        return Err(CommitError::Open(error.context(what)));
                    }
                    tracing::warn!(error = error.string(), "a transaction step is tried again");
                }
                Err(error) => return Err(self.give_up(error)),
            }
        }
    }

    fn give_up(&self, error: KafkaError) -> CommitError {
        let (fenced, abortable) = match &error {
            KafkaError::Transaction(inner) => {
                let fenced = matches!(
                    inner.code(),
                    RDKafkaErrorCode::Fenced
                        | RDKafkaErrorCode::ProducerFenced
                        | RDKafkaErrorCode::InvalidProducerEpoch
                );
                (fenced, inner.txn_requires_abort())
            }
            _ => (false, false),
        };
        if fenced {
            return CommitError::Fenced(anyhow::Error::new(error).context(
                "another instance publishes for the chain, or the transaction took longer than \
                 the brokers allow; nothing of the last batch is visible",
            ));
        }
        if abortable {
            return self.abort(refusal::explained(error, "one of the output topics"));
        }
        CommitError::Open(anyhow::Error::new(error).context("the outcome of a transaction is open"))
    }

    /// Ends the transaction without a trace, if the brokers say so. A producer
    /// that lost a message on its way has lost count of what the brokers have:
    /// it can take very long to find its place again, so a new one is made.
    fn abort(&self, error: anyhow::Error) -> CommitError {
        let lost = self.producer.context().failed.load(Ordering::Relaxed);
        if lost || self.producer.in_flight_count() > 0 {
            return CommitError::Open(error.context("outputs were lost on their way"));
        }
        match self.producer.abort_transaction(DRAIN_MAX) {
            Ok(()) => CommitError::Aborted(error.context("a transaction was aborted")),
            Err(abort) => {
                tracing::warn!(error = %abort, "the transaction could not be aborted either");
                CommitError::Open(error.context("the outcome of a transaction is open"))
            }
        }
    }
}
