//! Which event is which: (chain, transaction, log index, kind of index).

use std::collections::VecDeque;

use flow_core::TxHash;
use foldhash::fast::FixedState;
use hashbrown::HashSet;

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
