//! Tracing cases through a past that lies behind already.
//!
//! A [`LateTrace`] holds all it needs, so it can run on a thread of its own
//! while blocks go on being applied; the engine then adds what came meanwhile.

mod book;
mod passage;
mod walk;

use std::sync::Arc;

pub(crate) use walk::{Walk, Watch};

use crate::EngineConfig;
use crate::history::HistoryError;
use crate::segment::Segment;
use crate::trace::{Labels, World};

/// A case on its way through the sealed past. Handed out by
/// [`Engine::take_late`](crate::Engine::take_late); run it, and hand it back by
/// [`Engine::join_late`](crate::Engine::join_late).
#[derive(Debug)]
pub struct LateTrace {
    pub(crate) case: String,
    /// Tells whether it is still wanted when it comes back.
    pub(crate) number: u64,
    pub(crate) walk: Walk,
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) next: usize,
    pub(crate) config: Arc<EngineConfig>,
    pub(crate) labels: Arc<Labels>,
}

impl LateTrace {
    /// The id of the case.
    pub fn case(&self) -> &str {
        &self.case
    }

    /// Traces one more segment; `false` when none is left.
    ///
    /// # Errors
    /// If a segment cannot be read. The trace must be dropped then.
    pub fn step(&mut self) -> Result<bool, HistoryError> {
        let Some(segment) = self.segments.get(self.next) else {
            return Ok(false);
        };
        let world = World { config: &self.config, labels: &self.labels };
        self.walk.segment(segment, world, &mut ())?;
        self.next += 1;
        Ok(true)
    }

    /// Traces all segments that are left.
    ///
    /// # Errors
    /// If a segment cannot be read. The trace must be dropped then.
    pub fn run(&mut self) -> Result<(), HistoryError> {
        while self.step()? {}
        Ok(())
    }

    /// Accounts that the case touches so far.
    pub fn touched(&self) -> usize {
        self.walk.touched()
    }

    /// Transfers of the segments passed so far, and of all segments.
    pub fn progress(&self) -> (u64, u64) {
        let sum = |segments: &[Arc<Segment>]| {
            segments.iter().map(|segment| u64::from(segment.transfers())).sum()
        };
        (sum(&self.segments[..self.next]), sum(&self.segments))
    }
}
