//! Following one chain: from the records of its topics to what is published.
//!
//! A [`Follower`] reads the input of a chain, applies it, and publishes what
//! follows while its instance *owns* the chain. Where another instance owns it,
//! the follower stands by: it applies the same records, owes what it does not
//! publish, and drops what it sees published. So it takes over with a warm
//! state: it fences the one before, reads how far that one came, and publishes
//! what is still owed.
//!
//! A [`session`](Follower::session) is the unit of recovery. It begins with the
//! newest checkpoint that is whole, or without one at the beginning of the
//! input; when an outcome is in doubt it ends, and the next one begins so.
//!
//! What always holds: outputs and positions are committed together; a
//! checkpoint holds committed state only; nothing is published before the state
//! has come to where the group had committed. Deliberately absent: Kafka, which
//! stands behind [`Log`].

mod changes;
mod checkpoint;
mod duty;
mod learn;
mod log;
mod measuring;
mod outbox;
mod outgoing;
mod progress;
mod published;
mod quiet;
mod running;
mod session;
mod tell;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

pub use checkpoint::Checkpoints;
pub use duty::Duties;
pub use log::{
    Change, ChangeKind, CommitError, Committed, FollowError, Log, PartitionId, Position, Record,
    Stream, StreamEnd, Told,
};
pub use outgoing::Outgoing;

use crate::config::{Config, InputConfig};
use crate::http::Health;
use crate::knowledge::{Knowledge, Watch};
use crate::metrics::Metrics;
use crate::pipeline::{Pipeline, PipelineError};
use progress::LostBeginning;

/// What all followers of an instance share.
pub struct Shared<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Where they count.
    pub metrics: Arc<Metrics>,
    /// Where they tell how they are.
    pub health: Arc<Health>,
    /// Which chains are ours to publish for.
    pub duties: Arc<Duties>,
    /// Set to stop: the batch is finished and committed.
    pub stop: &'a AtomicBool,
    /// When to end by itself.
    pub until: Until<'a>,
    /// Whether late cases are traced on threads of their own, beside the
    /// stream.
    pub late_beside: bool,
}

/// When a follower ends by itself.
#[derive(Clone, Copy)]
pub enum Until<'a> {
    /// Never.
    Stopped,
    /// At the ends that the topics had at the start.
    End,
    /// When so many records have been read, of all chains.
    Records(&'a AtomicU64),
}

/// How a follower ended in peace.
pub struct Ended {
    /// The final state of its chain.
    pub pipeline: Pipeline,
}

/// Follows one chain, session after session.
pub struct Follower<'a> {
    /// What all followers share.
    pub shared: &'a Shared<'a>,
    /// The chain and its topics.
    pub input: &'a InputConfig,
    /// Cases, labels and opening balances from files. Outlives a session, as
    /// what was learnt in one holds in the next.
    pub known: Knowledge,
    /// Tells when those files are written again.
    pub watch: Watch,
    /// Where its checkpoints lie; `None`: each session begins at the beginning.
    pub checkpoints: Option<Checkpoints>,
}

impl From<anyhow::Error> for FollowError {
    /// A broker may come back, a topic or its beginning does not.
    fn from(error: anyhow::Error) -> Self {
        let lasts = |cause: &(dyn std::error::Error + 'static)| {
            cause.is::<crate::kafka::MissingTopic>()
                || cause.is::<crate::kafka::Refused>()
                || cause.is::<LostBeginning>()
        };
        if error.chain().any(lasts) { FollowError::Fatal(error) } else { FollowError::Retry(error) }
    }
}

impl From<PipelineError> for FollowError {
    fn from(error: PipelineError) -> Self {
        FollowError::Fatal(error.into())
    }
}
