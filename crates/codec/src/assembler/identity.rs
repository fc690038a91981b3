//! Which event is which: (chain, transaction, log index, kind of index).

use std::collections::VecDeque;

use flow_core::TxHash;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::{ChainEvent, LogIndex};

/// Tells an event of a chain from every other. Absent when its source numbers
/// no logs: such an event cannot be told from an equal one.
///
/// The hash stands whole: whoever found two transactions that agree in a part
/// of it could have the second one dropped as a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    tx: TxHash,
    index: LogIndex,
}

impl Identity {
    pub(super) fn of(event: &ChainEvent) -> Option<Identity> {
        Some(Identity { tx: event.tx, index: event.index? })
    }
}

/// In which block put out each event stands. Those of final blocks are
/// remembered up to a bound, those of others until their block is final or
/// reverted.
#[derive(Debug)]
pub(super) struct Recent {
    blocks: HashMap<Identity, u64, FixedState>,
    settled: VecDeque<Identity>,
    bound: usize,
}

impl Recent {
    pub(super) fn new(bound: usize) -> Recent {
        Recent { blocks: HashMap::default(), settled: VecDeque::new(), bound }
    }

    pub(super) fn block(&self, identity: Identity) -> Option<u64> {
        self.blocks.get(&identity).copied()
    }

    /// Notes an event of a block; `false` if it stands in an earlier one.
    pub(super) fn insert(&mut self, identity: Identity, block: u64) -> bool {
        *self.blocks.entry(identity).or_insert(block) == block
    }

    /// Forgets an event whose block was reverted.
    pub(super) fn forget(&mut self, identity: Identity, block: u64) {
        if self.block(identity) == Some(block) {
            self.blocks.remove(&identity);
        }
    }

    /// Notes that the event's block is final; the oldest makes room.
    pub(super) fn settle(&mut self, identity: Identity, block: u64) {
        if self.block(identity) != Some(block) {
            return;
        }
        self.settled.push_back(identity);
        while self.settled.len() > self.bound {
            if let Some(oldest) = self.settled.pop_front() {
                self.blocks.remove(&oldest);
            }
        }
    }
}
