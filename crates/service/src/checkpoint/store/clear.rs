//! Deleting what no start will want again.

use std::collections::BTreeSet;

use super::{CheckpointStore, StoreError};
use crate::checkpoint::disk::DiskError;
use crate::checkpoint::manifest::SegmentName;
use crate::checkpoint::name::{self, Generation};

impl CheckpointStore {
    /// Deletes the generations that are beyond those to be kept, and segments
    /// that none can name any more.
    ///
    /// A generation that is known to be unusable does not count, and goes once
    /// there are enough others. The one just saved stays whatever its place: a
    /// standby may lag behind the owner with which it shares the disk.
    pub(super) fn clear(&self, saved: &Generation) -> Result<(), StoreError> {
        let generations = self.generations()?;
        let (kept, old) = self.apart(&generations, saved);
        for generation in old {
            self.delete(&generation.name)?;
            self.seen().segments.remove(&generation.name);
            self.seen().unusable.remove(&generation.name);
        }
        self.clear_segments(&kept)
    }

    /// Which are kept and which are not.
    fn apart<'a>(
        &self,
        generations: &'a [Generation],
        saved: &Generation,
    ) -> (Vec<&'a Generation>, Vec<&'a Generation>) {
        let seen = self.seen();
        let is_usable = |generation: &&Generation| !seen.unusable.contains(&generation.name);
        // One that stands for as many records is superseded by the one just saved.
        let is_superseded = |generation: &&Generation| {
            generation.records == saved.records && generation.name != saved.name
        };
        let newest: Vec<&Generation> = generations
            .iter()
            .filter(|generation| is_usable(generation) && !is_superseded(generation))
            .take(self.keep)
            .collect();
        let enough = newest.len() >= self.keep;
        generations.iter().partition(|generation| {
            let is_bad = !is_usable(generation);
            let is_kept = newest.contains(generation) || generation.name == saved.name;
            is_kept || (is_bad && !enough)
        })
    }

    /// Segments of a past that was given up for another. Whatever has as many
    /// segments as the oldest generation kept has its segments below that.
    fn clear_segments(&self, kept: &[&Generation]) -> Result<(), StoreError> {
        let Some((named, below)) = self.named_by(kept) else { return Ok(()) };
        for (segment, _) in self.segments()? {
            if segment.number < below && !named.contains(&segment) {
                self.delete(&name::segment(&self.scope, segment))?;
            }
        }
        Ok(())
    }

    /// The segments that these generations name, and how many the oldest of them
    /// has; `None` unless all of that is known.
    fn named_by(&self, kept: &[&Generation]) -> Option<(BTreeSet<SegmentName>, usize)> {
        let seen = self.seen();
        let mut named = BTreeSet::new();
        let mut below = usize::MAX;
        for generation in kept {
            let segments = seen.segments.get(&generation.name)?;
            named.extend(segments.iter().copied());
            below = below.min(segments.len());
        }
        Some((named, below))
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        match self.disk.delete(name) {
            // Another process was quicker.
            Ok(()) | Err(DiskError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
