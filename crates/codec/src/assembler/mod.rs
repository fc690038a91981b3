//! Events into blocks, blocks into ledger order, and blocks taken back.
//!
//! Records of a chain come from several topics and partitions, some twice,
//! some late. An [`Assembler`] holds the newest blocks of one chain open: what
//! belongs to them is put in place, whatever the order of arrival. A block is
//! put out when `window_blocks` later ones are held. Until it is final it is
//! remembered, so that it can be taken back: then [`Assembled::Reverted`] says
//! from where on, those blocks are held again, and what is canonical now
//! follows as blocks.
//!
//! What always holds: between two reverts blocks are put out in rising order,
//! each event once; a final block is never reverted; an event that cannot be
//! placed is handed back with the reason, never dropped in silence.
//!
//! **Which block of a height is canonical.** The first one told stays until a
//! record takes it back (`removed`), or a header with another hash comes:
//! sources send headers for what is canonical. A block known beside it is
//! parked; in the place of one that was taken back comes the one of which the
//! last header told, or else the one told last.
//! Where neither headers nor removals are told, the first stays for good.
//!
//! **Settling.** The records of one reorganisation come mixed where they lie
//! in several partitions. So after one nothing is put out before later blocks
//! than all known at that moment have come. And what comes late for one of the
//! heights that a reorganisation touched is not refused, as it is elsewhere: the
//! block is reverted and put out again with it.

mod branch;
mod height;
mod identity;
mod image;
mod order;
mod outcome;
mod release;
mod removal;

use std::collections::{BTreeMap, BTreeSet};

use flow_core::{BlockHash, Chain};
use serde::{Deserialize, Serialize};

pub use self::image::{AssemblerImage, AssemblerImageError};
pub use self::outcome::{Assembled, Dropped, Gap};

use self::height::Height;
use self::identity::{Identity, Recent};
use crate::{BlockHeader, ChainEvent};

/// Identities of final events that are remembered, to tell a repeat from a
/// late record.
const RECENT_EVENTS: usize = 1 << 18;

/// How an assembler waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssemblerConfig {
    /// A block is released when this many later ones are held. At least 1.
    pub window_blocks: usize,
    /// At most so many events are held; above it the oldest block is released.
    pub events_max: usize,
    /// Blocks this far below the newest are final even if nothing tells so.
    pub finality_blocks: u64,
}

impl Default for AssemblerConfig {
    fn default() -> Self {
        AssemblerConfig { window_blocks: 2, events_max: 1_000_000, finality_blocks: 64 }
    }
}

/// The last block put out that was not reverted.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Last {
    number: u64,
    timestamp_ms: u64,
}

/// Assembles the blocks of one chain.
#[derive(Debug)]
pub struct Assembler {
    chain: Chain,
    config: AssemblerConfig,
    /// Heights that are not final.
    heights: BTreeMap<u64, Height>,
    /// Those above the last block put out that have a current block.
    ready: BTreeSet<u64>,
    /// Events remembered at heights that are not put out.
    held_events: usize,
    recent: Recent,
    last: Option<Last>,
    newest: Option<u64>,
    has_headers: bool,
    solid: Option<u64>,
    finalized: Option<u64>,
    /// Nothing is final from this block on, whatever is told.
    not_final_from: u64,
    /// The last final block that was put out.
    floor: Option<Last>,
    /// Hashes of final blocks, the newest of them.
    final_hashes: BTreeMap<u64, Option<BlockHash>>,
    /// Blocks after which a gap was told.
    gaps: BTreeSet<u64>,
    /// From where on a revert is still to be told.
    reverted: Option<u64>,
    /// The newest block known when something was taken back.
    settling: Option<u64>,
    /// From the lowest block that was taken back to the newest known then.
    contested: Option<(u64, u64)>,
    orphaned_events: u64,
    /// Counts arrivals.
    clock: u64,
}

impl Assembler {
    /// An assembler that has seen nothing.
    pub fn new(chain: Chain, config: AssemblerConfig) -> Assembler {
        let window_blocks = config.window_blocks.max(1);
        Assembler {
            chain,
            config: AssemblerConfig { window_blocks, ..config },
            heights: BTreeMap::new(),
            ready: BTreeSet::new(),
            held_events: 0,
            recent: Recent::new(RECENT_EVENTS),
            last: None,
            newest: None,
            has_headers: false,
            solid: None,
            finalized: None,
            not_final_from: u64::MAX,
            floor: None,
            final_hashes: BTreeMap::new(),
            gaps: BTreeSet::new(),
            reverted: None,
            settling: None,
            contested: None,
            orphaned_events: 0,
            clock: 0,
        }
    }

    /// Blocks held open.
    pub fn held_blocks(&self) -> usize {
        self.ready.len()
    }

    /// The newest block told of.
    pub fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// The last final block that a record told of.
    pub fn solid(&self) -> Option<u64> {
        self.solid
    }

    /// The last block told as [`Assembled::Final`].
    pub fn final_block(&self) -> Option<u64> {
        self.finalized
    }

    /// The last block that is final as far as is told, put out or not.
    pub fn told_final(&self) -> Option<u64> {
        let deep = self.newest.and_then(|newest| newest.checked_sub(self.config.finality_blocks));
        self.solid.max(deep)
    }

    /// The last block that is final as far as is known, put out or not.
    pub fn final_by_now(&self) -> Option<u64> {
        self.told_final().min(self.not_final_from.checked_sub(1))
    }

    /// From now on no block from that one on is final, whatever is told: a part
    /// of the input that lags may still take it back. Not part of an image.
    pub fn hold_finality(&mut self, from: u64) {
        self.not_final_from = from;
    }

    /// Events that were taken and never put out for good, although nothing took
    /// them back: those of parked blocks whose height became final, and those
    /// that stand in an earlier block as well.
    pub fn orphaned_events(&self) -> u64 {
        self.orphaned_events
    }

    /// Notes that blocks up to `number` are final.
    pub fn note_solid(&mut self, number: u64) {
        self.solid = self.solid.max(Some(number));
    }

    /// Takes an event.
    ///
    /// # Errors
    /// [`Dropped`] says why it was not taken.
    pub fn push(&mut self, event: ChainEvent) -> Result<(), Dropped> {
        if let Some(solid) = event.solid {
            self.note_solid(solid);
        }
        if event.removed {
            return self.take_back(&event);
        }
        let block = event.block;
        if let Some(released) = self.released_past(block) {
            let known = Identity::of(&event).is_some_and(|id| self.recent.block(id).is_some());
            let late = Dropped::Late { block, released };
            return Err(if known { Dropped::Duplicate } else { late });
        }
        self.newest = self.newest.max(Some(block));
        let arrival = self.tick();
        let released = self.last.map_or(0, |last| last.number);
        let contested = self.is_contested(block);
        let mut reopened = false;
        let result = self.change(block, |height| {
            let at = height.place(event.block_hash).ok_or(Dropped::OtherBranch { block })?;
            let is_out = height.applied.is_some() && height.current == Some(at);
            let closed = (is_out && !contested).then_some(released);
            height.branches[at].take(event, closed, arrival)?;
            reopened = is_out;
            height.reselect(arrival);
            Ok(())
        });
        if reopened {
            self.revert(block);
        }
        result
    }

    /// Takes a block header.
    ///
    /// # Errors
    /// [`Dropped`] says why it was not taken.
    pub fn push_header(&mut self, header: BlockHeader) -> Result<(), Dropped> {
        if let Some(solid) = header.solid {
            self.note_solid(solid);
        }
        self.has_headers = true;
        if header.removed {
            return self.take_back_header(&header);
        }
        let block = header.number;
        if self.released_past(block).is_some() {
            // The header of a block that its events already closed is no loss.
            let other = self.is_other_final(block, header.hash);
            return Err(if other { Dropped::OtherBranch { block } } else { Dropped::Duplicate });
        }
        self.newest = self.newest.max(Some(block));
        let arrival = self.tick();
        self.change(block, |height| {
            let at = height.place(header.hash).ok_or(Dropped::OtherBranch { block })?;
            if height.applied.is_some() && height.current == Some(at) {
                return Err(Dropped::Duplicate);
            }
            height.take_header(at, header, arrival);
            height.reselect(arrival);
            Ok(())
        })
    }

    /// The last block put out, if nothing of `block` is remembered any more or
    /// ever was, and its turn is over.
    fn released_past(&self, block: u64) -> Option<u64> {
        let released = self.last.map(|last| last.number).max(self.finalized)?;
        let is_final = self.finalized.is_some_and(|number| block <= number);
        let remembered = self.heights.contains_key(&block) || self.is_contested(block);
        let passed = block <= released && !remembered;
        (is_final || passed).then_some(released)
    }

    /// Changes what is known of a height, and draws the consequences: which
    /// blocks are ready, and whether one that was put out is reverted.
    fn change<R>(&mut self, number: u64, change: impl FnOnce(&mut Height) -> R) -> R {
        let height = self.heights.entry(number).or_default();
        let (before, len) = (height.current, height.len());
        let result = change(height);
        let (current, is_applied) = (height.current, height.applied.is_some());
        if !is_applied {
            self.held_events = self.held_events + height.len() - len;
        }
        let replaced = before.is_some() && before != current;
        let passed_over = || self.last.is_some_and(|last| number < last.number);
        if (is_applied && replaced) || (!is_applied && current.is_some() && passed_over()) {
            self.revert(number);
        }
        if replaced {
            self.contest(number);
        }
        // A revert has seen to the heights that were put out.
        if !is_applied && before.is_none() && current.is_some() {
            self.ready.insert(number);
        } else if !is_applied && current.is_none() {
            self.ready.remove(&number);
        }
        result
    }

    /// Notes that something at this height was taken back.
    fn contest(&mut self, number: u64) {
        self.settling = self.newest;
        let newest = self.newest.map_or(number, |newest| newest.max(number));
        let (from, to) = self.contested.unwrap_or((number, newest));
        self.contested = Some((from.min(number), to.max(newest)));
    }

    fn is_contested(&self, number: u64) -> bool {
        self.contested.is_some_and(|(from, to)| from <= number && number <= to)
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

#[cfg(test)]
mod tests;
