//! The first pass, from the newest transfer to the oldest: which accounts the
//! units can have passed through.
//!
//! What always holds: an account's movements matter up to and including its
//! last transfer into the cone, its bound; every chunk that holds one of those
//! is visited. Few accounts are looked up in a segment's index; once they are
//! many, all its chunks are read.

use std::collections::BTreeSet;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::Question;
use crate::history::HistoryError;
use crate::past::End;
use crate::segment::{Columns, Segment};

/// An account is looked up as long as there is at most one for so many
/// transfers of the segment: a look-up costs about as much as scanning those.
const SCANNED_PER_LOOKUP: u32 = 512;

/// Even a small segment is worth so many look-ups.
const LOOKUPS_MIN: usize = 8;

/// See the module.
#[derive(Debug)]
pub(super) struct Cone {
    /// By account: the last transfer that matters.
    bounds: HashMap<u32, u32, FixedState>,
    /// Its accounts, in the order in which they were found.
    found: Vec<u32>,
    /// By segment: the chunks to read, rising.
    pub(super) chunks: Vec<Vec<u32>>,
}

impl Cone {
    pub(super) fn find(
        question: Question<'_>,
        end: End,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<Cone, HistoryError> {
        let history = &question.past.history;
        let segments = history.segments();
        let mut cone = Cone {
            bounds: HashMap::default(),
            found: Vec::new(),
            chunks: vec![Vec::new(); segments.len()],
        };
        cone.activate(question.wallet, u32::MAX);
        for (transfer, _) in history.tail.transfers().iter().rev() {
            if transfer.id.0 < end.transfer {
                cone.meet(transfer.from.0, transfer.to.0, transfer.id.0, question);
            }
        }
        let all = history.transfers_len() as u64;
        for (ix, segment) in segments.iter().enumerate().rev() {
            if segment.first_transfer() < end.transfer {
                cone.chunks[ix] = cone.segment(segment, end, question)?;
            }
            progress(all - u64::from(segment.first_transfer()), 2 * all);
        }
        Ok(cone)
    }

    /// How many accounts it holds.
    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether what happens to the account as of that transfer matters.
    pub(super) fn holds(&self, account: u32, transfer: u32) -> bool {
        self.bounds.get(&account).is_some_and(|bound| transfer <= *bound)
    }

    /// Whether that transfer is the last thing of the account that matters.
    pub(super) fn ends(&self, account: u32, transfer: u32) -> bool {
        self.bounds.get(&account) == Some(&transfer)
    }

    fn activate(&mut self, account: u32, bound: u32) {
        self.bounds.insert(account, bound);
        self.found.push(account);
    }

    /// A transfer into the cone brings its sender in, unless units come from
    /// there for good.
    fn meet(&mut self, from: u32, to: u32, id: u32, question: Question<'_>) {
        let enters = self.bounds.contains_key(&to) && !self.bounds.contains_key(&from);
        if enters && question.origin(from).is_none() {
            self.activate(from, id);
        }
    }

    /// Goes through one segment; returns the chunks read, rising.
    fn segment(
        &mut self,
        segment: &Segment,
        end: End,
        question: Question<'_>,
    ) -> Result<Vec<u32>, HistoryError> {
        let lookups_max = (segment.transfers() / SCANNED_PER_LOOKUP) as usize;
        let lookups_max = lookups_max.max(LOOKUPS_MIN);
        let mut columns = Columns::default();
        let mut due = BTreeSet::new();
        let mut read = BTreeSet::new();
        let mut looked_up = 0;
        let mut below = segment.chunk_count();
        loop {
            if self.found.len() > lookups_max {
                due.extend(0..below);
            } else {
                for account in &self.found[looked_up..] {
                    let chunks = segment.chunks_of(*account)?;
                    due.extend(chunks.into_iter().filter(|chunk| *chunk < below));
                }
            }
            looked_up = self.found.len();
            let Some(chunk) = due.pop_last() else { break };
            below = chunk;
            read.insert(chunk);
            segment.chunk(chunk, &mut columns)?;
            let ends = columns.froms().iter().zip(columns.tos()).enumerate();
            for (at, (from, to)) in ends.rev() {
                let id = columns.transfer(at);
                if id < end.transfer {
                    self.meet(*from, *to, id, question);
                }
            }
        }
        Ok(read.into_iter().collect())
    }
}
