//! One session: from joining the group to leaving it.
//!
//! A session rebuilds the engine's state from the beginning of its topics,
//! leaving out what earlier sessions have published, and then goes on live.
//! When an outcome is in doubt it ends and the next one rebuilds: after an
//! abort the memory is ahead of the log.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use flow_codec::{AssemblerConfig, Decoded, Decoder, wire};
use flow_core::{Chain, Effect};
use rdkafka::Message;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::changes;
use super::input::{self, InputConsumer, LostBeginning, Polled, Progress};
use super::outgoing::{Outgoing, dead_letter, message, refused_letter};
use super::published::Published;
use super::publisher::Publisher;
use super::reader::{MissingTopic, TopicReader, partitions};
use crate::config::{Config, InputConfig};
use crate::http::{Health, Stage};
use crate::knowledge::{Knowledge, Watch};
use crate::metrics::Metrics;
use crate::pipeline::{Pipeline, PipelineError, Rejected};

/// The longest wait for a record before the clock and the stop flag are looked at.
const POLL_MAX: Duration = Duration::from_millis(20);

/// While catching up a transaction is closed by size, and by this time at last.
const CATCH_UP_COMMIT: Duration = Duration::from_secs(1);

/// The pause between two warnings that the broker is away.
const WARN_PAUSE: Duration = Duration::from_secs(10);

/// Why a session ended before its time.
#[derive(Debug)]
pub enum SessionError {
    /// Another session may do better: the broker was away, partitions moved.
    Retry(anyhow::Error),
    /// Somebody must act first.
    Fatal(anyhow::Error),
}

impl From<anyhow::Error> for SessionError {
    /// A broker may come back, a topic or its beginning does not.
    fn from(error: anyhow::Error) -> Self {
        let lasts = |cause: &(dyn std::error::Error + 'static)| {
            cause.is::<MissingTopic>() || cause.is::<LostBeginning>()
        };
        if error.chain().any(lasts) {
            SessionError::Fatal(error)
        } else {
            SessionError::Retry(error)
        }
    }
}

impl From<PipelineError> for SessionError {
    fn from(error: PipelineError) -> Self {
        SessionError::Fatal(error.into())
    }
}

/// What a session needs.
pub struct Session<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Cases, labels and opening balances from files. Outlives a session, as
    /// what was learnt in one holds in the next.
    pub known: RefCell<Knowledge>,
    /// Tells when those files are written again.
    pub watch: RefCell<Watch>,
    /// Where it counts.
    pub metrics: Arc<Metrics>,
    /// Where it tells how it is.
    pub health: Arc<Health>,
    /// Set to stop: the batch is finished and committed, the group left.
    pub stop: &'a AtomicBool,
    /// When to end by itself.
    pub until: Until<'a>,
}

/// When a session ends by itself.
#[derive(Clone, Copy)]
pub enum Until<'a> {
    /// Never.
    Stopped,
    /// At the ends that the topics had at the start.
    End,
    /// When so many records have been read.
    Records(&'a AtomicU64),
}

/// How a session ended in peace.
pub struct Ended {
    /// The final state.
    pub pipeline: Pipeline,
}

/// A session under way.
struct Running<'a> {
    session: &'a Session<'a>,
    publisher: Publisher,
    consumer: InputConsumer,
    progress: Progress,
    decoders: Vec<Decoder>,
    cases: Option<TopicReader>,
    labels: Option<TopicReader>,
    pipeline: Pipeline,
    published: Published,
    outputs: Vec<Outgoing>,
    decoded: Vec<Decoded>,
    effects: Vec<Effect>,
    records: u64,
    batch_records: u32,
    batch_began: Instant,
    heard: [Instant; 2],
    warned: Option<Instant>,
}

impl Session<'_> {
    /// Runs to the end.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub fn run(&self) -> Result<Ended, SessionError> {
        self.health.set_stage(Stage::Starting);
        let mut running = self.start()?;
        running.await_assignment()?;
        while !self.stop.load(Ordering::Relaxed) {
            running.step()?;
            if running.is_over() {
                running.finish()?;
                break;
            }
        }
        self.health.set_stage(Stage::Stopping);
        running.commit()?;
        tracing::info!(records = running.records, "leaving the group");
        Ok(Ended { pipeline: running.pipeline })
    }

    fn start(&self) -> anyhow::Result<Running<'_>> {
        let config = self.config;
        let publisher = Publisher::open(&config.kafka)?;
        let open = |topic: &Option<String>| {
            topic.as_ref().map(|topic| TopicReader::open(&config.kafka, topic)).transpose()
        };
        let mut cases = open(&config.knowledge.cases_topic)?;
        let mut labels = open(&config.knowledge.labels_topic)?;
        let mut engine = self.known.borrow().engine(config.engine.clone())?;
        for (reader, parse) in
            [(&mut labels, changes::label as changes::Parse), (&mut cases, changes::case)]
        {
            let Some(reader) = reader else { continue };
            let topic = reader.topic().to_owned();
            reader.read_to_end(|message| {
                match parse(message) {
                    // Before the first block this costs nothing and tells nothing.
                    Ok(event) => engine.apply(event, &mut Vec::new())?,
                    Err(rejected) => {
                        let offset = message.offset();
                        tracing::warn!(
                            topic,
                            offset,
                            reason = rejected.reason,
                            "{}",
                            rejected.message
                        );
                    }
                }
                Ok(())
            })?;
        }
        let consumer = input::subscribe(&config.kafka, &config.inputs)?;
        let output = &config.output;
        for topic in [&output.alerts_topic, &output.freezes_topic, &output.deadletter_topic] {
            partitions(&consumer, topic)?;
        }
        let topics = config.inputs.iter().flat_map(|input| &input.topics);
        let windows = Chain::ALL.map(|chain| window(&config.inputs, chain));
        Ok(Running {
            session: self,
            publisher,
            consumer,
            progress: Progress::new(&config.kafka, &config.inputs),
            decoders: topics.map(|topic| Decoder::new(topic.format)).collect(),
            cases,
            labels,
            pipeline: Pipeline::new(engine, windows, Arc::clone(&self.metrics)),
            published: Published::default(),
            outputs: Vec::new(),
            decoded: Vec::new(),
            effects: Vec::new(),
            records: 0,
            batch_records: 0,
            batch_began: Instant::now(),
            heard: [Instant::now(); 2],
            warned: None,
        })
    }
}

fn window(inputs: &[InputConfig], chain: Chain) -> AssemblerConfig {
    let mut window = AssemblerConfig::default();
    if let Some(input) = inputs.iter().find(|input| input.chain == chain) {
        window.window_blocks = usize::try_from(input.window_blocks).unwrap_or(usize::MAX);
    }
    window
}

impl Running<'_> {
    /// Waits for the group to give us partitions, and looks where they stand.
    fn await_assignment(&mut self) -> Result<(), SessionError> {
        self.session.health.set_stage(Stage::Unassigned);
        loop {
            self.session.health.heartbeat();
            if self.session.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            match self.progress.poll(&self.consumer, POLL_MAX) {
                Ok(Polled::Assigned) => break,
                Ok(_) => {}
                Err(error) => self.poll_error(error)?,
            }
        }
        self.progress.locate(&self.consumer)?;
        self.session.health.set_stage(Stage::Rebuilding);
        if self.progress.has_committed() {
            self.published =
                Published::read(&self.session.config.kafka, &self.session.config.output)?;
            tracing::info!(
                alerts = self.published.alerts(),
                "rebuilding the state; what stands in the output topics is not repeated"
            );
        }
        Ok(())
    }

    /// One poll, and a commit if it is time.
    fn step(&mut self) -> Result<(), SessionError> {
        match self.progress.poll(&self.consumer, POLL_MAX) {
            Ok(Polled::Nothing) => self.idle()?,
            Ok(Polled::Record(message, at)) => {
                let (chain, topic_ix) = self.progress.route(at);
                let bytes = message.payload().unwrap_or_default();
                let result = self.decoders[topic_ix].decode(bytes, &mut self.decoded);
                let (block, dropped) = self.pipeline.accept(Some(chain), &mut self.decoded)?;
                let unread = result
                    .err()
                    .map(|error| Rejected { reason: error.reason(), message: error.to_string() });
                if let Some(rejected) = unread.or(dropped)
                    && !self.progress.was_committed(at, message.offset())
                {
                    self.session.metrics.dead_letters(rejected.reason).inc();
                    let topic = &self.session.config.output.deadletter_topic;
                    self.outputs.push(dead_letter(topic, &rejected, &message));
                }
                let now = Instant::now();
                self.progress.processed(at, message.offset(), block, now);
                self.session.metrics.chain(chain).records_consumed.inc();
                self.records += 1;
                self.batch_records += 1;
                let below = self.progress.complete_below(chain, now);
                self.pipeline.advance(chain, below, &mut self.effects)?;
                self.tell();
                self.heard[chain.index()] = now;
                if !self.is_due(now) {
                    return Ok(());
                }
            }
            Ok(Polled::Rebalanced | Polled::Assigned) => {
                return Err(SessionError::Retry(anyhow::anyhow!(
                    "the group moved partitions; the state is rebuilt for what is ours now"
                )));
            }
            Err(error) => self.poll_error(error)?,
        }
        self.session.health.heartbeat();
        if self.is_due(Instant::now()) {
            self.learn()?;
            self.commit()?;
        }
        Ok(())
    }

    /// Nothing came: blocks that have waited long enough are complete.
    fn idle(&mut self) -> Result<(), SessionError> {
        for input in &self.session.config.inputs {
            let chain = input.chain;
            let now = Instant::now();
            if !self.progress.chain_caught_up(chain) {
                continue;
            }
            let below = self.progress.complete_below(chain, now);
            self.pipeline.advance(chain, below, &mut self.effects)?;
            let silent = now.duration_since(self.heard[chain.index()]) >= input.idle_flush;
            if silent && self.pipeline.held_blocks(chain) > 0 {
                self.pipeline.flush(chain, &mut self.effects)?;
            }
        }
        self.tell();
        Ok(())
    }

    /// Whether the batch is to be committed now.
    fn is_due(&self, now: Instant) -> bool {
        let commit = self.session.config.commit;
        let live = self.progress.caught_up();
        let interval = if live { commit.interval } else { CATCH_UP_COMMIT };
        let full = usize::try_from(self.batch_records).is_ok_and(|n| n >= commit.max_records);
        full || now.duration_since(self.batch_began) >= interval
    }

    /// Takes changes of cases and labels that came meanwhile.
    fn learn(&mut self) -> Result<(), SessionError> {
        let written = self.session.watch.borrow_mut().look();
        if let Some(now) = written {
            let changes = self.session.known.borrow().changes(&now);
            tracing::info!(changes = changes.len(), "the files of cases and labels were written");
            for event in changes {
                self.pipeline.learn(event, &mut self.effects)?;
            }
            self.session.known.borrow_mut().replace_by(now);
        }
        let Running { cases, labels, pipeline, effects, outputs, session, .. } = self;
        for (reader, parse) in [(labels, changes::label as changes::Parse), (cases, changes::case)]
        {
            let Some(reader) = reader else { continue };
            let reader_topic = reader.topic().to_owned();
            while let Some(message) = reader.try_next()? {
                match parse(&message) {
                    Ok(event) => {
                        tracing::info!(topic = reader_topic, "learnt a change");
                        tracing::debug!(?event, "learnt");
                        pipeline.learn(event, effects)?;
                    }
                    Err(rejected) => {
                        session.metrics.dead_letters(rejected.reason).inc();
                        let topic = &session.config.output.deadletter_topic;
                        outputs.push(dead_letter(topic, &rejected, &message));
                    }
                }
            }
        }
        self.tell();
        Ok(())
    }

    /// Turns effects into outputs, but for those published before.
    fn tell(&mut self) {
        let Running { effects, outputs, published, session, progress, .. } = self;
        let (metrics, topics) = (&session.metrics, &session.config.output);
        for effect in effects.drain(..) {
            match effect {
                Effect::Raise(alert) => {
                    if !published.has_alert(&alert) {
                        metrics.alerts(alert.rule).inc();
                        outputs.push(message(&topics.alerts_topic, wire::alert_message(&alert)));
                    }
                }
                Effect::Settle(alert) | Effect::Retract(alert) => {
                    outputs.push(message(&topics.alerts_topic, wire::alert_message(&alert)));
                }
                Effect::Recommend(record) => {
                    let message = message(&topics.freezes_topic, wire::freeze_message(&record));
                    if !published.has_freeze(&record, &message) {
                        metrics.freeze_recommendations(record.status).inc();
                        outputs.push(message);
                    }
                }
                // An earlier session told of what it refused.
                Effect::Refuse(_) if !progress.rebuilt() => {}
                Effect::Refuse(refused) => {
                    metrics.dead_letters(refused.reason.name()).inc();
                    outputs.push(refused_letter(&topics.deadletter_topic, &refused));
                }
            }
        }
    }

    /// Publishes the batch, with the offsets that it stands for.
    fn commit(&mut self) -> Result<(), SessionError> {
        let offsets = self.progress.offsets()?;
        if offsets.count() > 0 || !self.outputs.is_empty() {
            let group = self.consumer.group_metadata().context("the consumer is in no group")?;
            let took =
                self.publisher.commit(&mut self.outputs, &offsets, &group).inspect_err(|_| {
                    self.session.metrics.transaction_aborts.inc();
                })?;
            self.progress.committed();
            self.session.metrics.committed(self.batch_records, took);
        }
        self.pipeline.measure();
        self.progress.balance(&self.consumer)?;
        if self.progress.rebuilt() {
            self.session.health.set_stage(Stage::Ready);
        }
        self.batch_records = 0;
        self.batch_began = Instant::now();
        Ok(())
    }

    fn is_over(&self) -> bool {
        match self.session.until {
            Until::Stopped => false,
            Until::End => self.progress.caught_up(),
            Until::Records(count) => self.records >= count.load(Ordering::Relaxed),
        }
    }

    /// What an error of the consumer means: nothing, another session, or the end.
    fn poll_error(&mut self, error: KafkaError) -> Result<(), SessionError> {
        if super::is_transient(&error) {
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
        let error = anyhow::Error::new(error);
        Err(if lost {
            let lost = "records were deleted before they were read; keep input topics for longer";
            SessionError::Fatal(error.context(lost))
        } else {
            SessionError::Retry(error.context("the input topics cannot be read"))
        })
    }

    /// Nothing more is to come: applies what is held.
    fn finish(&mut self) -> Result<(), SessionError> {
        self.learn()?;
        for chain in Chain::ALL {
            self.pipeline.flush(chain, &mut self.effects)?;
        }
        self.tell();
        Ok(())
    }
}
