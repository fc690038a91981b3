//! Finding the newest generation that can be used.

use std::collections::BTreeMap;

use super::{CheckpointStore, StoreError};
use crate::checkpoint::container::{self, Damage, Parts};
use crate::checkpoint::disk::DiskError;
use crate::checkpoint::manifest::{Manifest, SegmentName};
use crate::checkpoint::name::{self, Generation};

/// What looking for a generation found.
#[derive(Debug, Default)]
pub struct Search {
    /// The newest that can be used, if there is any.
    pub loaded: Option<Loaded>,
    /// The newer ones, newest first, which cannot be used.
    pub damaged: Vec<Damaged>,
}

/// A generation that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// Which.
    pub generation: Generation,
    /// Its content.
    pub parts: Parts,
}

/// A generation that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Which.
    pub generation: Generation,
    /// Why.
    pub fault: Fault,
}

/// Why a generation cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Its bytes are not a checkpoint.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// It is whole, and another than its name says.
    #[error("it is not the object that its name says")]
    Misnamed,
    /// It belongs to another group or chain.
    #[error("it is a checkpoint of {chain} for the group {group_id}")]
    Foreign {
        /// The chain in its manifest.
        chain: String,
        /// The group in its manifest.
        group_id: String,
    },
    /// Whoever asked has no use for it.
    #[error("it does not fit: {0}")]
    Unfit(String),
    /// A segment that it names is not there.
    #[error("there is no {name}, which it needs")]
    NoSegment {
        /// The name of the segment.
        name: String,
    },
    /// A segment that it names is torn.
    #[error("{name}, which it needs, has {found} bytes")]
    TornSegment {
        /// The name of the segment.
        name: String,
        /// Its length.
        found: u64,
    },
}

/// Why a generation was not read.
enum Unread {
    Fault(Fault),
    /// It was deleted since it was listed.
    Gone,
    Failed(StoreError),
}

impl From<Fault> for Unread {
    fn from(fault: Fault) -> Self {
        Unread::Fault(fault)
    }
}

impl From<Damage> for Unread {
    fn from(damage: Damage) -> Self {
        Unread::Fault(damage.into())
    }
}

impl CheckpointStore {
    /// The newest generation that is whole, has its segments and that `fits`;
    /// newer ones that are not are logged, told, and passed over from now on.
    ///
    /// # Errors
    /// If the disk fails, which says nothing about any generation.
    pub fn load_newest(
        &self,
        fits: impl Fn(&Manifest) -> Result<(), String>,
    ) -> Result<Search, StoreError> {
        let segments = self.segments()?;
        let mut search = Search::default();
        for generation in self.generations()? {
            match self.read(&generation, &segments, &fits) {
                Ok(parts) => {
                    search.loaded = Some(Loaded { generation, parts });
                    return Ok(search);
                }
                Err(Unread::Fault(fault)) => {
                    let name = &generation.name;
                    tracing::error!(name, %fault, "a checkpoint cannot be used; trying the one before it");
                    search.damaged.push(Damaged { generation, fault });
                }
                Err(Unread::Gone) => tracing::info!(
                    name = generation.name,
                    "a checkpoint was deleted by another process meanwhile"
                ),
                Err(Unread::Failed(error)) => return Err(error),
            }
        }
        Ok(search)
    }

    /// Whether a generation could be used: its content, or why not; `None` if it
    /// is there no more.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn load(
        &self,
        generation: &Generation,
    ) -> Result<Option<Result<Parts, Fault>>, StoreError> {
        match self.read(generation, &self.segments()?, &|_| Ok(())) {
            Ok(parts) => Ok(Some(Ok(parts))),
            Err(Unread::Fault(fault)) => Ok(Some(Err(fault))),
            Err(Unread::Gone) => Ok(None),
            Err(Unread::Failed(error)) => Err(error),
        }
    }

    /// Notes that no state could be made of a generation: it is whole, and does
    /// not count among those that are kept.
    pub fn pass_over(&self, generation: &Generation) {
        self.seen().unusable.insert(generation.name.clone());
    }

    fn read(
        &self,
        generation: &Generation,
        segments: &BTreeMap<SegmentName, u64>,
        fits: &dyn Fn(&Manifest) -> Result<(), String>,
    ) -> Result<Parts, Unread> {
        let read = self.read_alone(generation);
        if let Ok(parts) = &read {
            let named = parts.manifest.segments.clone();
            self.seen().segments.insert(generation.name.clone(), named);
        }
        let read = read.and_then(|parts| {
            self.segments_are_there(&parts.manifest, segments)?;
            fits(&parts.manifest).map_err(Fault::Unfit)?;
            Ok(parts)
        });
        match &read {
            // A later release wrote it, and will want it again.
            Err(Unread::Fault(Fault::Damage(Damage::Newer { .. }))) => {}
            Err(Unread::Fault(_)) => {
                self.seen().unusable.insert(generation.name.clone());
            }
            _ => {}
        }
        read
    }

    /// The content, whatever else lies there.
    fn read_alone(&self, generation: &Generation) -> Result<Parts, Unread> {
        let object = self.disk.get(&generation.name).map_err(|error| match error {
            DiskError::NotFound { .. } => Unread::Gone,
            error => Unread::Failed(error.into()),
        })?;
        let parts = container::decode(&object)?;
        let Manifest { chain, group_id, records, .. } = &parts.manifest;
        if crc32fast::hash(&object) != generation.check || *records != generation.records {
            return Err(Fault::Misnamed.into());
        }
        if *chain != self.chain.name() || *group_id != self.group_id {
            let (chain, group_id) = (chain.clone(), group_id.clone());
            return Err(Fault::Foreign { chain, group_id }.into());
        }
        Ok(parts)
    }

    fn segments_are_there(
        &self,
        manifest: &Manifest,
        segments: &BTreeMap<SegmentName, u64>,
    ) -> Result<(), Fault> {
        for named in &manifest.segments {
            let name = || name::segment(&self.scope, *named);
            match segments.get(named) {
                None => return Err(Fault::NoSegment { name: name() }),
                Some(found) if *found != named.bytes => {
                    return Err(Fault::TornSegment { name: name(), found: *found });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}
