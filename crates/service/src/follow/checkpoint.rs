//! Checkpoints of a follower: what they hold, when they are taken, and how a
//! session begins with one.
//!
//! A checkpoint is begun right after a commit, so it holds committed state
//! only. The small parts are copied there and then, the large ones page by page
//! between records; another thread encodes and keeps it. A generation that is
//! damaged is told, and the one before it used; where none can be used the
//! session begins at the beginning of the input.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use flow_codec::{Assembler, AssemblerImage};
use flow_core::{
    Archive, Chain, Engine, EngineConfig, EngineImage, Image, MemoryArchive, RestoreError,
};

use super::log::{Log, Stream, StreamEnd};
use super::progress::Stand;
use super::published::{Published, PublishedImage};
use super::session::{Role, Session, window};
use super::{FollowError, PartitionId};
use crate::checkpoint::{
    CheckpointStore, CheckpointWriter, Manifest, OutputEnd, Parts, Position, SegmentName,
};
use crate::config::{Config, InputConfig};
use crate::history;
use crate::metrics::{Metrics, Wait};

/// How long the stream may stand still at once for pages to be copied.
const COPY_MAX: Duration = Duration::from_micros(500);

/// Pages copied between two looks at the clock.
const PAGES: usize = 2;

/// See the module.
pub struct Checkpoints {
    store: Arc<CheckpointStore>,
    writer: CheckpointWriter,
    interval: Duration,
    /// When the last one was begun, or the session.
    begun_at: Option<Instant>,
    pending: Option<Pending>,
}

/// A checkpoint of which the engine's part is still being copied.
struct Pending {
    assembler: AssemblerImage,
    published: PublishedImage,
    stands: Vec<(PartitionId, Stand)>,
    ends: Vec<StreamEnd>,
}

/// What a session goes on with.
pub(super) struct Restored {
    pub(super) engine: Engine,
    pub(super) assembler: Assembler,
    pub(super) published: Published,
    pub(super) stands: Vec<(String, i32, Stand)>,
    pub(super) ends: Vec<StreamEnd>,
}
