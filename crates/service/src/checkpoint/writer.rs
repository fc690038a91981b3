//! Saves on a thread of its own, so that the chain goes on meanwhile.
//!
//! One save at a time: while one is under way, the next is not taken, and the
//! caller offers another at the next interval. A save that failed is told and
//! forgotten; the next starts afresh, so that checkpoints go on by themselves
//! once a full disk has room or a store is back.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use flow_core::Image;

use super::container::Parts;
use super::manifest::SegmentName;
use super::store::{CheckpointStore, Saved, StoreError};

/// Makes, on the writer's thread, what is to be saved.
pub type Job = Box<dyn FnOnce() -> anyhow::Result<(Parts, Segments)> + Send>;

/// The sealed segments of a chain, each with where its bytes are now.
pub type Segments = Vec<(SegmentName, Arc<dyn Image>)>;

/// Why a checkpoint was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There was nothing to save.
    #[error("cannot make the checkpoint: {0:#}")]
    Job(anyhow::Error),
    /// It could not be saved.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The thread is gone; it panicked.
    #[error("the thread that writes checkpoints has ended")]
    Ended,
}

/// Writes the checkpoints of one chain. Dropping it waits for the save that is
/// under way.
#[derive(Debug)]
pub struct CheckpointWriter {
    /// `None` only while it is dropped.
    jobs: Option<Sender<Job>>,
    results: Receiver<Result<Saved, WriteError>>,
    thread: Option<JoinHandle<()>>,
    is_busy: bool,
}

impl CheckpointWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(store: Arc<CheckpointStore>) -> std::io::Result<CheckpointWriter> {
        let (jobs, taken) = channel();
        let (done, results) = channel();
        let thread = std::thread::Builder::new()
            .name(format!("checkpoint-{}", store.chain()))
            .spawn(move || work(&store, &taken, &done))?;
        Ok(CheckpointWriter { jobs: Some(jobs), results, thread: Some(thread), is_busy: false })
    }

    /// Hands over a save; false, and the job dropped, if one is under way still.
    pub fn try_start(&mut self, job: Job) -> bool {
        if self.is_busy {
            return false;
        }
        let jobs = self.jobs.as_ref().expect("there until it is dropped");
        self.is_busy = true;
        // If the thread is gone, `finished` says so.
        jobs.send(job).ok();
        true
    }

    /// Whether a save is under way, or its result has not been asked for.
    pub const fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// How the save ended that was under way, once; `None` while it is not over.
    pub fn finished(&mut self) -> Option<Result<Saved, WriteError>> {
        if !self.is_busy {
            return None;
        }
        let result = match self.results.try_recv() {
            Ok(result) => result,
            Err(TryRecvError::Disconnected) => Err(WriteError::Ended),
            Err(TryRecvError::Empty) => return None,
        };
        self.is_busy = false;
        Some(result)
    }

    /// The same, after waiting for it; `None` if none is under way.
    pub fn wait(&mut self) -> Option<Result<Saved, WriteError>> {
        if !self.is_busy {
            return None;
        }
        self.is_busy = false;
        Some(self.results.recv().unwrap_or(Err(WriteError::Ended)))
    }
}

impl Drop for CheckpointWriter {
    fn drop(&mut self) {
        self.jobs = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes checkpoints panicked");
        }
    }
}

fn work(store: &CheckpointStore, jobs: &Receiver<Job>, done: &Sender<Result<Saved, WriteError>>) {
    for job in jobs {
        if done.send(save(store, job)).is_err() {
            return;
        }
    }
}

fn save(store: &CheckpointStore, job: Job) -> Result<Saved, WriteError> {
    let began = Instant::now();
    let (parts, segments) = job().map_err(WriteError::Job)?;
    let made = began.elapsed();
    let mut saved = store.save(parts, &segments)?;
    saved.encode += made;
    saved.took = began.elapsed();
    Ok(saved)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use flow_core::Chain;

    use super::*;
    use crate::checkpoint::faulty::{Fault, FaultyDisk};
    use crate::checkpoint::{Disk, Manifest, Position};

    fn state(offset: i64) -> Parts {
        let position = Position { topic: "t".to_owned(), partition: 0, offset, newest_block: None };
        let manifest = Manifest { positions: vec![position], ..Manifest::default() };
        Parts { manifest, ..Parts::default() }
    }

    fn job(offset: i64) -> Job {
        Box::new(move || Ok((state(offset), Vec::new())))
    }

    fn start() -> (Arc<FaultyDisk>, Arc<CheckpointStore>, CheckpointWriter) {
        let disk = Arc::<FaultyDisk>::default();
        let kept = Arc::clone(&disk) as Arc<dyn Disk>;
        let store = Arc::new(CheckpointStore::open(kept, "g", Chain::Tron, 2));
        let writer = CheckpointWriter::start(Arc::clone(&store)).unwrap();
        (disk, store, writer)
    }

    fn newest(store: &CheckpointStore) -> Option<u64> {
        let search = store.load_newest(|_| Ok(())).unwrap();
        search.loaded.map(|loaded| loaded.generation.records)
    }

    #[test]
    fn one_save_is_under_way_at_a_time() {
        let (_disk, store, mut writer) = start();
        let (go, wait) = mpsc::channel::<()>();
        assert!(writer.finished().is_none() && writer.wait().is_none());
        assert!(writer.try_start(Box::new(move || {
            wait.recv()?;
            Ok((state(1), Vec::new()))
        })));
        assert!(writer.is_busy());
        assert!(writer.finished().is_none());
        assert!(!writer.try_start(job(2)), "the first is under way");
        go.send(()).unwrap();
        let saved = writer.wait().unwrap().unwrap();
        assert_eq!(saved.generation.records, 1);
        assert!(saved.took >= saved.encode);
        assert!(!writer.is_busy());
        assert!(writer.try_start(job(3)));
        drop(writer);
        assert_eq!(newest(&store), Some(3), "dropping waits for the save");
    }

    #[test]
    fn a_save_that_failed_is_told_and_the_next_one_tried() {
        let (disk, store, mut writer) = start();
        writer.try_start(job(1));
        writer.wait().unwrap().unwrap();
        disk.break_puts("checkpoint", Fault::Full);
        writer.try_start(job(2));
        let error = writer.wait().unwrap().unwrap_err();
        assert!(matches!(error, WriteError::Store(_)), "{error}");
        assert_eq!(newest(&store), Some(1));
        writer.try_start(Box::new(|| anyhow::bail!("no image")));
        let error = writer.wait().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "cannot make the checkpoint: no image");
        disk.mend();
        writer.try_start(job(3));
        writer.wait().unwrap().unwrap();
        assert_eq!(newest(&store), Some(3));
    }

    #[test]
    fn a_job_that_panics_ends_the_thread_and_is_told() {
        let (_disk, _store, mut writer) = start();
        writer.try_start(Box::new(|| panic!("this panic belongs to a test")));
        assert!(matches!(writer.wait(), Some(Err(WriteError::Ended))));
        writer.try_start(job(1));
        assert!(matches!(writer.wait(), Some(Err(WriteError::Ended))));
    }
}
