//! Tracing cases through a past that lies behind already.
//!
//! A [`LateTrace`] holds all it needs, so it can run on a thread of its own
//! while blocks go on being applied; the engine then adds what came meanwhile.

mod book;
mod passage;
mod walk;

use std::sync::Arc;

pub(crate) use walk::{Walk, Watch};

use crate::history::HistoryError;
use crate::movement::AccountId;
use crate::segment::Segment;
use crate::trace::{Book, Labels, LaneIx, Taint, World};
use crate::{Amount, EngineConfig};

/// A case on its way through the sealed past. Handed out by the engine as
/// [`Effect::TraceLate`](crate::Effect::TraceLate); run it, and hand it back as
/// [`Event::LateTraced`](crate::Event::LateTraced).
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

impl Walk {
    /// Ends the walk where no ledger is at hand: `balance` tells what a source
    /// holds by then.
    pub(crate) fn settle_sources<E>(
        &mut self,
        balance: impl Fn(AccountId) -> Result<Amount, E>,
    ) -> Result<(), E> {
        for account in std::mem::take(&mut self.book.sources) {
            self.tracer.settle(account, balance(account)?, &self.book);
        }
        Ok(())
    }

    /// Every account that the lane ever tainted, with its taint and whether it
    /// is frozen.
    pub(crate) fn members(&self, ix: LaneIx) -> impl Iterator<Item = (AccountId, &Taint, bool)> {
        self.tracer.lane(ix).members.iter().filter_map(move |account| {
            let taint = self.tracer.taints.get(&self.book, *account, ix)?;
            Some((*account, taint, self.book.is_frozen(*account)))
        })
    }
}
