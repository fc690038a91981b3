//! The border of a follower: the log that it reads and writes, and the clock.
//!
//! Kafka implements it for the service, a simulation for tests; the follower
//! itself is the same code in both. What always holds: [`Log::commit`] makes
//! outputs and positions visible together or not at all; after
//! [`Log::fence`] nobody who wrote for the chain before can.

use std::time::{Duration, Instant};

use flow_codec::{DecodeError, Decoded};

use super::outgoing::Outgoing;
use crate::config::OutputConfig;

/// Why a session cannot go on.
#[derive(Debug)]
pub enum FollowError {
    /// Another session may do better: the broker was away, an outcome is open.
    Retry(anyhow::Error),
    /// Another instance writes for the chain now.
    Fenced(anyhow::Error),
    /// The group gave the chain to another instance, and all is committed.
    HandedOver,
    /// Somebody must act first.
    Fatal(anyhow::Error),
}

/// Why a batch was not committed.
#[derive(Debug)]
pub enum CommitError {
    /// It was aborted for certain, and may be committed again.
    Aborted(anyhow::Error),
    /// It cannot be told whether it was committed.
    Open(anyhow::Error),
    /// Another instance writes for the chain now; nothing of it is visible.
    Fenced(anyhow::Error),
}

/// A partition of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionId {
    /// Its topic.
    pub topic: String,
    /// Its number in the topic.
    pub number: i32,
    /// Rank of the topic among those of the chain.
    pub topic_ix: usize,
}

/// A record of the input, decoded.
pub struct Record<'a> {
    /// Rank of its partition among [`Log::partitions`].
    pub partition: usize,
    /// Its offset there.
    pub offset: i64,
    /// When the broker had it, or its producer, in Unix milliseconds; `None` if
    /// nobody noted it.
    pub broker_ms: Option<u64>,
    /// Its value.
    pub payload: &'a [u8],
    /// What it means.
    pub decoded: &'a mut dyn Iterator<Item = Decoded>,
    /// Why it could not be decoded; it then means nothing.
    pub unread: Option<DecodeError>,
}

/// How far the group has come in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The offset of the next record.
    pub offset: i64,
    /// What was written beside it.
    pub metadata: String,
}

/// A position to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Rank of the partition among [`Log::partitions`].
    pub partition: usize,
    /// Offset and word beside it.
    pub committed: Committed,
}

/// An output topic that is read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Alerts.
    Alerts,
    /// Freeze recommendations.
    Freezes,
    /// Ledgers of cases.
    Ledgers,
    /// The audit trail.
    Audit,
}

impl Stream {
    /// Every one.
    pub const ALL: [Stream; 4] = [Stream::Alerts, Stream::Freezes, Stream::Ledgers, Stream::Audit];

    /// Its topic.
    pub fn topic(self, output: &OutputConfig) -> &str {
        match self {
            Stream::Alerts => &output.alerts_topic,
            Stream::Freezes => &output.freezes_topic,
            Stream::Ledgers => &output.ledgers_topic,
            Stream::Audit => &output.audit_topic,
        }
    }
}

/// The end of a partition of an output topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamEnd {
    /// The topic.
    pub stream: Stream,
    /// The partition's number.
    pub number: i32,
    /// The offset of the next record.
    pub offset: i64,
}

/// A record of an output topic.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The topic.
    pub stream: Stream,
    /// The record's key.
    pub key: Option<&'a [u8]>,
    /// `ce_id`.
    pub id: Option<&'a str>,
    /// The record's value.
    pub value: &'a [u8],
}

/// What a record of a compacted topic of changes speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// A label.
    Label,
    /// A case.
    Case,
}

/// A record of a compacted topic of changes.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// What it speaks of.
    pub kind: ChangeKind,
    /// Where it stands.
    pub topic: &'a str,
    /// The partition.
    pub number: i32,
    /// The offset.
    pub offset: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; none withdraws.
    pub value: Option<&'a [u8]>,
}

/// What a follower reads, writes and waits for. Every call may block on the
/// broker for a bounded time.
pub trait Log {
    /// The partitions of the chain, of all its topics.
    fn partitions(&self) -> &[PartitionId];

    /// The clock.
    fn now(&self) -> Instant;

    /// The time of a few records ago at most, while records are at hand: asking
    /// the machine for each of them would cost more than some of what is due.
    fn about_now(&mut self) -> Instant {
        self.now()
    }

    /// Does nothing for a while.
    fn rest(&mut self, time: Duration);

    /// By partition: the first offset, and the one behind the last.
    ///
    /// # Errors
    /// If the broker does not answer.
    fn bounds(&mut self) -> anyhow::Result<Vec<(i64, i64)>>;

    /// Whether nothing stands in a partition from that offset on that would ever
    /// be handed out: an end can lie behind the last record, for transactions
    /// leave markers.
    ///
    /// # Errors
    /// If the broker does not answer.
    fn is_empty_from(&mut self, partition: usize, offset: i64) -> anyhow::Result<bool>;

    /// By partition: what the group has committed.
    ///
    /// # Errors
    /// If the broker does not answer.
    fn committed(&mut self) -> anyhow::Result<Vec<Option<Committed>>>;

    /// Reads on from these offsets.
    ///
    /// # Errors
    /// If it cannot be read from there.
    fn seek(&mut self, offsets: &[i64]) -> anyhow::Result<()>;

    /// Hands the next record to `take`; `false` when none came within `wait`.
    ///
    /// # Errors
    /// What `take` says, or that the input can no longer be read.
    fn poll(
        &mut self,
        wait: Duration,
        take: &mut dyn FnMut(Record<'_>) -> Result<(), FollowError>,
    ) -> Result<bool, FollowError>;

    /// Holds a partition back, or lets it go on.
    ///
    /// # Errors
    /// If the client refuses.
    fn pause(&mut self, partition: usize, paused: bool) -> anyhow::Result<()>;

    /// Hands every change that stands in the topics of cases and labels to
    /// `take`: labels first.
    ///
    /// # Errors
    /// If they cannot be read.
    fn read_changes(
        &mut self,
        take: &mut dyn FnMut(&Change<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()>;

    /// Hands the next change that has come since to `take`; `false` if none has.
    ///
    /// # Errors
    /// What `take` says, or that they cannot be read.
    fn next_change(
        &mut self,
        take: &mut dyn FnMut(&Change<'_>) -> Result<(), FollowError>,
    ) -> Result<bool, FollowError>;

    /// Begins to read the output topics: from their beginnings, or from `ends`
    /// on; of a partition not named there from its beginning.
    ///
    /// # Errors
    /// If they cannot be read.
    fn open_published(&mut self, ends: &[StreamEnd]) -> anyhow::Result<()>;

    /// Hands all that has come to the output topics since to `take`, at most a
    /// few thousand records.
    ///
    /// # Errors
    /// If they cannot be read.
    fn read_published(&mut self, take: &mut dyn FnMut(&Told<'_>)) -> anyhow::Result<()>;

    /// The same, and certainly all that was committed before the call; the last
    /// look until they are opened again.
    ///
    /// # Errors
    /// If they cannot be read.
    fn drain_published(&mut self, take: &mut dyn FnMut(&Told<'_>)) -> anyhow::Result<()>;

    /// Where the output topics end now.
    ///
    /// # Errors
    /// If the broker does not answer.
    fn published_ends(&mut self) -> anyhow::Result<Vec<StreamEnd>>;

    /// Becomes the only one who writes for the chain.
    ///
    /// # Errors
    /// If the broker cannot be reached, or does not allow it.
    fn fence(&mut self) -> Result<(), FollowError>;

    /// Publishes outputs and positions together. Returns the time it took.
    ///
    /// # Errors
    /// See [`CommitError`].
    fn commit(
        &mut self,
        outputs: &[Outgoing],
        positions: &[Position],
    ) -> Result<Duration, CommitError>;
}
