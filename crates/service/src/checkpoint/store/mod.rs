//! The generations of one chain, and the segments that they refer to.
//!
//! What always holds: a segment is durable before a checkpoint names it; what
//! is read back is what was written, or is passed over and told; the newest
//! generation that can be used is never deleted. Several processes may share a
//! scope, as an owner and its standby do: names say what is in an object.

mod clear;
mod load;
mod save;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flow_core::{Chain, ImageError};

use super::disk::{Disk, DiskError};
use super::manifest::SegmentName;
use super::name::{self, Generation};
use super::segment;

pub use load::{Damaged, Fault, Loaded, Search};
pub use save::Saved;

/// Checkpoints and segments of one chain, as one consumer group follows it.
#[derive(Debug)]
pub struct CheckpointStore {
    disk: Arc<dyn Disk>,
    group_id: String,
    chain: Chain,
    /// What the names of its objects begin with.
    scope: String,
    keep: usize,
    seen: Mutex<Seen>,
}

/// What this process has learnt of the generations, by their names.
#[derive(Debug, Default)]
struct Seen {
    /// Those that cannot be used.
    unusable: BTreeSet<String>,
    /// The segments that a generation names.
    segments: BTreeMap<String, Vec<SegmentName>>,
}

/// Why a checkpoint was not saved, or nothing could be loaded.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A segment that is to be kept cannot be read where it lies now.
    #[error("cannot read segment {number} to keep it: {source}")]
    Unreadable {
        /// The number of the segment.
        number: usize,
        /// Why.
        source: ImageError,
    },
    /// A segment is not there, and was not handed over either.
    #[error("there is no {name}, which the checkpoint needs")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A segment is not the one that its name says.
    #[error("{name} is damaged: {reason}")]
    Segment {
        /// Its name.
        name: String,
        /// How.
        reason: String,
    },
    /// The images could not be packed.
    #[error("cannot pack the checkpoint: {0}")]
    Encode(#[from] std::io::Error),
    /// What was just written is not what lies there.
    #[error("{name} has {found} bytes after {written} were written")]
    Torn {
        /// Its name.
        name: String,
        /// Bytes written.
        written: u64,
        /// Bytes listed.
        found: u64,
    },
}

impl CheckpointStore {
    /// The checkpoints of a chain in a group, of which so many generations are
    /// kept, two at least. Nothing is asked of the disk yet.
    pub fn open(disk: Arc<dyn Disk>, group_id: &str, chain: Chain, keep: usize) -> CheckpointStore {
        CheckpointStore {
            disk,
            group_id: group_id.to_owned(),
            chain,
            scope: name::scope(group_id, chain),
            keep: keep.max(2),
            seen: Mutex::default(),
        }
    }

    /// The chain.
    pub const fn chain(&self) -> Chain {
        self.chain
    }

    /// What lies there under a checkpoint's name, newest first.
    ///
    /// # Errors
    /// If the disk cannot be listed.
    pub fn generations(&self) -> Result<Vec<Generation>, StoreError> {
        let listed = self.disk.list(&format!("{}/checkpoint-", self.scope))?;
        let mut generations: Vec<Generation> = listed
            .into_iter()
            .filter_map(|(name, bytes)| name::read_checkpoint(&self.scope, &name, bytes))
            .collect();
        generations.sort_by(|a, b| (b.records, &b.name).cmp(&(a.records, &a.name)));
        Ok(generations)
    }

    /// The bytes of a segment, which are the ones meant.
    ///
    /// # Errors
    /// If it cannot be read, is shorter or longer, or is another segment. What
    /// is under the checksums of its sections is compared when those are read.
    pub fn segment(&self, named: &SegmentName) -> Result<Vec<u8>, StoreError> {
        let name = name::segment(&self.scope, *named);
        let bytes = self.disk.get(&name)?;
        segment::check(&bytes, *named).map_err(|reason| StoreError::Segment { name, reason })?;
        Ok(bytes)
    }

    /// The segments that lie there, with their lengths.
    fn segments(&self) -> Result<BTreeMap<SegmentName, u64>, StoreError> {
        let listed = self.disk.list(&format!("{}/segment-", self.scope))?;
        let read =
            |(name, bytes): (String, u64)| Some((name::read_segment(&self.scope, &name)?, bytes));
        Ok(listed.into_iter().filter_map(read).collect())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Whoever panicked left it whole: each change is one insertion.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
