//! Which event is which: (chain, transaction, log index, kind of index).

use std::collections::VecDeque;
use std::sync::Arc;

use flow_core::TxHash;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::{ChainEvent, LogIndex};

/// Tells an event of a chain from every other. Absent when its source numbers
/// no logs: such an event cannot be told from an equal one.
///
/// The hash stands whole: whoever found two transactions that agree in a part
/// of it could have the second one dropped as a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) tx: TxHash,
    pub(super) index: LogIndex,
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
    /// Final blocks, the oldest first.
    settled: VecDeque<Settled>,
    settled_events: usize,
    bound: usize,
}

/// The events of a final block. Shared with images, which so cost little.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settled {
    pub(super) block: u64,
    pub(super) events: Arc<[Identity]>,
}

impl Recent {
    pub(super) fn new(bound: usize) -> Recent {
        let blocks = HashMap::default();
        Recent { blocks, settled: VecDeque::new(), settled_events: 0, bound }
    }

    pub(super) fn block(&self, identity: Identity) -> Option<u64> {
        self.blocks.get(&identity).copied()
    }

    /// Notes an event of a block; `false` if it stands in an earlier one.
    pub(super) fn insert(&mut self, identity: Identity, block: u64) -> bool {
        *self.blocks.entry(identity).or_insert(block) == block
    }

    /// Notes an event that is not known; `false` if it is.
    pub(super) fn insert_new(&mut self, identity: Identity, block: u64) -> bool {
        self.blocks.insert(identity, block).is_none()
    }

    /// Forgets an event whose block was reverted.
    pub(super) fn forget(&mut self, identity: Identity, block: u64) {
        if self.block(identity) == Some(block) {
            self.blocks.remove(&identity);
        }
    }

    /// Notes that a block is final, of whose events these stand in no earlier
    /// one; the oldest blocks make room, as long as `bound` events are left.
    pub(super) fn settle(&mut self, block: u64, events: impl Iterator<Item = Identity>) {
        let events: Arc<[Identity]> =
            events.filter(|identity| self.block(*identity) == Some(block)).collect();
        if events.is_empty() {
            return;
        }
        self.push_settled(Settled { block, events });
        while let Some(oldest) = self.settled.front()
            && self.settled_events - oldest.events.len() >= self.bound
        {
            self.settled_events -= oldest.events.len();
            for identity in oldest.events.iter() {
                self.blocks.remove(identity);
            }
            self.settled.pop_front();
        }
    }

    /// Remembers a final block, whose events have been noted.
    pub(super) fn push_settled(&mut self, settled: Settled) {
        self.settled_events += settled.events.len();
        self.settled.push_back(settled);
    }

    /// The final blocks whose events are remembered, the oldest first.
    pub(super) fn settled(&self) -> impl Iterator<Item = &Settled> {
        self.settled.iter()
    }
}
