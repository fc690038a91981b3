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
use std::time::{Duration, Instant};

use anyhow::Context;
use flow_codec::{Assembler, AssemblerImage};
use flow_core::{
    Archive, Chain, Engine, EngineConfig, EngineImage, HistoryError, Image, MemoryArchive,
    verify_segment,
};

use super::log::{Log, Stream, StreamEnd};
use super::progress::Stand;
use super::published::{Published, PublishedImage};
use super::session::{Session, window};
use super::{FollowError, PartitionId};
use crate::checkpoint::{
    CheckpointStore, CheckpointWriter, Disk, Generation, Manifest, ObjectDisk, OutputPosition,
    Parts, Position, SegmentName, Segments, StoreError, WriteError, unix_ms,
};
use crate::config::{CheckpointConfig, Config, InputConfig, OutputConfig};
use crate::failpoint;
use crate::history::{self, FileArchive};
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
    /// Whether a save is waited for.
    inline: bool,
    /// When the last one was begun, or read, and the records it stands for.
    last: Option<(Instant, u64)>,
    pending: Option<Pending>,
    writing_since: Option<Instant>,
}

/// A checkpoint of which the engine's part is still being copied.
struct Pending {
    assembler: AssemblerImage,
    published: PublishedImage,
    stands: Vec<(PartitionId, Stand)>,
    ends: Vec<StreamEnd>,
    began: Instant,
}

/// What a session goes on with.
pub(super) struct Restored {
    pub(super) engine: Engine,
    pub(super) assembler: Assembler,
    pub(super) published: Published,
    pub(super) stands: Vec<(String, i32, Stand)>,
    pub(super) ends: Vec<StreamEnd>,
}

impl Checkpoints {
    /// Where the configuration says that checkpoints of the chain lie; `None`
    /// where it wants none.
    ///
    /// # Errors
    /// If the place cannot be used.
    pub fn open(config: &Config, chain: Chain) -> anyhow::Result<Option<Checkpoints>> {
        let Some(settings) = &config.checkpoint else { return Ok(None) };
        let disk = Arc::new(ObjectDisk::open(&settings.url, &settings.s3)?);
        Checkpoints::over(disk, settings, &config.kafka.group_id, chain, false).map(Some)
    }

    /// Checkpoints on that disk, each written before the session goes on: for
    /// simulations.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn inline(
        disk: Arc<dyn Disk>,
        settings: &CheckpointConfig,
        group_id: &str,
        chain: Chain,
    ) -> anyhow::Result<Checkpoints> {
        Checkpoints::over(disk, settings, group_id, chain, true)
    }

    fn over(
        disk: Arc<dyn Disk>,
        settings: &CheckpointConfig,
        group_id: &str,
        chain: Chain,
        inline: bool,
    ) -> anyhow::Result<Checkpoints> {
        let store = Arc::new(CheckpointStore::open(disk, group_id, chain, settings.keep));
        let writer = CheckpointWriter::start(Arc::clone(&store))
            .context("cannot start the thread that writes checkpoints")?;
        let interval = settings.interval;
        let (last, pending, writing_since) = (None, None, None);
        Ok(Checkpoints { store, writer, interval, inline, last, pending, writing_since })
    }
}

/// Where a session that begins at the beginning keeps its sealed past.
pub(super) fn archive(config: &Config, chain: Chain) -> Result<Box<dyn Archive>, FollowError> {
    // Nothing but a person can give the folder free.
    history::archive(history_dir(config, chain).as_deref()).map_err(FollowError::Fatal)
}

/// Each chain has a folder of its own.
fn history_dir(config: &Config, chain: Chain) -> Option<PathBuf> {
    config.history.dir.as_ref().map(|dir| dir.join(chain.name()))
}

/// The newest checkpoint that can be used, if there is one.
pub(super) fn restore(
    checkpoints: Option<&mut Checkpoints>,
    config: &Config,
    input: &InputConfig,
    settings: &EngineConfig,
    metrics: &Metrics,
    now: Instant,
) -> Result<Option<Restored>, FollowError> {
    let Some(checkpoints) = checkpoints else { return Ok(None) };
    checkpoints.pending = None;
    let began = Instant::now();
    let store = &checkpoints.store;
    let failed = || "checkpoints cannot be read";
    for generation in store.generations().with_context(failed)? {
        let parts = match store.load(&generation).with_context(failed)? {
            None => continue,
            Some(Ok(parts)) => parts,
            Some(Err(fault)) => {
                refuse(store, &generation, &fault, input.chain, metrics);
                continue;
            }
        };
        let records = parts.manifest.records;
        match rebuild(store, parts, config, input, settings) {
            Ok(restored) => {
                checkpoints.last = Some((now, records));
                let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                let (chain, name) = (input.chain, &generation.name);
                tracing::info!(%chain, name, took_ms, "the state was read from a checkpoint");
                return Ok(Some(restored));
            }
            Err(Unusable::Damaged(error)) => {
                refuse(store, &generation, &error, input.chain, metrics);
            }
            // That a disk fails says nothing about the checkpoint.
            Err(Unusable::Failed(error)) => {
                return Err(FollowError::Retry(error.context("a checkpoint cannot be read")));
            }
        }
    }
    tracing::info!(chain = %input.chain, "there is no checkpoint to begin with; the state is rebuilt from the beginning of the input");
    Ok(None)
}

/// Why no state was made of a checkpoint.
enum Unusable {
    Damaged(anyhow::Error),
    Failed(anyhow::Error),
}

impl Unusable {
    /// Of an error while the past was fetched.
    fn of_past(error: anyhow::Error) -> Unusable {
        let damaged = match error.downcast_ref::<StoreError>() {
            Some(StoreError::Disk(error)) => error.is_not_found(),
            Some(_) => true,
            None => error.is::<HistoryError>(),
        };
        if damaged { Unusable::Damaged(error) } else { Unusable::Failed(error) }
    }

    fn damaged(error: impl Into<anyhow::Error>) -> Unusable {
        Unusable::Damaged(error.into())
    }
}

fn refuse(
    store: &CheckpointStore,
    generation: &Generation,
    why: &dyn std::fmt::Display,
    chain: Chain,
    metrics: &Metrics,
) {
    let name = &generation.name;
    tracing::error!(%chain, name, "a checkpoint cannot be used: {why:#}; trying the one before it");
    metrics.chain(chain).checkpoints_damaged.inc();
    store.pass_over(generation);
}

/// Makes state of the parts of a checkpoint.
fn rebuild(
    store: &CheckpointStore,
    parts: Parts,
    config: &Config,
    input: &InputConfig,
    settings: &EngineConfig,
) -> Result<Restored, Unusable> {
    let Parts { manifest, engine, assembler, published } = parts;
    let chain = input.chain;
    let published = Published::restore(chain, &published).map_err(Unusable::damaged)?;
    let assembler = Assembler::restore(chain, window(input), &assembler);
    let assembler = assembler.map_err(Unusable::damaged)?;
    let (archive, segments) =
        past(store, &manifest.segments, history_dir(config, chain)).map_err(Unusable::of_past)?;
    let engine = Engine::restore(settings.clone(), archive, segments, &engine);
    let engine = engine.map_err(Unusable::damaged)?;
    let stand = |position: Position| {
        let Position { topic, partition, offset, newest_block } = position;
        let newest_block = newest_block.unwrap_or(0);
        (topic, partition, Stand { offset, newest_block })
    };
    let stands = manifest.positions.into_iter().map(stand).collect();
    let end = |end: OutputPosition| {
        let is_its = |stream: &Stream| stream.topic(&config.output) == end.topic;
        let stream = Stream::ALL.into_iter().find(is_its)?;
        Some(StreamEnd { stream, number: end.partition, offset: end.offset })
    };
    let ends = manifest.outputs.into_iter().filter_map(end).collect();
    Ok(Restored { engine, assembler, published, stands, ends })
}

/// The sealed past where it will be kept, and its segments.
type PastParts = (Box<dyn Archive>, Vec<Arc<dyn Image>>);

fn past(
    store: &CheckpointStore,
    segments: &[SegmentName],
    dir: Option<PathBuf>,
) -> anyhow::Result<PastParts> {
    let mut fetch = |number: usize| whole_segment(store, &segments[number]);
    let Some(dir) = dir else {
        let image = |number| -> anyhow::Result<Arc<dyn Image>> { Ok(Arc::new(fetch(number)?)) };
        let images = (0..segments.len()).map(image).collect::<Result<_, _>>()?;
        return Ok((Box::new(MemoryArchive), images));
    };
    let keys: Vec<_> = segments.iter().map(|segment| (segment.bytes, segment.check)).collect();
    let (archive, images) = FileArchive::resume(&dir, &keys, &mut fetch)?;
    Ok((Box::new(archive), images))
}

/// Fetches a segment, whole to its last byte: it is read from end to end anyway.
fn whole_segment(store: &CheckpointStore, segment: &SegmentName) -> anyhow::Result<Vec<u8>> {
    let image = Arc::new(store.segment(segment)?);
    let number = segment.number;
    verify_segment(Arc::<Vec<u8>>::clone(&image))
        .with_context(|| format!("segment {number}, which the checkpoint needs, is damaged"))?;
    Arc::try_unwrap(image).map_err(|_| anyhow::anyhow!("segment {number} is still being read"))
}

impl<L: Log> Session<'_, '_, L> {
    /// Where the output topics end before a commit, if a checkpoint is to follow
    /// it. That the commit succeeds proves that nobody else wrote up to there:
    /// of one who was fenced before it asked, it fails. What comes later is read
    /// again.
    pub(super) fn ends_for_checkpoint(
        &mut self,
        now: Instant,
        last: bool,
    ) -> Option<Vec<StreamEnd>> {
        let records = self.records();
        let checkpoints = self.follower.checkpoints.as_ref()?;
        let busy = checkpoints.pending.is_some() || checkpoints.writer.is_busy();
        let due = checkpoints.last.is_none_or(|(at, known)| {
            let rested = last || now.saturating_duration_since(at) >= checkpoints.interval;
            rested && records > known
        });
        if busy || !due || records == 0 || !self.state.published.is_rebuilt() {
            return None;
        }
        let ends = self.log.published_ends();
        let put_off = |error| tracing::warn!("{error:#}; the checkpoint is put off");
        ends.map_err(put_off).ok()
    }

    /// The sum of the offsets, by which checkpoints are ordered.
    fn records(&self) -> u64 {
        let positions = self.state.progress.positions();
        positions.iter().map(|offset| u64::try_from(*offset).unwrap_or(0)).sum()
    }

    /// Begins a checkpoint of the state that was committed just now.
    pub(super) fn begin_checkpoint(&mut self, ends: Vec<StreamEnd>, now: Instant) {
        let records = self.records();
        let Some(checkpoints) = &mut self.follower.checkpoints else { return };
        let state = &mut self.state;
        let began = Instant::now();
        state.pipeline.engine.begin_image();
        checkpoints.pending = Some(Pending {
            assembler: state.pipeline.assembler(state.input.chain).image(),
            published: state.published.image(),
            stands: state.progress.stands(),
            ends,
            began,
        });
        checkpoints.last = Some((now, records));
        let metrics = &state.shared.metrics;
        metrics.checkpoint_paused(began.elapsed());
        metrics.chain(state.input.chain).waited(Wait::Checkpoint, began.elapsed());
        failpoint::hit("checkpoint_begun");
    }

    /// Copies some more of the state; hands it to the writer once it is whole.
    pub(super) fn copy_on(&mut self) {
        let Some(checkpoints) = &mut self.follower.checkpoints else { return };
        let Some(pending) = checkpoints.pending.take() else { return };
        let (state, log) = (&mut self.state, &self.log);
        let began = log.now();
        let image = loop {
            let image = state.pipeline.engine.continue_image(PAGES);
            if image.is_some() || log.now() - began >= COPY_MAX {
                break image;
            }
        };
        state.shared.metrics.chain(state.input.chain).waited(Wait::Checkpoint, log.now() - began);
        let Some(image) = image else {
            checkpoints.pending = Some(pending);
            return;
        };
        failpoint::hit("checkpoint_copied");
        let config = state.shared.config;
        let output = config.output.clone();
        checkpoints.writing_since = Some(pending.began);
        let job = move || parts(image, pending, &output);
        checkpoints.writer.try_start(Box::new(job));
        if checkpoints.inline {
            let saved = checkpoints.writer.wait();
            self.note(saved);
        }
    }

    /// Takes note of how the last save ended.
    pub(super) fn note_saved(&mut self) {
        let saved = self.follower.checkpoints.as_mut().and_then(|c| c.writer.finished());
        self.note(saved);
    }

    fn note(&mut self, saved: Option<Result<crate::checkpoint::Saved, WriteError>>) {
        let Some(saved) = saved else { return };
        let chain = self.state.chain();
        let metrics = &self.state.shared.metrics;
        let since = self.follower.checkpoints.as_mut().and_then(|c| c.writing_since.take());
        match saved {
            Ok(saved) => {
                failpoint::hit("checkpoint_kept");
                let took = since.map_or(saved.took, |since| since.elapsed());
                metrics.checkpoint_took(took);
                metrics.chain(chain).checkpointed(saved.generation.bytes, unix_ms());
                let name = &saved.generation.name;
                let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                tracing::debug!(%chain, name, bytes = saved.generation.bytes, took_ms, "a checkpoint was kept");
            }
            Err(error) => {
                metrics.chain(chain).checkpoint_failures.inc();
                // Nothing new need come for another try.
                if let Some(checkpoints) = &mut self.follower.checkpoints {
                    checkpoints.last = checkpoints.last.map(|(at, _)| (at, 0));
                }
                let error = anyhow::Error::new(error);
                tracing::error!(%chain, "a checkpoint could not be kept: {error:#}; those before it stand, and the next is tried in its time");
            }
        }
    }

    /// Waits until no checkpoint is under way.
    pub(super) fn end_checkpoint(&mut self) {
        while self.follower.checkpoints.as_ref().is_some_and(|c| c.pending.is_some()) {
            self.copy_on();
        }
        let kept = self.follower.checkpoints.as_mut().and_then(|c| c.writer.wait());
        self.note(kept);
    }
}

/// Encodes a checkpoint; on the writer's thread. Whose it is, and when it is
/// written, the store knows.
fn parts(
    image: EngineImage,
    pending: Pending,
    output: &OutputConfig,
) -> anyhow::Result<(Parts, Segments)> {
    let Pending { assembler, published, stands, ends, .. } = pending;
    let segments: Segments = image
        .segments()
        .iter()
        .map(|segment| {
            let (number, bytes, check) = (segment.number, segment.bytes, segment.check);
            (SegmentName { number, bytes, check }, Arc::clone(&segment.image))
        })
        .collect();
    let position = |(id, stand): (PartitionId, Stand)| Position {
        topic: id.topic,
        partition: id.number,
        offset: stand.offset,
        newest_block: Some(stand.newest_block),
    };
    let positions: Vec<Position> = stands.into_iter().map(position).collect();
    let end = |end: StreamEnd| OutputPosition {
        topic: end.stream.topic(output).to_owned(),
        partition: end.number,
        offset: end.offset,
    };
    let manifest = Manifest {
        positions,
        outputs: ends.into_iter().map(end).collect(),
        segments: segments.iter().map(|(name, _)| *name).collect(),
        ..Manifest::default()
    };
    let mut parts = Parts { manifest, ..Parts::default() };
    image.encode(&mut parts.engine);
    assembler.encode(&mut parts.assembler);
    parts.published = published.encode()?;
    Ok((parts, segments))
}
