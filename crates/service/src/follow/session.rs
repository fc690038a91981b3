//! One session: from the checkpoint to the end.
//!
//! While it catches up, blocks wait until they are final: an alert is then told
//! once, and a reorganisation of long ago leaves no trace. Live, blocks apply as
//! they come and alerts are provisional first.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::Context;
use flow_codec::AssemblerConfig;
use flow_core::{Chain, Effect, EngineConfig};

use super::checkpoint::{self, Restored};
use super::log::{Change, StreamEnd};
use super::measuring::Latency;
use super::outbox::Outbox;
use super::progress::{Progress, Stand};
use super::published::Published;
use super::quiet::Quiet;
use super::{Ended, FollowError, Follower, Log, Shared, changes};
use crate::config::InputConfig;
use crate::http::Stage;
use crate::knowledge::Knowledge;
use crate::late::LateTraces;
use crate::pipeline::Pipeline;

/// What the follower may do with what its engine tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Another instance publishes: everything is owed.
    Standby,
    /// The chain is ours, but the state is not where the group had committed:
    /// everything is owed until it is.
    Rebuilding,
    /// What is told is published.
    Publishing,
}

/// All of a session but the log.
pub(super) struct State<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) input: &'a InputConfig,
    pub(super) role: Role,
    pub(super) progress: Progress,
    pub(super) pipeline: Pipeline,
    pub(super) late: LateTraces,
    pub(super) published: Published,
    pub(super) outputs: Outbox,
    pub(super) effects: Vec<Effect>,
    pub(super) records: u64,
    pub(super) batch_records: u32,
    /// When something was last committed, or looked after while standing by.
    pub(super) committed_at: Instant,
    /// How long nothing has come.
    pub(super) quiet: Quiet,
    /// When memory was looked at last.
    pub(super) weighed_at: Instant,
    /// When everything is to be summed up again.
    pub(super) sum_due: Instant,
    pub(super) latency: Latency,
}

/// What a session begins with.
struct Found {
    pipeline: Pipeline,
    published: Published,
    /// Where the partitions stood; none without a checkpoint.
    stands: Option<Vec<(String, i32, Stand)>>,
    /// From where on the output topics are to be read.
    ends: Vec<StreamEnd>,
    /// What followed from what was learnt since.
    effects: Vec<Effect>,
}

/// A session under way.
pub(super) struct Session<'s, 'a, L> {
    pub(super) follower: &'s mut Follower<'a>,
    pub(super) log: &'s mut L,
    pub(super) state: State<'a>,
    /// When the group was last asked how far it has come.
    pub(super) asked_at: Instant,
    /// Whether the broker is to be asked where the partitions end.
    pub(super) ask: bool,
    /// When it was asked last.
    pub(super) surveyed_at: Instant,
    /// Whether it did not answer then.
    pub(super) unanswered: bool,
    /// By partition: a position from which nothing stood up to that end.
    pub(super) empty: Vec<(i64, i64)>,
}

impl<'a> Follower<'a> {
    /// Runs one session to its end.
    ///
    /// # Errors
    /// See [`FollowError`].
    pub fn session(&mut self, log: &mut impl Log) -> Result<Ended, FollowError> {
        let chain = self.input.chain;
        let shared = self.shared;
        shared.health.set_stage(chain, Stage::Starting);
        shared.duties.set_warm(chain, false);
        let mut session = self.begin(log)?;
        while !shared.stop.load(Ordering::Relaxed) {
            session.step()?;
            if session.is_over() {
                session.finish()?;
                break;
            }
        }
        shared.health.set_stage(chain, Stage::Stopping);
        session.leave()?;
        Ok(Ended { pipeline: session.state.pipeline })
    }

    fn begin<'s, L: Log>(&'s mut self, log: &'s mut L) -> Result<Session<'s, 'a, L>, FollowError> {
        let (shared, input, config) = (self.shared, self.input, self.shared.config);
        let Found { pipeline, published, stands, ends, effects } = self.find(log)?;
        let partitions = log.partitions().to_vec();
        let mut progress = Progress::new(&partitions, input.align);
        let stands = stands.map(|stands| in_order(&partitions, &stands));
        let bounds = log.bounds()?;
        let committed = log.committed()?;
        progress.locate(stands.as_deref(), &bounds, &committed, &config.kafka.group_id)?;
        log.seek(&progress.positions())?;
        log.open_published(&ends)?;
        let now = log.now();
        let state = State {
            shared,
            input,
            role: Role::Standby,
            progress,
            pipeline,
            late: LateTraces::new(),
            published,
            outputs: Outbox::default(),
            effects,
            records: 0,
            batch_records: 0,
            committed_at: now,
            quiet: Quiet::default(),
            weighed_at: now,
            sum_due: now,
            latency: Latency::default(),
        };
        let mut session = Session {
            follower: self,
            log,
            state,
            asked_at: now,
            ask: false,
            surveyed_at: now,
            unanswered: false,
            empty: Vec::new(),
        };
        session.state.tell();
        Ok(session)
    }

    /// The state to begin with: of the newest checkpoint that can be used, or
    /// none; with the cases and labels of now.
    fn find(&mut self, log: &mut impl Log) -> Result<Found, FollowError> {
        let (shared, input) = (self.shared, self.input);
        let (chain, config) = (input.chain, shared.config);
        let settings = EngineConfig {
            revertible: true,
            defer_late: shared.late_beside,
            ..config.engine.clone()
        };
        let (checkpoints, metrics) = (self.checkpoints.as_mut(), &shared.metrics);
        let now = log.now();
        let restored = checkpoint::restore(checkpoints, config, input, &settings, metrics, now)?;
        let now_known = self.knowledge(log)?;
        let (window, metrics) = (window(input), Arc::clone(&shared.metrics));
        let mut effects = Vec::new();
        let Some(Restored { engine, assembler, published, stands, ends }) = restored else {
            let engine = now_known.engine(settings, checkpoint::archive(config, chain)?)?;
            let pipeline = Pipeline::new(engine, [window; 2], metrics);
            let (published, ends) = (Published::nothing(chain), Vec::new());
            return Ok(Found { pipeline, published, stands: None, ends, effects });
        };
        let mut pipeline = Pipeline::restore(engine, chain, assembler, window, metrics);
        for event in known_to(&pipeline).changes(&now_known) {
            pipeline.learn(event, &mut effects)?;
        }
        Ok(Found { pipeline, published, stands: Some(stands), ends, effects })
    }

    /// Cases and labels as files and topics have them now; a topic has the last
    /// word.
    fn knowledge(&mut self, log: &mut impl Log) -> anyhow::Result<Knowledge> {
        let mut known = self.known.clone();
        log.read_changes(&mut |change: &Change<'_>| {
            match changes::parse(change) {
                Ok(event) => known.learn(event),
                Err(rejected) => {
                    let (topic, offset, reason) = (change.topic, change.offset, rejected.reason);
                    tracing::warn!(topic, offset, reason, "{}", rejected.message);
                }
            }
            Ok(())
        })
        .context("cases and labels cannot be read")?;
        Ok(known)
    }
}

/// The cases and labels that the engine of a pipeline knows.
fn known_to(pipeline: &Pipeline) -> Knowledge {
    let (cases, labels) = (pipeline.engine.open_cases(), pipeline.engine.labels());
    Knowledge { cases, labels, opening: Vec::new() }
}

/// The stands of a checkpoint in the order of the partitions.
fn in_order(
    partitions: &[super::PartitionId],
    stands: &[(String, i32, Stand)],
) -> Vec<Option<Stand>> {
    let of = |id: &super::PartitionId| {
        let known =
            stands.iter().find(|(topic, number, _)| *topic == id.topic && *number == id.number);
        known.map(|(_, _, stand)| stand.clone())
    };
    partitions.iter().map(of).collect()
}

pub(super) fn window(input: &InputConfig) -> AssemblerConfig {
    AssemblerConfig {
        window_blocks: usize::try_from(input.window_blocks).unwrap_or(usize::MAX),
        finality_blocks: input.finality_blocks,
        ..AssemblerConfig::default()
    }
}

impl State<'_> {
    pub(super) fn chain(&self) -> Chain {
        self.input.chain
    }
}
