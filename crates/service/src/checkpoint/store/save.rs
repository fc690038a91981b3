//! Adding a generation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flow_core::Image;

use super::{CheckpointStore, StoreError};
use crate::checkpoint::container::{self, Parts};
use crate::checkpoint::manifest::{Manifest, SegmentName};
use crate::checkpoint::name::{self, Generation};
use crate::checkpoint::segment;

/// A generation that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Which.
    pub generation: Generation,
    /// How many segments went with it that were not there before.
    pub new_segments: usize,
    /// How long it took to pack.
    pub encode: Duration,
    /// How long it took in all.
    pub took: Duration,
}

impl CheckpointStore {
    /// Adds a generation. First the segments that it names and that are not
    /// there yet, then the checkpoint, then what is older than need be goes.
    ///
    /// Of the manifest, `positions`, `outputs`, `segments` and `assembler` are
    /// the caller's; the rest is filled in here.
    ///
    /// # Errors
    /// If the disk fails or is full, or a segment is neither there nor handed
    /// over as it should be. Then the generations before are as they were.
    pub fn save(
        &self,
        mut parts: Parts,
        segments: &[(SegmentName, Arc<dyn Image>)],
    ) -> Result<Saved, StoreError> {
        let began = Instant::now();
        let new_segments = self.keep_segments(&parts.manifest.segments, segments)?;
        self.stamp(&mut parts.manifest);
        let (records, named) = (parts.manifest.records, parts.manifest.segments.clone());
        let packing = Instant::now();
        let object = container::encode(parts)?;
        let encode = packing.elapsed();
        let check = crc32fast::hash(&object);
        let name = name::checkpoint(&self.scope, records, check);
        let generation = Generation { name, records, check, bytes: object.len() as u64 };
        self.disk.put(&generation.name, object)?;
        self.seen().segments.insert(generation.name.clone(), named);
        self.compare_length(&generation)?;
        if let Err(error) = self.clear(&generation) {
            tracing::warn!(%error, "old checkpoints were not deleted; the next save tries again");
        }
        Ok(Saved { generation, new_segments, encode, took: began.elapsed() })
    }

    fn stamp(&self, manifest: &mut Manifest) {
        let offsets = manifest.positions.iter().map(|position| position.offset);
        self.chain.name().clone_into(&mut manifest.chain);
        self.group_id.clone_into(&mut manifest.group_id);
        env!("CARGO_PKG_VERSION").clone_into(&mut manifest.written_by);
        manifest.written_ms = self.disk.unix_ms();
        manifest.records = offsets.map(|offset| u64::try_from(offset).unwrap_or(0)).sum();
    }

    /// Makes sure that each segment is there; how many were not.
    fn keep_segments(
        &self,
        named: &[SegmentName],
        images: &[(SegmentName, Arc<dyn Image>)],
    ) -> Result<usize, StoreError> {
        let there = self.segments()?;
        let images: BTreeMap<SegmentName, &Arc<dyn Image>> =
            images.iter().map(|(name, image)| (*name, image)).collect();
        let mut kept = 0;
        for wanted in named.iter().filter(|name| there.get(*name) != Some(&name.bytes)) {
            let name = name::segment(&self.scope, *wanted);
            let Some(image) = images.get(wanted) else {
                return Err(StoreError::Missing { name });
            };
            let bytes = segment::read(image.as_ref())
                .map_err(|source| StoreError::Unreadable { number: wanted.number, source })?;
            if let Err(reason) = segment::check(&bytes, *wanted) {
                return Err(StoreError::Segment { name, reason });
            }
            self.disk.put(&name, bytes)?;
            kept += 1;
        }
        Ok(kept)
    }

    /// A last look before older generations go.
    fn compare_length(&self, generation: &Generation) -> Result<(), StoreError> {
        let Generation { name, bytes, .. } = generation;
        let listed = self.disk.list(name)?;
        let found = listed.iter().find(|(listed, _)| listed == name).map_or(0, |(_, bytes)| *bytes);
        if found == *bytes {
            return Ok(());
        }
        Err(StoreError::Torn { name: name.clone(), written: *bytes, found })
    }
}
