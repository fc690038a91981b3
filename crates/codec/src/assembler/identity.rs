//! Which event is which: (chain, transaction, log index, kind of index).

use std::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use crate::{ChainEvent, LogIndex};

/// Tells an event of a chain from every other: 95 bits of its transaction's
/// hash, the log index, and how the source numbers logs. Absent when it numbers
/// none: such an event cannot be told from an equal one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity(u128);

impl Identity {
    pub(super) fn of(event: &ChainEvent) -> Option<Identity> {
        let index = event.index?;
        let head: [u8; 16] = event.tx.0[..16].try_into().expect("a hash has 32 bytes");
        let kind = match index {
            LogIndex::InBlock(_) => 0,
            LogIndex::InTx(_) => 1,
        };
        let low = u128::from(index.number()) << 1 | kind;
        Some(Identity((u128::from_be_bytes(head) & !LOW_BITS) | low))
    }
}

/// Where the index and its kind stand.
const LOW_BITS: u128 = (1 << 33) - 1;

/// The identities of the last events taken, up to a bound.
#[derive(Debug)]
pub(super) struct Recent {
    known: HashSet<Identity, FixedState>,
    order: VecDeque<Identity>,
    bound: usize,
}

impl Recent {
    pub(super) fn new(bound: usize) -> Recent {
        Recent { known: HashSet::default(), order: VecDeque::new(), bound }
    }

    pub(super) fn contains(&self, identity: Identity) -> bool {
        self.known.contains(&identity)
    }

    pub(super) fn insert(&mut self, identity: Identity) {
        if self.known.insert(identity) {
            self.order.push_back(identity);
        }
        while self.order.len() > self.bound {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }

    /// Forgets an event that was taken back; its place in `order` expires.
    pub(super) fn remove(&mut self, identity: Identity) {
        self.known.remove(&identity);
    }
}
