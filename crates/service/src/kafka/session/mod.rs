//! One session: from joining the group to leaving it.
//!
//! A session rebuilds the engine's state from the beginning of its topics,
//! leaving out what earlier sessions have published, and then goes on live.
//! When an outcome is in doubt it ends and the next one rebuilds: after an
//! abort the memory is ahead of the log.
//!
//! While it catches up with a chain, blocks wait until they are final: an alert
//! is then told once, and a reorganisation of long ago leaves no trace. Live,
//! blocks apply as they come and alerts are provisional first.

mod knowledge;
mod running;
mod tell;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use flow_codec::{AssemblerConfig, Decoded, Decoder};
use flow_core::{Archive, Chain, Effect, EngineConfig};
use rdkafka::Message;

use super::changes;
use super::input::{self, InputConsumer, LostBeginning, Progress};
use super::outgoing::Outgoing;
use super::published::Published;
use super::publisher::Publisher;
use super::reader::{MissingTopic, TopicReader, partitions};
use crate::config::{Config, InputConfig};
use crate::history;
use crate::http::{Health, Stage};
use crate::knowledge::{Knowledge, Watch};
use crate::late::LateTraces;
use crate::metrics::Metrics;
use crate::pipeline::{Pipeline, PipelineError};

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
    late: LateTraces,
    published: Published,
    /// By chain: up to where earlier sessions told of refused events.
    refusals_told: Option<[u64; 2]>,
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
        let archive = history::archive(self.config.history.dir.as_deref());
        // Nothing but a person can give the folder free.
        let mut running = self.start(archive.map_err(SessionError::Fatal)?)?;
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

    fn start(&self, archive: Box<dyn Archive>) -> anyhow::Result<Running<'_>> {
        let config = self.config;
        let publisher = Publisher::open(&config.kafka)?;
        let open = |topic: &Option<String>| {
            topic.as_ref().map(|topic| TopicReader::open(&config.kafka, topic)).transpose()
        };
        let mut cases = open(&config.knowledge.cases_topic)?;
        let mut labels = open(&config.knowledge.labels_topic)?;
        let settings = EngineConfig { revertible: true, defer_late: true, ..config.engine.clone() };
        let mut engine = self.known.borrow().engine(settings, archive)?;
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
            late: LateTraces::new(),
            published: Published::nothing(),
            refusals_told: None,
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
        window.finality_blocks = input.finality_blocks;
    }
    window
}
